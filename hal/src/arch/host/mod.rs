//! The simulated machine: an x86-64 computer in ordinary memory, for `cargo test`.
//!
//! Physical memory is a buffer, page tables are real x86-64 entries in it, the MMU is a software walk with a TLB for
//! every CPU. Time is virtual. A task is an OS thread that runs only while it holds the baton of a CPU; several CPUs run
//! truly in parallel. Interrupts arrive where interrupts are turned on, in spin loops, while a CPU waits, and at a
//! simulated program's system calls. User programs are Rust functions.
//!
//! Invariants:
//! 1. Every OS thread belongs to one machine (made at first use if need be) and acts for one CPU of it; a CPU has at most
//!    one such thread running, handed on by [`task::switch`].
//! 2. Machines are never freed, so a frame or a static of one may be referred to for ever.
//! 3. A walk of the page table and the access behind it happen under the CPU's TLB lock, which a shoot-down takes: an
//!    access is over before the frame can be reused.
//!
//! What it cannot show: entry assembly, interrupts between any two instructions, memory ordering weaker or stronger than
//! the host's.

pub(crate) mod api;
pub(crate) mod backtrace;
pub(crate) mod boot;
pub(crate) mod console;
pub(crate) mod cpu;
pub(crate) mod io;
pub(crate) mod irq;
mod machine;
pub(crate) mod memory;
#[cfg(all(test, target_arch = "x86_64"))]
mod memory_functions;
mod mmu;
pub(crate) mod paging;
mod program;
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod user;
pub(crate) mod vdso;

pub(crate) use machine::{StaticKey, machine};
