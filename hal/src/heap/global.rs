//! `alloc` from what the CPU has at hand, else through the kernel's heap.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};

use super::{LiveBlock, Slot, SlotSize, stock};
use crate::upcall::bound;

struct KernelHeap;

#[global_allocator]
static HEAP: KernelHeap = KernelHeap;

// SAFETY: memory comes from slots, which are owned, as large and as aligned as `SlotSize::of` says (checked), and stay
// allocated until `dealloc` rebuilds the same slot from the same layout.
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match stock::take(SlotSize::of(layout)) {
            Some(slot) => slot.into_ptr().as_ptr(),
            None => alloc_slowly(layout),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty: `start` came from `alloc`, which never returns null for it.
        let start = unsafe { NonNull::new_unchecked(start) };
        // SAFETY: `alloc` made it from a slot of this size for the same layout.
        let slot = unsafe { Slot::from_ptr(start, SlotSize::of(layout)) };
        if let Err(slot) = stock::give(slot) {
            bound::heap_free(slot);
        }
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
        // SAFETY: the caller's duty.
        if unsafe { resize(start, layout, new_layout) } {
            return start;
        }
        // SAFETY: `new_size` is not zero, by the caller's duty.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both are valid for the smaller size and distinct allocations.
            unsafe { new.copy_from_nonoverlapping(start, layout.size().min(new_size)) };
            // SAFETY: the caller's duty.
            unsafe { self.dealloc(start, layout) };
        }
        new
    }
}

#[cold]
#[inline(never)]
fn alloc_slowly(layout: Layout) -> *mut u8 {
    let Some(slot) = bound::heap_alloc(layout) else { return null_mut() };
    assert!(slot.size() == SlotSize::of(layout), "heap slot of a wrong size");
    slot.into_ptr().as_ptr()
}

/// Makes the memory fit another layout where it is; tells whether it does.
///
/// # Safety
/// `start` came from `alloc` with the layout `old`.
#[inline]
unsafe fn resize(start: *mut u8, old: Layout, new: Layout) -> bool {
    let (old_size, new_size) = (SlotSize::of(old), SlotSize::of(new));
    if old_size == new_size {
        return bound::heap_may_resize();
    }
    if old_size.is_small() || new_size.is_small() {
        return false;
    }
    // SAFETY: the caller's duty: `alloc` never returns null for it.
    let start = unsafe { NonNull::new_unchecked(start) };
    // SAFETY: `alloc` made it from a slot of this size. What is in use here is given back to the caller; in between the
    // memory is in the hands of a `LiveBlock`, which gives no access to it.
    let slot = unsafe { Slot::from_ptr(start, old_size) };
    match LiveBlock::new(slot) {
        Ok(mut block) => {
            bound::heap_resize(&mut block, old, new);
            let slot = block.into_slot();
            let size = slot.size();
            let is_known = size == old_size || size == new_size;
            assert!(is_known && slot.into_ptr() == start, "another heap block");
            size == new_size
        }
        // With red zones a slot is the beginning of a larger one.
        Err(_) => false,
    }
}
