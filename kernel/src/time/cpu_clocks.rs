//! Clocks that count the CPU time of threads and processes.

use crate::scheduler::Thread;

/// Looks whether a timer on the CPU time of the thread's process may be due. Interrupt context.
pub(crate) fn sample(_thread: &Thread) {}
