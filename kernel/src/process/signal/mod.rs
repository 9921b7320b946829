//! Signals (signal(7)): actions and pending sets.

pub mod actions;
pub mod pending;

pub use actions::Actions;
pub use pending::PendingSignals;

use linux_abi::signal::{SigSet, Signal};

/// The signals that stop a process, and that `SIGCONT` cancels.
pub const STOP_SIGNALS: SigSet =
    SigSet::of(&[Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);

/// The signals no program can block, catch or ignore.
pub const UNBLOCKABLE: SigSet = SigSet::of(&[Signal::SIGKILL, Signal::SIGSTOP]);
