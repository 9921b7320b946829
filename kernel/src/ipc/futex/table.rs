//! The table of those who wait at futexes, hashed by the word they wait at.

use alloc::sync::Arc;

use hal::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use hal::sync::atomic::fence_after_exchange;
use hal::sync::{SpinLock, SpinLockGuard};
use linux_abi::errno::Errno;

use super::key::Key;
use crate::list::{Linked, Links, List};
use crate::lock_order;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::{Thread, WaitLink};
use crate::scheduler::thread::{FutexWaiting, WaitKind};
use crate::scheduler::{self};

const BUCKETS: usize = 256;

hal::machine_static! {
    static TABLE: [SpinLock<Bucket>; BUCKETS] =
        [const { SpinLock::new(lock_order::FUTEX_BUCKET, Bucket::new()) }; BUCKETS];
}

/// The kind of link by which a place is in its bucket.
pub(super) struct PlaceLink;

/// One of the words a thread waits at that waits at many.
pub(super) struct Place {
    thread: Arc<Thread>,
    pub(super) waiting: FutexWaiting,
    links: Links<Place>,
}

impl Linked<PlaceLink> for Place {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Place {
    pub(super) fn new(thread: Arc<Thread>) -> Arc<Self> {
        Arc::new(Self { thread, waiting: FutexWaiting::new(), links: Links::new() })
    }
}

/// The waiters whose words share a hash.
pub(super) struct Bucket {
    threads: List<Thread, WaitLink>,
    places: List<Place, PlaceLink>,
    /// Counts those who joined, to number them.
    joined: u64,
}

/// A waiter found in a bucket.
pub(super) enum Waiter {
    /// A thread that waits at this word only.
    Thread(Arc<Thread>),
    /// One of several words of a thread.
    Place(Arc<Place>),
}

impl Waiter {
    pub(super) fn waiting(&self) -> &FutexWaiting {
        match self {
            Self::Thread(thread) => &thread.futex,
            Self::Place(place) => &place.waiting,
        }
    }

    /// Lets the thread, which has been taken out of its bucket, go on.
    fn wake(self) {
        match self {
            Self::Thread(thread) => wake_thread(thread),
            Self::Place(place) => {
                place.waiting.is_queued.swap(false, AcqRel);
                fence_after_exchange();
                scheduler::wake(place.thread.clone(), State::INTERRUPTIBLE);
            }
        }
    }
}

/// Lets a thread, which has been taken out of its bucket, go on.
#[inline]
fn wake_thread(thread: Arc<Thread>) {
    thread.futex.is_queued.swap(false, AcqRel);
    // The sleeper looks at this after it stored its state.
    fence_after_exchange();
    scheduler::wake(thread, State::INTERRUPTIBLE);
}

/// Whether a wake-up at `key` with these bits is for the waiter, or must not be made because of it.
#[inline]
fn concerns(waiting: &FutexWaiting, key: Key, bits: u32) -> bool {
    waiting.is_at(key.owner, key.place)
        && (waiting.bits.load(Relaxed) & bits != 0 || !waiting.is(WaitKind::Plain))
}

/// Locks the bucket of `key`.
#[inline]
pub(super) fn bucket_of(key: Key) -> SpinLockGuard<'static, Bucket> {
    TABLE[key.bucket(BUCKETS)].lock()
}

impl Bucket {
    const fn new() -> Self {
        Self { threads: List::new(), places: List::new(), joined: 0 }
    }

    /// Puts a thread that waits for `kind` at `key` behind those at least as urgent.
    #[inline]
    pub(super) fn join(&mut self, thread: Arc<Thread>, key: Key, kind: WaitKind) {
        let rank = thread.entity().rank();
        self.place(&thread.futex, key, kind, rank);
        if rank == 0 {
            return self.threads.push_back(thread);
        }
        let order = thread.futex.order.load(Relaxed);
        self.threads.insert_before(thread, |other| other.futex.order.load(Relaxed) > order);
    }

    /// As [`Self::join`], for one of several words.
    pub(super) fn join_place(&mut self, place: Arc<Place>, key: Key) {
        self.place(&place.waiting, key, WaitKind::Plain, place.thread.entity().rank());
        let order = place.waiting.order.load(Relaxed);
        self.places.insert_before(place, |other| other.waiting.order.load(Relaxed) > order);
    }

    #[inline]
    fn place(&mut self, waiting: &FutexWaiting, key: Key, kind: WaitKind, rank: u8) {
        self.joined += 1;
        waiting.order.store(u64::from(u8::MAX - rank) << 56 | self.joined, Relaxed);
        waiting.set_kind(kind);
        waiting.move_to(key.owner, key.place, key.bucket(BUCKETS));
        waiting.is_queued.store(true, Relaxed);
    }

    /// The first waiter at `key` that is not to be woken, or shares a bit with `bits`.
    #[inline]
    pub(super) fn first(&self, key: Key, bits: u32) -> Option<Waiter> {
        let thread = self.threads.find(|thread| concerns(&thread.futex, key, bits)).map(Waiter::Thread);
        if self.places.is_empty() {
            return thread;
        }
        let place = self.places.find(|place| concerns(&place.waiting, key, bits)).map(Waiter::Place);
        let order = |waiter: &Waiter| waiter.waiting().order.load(Relaxed);
        [thread, place].into_iter().flatten().min_by_key(order)
    }

    /// Takes out a waiter of this bucket.
    #[inline]
    pub(super) fn remove(&mut self, waiter: &Waiter) -> bool {
        match waiter {
            Waiter::Thread(thread) => self.threads.remove(thread),
            Waiter::Place(place) => self.places.remove(place),
        }
    }

    /// Takes a waiter out and lets it go on.
    #[inline]
    pub(super) fn release(&mut self, waiter: Waiter) {
        self.remove(&waiter);
        waiter.wake();
    }

    /// Wakes up to `count` waiters at `key` that share a bit with `bits`; answers how many.
    ///
    /// # Errors
    /// `EINVAL`: one waits for a lock with priority inheritance.
    #[inline]
    pub(super) fn wake(&mut self, key: Key, count: usize, bits: u32) -> Result<usize, Errno> {
        if self.threads.is_empty() && self.places.is_empty() {
            return Ok(0);
        }
        self.wake_waiters(key, count, bits)
    }

    fn wake_waiters(&mut self, key: Key, count: usize, bits: u32) -> Result<usize, Errno> {
        let mut woken = 0;
        if self.places.is_empty() {
            // The usual case, without the detour of a `Waiter`.
            while woken < count {
                let Some(thread) = self.threads.find(|thread| concerns(&thread.futex, key, bits)) else {
                    break;
                };
                if !thread.futex.is(WaitKind::Plain) {
                    return Err(Errno::EINVAL);
                }
                self.threads.remove(&thread);
                wake_thread(thread);
                woken += 1;
            }
            return Ok(woken);
        }
        while woken < count {
            let Some(waiter) = self.first(key, bits) else { break };
            if !waiter.waiting().is(WaitKind::Plain) {
                return Err(Errno::EINVAL);
            }
            self.release(waiter);
            woken += 1;
        }
        Ok(woken)
    }

    fn rejoin(&mut self, waiter: Waiter, key: Key) {
        match waiter {
            Waiter::Thread(thread) => self.join(thread, key, WaitKind::Plain),
            Waiter::Place(place) => self.join_place(place, key),
        }
    }
}

/// Takes the calling thread out of its bucket; answers whether it was still in one, that is: had not been woken.
pub(super) fn leave(me: &Thread) -> bool {
    leave_bucket(&me.futex, |bucket| bucket.threads.remove(me))
}

/// As [`leave`], for one of several words.
pub(super) fn leave_place(place: &Place) -> bool {
    leave_bucket(&place.waiting, |bucket| bucket.places.remove(place))
}

#[inline]
fn leave_bucket(waiting: &FutexWaiting, remove: impl Fn(&mut Bucket) -> bool) -> bool {
    while waiting.is_queued.load(Acquire) {
        let index = waiting.bucket.load(Acquire);
        let mut bucket = TABLE[index].lock();
        if !waiting.is_queued.load(Relaxed) {
            return false;
        }
        if waiting.bucket.load(Relaxed) == index {
            waiting.is_queued.store(false, Relaxed);
            remove(&mut bucket);
            return true;
        }
    }
    false
}

/// Wakes up to `wakes` waiters at `from` and moves up to `moves` others to `to`; answers how many of each.
///
/// # Errors
/// `EINVAL`: one waits for a lock with priority inheritance.
pub(super) fn wake_and_move(from: Key, to: Key, wakes: usize, moves: usize) -> Result<(usize, usize), Errno> {
    let (source, target) = (from.bucket(BUCKETS), to.bucket(BUCKETS));
    // Two buckets: the lower index first.
    let mut low = TABLE[source.min(target)].lock();
    let mut high = (source != target).then(|| TABLE[source.max(target)].lock());
    let (source, mut target) = match &mut high {
        Some(high) if source < target => (&mut *low, Some(&mut **high)),
        Some(high) => (&mut **high, Some(&mut *low)),
        None => (&mut *low, None),
    };
    let woken = source.wake(from, wakes, u32::MAX)?;
    let mut moved = 0;
    while moved < moves && from != to {
        let Some(waiter) = source.first(from, u32::MAX) else { break };
        if !waiter.waiting().is(WaitKind::Plain) {
            return Err(Errno::EINVAL);
        }
        source.remove(&waiter);
        match &mut target {
            Some(target) => target.rejoin(waiter, to),
            None => source.rejoin(waiter, to),
        }
        moved += 1;
    }
    Ok((woken, moved))
}
