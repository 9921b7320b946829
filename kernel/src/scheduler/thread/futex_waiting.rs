//! What a thread that waits at a futex is found by; the table of waiters is `ipc::futex`.

use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

/// The futex a thread waits at. Written under the lock of the bucket the thread is in.
#[derive(Debug)]
pub(crate) struct FutexWaiting {
    /// Whether the thread is in a bucket.
    pub(crate) is_queued: AtomicBool,
    /// Which bucket.
    pub(crate) bucket: AtomicUsize,
    owner: AtomicUsize,
    place: AtomicUsize,
    /// Wake-ups that share a bit with this are for the thread.
    pub(crate) bits: AtomicU32,
}

impl FutexWaiting {
    pub(crate) const fn new() -> Self {
        Self {
            is_queued: AtomicBool::new(false),
            bucket: AtomicUsize::new(0),
            owner: AtomicUsize::new(0),
            place: AtomicUsize::new(0),
            bits: AtomicU32::new(0),
        }
    }

    /// Whether the thread waits at the word at `place` in `owner`.
    pub(crate) fn is_at(&self, owner: usize, place: usize) -> bool {
        self.place.load(Relaxed) == place && self.owner.load(Relaxed) == owner
    }

    /// Lets the thread wait at another word.
    pub(crate) fn move_to(&self, owner: usize, place: usize, bucket: usize) {
        self.owner.store(owner, Relaxed);
        self.place.store(place, Relaxed);
        self.bucket.store(bucket, Release);
    }
}
