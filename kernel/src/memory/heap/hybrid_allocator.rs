//! The heap's front door: picks the tier, falls through to the next.

use core::alloc::Layout;

use hal::PAGE_SIZE;
use hal::heap::{Slot, slot_size};
use hal::sync::CpuLocal;

use super::cpu_slab::CpuSlab;
use super::size_class::{SizeClass, Tier};
use super::statistics;
use super::thread_cache::ThreadCache;
use crate::memory::physical::buddy_allocator::alloc_block;

hal::per_cpu! {
    static THREAD_CACHE: CpuLocal<ThreadCache> = CpuLocal::new(ThreadCache::new());
    static CPU_SLAB: CpuLocal<CpuSlab> = CpuLocal::new(CpuSlab::new());
}

/// Allocates a slot of [`slot_size`] bytes for a layout; aligned to its size. `None` when memory is used up or the
/// layout exceeds the largest block, 16 MiB. Not to be called in interrupt context.
#[inline]
pub fn alloc(layout: Layout) -> Option<Slot> {
    let Some(class) = SizeClass::of(layout) else { return alloc_large(slot_size(layout)) };
    let slot = match class.tier() {
        Tier::ThreadCache => THREAD_CACHE.get().with(|cache| cache.take(class)),
        _ => CPU_SLAB.get().with(|slab| slab.take(class)),
    };
    match slot {
        Some(_) => statistics::count_allocation(class),
        None => statistics::count_failure(),
    }
    slot
}

/// Frees a slot, on whichever CPU this is.
#[inline]
pub fn free(slot: Slot) {
    let Some(class) = SizeClass::of_slot(slot.size()) else { return free_large(slot) };
    statistics::count_free(class);
    match class.tier() {
        Tier::ThreadCache => THREAD_CACHE.get().with(|cache| cache.give(class, slot)),
        _ => CPU_SLAB.get().with(|slab| slab.give(class, slot)),
    }
}

#[cold]
fn alloc_large(size: usize) -> Option<Slot> {
    // `size` is a power of two above a page.
    let order = u8::try_from((size / PAGE_SIZE).trailing_zeros()).ok()?;
    let slot = alloc_block(order).and_then(|frame| Slot::from_frame(frame).ok());
    match slot {
        Some(_) => statistics::count_large_allocation(size),
        None => statistics::count_failure(),
    }
    slot
}

#[cold]
fn free_large(slot: Slot) {
    statistics::count_large_free(slot.size());
    if let Err(slot) = slot.into_frame() {
        log::error!("heap: {slot:?} is no whole block and was freed; ignored");
    }
}

/// Gives the free slots that this CPU holds back, and with them the frames that become whole. For memory pressure.
pub fn flush_this_cpu() {
    THREAD_CACHE.get().with(ThreadCache::flush);
    CPU_SLAB.get().with(CpuSlab::flush);
}

#[cfg(test)]
#[path = "hybrid_allocator_tests.rs"]
mod tests;
