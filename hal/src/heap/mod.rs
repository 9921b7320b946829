//! Owned kernel memory in pieces: [`Slot`], lists of slots, what a CPU has of them [at hand](stock), and the global
//! allocator over them.
//!
//! Invariants:
//! 1. A `Slot` owns [`size`](Slot::size) bytes; no other slot or frame handle covers them.
//! 2. All slots cut from one block have the same size, lie at multiples of it from the block's start on, and keep that
//!    block's one frame handle in trust; the block comes back as a [`Frame`] only from all of them together. Meanwhile the
//!    frame table has their size. Bytes behind the last slot are nobody's.
//! 3. The beginning of such a slot stands for all of it; the rest is nobody else's.
//! 4. A free slot's memory holds nothing but, in its first word, the link of the list that owns it.

#[cfg(target_os = "none")]
mod global;
mod list;
mod live;
mod size;
pub mod stock;

use core::fmt;
use core::ptr::NonNull;

use crate::addr::{FrameNumber, MAX_ORDER, PAGE_SIZE};
use crate::arch;
use crate::frame::{self, Frame};

pub use list::SlotList;
pub use live::LiveBlock;
pub use size::SlotSize;

/// Size of the smallest slot in bytes.
pub const MIN_SLOT: usize = 16;
/// Size of the largest slot in bytes.
pub const MAX_SLOT: usize = PAGE_SIZE << MAX_ORDER;

/// Owned, uninitialised kernel memory. Dropping a slot leaks it.
#[must_use = "dropping a slot leaks its memory"]
pub struct Slot {
    start: NonNull<u8>,
    size: SlotSize,
}

// SAFETY: a slot is plain memory with one owner.
unsafe impl Send for Slot {}
// SAFETY: a shared slot gives no access to its memory.
unsafe impl Sync for Slot {}

impl Slot {
    /// Returns the size.
    #[inline(always)]
    pub fn size(&self) -> SlotSize {
        self.size
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
        let size = SlotSize::of_block(frame.order());
        let Some(start) = NonNull::new(frame.at(0, size.bytes())) else { return Err(frame) };
        frame.into_raw();
        Ok(Slot { start, size })
    }

    /// Turns a slot that is a whole block back into it.
    pub fn into_frame(self) -> Result<Frame, Slot> {
        if self.size.block_order() != Some(self.order_around()) {
            return Err(self);
        }
        // SAFETY: the slot is all of its block and holds the block's handle in trust (invariant 2).
        Ok(unsafe { Frame::from_raw(self.frame_number()) })
    }

    /// Returns the first frame of the block that the slot was cut from.
    #[inline]
    pub fn frame_number(&self) -> FrameNumber {
        let number = arch::memory::frame_of_ptr(self.start.as_ptr());
        FrameNumber::new(number.get() & !((1 << self.order_around()) - 1))
    }

    /// Returns how many slots of this size the block gave that this one was cut from.
    #[inline]
    pub fn slots_in_block(&self) -> usize {
        (PAGE_SIZE << self.order_around()) / self.size.bytes()
    }

    /// Returns the first `size` bytes; [`whole`](Self::whole) brings back all.
    ///
    /// # Panics
    /// If that is more than the slot.
    pub fn beginning(self, size: SlotSize) -> Slot {
        assert!(size <= self.size, "no beginning of this size");
        Slot { start: self.start, size }
    }

    /// Returns the whole slot that was cut from a block, of which this is the beginning.
    pub fn whole(self) -> Slot {
        let cut = frame::cut_of(self.frame_number());
        let size = cut.unwrap_or(SlotSize::of_block(self.order_around()));
        // Both begin at the same byte (invariant 3), and nobody else has a part of the larger one.
        Slot { start: self.start, size }
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
        let size = self.size.bytes();
        assert!(offset <= size && len <= size - offset, "range leaves the slot");
        self.start.as_ptr().wrapping_add(offset)
    }

    /// Returns the order of the block that the slot was cut from.
    fn order_around(&self) -> u8 {
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
    /// `start` came from [`into_ptr`](Self::into_ptr) of a slot of this size, and its memory is in use no longer.
    #[inline(always)]
    #[allow(dead_code, reason = "the global allocator exists on the PC only")]
    pub(crate) unsafe fn from_ptr(start: NonNull<u8>, size: SlotSize) -> Slot {
        Slot { start, size }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:#x}, {:?})", self.addr(), self.size)
    }
}

/// Cuts a block into slots, lowest address at the front.
///
/// # Errors
/// Returns the frame if it is shared or smaller than a slot.
pub fn slots_of(frame: Frame, size: SlotSize) -> Result<SlotList, Frame> {
    let mut list = SlotList::new();
    let total = frame.size();
    if !frame.is_unique() || size.bytes() > total {
        return Err(frame);
    }
    let Some(start) = NonNull::new(frame.at(0, total)) else { return Err(frame) };
    frame.set_cut(size);
    frame.into_raw();
    for i in (0..total / size.bytes()).rev() {
        // SAFETY: `i * size` and as many bytes behind lie within the block of `total` bytes.
        let slot_start = unsafe { start.add(i * size.bytes()) };
        list.push(Slot { start: slot_start, size });
    }
    Ok(list)
}

/// Turns all the slots of one block back into it.
///
/// # Errors
/// Returns the list, in some order, if it is not exactly the slots of one block.
pub fn reassemble(mut list: SlotList) -> Result<Frame, SlotList> {
    let Some(first) = list.pop() else { return Err(list) };
    let (number, slots) = (first.frame_number(), first.slots_in_block());
    list.push(first);
    if list.len() != slots {
        return Err(list);
    }
    let mut seen = SlotList::new();
    while let Some(slot) = list.pop() {
        let same = slot.frame_number() == number;
        seen.push(slot);
        if !same {
            seen.take_from(&mut list, usize::MAX);
            return Err(seen);
        }
    }
    // SAFETY: slots are disjoint, all of these lie in the block at multiples of their size, and there are as many as it
    // gives: they are all of it, with its handle in trust (invariant 2). They are forgotten here.
    let frame = unsafe { Frame::from_raw(number) };
    frame.set_count(1);
    Ok(frame)
}
