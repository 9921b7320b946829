//! The store behind the caches: one per size, shared by all CPUs; cuts blocks and puts them together again.
//!
//! Invariants:
//! 1. Every free slot that no CPU holds lies in a batch as it came from a CPU, or in the bucket of its block: number of the
//!    first frame modulo [`BUCKETS`].
//! 2. `FREE_SLOTS` of a block's first frame is the number of its slots that lie in its bucket. When all do, the block goes
//!    back to the buddy allocator, unless the store would run empty.
//!
//! The batches go from CPU to CPU as a whole: a thread that frees what one on another CPU allocates costs the store one
//! operation for all of them. The slots of a whole block are found by a walk through its bucket, a 64th of the store.

use core::sync::atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed};

use arrayvec::ArrayVec;
use hal::Error;
use hal::frame::Frame;
use hal::heap::{self, Slot, SlotList};
use hal::sync::{Once, SpinLock};

use super::size_class::{CLASSES, SizeClass};
use super::statistics;
use crate::lock_order;
use crate::memory::physical::buddy_allocator::{alloc_block, alloc_frame, start_if_needed};

const BUCKETS: usize = 64;
/// Batches of a size that a store keeps as they are.
const BATCHES: usize = 4;
/// The class whose slots are whole frames needs no store.
const WHOLE_FRAME: usize = CLASSES - 1;

hal::machine_static! {
    /// By frame number: slots of the block that begins there which lie in its store.
    static FREE_SLOTS: Once<&'static [AtomicU16]> = Once::new();
    /// Batches that all stores have.
    static KEPT: AtomicUsize = AtomicUsize::new(0);
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
    batches: ArrayVec<SlotList, BATCHES>,
    buckets: [SlotList; BUCKETS],
    /// Bit `n` is set if bucket `n` is not empty.
    filled: u64,
    /// Slots in buckets.
    slots: usize,
}

impl Store {
    const fn new() -> Self {
        Self {
            batches: ArrayVec::new_const(),
            buckets: [const { SlotList::new() }; BUCKETS],
            filled: 0,
            slots: 0,
        }
    }

    /// Keeps a batch, if there is room.
    fn keep(&mut self, batch: SlotList) -> Result<(), SlotList> {
        self.batches.try_push(batch).map_err(|full| full.element())?;
        KEPT.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Takes a batch.
    fn batch(&mut self) -> Option<SlotList> {
        let batch = self.batches.pop()?;
        KEPT.fetch_sub(1, Relaxed);
        Some(batch)
    }

    fn push(&mut self, bucket: usize, slot: Slot) {
        self.buckets[bucket].push(slot);
        self.filled |= 1 << bucket;
        self.slots += 1;
    }

    /// Puts the slots of a batch into their buckets.
    fn put(&mut self, counts: &[AtomicU16], mut batch: SlotList) {
        while let Some(slot) = batch.pop() {
            let number = slot.frame_number().index();
            counts[number].store(counts[number].load(Relaxed) + 1, Relaxed);
            self.push(number % BUCKETS, slot);
        }
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

/// Takes a batch of slots; fewer, maybe none, when memory is used up.
pub(super) fn take_batch(class: SizeClass) -> SlotList {
    let kept = if class.index() == WHOLE_FRAME { None } else { STORES[class.index()].lock().batch() };
    kept.unwrap_or_else(|| {
        let mut batch = SlotList::new();
        take(class, class.batch(), &mut batch);
        batch
    })
}

/// Takes over a batch of slots.
pub(super) fn give_batch(class: SizeClass, batch: SlotList) {
    let kept = if class.index() == WHOLE_FRAME || batch.len() != class.batch() {
        Err(batch)
    } else {
        STORES[class.index()].lock().keep(batch)
    };
    if let Err(mut batch) = kept {
        give(class, batch.len(), &mut batch);
    }
}

/// Tells whether there are batches that [`unpack`] would look at.
pub(super) fn has_batches() -> bool {
    KEPT.load(Relaxed) != 0
}

/// Puts the slots of the batches of a class where whole blocks are found among them.
pub(super) fn unpack(class: SizeClass) {
    while class.index() != WHOLE_FRAME {
        let Some(mut batch) = STORES[class.index()].lock().batch() else { return };
        give(class, batch.len(), &mut batch);
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
        if store.filled == 0
            && let Some(batch) = store.batch()
        {
            store.put(counts, batch);
        }
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
    if class.index() == WHOLE_FRAME {
        return 0;
    }
    let store = STORES[class.index()].lock();
    store.slots + store.batches.iter().map(SlotList::len).sum::<usize>()
}
