//! How an operation is measured, and how that is printed.

use core::fmt::{self, Write};
use core::hint::black_box;

use arrayvec::ArrayVec;
use hal::console::EarlyConsole;

/// Batches that count. An interrupt spoils one, the median does not see it.
const BATCHES: usize = 11;
/// Batches before those, which fill caches and free lists.
const WARM_UP: usize = 2;

/// What came of a batch; the error says why the operation cannot be measured on this machine.
pub(super) type Outcome = Result<(), &'static str>;

/// An operation to measure.
pub struct Row {
    /// The group and the operation, with a slash in between.
    pub name: &'static str,
    /// The cycles that the design allows.
    target: Option<u32>,
    batch: fn(&mut Stopwatch) -> Outcome,
}

impl Row {
    /// Makes a row; `batch` times some hundred operations.
    pub(super) const fn new(
        name: &'static str,
        target: Option<u32>,
        batch: fn(&mut Stopwatch) -> Outcome,
    ) -> Self {
        Self { name, target, batch }
    }

    /// Measures the row and prints its line.
    pub(super) fn run(&self) {
        let figure = self.measure(hal::time::tsc);
        say(format_args!("{}", Line { name: self.name, target: self.target, figure }));
    }

    /// Returns the median of the batches, in tenths of the clock's unit for each operation.
    ///
    /// # Errors
    /// Why the operation cannot be measured on this machine.
    pub fn measure(&self, clock: fn() -> u64) -> Result<u64, &'static str> {
        let mut figures = ArrayVec::<u64, BATCHES>::new();
        for number in 0..WARM_UP + BATCHES {
            let mut stopwatch = Stopwatch::new(clock);
            (self.batch)(&mut stopwatch)?;
            if number >= WARM_UP {
                figures.push(stopwatch.tenths());
            }
        }
        Ok(median(&mut figures))
    }
}

/// Adds up the time of those parts of a batch that matter.
pub(super) struct Stopwatch {
    clock: fn() -> u64,
    /// What looking at the clock twice costs.
    reading: u64,
    cycles: u64,
    operations: u64,
}

impl Stopwatch {
    fn new(clock: fn() -> u64) -> Self {
        let mut stopwatch = Self { clock, reading: 0, cycles: 0, operations: 0 };
        let readings = (0..16).map(|_| stopwatch.lap(|| ()).0);
        stopwatch.reading = readings.min().unwrap_or(0);
        stopwatch
    }

    /// Times work that consists of so many operations.
    #[inline(always)]
    pub(super) fn time<R>(&mut self, operations: usize, work: impl FnOnce() -> R) -> R {
        let (cycles, result) = self.lap(work);
        self.cycles += cycles;
        self.operations += operations as u64;
        result
    }

    /// Times an operation in a loop, without the loop.
    pub(super) fn each(&mut self, count: usize, mut operation: impl FnMut()) {
        let (empty, ()) = self.lap(|| (0..count).for_each(|_| black_box(())));
        let (cycles, ()) = self.lap(|| {
            (0..count).for_each(|_| {
                operation();
                black_box(());
            });
        });
        self.cycles += cycles.saturating_sub(empty);
        self.operations += count as u64;
    }

    #[inline(always)]
    fn lap<R>(&self, work: impl FnOnce() -> R) -> (u64, R) {
        let start = (self.clock)();
        let result = work();
        let cycles = (self.clock)() - start;
        (cycles.saturating_sub(self.reading), result)
    }

    fn tenths(&self) -> u64 {
        tenths(self.cycles, self.operations)
    }
}

/// Returns the cycles of one operation in tenths, rounded.
pub(super) fn tenths(cycles: u64, operations: u64) -> u64 {
    (10 * cycles + operations / 2).checked_div(operations).unwrap_or(0)
}

/// Returns the median; 0 if there is no figure.
pub(super) fn median(figures: &mut [u64]) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or(0)
}

/// A row's line.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) target: Option<u32>,
    /// Tenths of a cycle, or why there is no figure.
    pub(super) figure: Result<u64, &'static str>,
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.name)?;
        match self.figure {
            Ok(tenths) => write!(out, "{}.{} cycles", tenths / 10, tenths % 10)?,
            Err(why) => write!(out, "not measured, {why}")?,
        }
        self.target.map_or(Ok(()), |target| write!(out, ", target {target}"))
    }
}

/// Prints a line on the console, whatever the log level is.
pub(super) fn say(line: fmt::Arguments) {
    // The console takes everything.
    let _ = writeln!(EarlyConsole, "exo.bench: {line}");
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_line_has_the_median_and_the_target() {
        assert_eq!(median(&mut [30, 10, 1000, 20, 40]), 30);
        assert_eq!((tenths(25, 10), tenths(2, 3), tenths(1, 0)), (25, 7, 0));
        let line = Line { name: "a/b, c", target: Some(8), figure: Ok(95) };
        assert_eq!(line.to_string(), "a/b, c: 9.5 cycles, target 8");
        let line = Line { name: "a/d", target: None, figure: Err("why") };
        assert_eq!(line.to_string(), "a/d: not measured, why");
    }

    #[test]
    fn a_batch_that_cannot_be_measured_says_why() {
        assert_eq!(
            Row::new("a/b", None, |_| Err("no such thing")).measure(hal::time::tsc),
            Err("no such thing")
        );
        let row = Row::new("a/b", None, |watch| {
            watch.each(10, || ());
            Ok(())
        });
        assert!(row.measure(hal::time::tsc).is_ok());
    }
}
