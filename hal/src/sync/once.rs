//! A value that is set once and then only read.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;

use super::atomic::{AtomicU8, Ordering};
use crate::arch;

const EMPTY: u8 = 0;
const BUSY: u8 = 1;
const SET: u8 = 2;

/// A cell that is written once. Reading costs one load.
pub struct Once<T> {
    /// `SET` from when the value is complete; `BUSY` while one thread writes it.
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by one thread before it is shared; after that there is shared access only.
unsafe impl<T: Send + Sync> Sync for Once<T> {}
// SAFETY: moving the cell moves the value.
unsafe impl<T: Send> Send for Once<T> {}

impl<T> Once<T> {
    crate::const_fn! {
        /// Makes an empty cell.
        pub const fn new() -> Self {
            Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// Returns the value, if it is set.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // Acquire pairs with the release in `fill`.
        if self.state.load(Ordering::Acquire) == SET {
            // SAFETY: nobody writes any more while `self` is shared.
            let value = unsafe { &*self.value.get() };
            // SAFETY: the value is complete.
            Some(unsafe { value.assume_init_ref() })
        } else {
            None
        }
    }

    /// Sets the value; gives it back if the cell has one or is being given one.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.state.compare_exchange(EMPTY, BUSY, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        self.fill(value);
        Ok(())
    }

    /// Returns the value, making it first if there is none. Spins while another CPU makes it, so `make` must not block
    /// and must not come back here.
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get() {
            Some(value) => value,
            None => self.init(make),
        }
    }

    #[cold]
    fn init(&self, make: impl FnOnce() -> T) -> &T {
        if self.state.compare_exchange(EMPTY, BUSY, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // A panic in `make` stops the kernel; on the host the cell stays busy and later users spin.
            self.fill(make());
        }
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            arch::cpu::relax();
        }
    }

    fn fill(&self, value: T) {
        // SAFETY: only the thread that moved the state from EMPTY to BUSY gets here; nobody reads before SET.
        unsafe { (*self.value.get()).write(value) };
        self.state.store(SET, Ordering::Release);
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        // The exclusive reference: whoever set it happened before.
        if self.state.load(Ordering::Relaxed) == SET {
            // SAFETY: the value is complete and dropped once.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}
