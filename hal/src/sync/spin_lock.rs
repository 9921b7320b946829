//! Locks that wait by spinning.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::atomic::{AtomicBool, Ordering, test_and_set};
use super::rank::{Kind, LockRank, Rank};
use crate::arch;

/// The lock itself. Held by at most one guard: only `try_lock` sets the flag, by exchange, and only a guard's drop
/// clears it.
struct Flag(AtomicBool);

impl Flag {
    /// Acquire pairs with the release in `unlock`.
    #[inline(always)]
    fn try_lock(&self) -> bool {
        test_and_set(&self.0)
    }

    #[inline(always)]
    fn lock(&self, relax: fn()) {
        while !self.try_lock() {
            self.wait(relax);
        }
    }

    // Never inlined: it would cost registers wherever a lock is taken.
    #[cold]
    #[inline(never)]
    fn wait(&self, relax: fn()) {
        while self.0.load(Ordering::Relaxed) {
            relax();
        }
    }

    #[inline(always)]
    fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A lock for data that no interrupt handler touches. Interrupts stay on; the kernel is not preempted, so the holder
/// keeps its CPU as long as it does not block.
pub struct SpinLock<T: ?Sized> {
    flag: Flag,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}
// SAFETY: moving the lock moves the value.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    crate::const_fn! {
        /// Makes an unlocked lock.
        pub const fn new(rank: LockRank, value: T) -> Self {
            Self { flag: Flag(AtomicBool::new(false)), rank: Rank::new(rank), value: UnsafeCell::new(value) }
        }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Acquires the lock.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> SpinLockGuard<'_, T> {
        self.rank.acquire(Kind::Spin, false);
        self.flag.lock(arch::cpu::relax);
        SpinLockGuard { lock: self, not_send: PhantomData }
    }

    /// Acquires the lock if it is free.
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<SpinLockGuard<'_, T>> {
        self.rank.acquire(Kind::Spin, true);
        if self.flag.try_lock() {
            Some(SpinLockGuard { lock: self, not_send: PhantomData })
        } else {
            self.rank.release(Kind::Spin);
            None
        }
    }

    /// Returns the value of a lock that nobody else can see.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock")
            .field("locked", &self.flag.0.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// Access to the value of a [`SpinLock`]; releases it when dropped.
pub struct SpinLockGuard<'a, T: ?Sized> {
    lock: &'a SpinLock<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value alone.
unsafe impl<T: ?Sized + Sync> Sync for SpinLockGuard<'_, T> {}

impl<T: ?Sized> Deref for SpinLockGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for SpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for SpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.flag.unlock();
        self.lock.rank.release(Kind::Spin);
    }
}

/// A lock for data that interrupt handlers touch: interrupts are off on this CPU while it is held.
pub struct SpinLockIrq<T: ?Sized> {
    flag: Flag,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: as for `SpinLock`.
unsafe impl<T: ?Sized + Send> Sync for SpinLockIrq<T> {}
// SAFETY: as for `SpinLock`.
unsafe impl<T: ?Sized + Send> Send for SpinLockIrq<T> {}

impl<T> SpinLockIrq<T> {
    crate::const_fn! {
        /// Makes an unlocked lock.
        pub const fn new(rank: LockRank, value: T) -> Self {
            Self { flag: Flag(AtomicBool::new(false)), rank: Rank::new(rank), value: UnsafeCell::new(value) }
        }
    }
}

impl<T: ?Sized> SpinLockIrq<T> {
    /// Turns interrupts off and acquires the lock. Guards are to be dropped in the reverse order of acquisition.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> SpinLockIrqGuard<'_, T> {
        let was_enabled = arch::irq::disable();
        self.rank.acquire(Kind::SpinIrq, false);
        // The holder may be waiting for this CPU to flush its TLB.
        self.flag.lock(arch::cpu::relax_irq_off);
        SpinLockIrqGuard { lock: self, was_enabled, not_send: PhantomData }
    }

    /// Acquires the lock if it is free.
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<SpinLockIrqGuard<'_, T>> {
        let was_enabled = arch::irq::disable();
        self.rank.acquire(Kind::SpinIrq, true);
        if self.flag.try_lock() {
            Some(SpinLockIrqGuard { lock: self, was_enabled, not_send: PhantomData })
        } else {
            self.rank.release(Kind::SpinIrq);
            arch::irq::restore(was_enabled);
            None
        }
    }

    /// Returns the value of a lock that nobody else can see.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> fmt::Debug for SpinLockIrq<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locked = self.flag.0.load(Ordering::Relaxed);
        f.debug_struct("SpinLockIrq").field("locked", &locked).finish_non_exhaustive()
    }
}

/// Access to the value of a [`SpinLockIrq`]; when dropped releases it and restores the interrupt state.
pub struct SpinLockIrqGuard<'a, T: ?Sized> {
    lock: &'a SpinLockIrq<T>,
    was_enabled: bool,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value alone.
unsafe impl<T: ?Sized + Sync> Sync for SpinLockIrqGuard<'_, T> {}

impl<T: ?Sized> Deref for SpinLockIrqGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for SpinLockIrqGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for SpinLockIrqGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.flag.unlock();
        self.lock.rank.release(Kind::SpinIrq);
        arch::irq::restore(self.was_enabled);
    }
}
