//! The store behind the caches: one per size, shared by all CPUs; cuts blocks and puts them together again.
//!
//! Invariants:
//! 1. Every free slot that no CPU holds lies in the bucket of its block: number of the first frame modulo [`BUCKETS`].
//! 2. `FREE_SLOTS` of a block's first frame is the number of its slots that lie here. When all do, the block goes back to
//!    the buddy allocator, unless the store would run empty.
//!
//! The slots of a whole block are found by a walk through its bucket, a 64th of the store.

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use hal::Error;
use hal::frame::Frame;
use hal::heap::{self, Slot, SlotList};
use hal::sync::{Once, SpinLock};

use super::size_class::{CLASSES, SizeClass};
use super::statistics;
use crate::lock_order;
use crate::memory::physical::buddy_allocator::{alloc_block, alloc_frame, start_if_needed};

const BUCKETS: usize = 64;
/// The class whose slots are whole frames needs no store.
const WHOLE_FRAME: usize = CLASSES - 1;

hal::machine_static! {
    /// By frame number: slots of the block that begins there which lie in its store.
    static FREE_SLOTS: Once<&'static [AtomicU16]> = Once::new();
    static STORES: [SpinLock<Store>; WHOLE_FRAME] =
        [const { SpinLock::new(lock_order::HEAP, Store::new()) }; WHOLE_FRAME];
}

/// Reserves the table of this module; to be called before the frame allocator starts.
///
/// # Errors
/// `OutOfMemory`.
pub(crate) fn init() -> Result<(), Error> {
    let table = hal::boot::static_slice(hal::boot::frame_count()).ok_or(Error::OutOfMemory)?;
    FREE_SLOTS.set(table).map_err(|_| Error::InUse)
}

struct Store {
    buckets: [SlotList; BUCKETS],
    /// Bit `n` is set if bucket `n` is not empty.
    filled: u64,
    slots: usize,
}

impl Store {
    const fn new() -> Self {
        Self { buckets: [const { SlotList::new() }; BUCKETS], filled: 0, slots: 0 }
    }

    fn push(&mut self, bucket: usize, slot: Slot) {
        self.buckets[bucket].push(slot);
        self.filled |= 1 << bucket;
        self.slots += 1;
    }

    fn pop(&mut self) -> Option<Slot> {
        if self.filled == 0 {
            return None;
        }
        let bucket = self.filled.trailing_zeros() as usize;
        let slot = self.buckets[bucket].pop();
        if self.buckets[bucket].is_empty() {
            self.filled &= !(1 << bucket);
        }
        self.slots -= 1;
        slot
    }

    /// Takes the slots of a block, all `count` of which are here, out of its bucket.
    fn take_block(&mut self, bucket: usize, number: usize, count: usize) -> Option<Frame> {
        let (mut own, mut others) = (SlotList::new(), SlotList::new());
        let list = &mut self.buckets[bucket];
        while own.len() < count {
            let Some(slot) = list.pop() else { break };
            let target = if slot.frame_number().index() == number { &mut own } else { &mut others };
            target.push(slot);
        }
        list.take_from(&mut others, usize::MAX);
        if list.is_empty() {
            self.filled &= !(1 << bucket);
        }
        self.slots -= own.len();
        heap::reassemble(own).ok()
    }
}

/// Takes a block to be cut for a class; a single frame when there is no larger one.
fn block_for(class: SizeClass) -> Option<Frame> {
    match class.block_order() {
        0 => alloc_frame(),
        order => alloc_block(order).or_else(alloc_frame),
    }
}

/// Adds up to `n` slots to `into`; fewer, maybe none, when memory is used up.
pub(super) fn take(class: SizeClass, n: usize, into: &mut SlotList) {
    if class.index() == WHOLE_FRAME {
        for _ in 0..n {
            let Some(slot) = alloc_frame().and_then(|frame| Slot::from_frame(frame).ok()) else { break };
            statistics::count_frames(class, 1);
            into.push(slot);
        }
        return;
    }
    start_if_needed();
    let Some(counts) = Once::get(&FREE_SLOTS) else { return };
    let mut store = STORES[class.index()].lock();
    for _ in 0..n {
        if store.filled == 0 {
            let Some(block) = block_for(class) else { break };
            let (number, frames) = (block.number().index(), 1 << block.order());
            let Ok(mut slots) = heap::slots_of(block, class.slot_size()) else { break };
            counts[number].store(slots.len() as u16, Relaxed);
            statistics::count_frames(class, frames);
            while let Some(slot) = slots.pop() {
                store.push(number % BUCKETS, slot);
            }
        }
        let Some(slot) = store.pop() else { break };
        let count = &counts[slot.frame_number().index()];
        count.store(count.load(Relaxed) - 1, Relaxed);
        into.push(slot);
    }
}

/// Takes up to `n` slots out of `from`.
pub(super) fn give(class: SizeClass, n: usize, from: &mut SlotList) {
    if class.index() == WHOLE_FRAME {
        for _ in 0..n {
            let Some(slot) = from.pop() else { return };
            statistics::uncount_frames(class, 1);
            drop(slot.into_frame());
        }
        return;
    }
    let Some(counts) = Once::get(&FREE_SLOTS) else { return };
    let mut store = STORES[class.index()].lock();
    for _ in 0..n {
        let Some(slot) = from.pop() else { break };
        let (number, in_block) = (slot.frame_number().index(), slot.slots_in_block());
        let count = &counts[number];
        let free = usize::from(count.load(Relaxed)) + 1;
        count.store(free as u16, Relaxed);
        store.push(number % BUCKETS, slot);
        if free == in_block && store.slots >= in_block + class.batch() {
            count.store(0, Relaxed);
            let block = store.take_block(number % BUCKETS, number, in_block);
            statistics::uncount_frames(class, block.as_ref().map_or(0, |block| 1 << block.order()));
        }
    }
}

/// Returns the number of free slots of a class that lie in the store.
pub(super) fn stored(class: SizeClass) -> usize {
    if class.index() == WHOLE_FRAME { 0 } else { STORES[class.index()].lock().slots }
}
