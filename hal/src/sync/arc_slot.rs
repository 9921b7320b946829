//! A place for at most one `Arc`, emptied and filled by single atomic exchanges.
//!
//! Intrusive lists of shared objects (run queues, wait queues, timers) are built from it in safe code: a link is a
//! slot inside the object, so queueing needs no allocation and can be done from an interrupt handler. The slot never
//! gives out a reference to its content, only the content itself; that is why an exchange is all the
//! synchronisation it needs. Keeping a *list* consistent is the business of the lock around it.

use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::ptr;

use super::atomic::{AtomicPtr, Ordering};

/// A place for at most one `Arc<T>`.
pub struct ArcSlot<T> {
    // Invariant: null, or a pointer from `Arc::into_raw` whose reference count the slot owns.
    content: AtomicPtr<T>,
    owns: PhantomData<Arc<T>>,
}

impl<T> ArcSlot<T> {
    crate::const_fn! {
        /// Makes an empty slot.
        pub const fn new() -> Self {
            Self { content: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
        }
    }

    /// Empties the slot and returns what was in it.
    pub fn take(&self) -> Option<Arc<T>> {
        Self::from_content(self.content.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// Fills the slot and returns what was in it before.
    pub fn put(&self, value: Arc<T>) -> Option<Arc<T>> {
        Self::from_content(self.content.swap(Arc::into_raw(value).cast_mut(), Ordering::AcqRel))
    }

    /// Whether the slot holds nothing at this moment.
    pub fn is_empty(&self) -> bool {
        self.content.load(Ordering::Relaxed).is_null()
    }

    fn from_content(content: *const T) -> Option<Arc<T>> {
        if content.is_null() {
            return None;
        }
        // SAFETY: by the invariant a non-null content is an `Arc::into_raw` pointer with one count owned by the slot;
        // the exchange that produced it removed it from the slot, so this is the only use of that count.
        Some(unsafe { Arc::from_raw(content) })
    }
}

impl<T> Default for ArcSlot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for ArcSlot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> fmt::Debug for ArcSlot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "ArcSlot(empty)" } else { "ArcSlot(full)" })
    }
}
