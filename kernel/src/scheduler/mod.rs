//! Threads and who runs when: one run queue for each CPU, sleeping and waking, CPU time.
//!
//! | Module | What |
//! | --- | --- |
//! | [`core`] | decisions (pure), and the lines that act on them |
//! | [`thread`] | a thread and its states |
//! | [`wait`] | wait queues, waiting for many at once |
//! | `parking` | sleep for `hal`'s mutexes |
//! | [`service`] | the thread that does what interrupt handlers must leave |
//! | `accounting` | CPU times, load averages |
//! | [`trace`] | a record of switches, wake-ups and migrations |
//!
//! # Terms
//! A thread *runs* on a CPU, is *ready* (in a run queue), or *sleeps*. It *blocks* when it goes to sleep, it is *woken*
//! when what it waits for came true. Kernel code is never pre-empted: a thread leaves its CPU when it blocks, in
//! [`cond_resched`], or on the way to user mode.
//!
//! # Boot order
//! Each CPU calls [`init`], which makes what runs there the CPU's idle thread, and ends in [`run`]; CPUs other than the
//! first do both in [`run_secondary`], once [`start_secondaries`] has started them. Between the two the first CPU spawns
//! what it wants to run; it must not block.
//!
//! # Lock order
//! ```text
//! poll list -> wait queue, parking bucket, futex bucket -> timer queue -> run queue
//! ```
//! All of them but the futex bucket turn interrupts off. No two run queues are locked at once.

mod accounting;
pub mod core;
mod parking;
pub mod service;
pub mod thread;
pub mod trace;
pub mod wait;

pub use self::accounting::{CpuState, CpuUsage, LOAD_SHIFT, Stats};
pub use self::core::cpu::reschedule_interrupts;
pub use self::core::cpu::{Barrier, barrier_on, reschedule_interrupt};
pub use self::core::idle::{init, run, run_secondary, run_while, start_secondaries};
pub use self::core::policy::{Attributes, Policy, Priority};
pub use self::core::scheduler::{SCHEDULER, Scheduler, current, has_pending_signal, load_average};
pub use self::core::switch::{cond_resched, exit_current, schedule};
pub use self::core::wakeup::{interrupt_sleep, wake};
pub use self::parking::{mutex_wait, mutex_wake};
pub use self::thread::thread::{Thread, ThreadId, ThreadName};
pub use crate::time::timer;
