//! A queue ordered by virtual time in constant time: 64 first-in-first-out buckets of 1 ms, found by a bitmap.
//!
//! The ring covers the 64 ms of virtual time that follow its oldest member. A thread further ahead waits in the last
//! bucket and moves to its place when that bucket's turn comes; a thread further behind than the ring can show counts
//! as the oldest. Virtual times themselves are never rounded, so what the buckets lose in order within a millisecond
//! does not add up to an unfair share.

use alloc::sync::Arc;

use super::entity::Entity;
use crate::list::{Linked, List};

/// The kind of link by which a thread is in a run queue.
#[derive(Debug)]
pub struct RunLink;

/// What a run queue holds: shared objects with an [`Entity`].
pub trait Schedulable: Linked<RunLink> {
    /// The scheduling state.
    fn entity(&self) -> &Entity;
}

/// Buckets in a ring.
const BUCKETS: u64 = 64;

/// Log2 of the nanoseconds of virtual time in a bucket.
const BUCKET_SHIFT: u32 = 20;

/// Threads ahead of their bucket that one pick moves on before it takes what it finds.
const MOVES_PER_PICK: usize = 4;

/// A queue ordered by virtual time.
pub(super) struct Ring<N: Schedulable> {
    buckets: [List<N, RunLink>; BUCKETS as usize],
    /// Bit n: bucket n is not empty.
    occupied: u64,
    /// Number (virtual time / bucket width) of the oldest bucket in the window; meaningless while nothing is queued.
    base: u64,
    /// The virtual time at which the first occupied bucket begins; [`NEVER`] for none.
    first_ns: u64,
}

/// The virtual time of nobody.
pub(super) const NEVER: u64 = u64::MAX;

/// The end of its bucket a thread is put to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Front,
    Back,
}

impl<N: Schedulable> Ring<N> {
    pub(super) const fn new() -> Self {
        Self { buckets: [const { List::new() }; BUCKETS as usize], occupied: 0, base: 0, first_ns: NEVER }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The virtual time at which the first occupied bucket begins; [`NEVER`] for none.
    #[inline]
    pub(super) fn first_ns(&self) -> u64 {
        self.first_ns
    }

    /// Queues `node`, having told it the slot it goes to, to be given back to [`Self::remove`].
    pub(super) fn insert(&mut self, node: Arc<N>, end: End, tell: impl FnOnce(&N, u8)) {
        let wanted = node.entity().virtual_ns() >> BUCKET_SHIFT;
        if self.is_empty() {
            self.base = wanted;
        } else if wanted < self.base {
            let newest = self.base + u64::from(63 - self.rotated().leading_zeros());
            if newest - wanted < BUCKETS {
                self.base = wanted;
            }
        }
        let number = wanted.clamp(self.base, self.base + BUCKETS - 1);
        self.first_ns = self.first_ns.min(number << BUCKET_SHIFT);
        let slot = number % BUCKETS;
        tell(&node, slot as u8);
        self.occupied |= 1 << slot;
        let bucket = &mut self.buckets[slot as usize];
        match end {
            End::Front => bucket.push_front(node),
            End::Back => bucket.push_back(node),
        }
    }

    /// Takes the thread with the least virtual time, to within a bucket. Threads that go to another slot on the way are
    /// told.
    pub(super) fn pop(&mut self, mut tell: impl FnMut(&N, u8)) -> Option<Arc<N>> {
        for _ in 0..MOVES_PER_PICK {
            let node = self.pop_first()?;
            let is_early = node.entity().virtual_ns() >> BUCKET_SHIFT > self.base;
            if !is_early || self.is_empty() {
                return Some(node);
            }
            self.insert(node, End::Back, &mut tell);
        }
        self.pop_first()
    }

    /// Removes `node` from the slot that [`Self::insert`] or [`Self::pop`] told.
    pub(super) fn remove(&mut self, node: &Arc<N>, slot: u8) -> bool {
        let bucket = &mut self.buckets[usize::from(slot)];
        let was_in = bucket.remove(node);
        if bucket.is_empty() {
            self.note_empty(u64::from(slot));
        }
        was_in
    }

    /// Finds, from the newest bucket to the oldest, a thread that `is_wanted` accepts.
    pub(super) fn find_newest(&self, mut is_wanted: impl FnMut(&N) -> bool) -> Option<Arc<N>> {
        let mut left = self.rotated();
        while left != 0 {
            let offset = 63 - left.leading_zeros();
            left &= !(1 << offset);
            let mut found = None;
            self.buckets[((self.base + u64::from(offset)) % BUCKETS) as usize].for_each_while(|node| {
                if is_wanted(node) {
                    found = Some(node.clone());
                }
                found.is_none()
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn pop_first(&mut self) -> Option<Arc<N>> {
        if self.is_empty() {
            return None;
        }
        self.base = self.first_ns >> BUCKET_SHIFT;
        let slot = self.base % BUCKETS;
        let bucket = &mut self.buckets[slot as usize];
        let node = bucket.pop_front();
        if bucket.is_empty() {
            self.note_empty(slot);
        }
        node
    }

    #[inline]
    fn note_empty(&mut self, slot: u64) {
        self.occupied &= !(1 << slot);
        self.first_ns = if self.is_empty() {
            NEVER
        } else {
            (self.base + u64::from(self.rotated().trailing_zeros())) << BUCKET_SHIFT
        };
    }

    /// The bitmap with the oldest bucket as bit 0.
    fn rotated(&self) -> u64 {
        self.occupied.rotate_right((self.base % BUCKETS) as u32)
    }
}
