//! The heap's front door: what the CPU has at hand, else the tier's slow path.

use core::alloc::Layout;

use hal::PAGE_SIZE;
use hal::heap::{LiveBlock, Slot, SlotList, SlotSize, stock};

use super::size_class::SizeClass;
use super::{central, cpu_slab, debug, statistics, thread_cache};
use crate::memory::physical::buddy_allocator::{
    alloc_block, alloc_block_at, is_under_pressure, start_if_needed,
};

/// Allocates a slot for a layout. `None` when memory is used up or the layout exceeds the largest block, 16 MiB.
///
/// # Panics
/// In interrupt context, as [`free`].
#[inline(always)]
pub fn alloc(layout: Layout) -> Option<Slot> {
    match stock::take(SlotSize::of(layout)) {
        Some(slot) => Some(slot),
        None => alloc_slowly(layout),
    }
}

/// Frees a slot, on whichever CPU this is.
#[inline(always)]
pub fn free(slot: Slot) {
    if let Err(slot) = stock::give(slot) {
        free_slowly(slot);
    }
}

fn assert_thread() {
    assert!(!hal::irq::in_interrupt(), "the heap is not for interrupt handlers");
}

/// Allocates when the CPU has no slot, and takes a batch along. Memory under pressure is not hoarded.
#[cold]
#[inline(never)]
pub(crate) fn alloc_slowly(layout: Layout) -> Option<Slot> {
    assert_thread();
    start_if_needed();
    let Some(class) = SizeClass::of(layout) else { return alloc_large(layout) };
    let slot = if debug::is_enabled() { debug::alloc(layout) } else { refill(class) };
    match slot {
        Some(_) => statistics::count_refill(class, layout.size()),
        None => statistics::count_failure(),
    }
    slot
}

/// Takes a batch of slots for this CPU, and returns one of them.
fn refill(class: SizeClass) -> Option<Slot> {
    let mut batch = SlotList::new();
    if is_under_pressure() {
        central::take(class, 1, &mut batch);
    } else {
        batch = central::take_batch(class);
    }
    if batch.is_empty() {
        flush_this_cpu();
        central::take(class, 1, &mut batch);
    }
    let slot = batch.pop();
    if !batch.is_empty() {
        stock::fill(class.slot_size(), 2 * class.batch() as u32, &mut batch);
    }
    slot
}

/// Frees when the CPU has too many slots, and gives a batch back. Under pressure it gives all.
#[cold]
#[inline(never)]
pub(crate) fn free_slowly(slot: Slot) {
    assert_thread();
    let Some(class) = SizeClass::of_slot(&slot) else { return free_large(slot) };
    statistics::count_slow_free(class);
    if debug::is_enabled() {
        return debug::free(slot);
    }
    if is_under_pressure() {
        let mut all = stock::shed(class.slot_size(), usize::MAX);
        all.push(slot);
        return central::give(class, all.len(), &mut all);
    }
    // One less: with this slot it is a batch.
    let mut batch = stock::shed(class.slot_size(), class.batch() - 1);
    batch.push(slot);
    central::give_batch(class, batch);
}

fn alloc_large(layout: Layout) -> Option<Slot> {
    let size = SlotSize::of(layout);
    let slot = if debug::is_enabled() { debug::alloc(layout) } else { take_block(size) };
    match slot {
        Some(_) => statistics::count_large_allocation(layout.size(), size.bytes()),
        None => statistics::count_failure(),
    }
    slot
}

fn free_large(slot: Slot) {
    statistics::count_large_free(slot.size().bytes());
    if debug::is_enabled() {
        return debug::free(slot);
    }
    give_block(slot);
}

/// Takes a block for a slot above a page.
fn take_block(size: SlotSize) -> Option<Slot> {
    let order = size.block_order()?;
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

/// Makes a block in use serve another layout where it is: a smaller one always, a larger one if what is behind the block is
/// free. Otherwise the block stays as it was.
pub fn resize(block: &mut LiveBlock, old: Layout, new: Layout) {
    let before = block.order();
    let Some(wanted) = SlotSize::of(new).block_order() else { return };
    if debug::is_enabled() {
        return;
    }
    while block.order() < wanted {
        let number = block.number();
        let behind = hal::addr::FrameNumber::new(number.get() + (1 << block.order()));
        let is_lower = number.is_aligned_to(block.order() + 1);
        let Some(frame) = is_lower.then(|| alloc_block_at(behind, block.order())).flatten() else {
            return shrink(block, before);
        };
        if block.double(frame).is_err() {
            return shrink(block, before);
        }
    }
    shrink(block, wanted);
    statistics::count_resize(old.size(), PAGE_SIZE << before, new.size(), PAGE_SIZE << wanted);
}

fn shrink(block: &mut LiveBlock, order: u8) {
    while block.order() > order {
        drop(block.halve());
    }
}

/// Takes a slot from behind the caches.
pub(super) fn take_whole(layout: Layout) -> Option<Slot> {
    start_if_needed();
    let Some(class) = SizeClass::of(layout) else { return take_block(SlotSize::of(layout)) };
    let mut slots = SlotList::new();
    central::take(class, 1, &mut slots);
    slots.pop()
}

/// Gives a slot back behind the caches.
pub(super) fn give_whole(slot: Slot) {
    let Some(class) = SizeClass::of_slot(&slot) else { return give_block(slot) };
    let mut slots = SlotList::new();
    slots.push(slot);
    central::give(class, 1, &mut slots);
}

/// Gives the free slots that this CPU holds back, and with them the frames that become whole. For memory pressure.
pub fn flush_this_cpu() {
    if debug::is_enabled() {
        debug::flush();
    }
    for class in SizeClass::all() {
        let mut slots = stock::shed(class.slot_size(), usize::MAX);
        if !slots.is_empty() {
            central::give(class, slots.len(), &mut slots);
        }
        central::unpack(class);
    }
}

/// Tells whether this CPU holds free slots, or the stores have batches of some.
pub fn has_cached_slots() -> bool {
    thread_cache::cached_bytes() + cpu_slab::cached_bytes() != 0 || central::has_batches()
}

#[cfg(test)]
#[path = "hybrid_allocator_tests.rs"]
mod tests;
