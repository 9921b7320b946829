//! A lock that sleeps, over two upcalls of the kernel.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::atomic::{AtomicU32, Ordering};
use super::rank::{Kind, LockRank, Rank, might_sleep};
use crate::upcall::bound;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may be asleep.
const CONTENDED: u32 = 2;

/// A lock whose holder may block. Waiting threads sleep.
pub struct Mutex<T: ?Sized> {
    state: AtomicU32,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: moving the lock moves the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    crate::const_fn! {
        /// Makes an unlocked mutex.
        pub const fn new(rank: LockRank, value: T) -> Self {
            Self { state: AtomicU32::new(FREE), rank: Rank::new(rank), value: UnsafeCell::new(value) }
        }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Acquires the mutex; may sleep.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        might_sleep();
        self.rank.acquire(Kind::Sleep, false);
        // Acquire pairs with the release in the guard's drop; so below.
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_contended();
        }
        MutexGuard { lock: self, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            bound::mutex_wait(&self.state, CONTENDED);
        }
    }

    /// Acquires the mutex if it is free; never sleeps.
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.rank.acquire(Kind::Sleep, true);
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            Some(MutexGuard { lock: self, not_send: PhantomData })
        } else {
            self.rank.release(Kind::Sleep);
            None
        }
    }

    /// Returns the value of a mutex that nobody else can see.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load(Ordering::Relaxed);
        f.debug_struct("Mutex").field("state", &state).finish_non_exhaustive()
    }
}

#[cold]
#[inline(never)]
fn wake_one(state: &AtomicU32) {
    bound::mutex_wake(state, 1);
}

/// Access to the value of a [`Mutex`]; releases it when dropped.
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value alone.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the mutex.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the mutex and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let contended = self.lock.state.swap(FREE, Ordering::Release) == CONTENDED;
        self.lock.rank.release(Kind::Sleep);
        if contended {
            wake_one(&self.lock.state);
        }
    }
}
