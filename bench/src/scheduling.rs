//! Giving the processor to another process.

use std::os::fd::AsRawFd;

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Child, Mapping, PAGE, Result, check};

pub(crate) const ROWS: &[Row] = &[
    Row::new("scheduling/sched_yield, alone", |bench| bench.each("sched_yield", sys::sched_yield)),
    Row::new("scheduling/sched_yield, two processes", |bench| {
        let _peer = sys::fork(|| {
            while sys::sched_yield() >= 0 {}
            1
        })?;
        bench.each("sched_yield", sys::sched_yield)
    }),
    Row::new("scheduling/token, 2 processes", |bench| ring(bench, 2, 0)),
    Row::new("scheduling/token, 8 processes", |bench| ring(bench, 8, 0)),
    Row::new("scheduling/token, 16 processes", |bench| ring(bench, 16, 0)),
    Row::new("scheduling/token, 2 processes of 64 KiB", |bench| ring(bench, 2, 16)),
    Row::new("scheduling/token, 8 processes of 64 KiB", |bench| ring(bench, 8, 16)),
    Row::new("scheduling/token, 16 processes of 64 KiB", |bench| ring(bench, 16, 16)),
];

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
