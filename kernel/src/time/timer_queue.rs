//! Deadlines in order, by a radix heap: arming and disarming take constant time, whatever the number of timers.
//!
//! A deadline lies in the bucket whose number is the position of the highest bit in which it differs from `base`, a
//! clock value that only moves forward; bucket 0 holds what is due at `base` itself. All of a lower bucket comes
//! before all of a higher one. When `base` moves, at most one bucket has to be sorted into the ones below it, so a
//! timer moves at most 64 times in its life, and usually two or three times.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::list::{Linked, List};

/// The kind of link by which a timer is in its queue.
#[derive(Debug)]
pub struct TimerLink;

/// A queue's view of a timer. Written under the lock of the queue.
#[derive(Debug)]
pub struct Deadline {
    at_ns: AtomicU64,
    bucket: AtomicU8,
}

const NOT_QUEUED: u8 = u8::MAX;
const BUCKETS: usize = 65;

impl Deadline {
    /// Makes the deadline of a timer that is not armed.
    pub const fn new() -> Self {
        Self { at_ns: AtomicU64::new(0), bucket: AtomicU8::new(NOT_QUEUED) }
    }

    /// The clock at which the timer fires, or fired last.
    pub fn at_ns(&self) -> u64 {
        self.at_ns.load(Relaxed)
    }

    /// Whether the timer is in a queue.
    pub fn is_queued(&self) -> bool {
        self.bucket.load(Relaxed) != NOT_QUEUED
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::new()
    }
}

/// What a timer queue holds.
pub trait Timed: Linked<TimerLink> {
    /// The queue's view of the timer.
    fn deadline(&self) -> &Deadline;
}

/// Timers in order of their deadlines.
pub struct TimerQueue<N: Timed> {
    buckets: [List<N, TimerLink>; BUCKETS],
    /// Bit n: bucket n is not empty.
    occupied: u128,
    /// No queued deadline is before it.
    base_ns: u64,
}

impl<N: Timed> TimerQueue<N> {
    /// Makes an empty queue.
    pub const fn new() -> Self {
        Self { buckets: [const { List::new() }; BUCKETS], occupied: 0, base_ns: 0 }
    }

    /// Whether no timer is queued.
    pub fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Queues `timer`, which must not be queued, for `at_ns`; a time already past means as soon as possible.
    pub fn insert(&mut self, timer: Arc<N>, at_ns: u64) {
        timer.deadline().at_ns.store(at_ns, Relaxed);
        self.place(timer);
    }

    /// Removes `timer`; answers whether it was queued.
    pub fn remove(&mut self, timer: &Arc<N>) -> bool {
        let bucket = timer.deadline().bucket.swap(NOT_QUEUED, Relaxed);
        let Some(list) = self.buckets.get_mut(usize::from(bucket)) else { return false };
        let was_in = list.remove(timer);
        if list.is_empty() {
            self.occupied &= !(1 << bucket);
        }
        was_in
    }

    /// Takes a timer whose time has come at `now_ns`.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<Arc<N>> {
        loop {
            let bucket = self.first_bucket()?;
            if bucket > 0 {
                let first_ns = self.least_of(bucket)?;
                if first_ns > now_ns {
                    return None;
                }
                self.advance(first_ns, bucket);
                continue;
            }
            let timer = self.buckets[0].pop_front()?;
            if self.buckets[0].is_empty() {
                self.occupied &= !1;
            }
            timer.deadline().bucket.store(NOT_QUEUED, Relaxed);
            return Some(timer);
        }
    }

    /// The earliest deadline. Takes time in proportion to the timers of its bucket; meant for the moment after an
    /// interrupt of the clock.
    pub fn next_ns(&self) -> Option<u64> {
        self.least_of(self.first_bucket()?)
    }

    fn first_bucket(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }

    fn least_of(&self, bucket: usize) -> Option<u64> {
        let mut least = None;
        self.buckets[bucket].for_each_while(|timer| {
            let at_ns = timer.deadline().at_ns();
            least = Some(least.map_or(at_ns, |least: u64| least.min(at_ns)));
            true
        });
        least
    }

    /// Moves `base` to `to_ns`, the least deadline of `bucket`, the lowest bucket that is not empty.
    fn advance(&mut self, to_ns: u64, bucket: usize) {
        self.base_ns = self.base_ns.max(to_ns);
        let mut list = core::mem::take(&mut self.buckets[bucket]);
        self.occupied &= !(1 << bucket);
        while let Some(timer) = list.pop_front() {
            self.place(timer);
        }
    }

    fn place(&mut self, timer: Arc<N>) {
        let at_ns = timer.deadline().at_ns().max(self.base_ns);
        let bucket = (64 - (at_ns ^ self.base_ns).leading_zeros()) as usize;
        timer.deadline().bucket.store(bucket as u8, Relaxed);
        self.buckets[bucket].push_back(timer);
        self.occupied |= 1 << bucket;
    }
}

impl<N: Timed> Default for TimerQueue<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::list::Links;

    struct Node {
        id: usize,
        deadline: Deadline,
        links: Links<Node>,
    }

    impl Linked<TimerLink> for Node {
        fn links(&self) -> &Links<Self> {
            &self.links
        }
    }

    impl Timed for Node {
        fn deadline(&self) -> &Deadline {
            &self.deadline
        }
    }

    proptest! {
        #[test]
        fn fires_in_order_and_exactly_what_is_due(
            steps in prop::collection::vec((0u8..3, 0usize..16, 0u64..1 << 40), 0..300),
        ) {
            let nodes: Vec<_> =
                (0..16).map(|id| Arc::new(Node { id, deadline: Deadline::new(), links: Links::new() })).collect();
            let mut queue = TimerQueue::new();
            let mut model = BTreeSet::new();
            let mut now = 0;
            for (step, id, value) in steps {
                let node = &nodes[id];
                match step {
                    0 => {
                        let armed = model.iter().find(|&&(_, other)| other == id).copied();
                        prop_assert_eq!(queue.remove(node), armed.is_some());
                        if let Some(armed) = armed {
                            model.remove(&armed);
                        }
                        // Some of them in the past.
                        let at = (now + (value >> (value % 40))).saturating_sub(1000);
                        queue.insert(node.clone(), at);
                        model.insert((at, id));
                    }
                    1 => {
                        let armed = model.iter().find(|&&(_, other)| other == id).copied();
                        prop_assert_eq!(queue.remove(node), armed.is_some());
                        if let Some(armed) = armed {
                            model.remove(&armed);
                        }
                    }
                    _ => {
                        now += value >> (value % 40);
                        let mut fired = Vec::new();
                        while let Some(timer) = queue.pop_due(now) {
                            fired.push((timer.deadline.at_ns(), timer.id));
                        }
                        let mut due: Vec<_> = model.iter().copied().filter(|&(at, _)| at <= now).collect();
                        model.retain(|&(at, _)| at > now);
                        fired.sort_unstable();
                        due.sort_unstable();
                        prop_assert_eq!(fired, due);
                    }
                }
                prop_assert_eq!(queue.next_ns(), model.first().map(|&(at, _)| at));
            }
        }
    }
}
