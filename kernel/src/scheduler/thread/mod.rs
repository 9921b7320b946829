//! Threads: what the scheduler runs.

mod futex_waiting;
mod registry;
mod sleeping;
pub mod state;
#[expect(clippy::module_inception, reason = "the project fixes this path")]
pub mod thread;

pub(crate) use futex_waiting::{FutexWaiting, WaitKind};
pub(crate) use registry::{allocate_id, find, insert, remove};
