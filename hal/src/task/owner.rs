//! Whose a task is: a CPU's that runs it, or a caller's that changes it.

use crate::sync::atomic::{AtomicBool, Ordering, test_and_set};

/// Set while somebody has the task: sees all that the one before did with it, and leaves it to one alone.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Owned(AtomicBool);

impl Owned {
    crate::const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicBool::new(false))
        }
    }

    /// Takes the task, waiting for whoever has it.
    #[inline]
    pub(super) fn acquire(&self, relax: fn()) {
        // Acquire pairs with the release that ends every ownership.
        while self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            relax();
        }
    }

    /// Takes the task if nobody has it; tells whether it did.
    pub(super) fn try_acquire(&self) -> bool {
        test_and_set(&self.0)
    }

    /// Lets the next one have it: what this one did is complete.
    #[inline]
    pub(super) fn release(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Tells whether somebody has it at the moment.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
