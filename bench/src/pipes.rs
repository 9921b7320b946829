//! What processes and threads talk through: pipes, Unix sockets, event counters, futexes.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Result, check};

const KIB: usize = 1024;

pub(crate) const ROWS: &[Row] = &[
    Row::new("pipes/write, read 1 B in one process", |bench| {
        let (reader, writer) = sys::pipe()?;
        bench.each("read", || exchange(writer.as_raw_fd(), reader.as_raw_fd()))
    }),
    Row::new("pipes/round trip between processes", |bench| {
        let (there, back) = (sys::pipe()?, sys::pipe()?);
        between_processes(bench, (&there.1, &back.0), (&back.1, &there.0))
    }),
    Row::new("pipes/round trip between threads", |bench| {
        let (there, back) = (sys::pipe()?, sys::pipe()?);
        let ends = (back.1.as_raw_fd(), there.0.as_raw_fd());
        // It ends with the process.
        std::thread::spawn(move || answer(ends.0, ends.1));
        bench.each("read", || exchange(there.1.as_raw_fd(), back.0.as_raw_fd()))
    }),
    Row::new("pipes/4 KiB to a reader", |bench| bandwidth(bench, sys::pipe()?, 4 * KIB)).copying(),
    Row::new("pipes/64 KiB to a reader", |bench| bandwidth(bench, sys::pipe()?, 64 * KIB)).copying(),
    Row::new("pipes/Unix socket, round trip", |bench| {
        let (ours, theirs) = sys::socketpair()?;
        between_processes(bench, (&ours, &ours), (&theirs, &theirs))
    }),
    Row::new("pipes/Unix socket, 4 KiB", |bench| bandwidth(bench, sys::socketpair()?, 4 * KIB)).copying(),
    Row::new("pipes/Unix socket, 64 KiB", |bench| bandwidth(bench, sys::socketpair()?, 64 * KIB)).copying(),
    Row::new("pipes/eventfd write, read", |bench| {
        let counter = sys::eventfd()?;
        let one = 1u64.to_ne_bytes();
        let mut count = [0; 8];
        bench.each("eventfd2", || {
            let written = sys::write(counter.as_raw_fd(), &one);
            written.min(sys::read(counter.as_raw_fd(), &mut count))
        })
    }),
    Row::new("pipes/futex wake, nobody waits", |bench| {
        let word = AtomicU32::new(0);
        bench.each("futex", || sys::futex_wake(&word))
    }),
    Row::new("pipes/futex round trip of threads", |bench| {
        // Odd: it is the other's turn.
        let word = Arc::new(AtomicU32::new(0));
        let other = Arc::clone(&word);
        // It ends with the process.
        std::thread::spawn(move || while take_turn(&other, 1) >= 0 {});
        bench.each("futex", || {
            word.fetch_add(1, Ordering::Release);
            sys::futex_wake(&word).min(wait_for_turn(&word, 0))
        })
    }),
];

/// Writes a byte and waits for one.
#[inline(always)]
fn exchange(to: RawFd, from: RawFd) -> isize {
    let mut byte = [0];
    sys::write(to, &[1]).min(sys::read(from, &mut byte))
}

/// Answers each byte until the other end is closed.
fn answer(to: RawFd, from: RawFd) {
    let mut byte = [0];
    while sys::read(from, &mut byte) == 1 && sys::write(to, &byte) == 1 {}
}

/// Measures a byte's way to another process and back. Each pair is the end to write to and the end to read from.
fn between_processes(bench: &mut Bench, ours: Ends, theirs: Ends) -> Result<()> {
    let (to, from) = (theirs.0.as_raw_fd(), theirs.1.as_raw_fd());
    let _peer = sys::fork(|| {
        answer(to, from);
        0
    })?;
    bench.each("read", || exchange(ours.0.as_raw_fd(), ours.1.as_raw_fd()))
}

type Ends<'a> = (&'a OwnedFd, &'a OwnedFd);

/// Measures reading what another process writes all the time, `length` bytes at a time; the cost of both is counted.
fn bandwidth(bench: &mut Bench, (reader, writer): (OwnedFd, OwnedFd), length: usize) -> Result<()> {
    let _peer = sys::fork(|| {
        let block = vec![b'x'; length];
        while sys::write(writer.as_raw_fd(), &block) > 0 {}
        1
    })?;
    let mut block = vec![0; length];
    bench.batches(1, |bench, count| {
        bench.elapsed(|| {
            let mut left = length * usize::try_from(count).unwrap_or(usize::MAX);
            while left > 0 {
                let limit = left.min(block.len());
                left -= check("read", sys::read(reader.as_raw_fd(), &mut block[..limit]))?;
            }
            Ok(())
        })
    })
}

/// Waits until the word's parity says that it is this thread's turn.
#[inline(always)]
fn wait_for_turn(word: &AtomicU32, parity: u32) -> isize {
    loop {
        let value = word.load(Ordering::Acquire);
        if value % 2 == parity {
            return 0;
        }
        let returned = sys::futex_wait(word, value);
        if returned < 0 && returned != -(libc::EAGAIN as isize) {
            return returned;
        }
    }
}

/// Waits for this thread's turn and gives it to the other.
fn take_turn(word: &AtomicU32, parity: u32) -> isize {
    let waited = wait_for_turn(word, parity);
    if waited < 0 {
        return waited;
    }
    word.fetch_add(1, Ordering::Release);
    sys::futex_wake(word)
}
