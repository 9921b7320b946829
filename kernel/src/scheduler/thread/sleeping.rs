//! How a thread goes to sleep and is seen to sleep: the thread's side of the protocol in [`super::state`]. `models/` has this
//! file as it is.

use hal::sync::atomic::Ordering::{Relaxed, SeqCst};
use hal::sync::atomic::fence;
use hal::task::Work;

use super::state::State;
use super::thread::Thread;

impl Thread {
    /// Whether it runs, can run, or sleeps, and how.
    pub fn state(&self) -> State {
        State::from_bits(self.state.load(Relaxed))
    }

    /// Stores a state; see [`super::state`] for who may.
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state.bits(), Relaxed);
    }

    pub(crate) fn is_active(&self) -> bool {
        self.is_active.load(Relaxed)
    }

    pub(crate) fn set_active(&self, is_active: bool) {
        self.is_active.store(is_active, Relaxed);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Relaxed)
    }

    pub(crate) fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Relaxed);
    }

    /// Stores a sleeping state, so that whoever makes the condition true after the look that follows sees it.
    pub(crate) fn prepare_to_sleep(&self, state: State) {
        self.state.store(state.bits(), Relaxed);
        fence(SeqCst);
    }

    /// Whether something wants attention that ends a sleep in `state`.
    pub(crate) fn is_interrupted(&self, state: State) -> bool {
        match state {
            State::INTERRUPTIBLE => self.has_pending_signal(),
            State::KILLABLE => self.must_exit(),
            _ => false,
        }
    }

    /// Whether a signal waits to be taken, which ends interruptible sleeps.
    pub fn has_pending_signal(&self) -> bool {
        self.task.work().intersects(Work::SIGNAL | Work::EXIT)
    }

    /// Whether the thread is to end, which ends killable sleeps.
    pub fn must_exit(&self) -> bool {
        self.task.work().contains(Work::EXIT)
    }
}
