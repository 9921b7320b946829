//! Signals (signal(7)): actions, pending sets, sending, and delivery on the way back to user mode.
//!
//! Life of a signal: [`send`] decides whether it is dropped, what it cancels (stop against continue) and whom it
//! wakes, and queues it in a [`PendingSignals`]; the woken thread finds `Work::SIGNAL` on its way to user mode, and
//! [`delivery`] takes signals one by one: ignore, stop, terminate, or a handler's frame on the user stack ([`frame`]).

pub mod actions;
pub mod delivery;
pub mod frame;
pub mod pending;
pub mod send;

pub use actions::Actions;
pub use pending::PendingSignals;
pub use send::{force_fault, may_signal, send_to_group, send_to_process, send_to_thread};

use linux_abi::signal::{SigSet, Signal};

/// The signals that stop a process, and that `SIGCONT` cancels.
pub const STOP_SIGNALS: SigSet =
    SigSet::of(&[Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);

/// The signals no program can block, catch or ignore.
pub const UNBLOCKABLE: SigSet = SigSet::of(&[Signal::SIGKILL, Signal::SIGSTOP]);
