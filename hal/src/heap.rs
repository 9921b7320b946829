//! Owned kernel memory in pieces of a power of two: [`Slot`], lists of slots, and the global allocator over them.
//!
//! Invariants:
//! 1. A `Slot` owns `size` bytes at an address that is a multiple of `size`; no other slot or frame handle covers them.
//! 2. All slots cut from one block have the same size and keep that block's one frame handle in trust; the block comes
//!    back as a [`Frame`] only from all of them together. Meanwhile the frame table has their size.
//! 3. The beginning of such a slot stands for all of it; the rest is nobody else's.
//! 4. A free slot's memory holds nothing but, in its first word, the link of the list that owns it.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use crate::addr::{FrameNumber, MAX_ORDER, PAGE_SHIFT, PAGE_SIZE};
use crate::arch;
use crate::frame::{self, Frame};

/// Size of the smallest slot in bytes.
pub const MIN_SLOT: usize = 16;
/// Size of the largest slot in bytes.
pub const MAX_SLOT: usize = PAGE_SIZE << MAX_ORDER;

/// Returns the binary logarithm of [`slot_size`].
#[inline(always)]
pub const fn slot_bits(layout: Layout) -> u32 {
    let bytes = if layout.size() > layout.align() { layout.size() } else { layout.align() };
    // An alignment is at least 1, so nothing wraps.
    ((bytes - 1) | (MIN_SLOT - 1)).ilog2() + 1
}

/// Returns the size of the slot that serves a layout: the power of two that covers its size and its alignment.
#[inline(always)]
pub const fn slot_size(layout: Layout) -> usize {
    1 << slot_bits(layout)
}

/// Owned, uninitialised kernel memory of a power-of-two size. Dropping one leaks it.
#[must_use = "dropping a slot leaks its memory"]
pub struct Slot {
    start: NonNull<u8>,
    /// The binary logarithm of the size.
    bits: u32,
}

// SAFETY: a slot is plain memory with one owner.
unsafe impl Send for Slot {}
// SAFETY: a shared slot gives no access to its memory.
unsafe impl Sync for Slot {}

impl Slot {
    /// Returns the size in bytes.
    #[inline(always)]
    pub fn size(&self) -> usize {
        1 << self.bits
    }

    /// Returns the binary logarithm of the size.
    #[inline(always)]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Returns the address, for statistics and colouring.
    #[inline(always)]
    pub fn addr(&self) -> usize {
        self.start.as_ptr() as usize
    }

    /// Turns a whole block into one slot.
    pub fn from_frame(frame: Frame) -> Result<Slot, Frame> {
        if !frame.is_unique() {
            return Err(frame);
        }
        let size = frame.size();
        let Some(start) = NonNull::new(frame.at(0, size)) else { return Err(frame) };
        frame.into_raw();
        Ok(Slot { start, bits: size.trailing_zeros() })
    }

    /// Turns a slot that is a whole block back into it.
    pub fn into_frame(self) -> Result<Frame, Slot> {
        if PAGE_SIZE << self.block_order() != self.size() {
            return Err(self);
        }
        // SAFETY: the slot is all of its block and holds the block's handle in trust (invariant 2).
        Ok(unsafe { Frame::from_raw(self.frame_number()) })
    }

    /// Returns the first frame of the block that the slot was cut from.
    #[inline]
    pub fn frame_number(&self) -> FrameNumber {
        let number = arch::memory::frame_of_ptr(self.start.as_ptr());
        FrameNumber::new(number.get() & !((1 << self.block_order()) - 1))
    }

    /// Returns the first 2^`bits` bytes; [`whole`](Self::whole) brings back all.
    ///
    /// # Panics
    /// If that is more than the slot, or less than [`MIN_SLOT`].
    pub fn beginning(self, bits: u32) -> Slot {
        assert!(bits <= self.bits && 1 << bits >= MIN_SLOT, "no beginning of this size");
        Slot { start: self.start, bits }
    }

    /// Returns the whole slot that was cut from a block, of which this is the beginning.
    pub fn whole(self) -> Slot {
        let cut = frame::cut_of(self.frame_number());
        let bits = cut.unwrap_or(PAGE_SHIFT + u32::from(self.block_order()));
        // Both begin at the same byte (invariant 3), and nobody else has a part of the larger one.
        Slot { start: self.start, bits }
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Panics
    /// If the range leaves the slot.
    pub fn read(&self, offset: usize, dst: &mut [u8]) {
        let src = self.at(offset, dst.len());
        // SAFETY: `at` checked the range, which is the slot's; `dst` is a buffer and in no slot (invariant 1).
        unsafe { arch::memory::copy(dst.as_mut_ptr(), src, dst.len()) }
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Panics
    /// If the range leaves the slot.
    pub fn write(&mut self, offset: usize, src: &[u8]) {
        let dst = self.at(offset, src.len());
        // SAFETY: as in `read`, with the roles exchanged.
        unsafe { arch::memory::copy(dst, src.as_ptr(), src.len()) }
    }

    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= self.size() && len <= self.size() - offset, "range leaves the slot");
        self.start.as_ptr().wrapping_add(offset)
    }

    fn block_order(&self) -> u8 {
        frame::order_of_owned(arch::memory::frame_of_ptr(self.start.as_ptr()))
    }

    /// Gives up the slot as an address; [`from_ptr`](Self::from_ptr) takes it back.
    #[allow(dead_code, reason = "the global allocator exists on the PC only")]
    pub(crate) fn into_ptr(self) -> NonNull<u8> {
        self.start
    }

    /// Takes back a slot.
    ///
    /// # Safety
    /// `start` came from [`into_ptr`](Self::into_ptr) of a slot of 2^`bits` bytes, and its memory is in use no longer.
    #[inline(always)]
    #[allow(dead_code, reason = "the global allocator exists on the PC only")]
    pub(crate) unsafe fn from_ptr(start: NonNull<u8>, bits: u32) -> Slot {
        Slot { start, bits }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:#x}, {} bytes)", self.addr(), self.size())
    }
}

/// A last-in first-out list of slots of one size, linked inside their own memory. Dropping a list leaks its slots.
pub struct SlotList {
    head: Option<NonNull<Link>>,
    len: usize,
    slot_bits: u32,
}

#[repr(C)]
struct Link {
    next: Option<NonNull<Link>>,
}

const _: () = assert!(size_of::<Link>() <= MIN_SLOT && align_of::<Link>() <= MIN_SLOT);

// SAFETY: the list owns its slots, which are `Send`.
unsafe impl Send for SlotList {}
// SAFETY: a shared list gives no access to its slots.
unsafe impl Sync for SlotList {}

impl SlotList {
    /// Makes an empty list of slots of `slot_size` bytes.
    ///
    /// # Panics
    /// If that is no power of two between [`MIN_SLOT`] and [`MAX_SLOT`].
    pub const fn new(slot_size: usize) -> Self {
        assert!(slot_size.is_power_of_two() && slot_size >= MIN_SLOT && slot_size <= MAX_SLOT);
        Self { head: None, len: 0, slot_bits: slot_size.trailing_zeros() }
    }

    /// Returns the number of slots.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether no slot is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Returns the size of each slot.
    #[inline]
    pub fn slot_size(&self) -> usize {
        1 << self.slot_bits
    }

    /// Adds a slot at the front.
    ///
    /// # Panics
    /// If it has another size.
    #[inline(always)]
    pub fn push(&mut self, slot: Slot) {
        assert!(slot.bits == self.slot_bits, "slot of another size");
        let link = slot.start.cast::<Link>();
        // SAFETY: the slot owns at least MIN_SLOT bytes, aligned for `Link`; nothing else uses them (invariant 1).
        unsafe { link.write(Link { next: self.head }) };
        self.head = Some(link);
        self.len += 1;
    }

    /// Takes the front slot.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<Slot> {
        let link = self.head?;
        // SAFETY: `push` wrote the link, and the memory has been the list's since.
        let Link { next } = unsafe { link.read() };
        self.head = next;
        self.len -= 1;
        Some(Slot { start: link.cast(), bits: self.slot_bits })
    }

    /// Moves up to `n` slots from the front of `other` to the front of this list; returns how many.
    pub fn take_from(&mut self, other: &mut SlotList, n: usize) -> usize {
        let mut moved = 0;
        while moved < n {
            let Some(slot) = other.pop() else { break };
            self.push(slot);
            moved += 1;
        }
        moved
    }
}

impl fmt::Debug for SlotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotList({} of {} bytes)", self.len, self.slot_size())
    }
}

/// Cuts a block into slots of `size` bytes, lowest address at the front.
///
/// # Errors
/// Returns the frame if it is shared or smaller than a slot.
///
/// # Panics
/// If `size` is no slot size.
pub fn slots_of(frame: Frame, size: usize) -> Result<SlotList, Frame> {
    let mut list = SlotList::new(size);
    let total = frame.size();
    if !frame.is_unique() || size > total {
        return Err(frame);
    }
    let Some(start) = NonNull::new(frame.at(0, total)) else { return Err(frame) };
    frame.set_cut(size.trailing_zeros());
    frame.into_raw();
    for i in (0..total / size).rev() {
        // SAFETY: `i * size` lies within the block of `total` bytes.
        let slot_start = unsafe { start.add(i * size) };
        list.push(Slot { start: slot_start, bits: size.trailing_zeros() });
    }
    Ok(list)
}

/// Turns all the slots of one block back into it.
///
/// # Errors
/// Returns the list, in some order, if it is not exactly the slots of one block.
pub fn reassemble(mut list: SlotList) -> Result<Frame, SlotList> {
    let Some(first) = list.pop() else { return Err(list) };
    let number = first.frame_number();
    let block_size = PAGE_SIZE << first.block_order();
    list.push(first);
    if list.len * list.slot_size() != block_size {
        return Err(list);
    }
    let mut seen = SlotList::new(list.slot_size());
    while let Some(slot) = list.pop() {
        let same = slot.frame_number() == number;
        seen.push(slot);
        if !same {
            seen.take_from(&mut list, usize::MAX);
            return Err(seen);
        }
    }
    // SAFETY: slots are disjoint and aligned, all of these lie in the block and their sizes add up to it: they are the
    // whole block, with its handle in trust (invariant 2). They are forgotten here.
    let frame = unsafe { Frame::from_raw(number) };
    frame.set_count(1);
    Ok(frame)
}

#[cfg(target_os = "none")]
mod global {
    //! `alloc` through the kernel's heap.

    use core::alloc::{GlobalAlloc, Layout};
    use core::ptr::{NonNull, null_mut};

    use super::{Slot, slot_bits};
    use crate::upcall::bound;

    struct KernelHeap;

    #[global_allocator]
    static HEAP: KernelHeap = KernelHeap;

    // SAFETY: memory comes from slots, which are owned, as large and as aligned as `slot_size` says (checked), and stay
    // allocated until `dealloc` rebuilds the same slot from the same layout.
    unsafe impl GlobalAlloc for KernelHeap {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match bound::heap_alloc(layout) {
                Some(slot) => {
                    assert!(slot.bits() == slot_bits(layout), "heap slot of a wrong size");
                    slot.into_ptr().as_ptr()
                }
                None => null_mut(),
            }
        }

        #[inline]
        unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
            // SAFETY: the caller's duty: `start` came from `alloc`, which never returns null for it.
            let start = unsafe { NonNull::new_unchecked(start) };
            // SAFETY: `alloc` made it from a slot of this size for the same layout.
            let slot = unsafe { Slot::from_ptr(start, slot_bits(layout)) };
            bound::heap_free(slot);
        }

        #[inline]
        unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
            if slot_bits(new_layout) == slot_bits(layout) && bound::heap_may_resize() {
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
}
