//! Giving the processor to another process.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Child, Mapping, PAGE, Result, check};

pub(crate) const ROWS: &[Row] = &[
    Row::new("scheduling/sched_yield, alone", |bench| bench.each("sched_yield", sys::sched_yield)),
    Row::new("scheduling/sched_yield, two processes", yield_to_each_other),
    Row::new("scheduling/token, 2 processes", |bench| ring(bench, 2, 0)),
    Row::new("scheduling/token, 8 processes", |bench| ring(bench, 8, 0)),
    Row::new("scheduling/token, 16 processes", |bench| ring(bench, 16, 0)),
    Row::new("scheduling/token, 2 processes of 64 KiB", |bench| ring(bench, 2, 16)),
    Row::new("scheduling/token, 8 processes of 64 KiB", |bench| ring(bench, 8, 16)),
    Row::new("scheduling/token, 16 processes of 64 KiB", |bench| ring(bench, 16, 16)),
];

/// Measures the yields of two processes; which of them runs is the scheduler's choice, so those of both count.
fn yield_to_each_other(bench: &mut Bench) -> Result<()> {
    let shared = Mapping::shared()?;
    let yields = shared.counter();
    let work = || {
        yields.fetch_add(1, Ordering::Relaxed);
        sys::sched_yield()
    };
    let _peer = sys::fork(|| {
        while work() >= 0 {}
        1
    })?;
    // Until the scheduler has seen what the two are like: Linux begins by giving the processor back at once.
    while yields.load(Ordering::Relaxed) < 20_000 {
        check("sched_yield", work())?;
    }
    bench.batches(1, |bench, count| {
        let before = yields.load(Ordering::Relaxed);
        let ticks = bench.elapsed(|| {
            while yields.load(Ordering::Relaxed) - before < count {
                check("sched_yield", work())?;
            }
            Ok(())
        })?;
        // The other one may have gone on for a while.
        let performed = yields.load(Ordering::Relaxed) - before;
        Ok(u64::try_from(u128::from(ticks) * u128::from(count) / u128::from(performed)).unwrap_or(ticks))
    })
}

/// Measures how a byte goes round through pipes, by one process to the next, each of which touches its memory when
/// it has the byte. The figure is for one step: a read that waits, the switch, the touching, a write.
fn ring(bench: &mut Bench, processes: usize, pages: usize) -> Result<()> {
    let pipes = (0..processes).map(|_| sys::pipe()).collect::<Result<Vec<_>>>()?;
    let mut memory = Mapping::anonymous(pages.max(1))?;
    let mut pass = |from: usize| -> isize {
        let (reader, writer) = (&pipes[from].0, &pipes[(from + 1) % processes].1);
        let mut byte = [0];
        let got = sys::read(reader.as_raw_fd(), &mut byte);
        // Every cache line of it.
        memory.write_every(64, pages * PAGE);
        got.min(sys::write(writer.as_raw_fd(), &byte))
    };
    // Process 0 is this one.
    let mut others: Vec<Child> = Vec::new();
    for number in 1..processes {
        others.push(sys::fork(|| {
            while pass(number) > 0 {}
            1
        })?);
    }
    check("write", sys::write(pipes[0].1.as_raw_fd(), &[1]))?;
    bench.batches(processes as u64, |bench, count| {
        bench.elapsed(|| {
            for _ in 0..count {
                check("read", pass(0))?;
            }
            Ok(())
        })
    })
}
