//! How an operation is measured: in batches, without the loop's own cost, as the median with its spread.

use crate::sys::{self, Error, Result};

/// What a cost is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Instructions: the time stamp counter of an emulator that advances it by one for each.
    Instructions,
    /// Nanoseconds of the monotonic clock.
    Wall,
}

impl Clock {
    /// Returns the unit's name.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Wall => "ns",
        }
    }

    /// Returns the time now.
    #[inline(always)]
    pub(crate) fn now(self) -> u64 {
        match self {
            Self::Instructions => sys::time_stamp(),
            Self::Wall => sys::wall_ns(),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// What is counted.
    pub(crate) clock: Clock,
    /// Fewer and shorter batches.
    pub(crate) is_quick: bool,
    /// So many batches instead of the usual number: to watch a row for longer.
    pub(crate) batches: Option<usize>,
}

impl Settings {
    /// Returns how long a batch shall be: long enough to drown the clock's own cost, and much shorter than the
    /// 4 million instructions between two timer ticks of Linux, so that most batches have none.
    fn batch_ticks(self) -> u64 {
        match (self.clock, self.is_quick) {
            (Clock::Instructions, false) => 200_000,
            (Clock::Instructions, true) => 80_000,
            (Clock::Wall, false) => 2_000_000,
            (Clock::Wall, true) => 1_000_000,
        }
    }

    /// Returns how many batches there shall be when one takes `ticks`.
    fn batches(self, ticks: u64) -> usize {
        if let Some(batches) = self.batches {
            return batches;
        }
        let (fewest, most) = if self.is_quick { (3, 9) } else { (7, 31) };
        let budget = match self.clock {
            Clock::Instructions => 100_000_000,
            Clock::Wall => 200_000_000,
        };
        let affordable = budget / ticks.max(1) / if self.is_quick { 4 } else { 1 };
        usize::try_from(affordable).unwrap_or(most).clamp(fewest, most)
    }
}

/// The figures of a row, each for one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// The unit of the figures.
    pub(crate) unit: &'static str,
    /// The median of the batches.
    pub(crate) median: f64,
    /// The cheapest batch.
    pub(crate) minimum: f64,
    /// From the tenth to the ninetieth percentile, as a share of the median.
    pub(crate) spread: f64,
    /// How far the medians of the first and of the second half are apart, as a share of the median.
    pub(crate) drift: f64,
    /// How many batches there were.
    pub(crate) batches: usize,
    /// How many operations a batch had, or items if the figures are for one of those.
    pub(crate) operations: u64,
}

impl Figures {
    /// Summarises batches, in the order in which they were measured.
    pub(crate) fn of(unit: &'static str, values: &[f64], operations: u64) -> Self {
        let median = percentile(values, 50);
        let share = |difference: f64| if median > 0.0 { difference / median } else { 0.0 };
        let (first, second) = values.split_at(values.len() / 2);
        let drift =
            if first.is_empty() { 0.0 } else { (percentile(second, 50) - percentile(first, 50)).abs() };
        Self {
            unit,
            median,
            minimum: percentile(values, 0),
            spread: share(percentile(values, 90) - percentile(values, 10)),
            drift: share(drift),
            batches: values.len(),
            operations,
        }
    }
}

/// Returns a percentile of unsorted values; 0 if there are none.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) * percent + 50) / 100;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// Measures one row.
pub(crate) struct Bench {
    settings: Settings,
    /// What reading the clock twice costs.
    clock_cost: u64,
    /// Whether the batches that count are running, for a profiler.
    is_marked: bool,
    figures: Option<Figures>,
}

impl Bench {
    /// Makes ready to measure.
    pub(crate) fn new(settings: Settings) -> Self {
        let mut bench = Self { settings, clock_cost: 0, is_marked: false, figures: None };
        bench.clock_cost = (0..100).filter_map(|_| bench.elapsed(|| Ok(())).ok()).min().unwrap_or(0);
        bench
    }

    /// Returns the figures, if the row has measured anything.
    pub(crate) fn figures(self) -> Option<Figures> {
        self.figures
    }

    /// Returns how long a function takes, without the clock's own cost.
    #[inline(always)]
    pub(crate) fn elapsed(&self, function: impl FnOnce() -> Result<()>) -> Result<u64> {
        if self.is_marked {
            sys::mark_begin();
        }
        let start = self.settings.clock.now();
        function()?;
        let end = self.settings.clock.now();
        if self.is_marked {
            sys::mark_end();
        }
        Ok((end - start).saturating_sub(self.clock_cost))
    }

    /// Measures a call that returns a negated error number when it fails.
    pub(crate) fn each(&mut self, call: &'static str, mut operation: impl FnMut() -> isize) -> Result<()> {
        self.batches(1, |bench, count| {
            let mut worst = 0;
            let ticks = bench.elapsed(|| {
                worst = repeat(count, &mut operation);
                Ok(())
            })?;
            sys::check(call, worst)?;
            Ok(ticks.saturating_sub(bench.elapsed(|| {
                repeat(count, &mut sys::nothing);
                Ok(())
            })?))
        })
    }

    /// Measures batches that measure themselves: `batch` performs `count` operations of `items` items each and
    /// returns how long they took. The figures are for one item.
    pub(crate) fn batches(
        &mut self,
        items: u64,
        mut batch: impl FnMut(&Self, u64) -> Result<u64>,
    ) -> Result<()> {
        let wanted = self.settings.batch_ticks();
        // This finds how many operations make a batch, and warms up what there is to warm up.
        let mut undisturbed = |count| Ok::<u64, Error>(batch(self, count)?.min(batch(self, count)?));
        let (mut count, mut ticks) = (1, undisturbed(1)?);
        while ticks < wanted / 2 && count < 1 << 20 {
            count *= 2;
            ticks = undisturbed(count)?;
        }
        count = (count * wanted).div_ceil(ticks.max(1)).clamp(1, count * 2);
        self.is_marked = true;
        let mut values = Vec::new();
        for _ in 0..self.settings.batches(ticks) {
            values.push(batch(self, count)? as f64 / (count * items) as f64);
        }
        self.figures = Some(Figures::of(self.settings.clock.unit(), &values, count * items));
        Ok(())
    }

    /// Measures memory: how much less is free when `make` has made `count` objects, for each of them. They are made
    /// twice, since what the first ones fill up (a page of small objects, a free list) belongs to none of them.
    pub(crate) fn bytes_each<T>(&mut self, count: u64, mut make: impl FnMut(u64) -> Result<T>) -> Result<()> {
        let first = make(count / 4)?;
        let before = settled_free_memory()?;
        let second = make(count)?;
        let after = settled_free_memory()?;
        drop((first, second));
        let value = before.saturating_sub(after) as f64 / count as f64;
        self.figures = Some(Figures::of("bytes", &[value], count));
        Ok(())
    }
}

/// Returns the free memory when nothing is on its way back any more.
fn settled_free_memory() -> Result<u64> {
    sys::sleep_ms(500);
    sys::free_memory()
}

/// Performs an operation `count` times and returns the least value it returned.
#[inline(never)]
fn repeat(count: u64, operation: &mut impl FnMut() -> isize) -> isize {
    let mut least = 0;
    for _ in 0..count {
        least = operation().min(least);
    }
    least
}

/// Measures a loop of known length; returns the instructions counted for each of the instructions executed.
///
/// # Errors
/// None; the type is that of what it measures.
pub(crate) fn calibrate(settings: Settings) -> Result<f64> {
    const ROUNDS: u64 = 50_000;
    let bench = Bench::new(settings);
    let measure = || {
        bench.elapsed(|| {
            sys::known_loop(ROUNDS);
            Ok(())
        })
    };
    let least = (0..9).map(|_| measure()).collect::<Result<Vec<u64>>>()?.into_iter().min();
    let least = least.ok_or(Error { call: "calibrate", errno: libc::EINVAL })?;
    Ok(least as f64 / (2 * ROUNDS) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_all_batches_in_any_order() {
        let values = [11.0, 9.0, 10.0, 100.0, 10.0, 10.0, 12.0, 8.0, 10.0, 10.0, 10.0];
        let figures = Figures::of("ns", &values, 5);
        assert_eq!((figures.median, figures.minimum, figures.batches), (10.0, 8.0, 11));
        assert!((figures.spread - 0.3).abs() < 1e-9, "{figures:?}");
        assert_eq!(figures.drift, 0.0);
        assert_eq!(Figures::of("ns", &[], 1).median, 0.0);
    }

    #[test]
    fn drift_is_seen() {
        let figures = Figures::of("ns", &[10.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0], 1);
        assert!(figures.drift > 0.4, "{figures:?}");
    }

    #[test]
    fn a_failing_call_is_an_error_and_an_operation_has_a_cost() {
        let settings = Settings { clock: Clock::Wall, is_quick: true, batches: Some(3) };
        let mut bench = Bench::new(settings);
        let error = bench.each("close", || sys::close(-1)).expect_err("no such descriptor");
        assert_eq!((error.call, error.errno), ("close", libc::EBADF));
        bench.each("getpid", sys::getpid).expect("works everywhere");
        let figures = bench.figures().expect("measured");
        assert!(figures.median > 1.0 && figures.batches == 3, "{figures:?}");
    }
}
