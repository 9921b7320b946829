//! The kernel measures itself: `exo.bench` on the command line, `cargo xtask bench kernel`.
//!
//! After boot, instead of the first program, the operations that the design has figures for are run in batches and timed
//! by the time stamp counter: cycles on a PC, instructions in an emulator that counts those. Each prints a line, the last
//! line says how many there were, and the machine is switched off:
//!
//! ```text
//! exo.bench: heap/64 B, alloc: 9.5 cycles, target 8
//! exo.bench: page/map 2 MiB: not measured, pages are of 4 KiB only
//! exo.bench: end of 2 rows
//! ```
//!
//! What a service costs seen from a program is measured from there, by the program in `bench/` at the top of the tree.
//! Here are the parts no program reaches by themselves.

mod calls;
mod harness;
mod memory;
mod paging;
mod scheduling;

pub use self::harness::Row;

/// What is measured in this thread. The rows of `calls` are measured from a program, which ends it all.
const GROUPS: [&[Row]; 4] = [memory::ROWS, paging::ROWS, scheduling::ROWS, scheduling::PURE_ROWS];

/// The rows that need no booted kernel: on a host their clock is the host's (`host-bench`).
pub fn pure_rows() -> impl Iterator<Item = &'static Row> {
    paging::ROWS.iter().chain(scheduling::PURE_ROWS)
}

/// Measures and prints everything. The machine is switched off afterwards, by the program that is started last.
///
/// # Panics
/// If that program cannot be started.
pub fn run() {
    let mut count = 0;
    for row in GROUPS.into_iter().flatten() {
        row.run();
        count += 1;
    }
    calls::start(count).expect("memory for a program of one page");
}
