//! What a waiter at a futex is found by; the table of waiters is `ipc::futex`.

use hal::sync::atomic::Ordering::{Relaxed, Release};
use hal::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

/// What a thread waits for at a futex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum WaitKind {
    /// A wake-up.
    Plain,
    /// To be moved to a lock with priority inheritance.
    ForRequeue,
    /// The lock.
    Lock,
}

/// The futex somebody waits at. Written under the lock of the bucket it is in.
#[derive(Debug)]
pub(crate) struct FutexWaiting {
    /// Whether it is in a bucket.
    pub(crate) is_queued: AtomicBool,
    /// Which bucket.
    pub(crate) bucket: AtomicUsize,
    owner: AtomicUsize,
    place: AtomicUsize,
    kind: AtomicU8,
    /// Wake-ups that share a bit with this are for the waiter.
    pub(crate) bits: AtomicU32,
    /// Waiters are served in ascending order.
    pub(crate) order: AtomicU64,
    /// Where a waiter of kind [`WaitKind::ForRequeue`] expects to be moved to.
    pub(crate) target: [AtomicUsize; 2],
}

impl FutexWaiting {
    hal::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                is_queued: AtomicBool::new(false),
                bucket: AtomicUsize::new(0),
                owner: AtomicUsize::new(0),
                place: AtomicUsize::new(0),
                kind: AtomicU8::new(WaitKind::Plain as u8),
                bits: AtomicU32::new(0),
                order: AtomicU64::new(0),
                target: [AtomicUsize::new(0), AtomicUsize::new(0)],
            }
        }
    }

    /// Whether it waits at the word at `place` in `owner`.
    #[inline]
    pub(crate) fn is_at(&self, owner: usize, place: usize) -> bool {
        self.place.load(Relaxed) == place && self.owner.load(Relaxed) == owner
    }

    /// Lets it wait at another word.
    #[inline]
    pub(crate) fn move_to(&self, owner: usize, place: usize, bucket: usize) {
        self.owner.store(owner, Relaxed);
        self.place.store(place, Relaxed);
        self.bucket.store(bucket, Release);
    }

    /// What it waits for.
    #[inline]
    pub(crate) fn is(&self, kind: WaitKind) -> bool {
        self.kind.load(Relaxed) == kind as u8
    }

    /// Says what it waits for.
    #[inline]
    pub(crate) fn set_kind(&self, kind: WaitKind) {
        self.kind.store(kind as u8, Relaxed);
    }
}

/// What a thread has to do with futexes with priority inheritance.
#[derive(Debug)]
pub(crate) struct LockOwning {
    /// Whether it was ever taken for the owner of a lock that others wait for.
    pub(crate) has_owned: AtomicBool,
    /// Whether it has let go of its locks for ever, because it ends.
    pub(crate) has_left: AtomicBool,
}

impl LockOwning {
    hal::const_fn! {
        pub(crate) const fn new() -> Self {
            Self { has_owned: AtomicBool::new(false), has_left: AtomicBool::new(false) }
        }
    }
}
