//! A spinning lock for one writer or many readers.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::atomic::{AtomicU32, Ordering};
use super::rank::{Kind, LockRank, Rank};
use crate::arch;

const WRITER: u32 = 1 << 31;
/// A writer waits; new readers hold back, so that it is not starved.
const WAITING: u32 = 1 << 30;

/// A lock for data that is read far more often than written, and that no interrupt handler touches. Reading twice on
/// one CPU is a breach of the lock order: a waiting writer would stop the second.
pub struct RwSpinLock<T: ?Sized> {
    /// Number of readers, or `WRITER`; `WAITING` beside either.
    state: AtomicU32,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out shared access to many threads or exclusive access to one.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwSpinLock<T> {}
// SAFETY: moving the lock moves the value.
unsafe impl<T: ?Sized + Send> Send for RwSpinLock<T> {}

impl<T> RwSpinLock<T> {
    crate::const_fn! {
        /// Makes an unlocked lock.
        pub const fn new(rank: LockRank, value: T) -> Self {
            Self { state: AtomicU32::new(0), rank: Rank::new(rank), value: UnsafeCell::new(value) }
        }
    }
}

impl<T: ?Sized> RwSpinLock<T> {
    /// Acquires the lock for reading.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, T> {
        self.rank.acquire(Kind::Spin, false);
        loop {
            let state = self.state.load(Ordering::Relaxed);
            // Acquire pairs with the release of a writer.
            if state & (WRITER | WAITING) == 0
                && self
                    .state
                    .compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return ReadGuard { lock: self, not_send: PhantomData };
            }
            wait();
        }
    }

    /// Acquires the lock for writing.
    #[inline]
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, T> {
        self.rank.acquire(Kind::Spin, false);
        loop {
            let state = self.state.load(Ordering::Relaxed);
            // Acquire pairs with the release of a writer or of the last reader.
            if state & !WAITING == 0 {
                if self
                    .state
                    .compare_exchange_weak(state, WRITER, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
                {
                    return WriteGuard { lock: self, not_send: PhantomData };
                }
            } else if state & WAITING == 0 {
                self.state.fetch_or(WAITING, Ordering::Relaxed);
            }
            wait();
        }
    }
}

impl<T: ?Sized> fmt::Debug for RwSpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load(Ordering::Relaxed);
        f.debug_struct("RwSpinLock").field("state", &state).finish_non_exhaustive()
    }
}

// Never inlined: it would cost registers wherever a lock is taken.
#[cold]
#[inline(never)]
fn wait() {
    arch::cpu::relax();
}

/// Shared access to the value of a [`RwSpinLock`].
pub struct ReadGuard<'a, T: ?Sized> {
    lock: &'a RwSpinLock<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value alone.
unsafe impl<T: ?Sized + Sync> Sync for ReadGuard<'_, T> {}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard counts as a reader; no writer is in.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.state.fetch_sub(1, Ordering::Release);
        self.lock.rank.release(Kind::Spin);
    }
}

/// Exclusive access to the value of a [`RwSpinLock`].
pub struct WriteGuard<'a, T: ?Sized> {
    lock: &'a RwSpinLock<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value alone.
unsafe impl<T: ?Sized + Sync> Sync for WriteGuard<'_, T> {}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one and borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Leaves a `WAITING` that another writer has set meanwhile.
        self.lock.state.fetch_and(!WRITER, Ordering::Release);
        self.lock.rank.release(Kind::Spin);
    }
}
