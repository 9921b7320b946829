//! The heap's front door: picks the tier, falls through to the next.

use core::alloc::Layout;

use hal::PAGE_SIZE;
use hal::heap::{Slot, SlotList, slot_size};
use hal::sync::CpuLocal;

use super::cpu_slab::CpuSlab;
use super::size_class::{SizeClass, Tier};
use super::statistics::{self, Counters};
use super::thread_cache::ThreadCache;
use super::{central, debug};
use crate::memory::physical::buddy_allocator::{alloc_block, is_under_pressure, start_if_needed};

hal::per_cpu! {
    static CACHES: CpuLocal<Caches, Counters> = CpuLocal::with_shared(Caches::new(), Counters::new());
}

/// The free slots of a CPU.
struct Caches {
    thread: ThreadCache,
    slab: CpuSlab,
}

impl Caches {
    const fn new() -> Self {
        Self { thread: ThreadCache::new(), slab: CpuSlab::new() }
    }

    fn fill(&mut self, class: SizeClass, batch: &mut SlotList) {
        match class.tier() {
            Tier::ThreadCache => self.thread.fill(class, batch),
            _ => self.slab.fill(class, batch),
        }
    }

    fn shed(&mut self, class: SizeClass, n: usize) -> SlotList {
        match class.tier() {
            Tier::ThreadCache => self.thread.shed(class, n),
            _ => self.slab.shed(class, n),
        }
    }
}

/// Iterates over what the CPUs count.
pub(super) fn all_counters() -> impl Iterator<Item = &'static Counters> {
    CACHES.iter().map(CpuLocal::shared)
}

/// Allocates a slot of [`slot_size`] bytes for a layout; aligned to its size. `None` when memory is used up or the
/// layout exceeds the largest block, 16 MiB. Not to be called in interrupt context.
#[inline(always)]
pub fn alloc(layout: Layout) -> Option<Slot> {
    let Some(class) = SizeClass::of(layout) else { return alloc_large(layout) };
    let hit = CACHES.with(|caches, counters| {
        counters.count_allocation(class);
        match class.tier() {
            Tier::ThreadCache => caches.thread.take(class),
            _ => caches.slab.take(class),
        }
    });
    match hit {
        Some(slot) => Some(slot),
        None => alloc_slowly(class, layout),
    }
}

/// Frees a slot, on whichever CPU this is.
#[inline(always)]
pub fn free(slot: Slot) {
    let Some(class) = SizeClass::of_slot(&slot) else { return free_large(slot) };
    let kept = CACHES.with(|caches, counters| {
        counters.count_free(class);
        match class.tier() {
            Tier::ThreadCache => caches.thread.give(class, slot),
            _ => caches.slab.give(class, slot),
        }
    });
    if let Err(slot) = kept {
        free_slowly(class, slot);
    }
}

/// Allocates when the CPU has no slot, and takes a batch along. Memory under pressure is not hoarded.
#[cold]
#[inline(never)]
fn alloc_slowly(class: SizeClass, layout: Layout) -> Option<Slot> {
    start_if_needed();
    if debug::is_enabled() {
        let slot = debug::alloc(layout);
        CACHES.with(|_, counters| match slot {
            Some(_) => counters.count_refill(class, layout.size()),
            None => counters.count_failure(class),
        });
        return slot;
    }
    let mut batch = SlotList::new(class.size());
    let n = if is_under_pressure() { 1 } else { class.batch() };
    central::take(class, n, &mut batch);
    if batch.is_empty() {
        flush_this_cpu();
        central::take(class, 1, &mut batch);
    }
    let slot = batch.pop();
    CACHES.with(|caches, counters| {
        match slot {
            Some(_) => counters.count_refill(class, layout.size()),
            None => counters.count_failure(class),
        }
        if n > 1 {
            caches.fill(class, &mut batch);
        }
    });
    slot
}

/// Frees when the CPU has too many slots, and gives a batch back. Under pressure it gives all.
#[cold]
#[inline(never)]
fn free_slowly(class: SizeClass, slot: Slot) {
    if debug::is_enabled() {
        return debug::free(slot);
    }
    let pressure = is_under_pressure();
    let n = if pressure { usize::MAX } else { class.batch() };
    let mut batch = CACHES.with(|caches, _| caches.shed(class, n));
    batch.push(slot);
    central::give(class, batch.len(), &mut batch);
}

#[cold]
#[inline(never)]
fn alloc_large(layout: Layout) -> Option<Slot> {
    let size = slot_size(layout);
    let slot = if debug::is_enabled() { debug::alloc(layout) } else { take_block(size) };
    match slot {
        Some(_) => CACHES.with(|_, counters| counters.count_large_allocation(layout.size(), size)),
        None => statistics::note_failure(),
    }
    slot
}

#[cold]
#[inline(never)]
fn free_large(slot: Slot) {
    CACHES.with(|_, counters| counters.count_large_free(slot.size()));
    if debug::is_enabled() {
        return debug::free(slot);
    }
    give_block(slot);
}

/// Takes a block for a slot above a page.
fn take_block(size: usize) -> Option<Slot> {
    // `size` is a power of two.
    let order = u8::try_from((size / PAGE_SIZE).trailing_zeros()).ok()?;
    let block = || alloc_block(order).and_then(|frame| Slot::from_frame(frame).ok());
    block().or_else(|| {
        flush_this_cpu();
        block()
    })
}

fn give_block(slot: Slot) {
    if let Err(slot) = slot.into_frame() {
        log::error!("heap: {slot:?} is no whole block and was freed; ignored");
    }
}

/// Takes a slot from behind the caches.
pub(super) fn take_whole(layout: Layout) -> Option<Slot> {
    start_if_needed();
    let Some(class) = SizeClass::of(layout) else { return take_block(slot_size(layout)) };
    let mut slots = SlotList::new(class.size());
    central::take(class, 1, &mut slots);
    slots.pop()
}

/// Gives a slot back behind the caches.
pub(super) fn give_whole(slot: Slot) {
    let Some(class) = SizeClass::of_slot(&slot) else { return give_block(slot) };
    let mut slots = SlotList::new(class.size());
    slots.push(slot);
    central::give(class, 1, &mut slots);
}

/// Gives the free slots that this CPU holds back, and with them the frames that become whole. For memory pressure.
pub fn flush_this_cpu() {
    if debug::is_enabled() {
        debug::flush();
    }
    for class in SizeClass::all() {
        let mut slots = CACHES.with(|caches, _| caches.shed(class, usize::MAX));
        if !slots.is_empty() {
            central::give(class, slots.len(), &mut slots);
        }
    }
}

/// Tells whether this CPU holds free slots.
pub fn has_cached_slots() -> bool {
    CACHES.with(|caches, _| caches.thread.cached_bytes() + caches.slab.cached_bytes() != 0)
}

#[cfg(test)]
#[path = "hybrid_allocator_tests.rs"]
mod tests;
