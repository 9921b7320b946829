//! Processes: thread groups, their tree, credentials, signals, and the life cycle fork, exec, exit, wait.
//!
//! # Terms
//! - *Process*: a thread group, what `getpid(2)` names. *Thread*: what `gettid(2)` names; its user half is
//!   [`UserThread`], its kernel half is the scheduler's `Thread`.
//! - *Group*, *session*: job control's sets of processes, kept by id in the [`tree`].
//!
//! # Lock order
//! ```text
//! tree::TREE                    who is whose parent, group, session; the id tables
//!   Process::signals            actions, process-wide pending signals, stop and exit state
//!     UserThread::signals       mask, own pending signals, alternate stack
//!       Process::tracer         the threads a process traces
//!         UserThread::traced    who traces a thread, and where it stands
//! ```
//! Waking a thread takes scheduler locks, which come after all of these.
//!
//! # Invariants
//! 1. A thread dies only in [`exit_to_user`], at the bottom of its kernel stack, where no kernel value is left on it.
//! 2. `Work::SIGNAL` is raised on a thread whenever it may have a signal to take; it is lowered only by the thread
//!    itself, under its signal lock, after it looked.
//! 3. An id is free only when no process, thread, group and session carries it.

pub mod autogroup;
pub mod credentials;
pub mod exec;
pub mod exit;
pub mod faults;
pub mod fork;
pub mod inspect;
pub mod limits;
pub mod login;
pub mod pidfd;
pub mod ptrace;
mod rseq;
pub mod seccomp;
pub mod signal;
pub mod start;
mod thread_group;
pub mod tree;
mod user_return;
mod user_thread;
pub mod victims;
pub mod wait;
pub mod watch;

pub use thread_group::{Image, Process, SharedSignals, Times};
pub use user_return::exit_to_user;
pub use user_thread::UserThread;

/// A process, thread, group or session id.
pub type Pid = i32;
