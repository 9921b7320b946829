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
pub mod signal_fd;

pub use actions::Actions;
pub use pending::PendingSignals;
pub use send::{force_fault, may_signal, send_to_group, send_to_process, send_to_thread};
