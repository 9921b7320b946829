//! Owned physical memory: [`Frame`]; `table` keeps one state per frame.
//!
//! Invariants:
//! 1. A frame is *free*, *reserved* (not RAM, or in use since before the allocator), or owned by one block of 2^n frames
//!    whose handles are counted in the state of its first frame.
//! 2. Only [`Frame::claim`] turns free into owned, atomically: a frame handed out twice is refused.
//! 3. The last handle's drop makes the block free, then tells the kernel ([`free_frames`](crate::Kernel::free_frames)).
//! 4. Contents are reached only through copies that tolerate a concurrent user program or CPU; no reference to them is
//!    ever made.
//!
//! A count that reaches 2^25 sticks: the frame is leaked rather than freed early (as Linux's `refcount_t` does).

mod handles;
mod table;

use core::fmt;
use core::mem::ManuallyDrop;
use core::num::NonZeroU32;
use core::ops::Range;

use crate::addr::{FrameNumber, MAX_FRAME_ORDER, MAX_ORDER, PAGE_SIZE, PhysAddr};
use crate::arch;
use crate::error::Error;
use crate::heap::SlotSize;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::upcall::bound;

use self::handles::COUNT_MASK;
pub(crate) use self::table::FrameTable;
use self::table::ORDER_SHIFT;
#[cfg(not(target_os = "none"))]
pub(crate) use self::table::{FrameState, Taken};

/// What the count is in a block that was cut into heap slots, to which the number of their size is added.
const CUT: u32 = 1 << 24;

fn state(number: FrameNumber) -> Option<&'static AtomicU32> {
    arch::memory::frame_table().state(number.index())
}

#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the simulated machine's RAM has no holes"))]
/// Marks everything outside `usable` (ascending, disjoint) as reserved. To be called once, before the first claim.
pub(crate) fn reserve_all_but(usable: impl Iterator<Item = Range<FrameNumber>>) {
    let table = arch::memory::frame_table();
    let mut at = 0;
    for range in usable {
        table.reserve(at..range.start.index());
        at = range.end.index();
    }
    table.reserve(at..table.len());
    // Frame 0 is never handed out: `Frame` uses the number's niche, firmware its memory.
    table.reserve(0..1);
}

/// Turns a reserved block into a free one.
///
/// # Safety
/// The block is RAM, and whoever had reserved it uses it no longer.
pub(crate) unsafe fn unreserve(first: FrameNumber, order: u8) {
    arch::memory::frame_table().unreserve(first.index()..first.index() + (1 << order));
}

/// Returns the order of the block that an owned frame belongs to: the first of it, or any of one that was cut.
pub(crate) fn order_of_owned(number: FrameNumber) -> u8 {
    (state(number).map_or(0, |state| state.load(Ordering::Relaxed)) >> ORDER_SHIFT) as u8
}

/// Returns the number of handles of an owned frame that is a block of its own, at some recent moment.
pub(crate) fn handles_of_owned(number: FrameNumber) -> u32 {
    state(number).map_or(0, |state| state.load(Ordering::Relaxed)) & COUNT_MASK
}

/// Adds to the count of an owned frame, modulo 2^32, by one who knows that nobody else does; returns the sum.
#[inline(always)]
pub(crate) fn add_to_owned(number: FrameNumber, n: u32) -> u32 {
    let Some(state) = state(number) else { return 0 };
    let new = state.load(Ordering::Relaxed).wrapping_add(n);
    state.store(new, Ordering::Relaxed);
    new & COUNT_MASK
}

/// Returns the size of the slots that an owned block was cut into.
pub(crate) fn cut_of(first: FrameNumber) -> Option<SlotSize> {
    let count = state(first)?.load(Ordering::Relaxed) & COUNT_MASK;
    SlotSize::of_index(count.checked_sub(CUT)? as usize)
}

/// Makes frames, all of them the caller's, one block with one handle.
pub(crate) fn set_block(first: FrameNumber, order: u8) {
    // Relaxed: nobody else looks at owned frames.
    state(first)
        .into_iter()
        .for_each(|state| state.store(u32::from(order) << ORDER_SHIFT | 1, Ordering::Relaxed));
}

/// What a frame is, for those who count them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nobody's.
    Free,
    /// Never handed out.
    Reserved,
    /// The first of an owned block of 2^order frames; a block that was cut into heap slots, and a page table, count
    /// something else than handles.
    Owned {
        /// The block's order.
        order: u8,
        /// Its handles.
        handles: u32,
    },
}

/// Iterates over all frames of the machine, each looked at when it comes; an owned block comes once.
pub fn look_at_all() -> impl Iterator<Item = (FrameNumber, Look)> {
    let table = arch::memory::frame_table();
    let mut at = 0;
    core::iter::from_fn(move || {
        let word = table.state(at)?.load(Ordering::Relaxed);
        let look = match word & COUNT_MASK {
            _ if table.is_free(at) => Look::Free,
            0 => Look::Reserved,
            handles => Look::Owned { order: (word >> ORDER_SHIFT) as u8, handles },
        };
        let first = FrameNumber::new(at as u32);
        at += if let Look::Owned { order, .. } = look { 1 << order } else { 1 };
        Some((first, look))
    })
}

/// Returns the number of frames of the machine.
pub fn count() -> usize {
    arch::memory::frame_table().len()
}

/// Tells whether a block of so many handles was cut into heap slots.
pub fn is_cut(handles: u32) -> bool {
    handles.checked_sub(CUT).is_some_and(|size| SlotSize::of_index(size as usize).is_some())
}

/// A counted handle of a block of 2^order frames, naturally aligned.
///
/// Cloning adds a handle, dropping the last one frees the block. Holding one proves that the memory is RAM, mapped in
/// the kernel, and in nobody else's hands than those of the other handles (page-table entries own one each).
pub struct Frame {
    number: NonZeroU32,
    /// Which machine the frame belongs to; of size zero on the PC.
    machine: arch::memory::MachineTag,
}

// One word in every table and list of frames.
#[cfg(target_os = "none")]
const _: () = assert!(size_of::<Option<Frame>>() == 4);

impl Frame {
    /// Takes a free block into possession.
    ///
    /// # Errors
    /// - `Misaligned`: `number` is not a multiple of 2^order, or the order exceeds [`MAX_FRAME_ORDER`].
    /// - `OutOfRange`: there is no such RAM.
    /// - `InUse`: some frame of the block is owned or reserved.
    /// - `OutOfMemory`: a test has limited the claims (`sim::Machine::fail_allocations_after`); to be treated as an empty allocator.
    #[inline]
    pub fn claim(number: FrameNumber, order: u8) -> Result<Frame, Error> {
        if order > MAX_FRAME_ORDER || !number.is_aligned_to(order) {
            return Err(Error::Misaligned);
        }
        let non_zero = NonZeroU32::new(number.get()).ok_or(Error::InUse)?;
        if !arch::memory::may_claim() {
            return Err(Error::OutOfMemory);
        }
        arch::memory::frame_table().claim(number.index(), order)?;
        Ok(Frame { number: non_zero, machine: arch::memory::machine_tag() })
    }

    /// Returns the number of the first frame.
    #[inline]
    pub fn number(&self) -> FrameNumber {
        FrameNumber::new(self.number.get())
    }

    /// Returns the address of the first byte.
    #[inline]
    pub fn phys(&self) -> PhysAddr {
        self.number().phys()
    }

    /// Returns the binary logarithm of the number of frames.
    #[inline]
    pub fn order(&self) -> u8 {
        (self.state().load(Ordering::Relaxed) >> ORDER_SHIFT) as u8
    }

    /// Returns the size in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        PAGE_SIZE << self.order()
    }

    /// Tells whether this is the only handle. Nobody else can make another one then.
    #[inline]
    pub fn is_unique(&self) -> bool {
        handles::is_unique(self.state())
    }

    /// Returns the number of handles at some recent moment.
    #[inline]
    pub fn ref_count(&self) -> u32 {
        self.state().load(Ordering::Relaxed) & COUNT_MASK
    }

    /// Copies bytes out of the block, from `offset` on.
    ///
    /// # Panics
    /// If the range leaves the block; so do the methods below.
    pub fn read(&self, offset: usize, dst: &mut [u8]) {
        let src = self.at(offset, dst.len());
        // SAFETY: `at` checked the range, which this handle keeps alive; `dst` is a valid exclusive buffer and not in a
        // frame that handles own, to which no references exist (invariant 4).
        unsafe { arch::memory::copy(dst.as_mut_ptr(), src, dst.len()) }
    }

    /// Copies bytes into the block, from `offset` on.
    pub fn write(&self, offset: usize, src: &[u8]) {
        let dst = self.at(offset, src.len());
        // SAFETY: as in `read`, with the roles exchanged.
        unsafe { arch::memory::copy(dst, src.as_ptr(), src.len()) }
    }

    /// Fills the block with zeroes.
    pub fn zero(&self) {
        self.zero_range(0, self.size());
    }

    /// Fills a part of the block with zeroes.
    pub fn zero_range(&self, offset: usize, len: usize) {
        let dst = self.at(offset, len);
        // SAFETY: `at` checked the range, which this handle keeps alive.
        unsafe { arch::memory::zero(dst, len) }
    }

    /// Copies the whole of another block of the same order.
    pub fn copy_from(&self, src: &Frame) {
        assert_eq!(self.order(), src.order(), "copy between blocks of different order");
        self.copy_range(0, src, 0, self.size());
    }

    /// Copies `len` bytes from `src` at `src_offset` to `offset`. The two ranges must not overlap, else the bytes copied
    /// are unspecified.
    pub fn copy_range(&self, offset: usize, src: &Frame, src_offset: usize, len: usize) {
        let (dst, src) = (self.at(offset, len), src.at(src_offset, len));
        // SAFETY: `at` checked both ranges, which the two handles keep alive; `copy` allows any overlap.
        unsafe { arch::memory::copy(dst, src, len) }
    }

    /// Returns the address in kernel memory of a range of the block.
    pub(crate) fn at(&self, offset: usize, len: usize) -> *mut u8 {
        let size = self.size();
        assert!(
            offset <= size && len <= size - offset,
            "range {offset}+{len} leaves a block of {size} bytes"
        );
        arch::memory::assert_current(self.machine);
        arch::memory::phys_ptr(self.phys()).wrapping_add(offset)
    }

    /// Gives up the handle without dropping it; the caller keeps the count in trust.
    #[inline]
    pub(crate) fn into_raw(self) -> FrameNumber {
        arch::memory::assert_current(self.machine);
        ManuallyDrop::new(self).number()
    }

    /// Takes back a handle.
    ///
    /// # Safety
    /// The number came from [`into_raw`](Self::into_raw), whose count goes to the result: once only.
    #[inline]
    pub(crate) unsafe fn from_raw(number: FrameNumber) -> Frame {
        let number = NonZeroU32::new(number.get()).unwrap_or_else(|| unreachable!("frame 0 is never owned"));
        Frame { number, machine: arch::memory::machine_tag() }
    }

    /// Looks at a handle that somebody else keeps in trust.
    ///
    /// # Safety
    /// As [`from_raw`](Self::from_raw), except that the count stays where it is, and stays at least as long as the
    /// result is used.
    #[inline]
    pub(crate) unsafe fn borrow_raw(number: FrameNumber) -> ManuallyDrop<Frame> {
        // SAFETY: the caller's duty; the count is not given back, because the result is never dropped.
        ManuallyDrop::new(unsafe { Self::from_raw(number) })
    }

    /// Sets the count by one who knows that no other handle exists: a page table counts its entries in it.
    #[inline]
    pub(crate) fn set_count(&self, count: u32) {
        let state = self.state();
        let order = state.load(Ordering::Relaxed) & !COUNT_MASK;
        state.store(order | count, Ordering::Relaxed);
    }

    /// Notes in all frames of the block that it is cut into slots of this size, by one who knows that no other handle
    /// exists.
    pub(crate) fn set_cut(&self, size: SlotSize) {
        let order = u32::from(self.order());
        for number in self.number.get() + 1..self.number.get() + (1 << order) {
            let state = state(FrameNumber::new(number));
            // Relaxed: who looks there has a slot, which was handed over.
            state.into_iter().for_each(|state| state.store(order << ORDER_SHIFT, Ordering::Relaxed));
        }
        self.set_count(CUT + size.index() as u32);
    }

    /// Makes two blocks of a block of which this is the only handle, and returns the upper one. `None` for a single frame
    /// and for a shared block.
    pub(crate) fn halve(&self) -> Option<Frame> {
        let order = self.order().checked_sub(1).filter(|_| self.is_unique())?;
        let upper = FrameNumber::new(self.number.get() + (1 << order));
        set_block(self.number(), order);
        set_block(upper, order);
        // SAFETY: the block's frames were this handle's; the upper half has one handle now, this one.
        Some(unsafe { Frame::from_raw(upper) })
    }

    /// Makes one block of two buddies of which these are the only handles.
    ///
    /// # Errors
    /// Returns the other block if it is not the upper buddy of this one, or one of them is shared.
    pub(crate) fn join(&self, upper: Frame) -> Result<(), Frame> {
        let order = self.order();
        let is_buddy = order < MAX_ORDER
            && upper.order() == order
            && self.number().is_aligned_to(order + 1)
            && upper.number.get() == self.number.get() + (1 << order);
        if !is_buddy || !self.is_unique() || !upper.is_unique() {
            return Err(upper);
        }
        upper.into_raw();
        set_block(self.number(), order + 1);
        Ok(())
    }

    /// Makes blocks of 2^`order` frames of a block of which this is the only handle, each with one handle in trust; tells
    /// whether it did.
    pub(crate) fn split(&self, order: u8) -> bool {
        if !self.is_unique() {
            return false;
        }
        let first = self.number().get();
        let parts = (first..first + (1 << self.order())).step_by(1 << order);
        parts.for_each(|part| set_block(FrameNumber::new(part), order));
        true
    }

    /// Changes the count of a page table that several spaces have; `None` leaves it. Returns what `change` did.
    #[inline]
    pub(crate) fn update_count(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        handles::update(self.state(), change)
    }

    #[inline]
    fn state(&self) -> &'static AtomicU32 {
        arch::memory::assert_current(self.machine);
        state(self.number())
            .unwrap_or_else(|| unreachable!("in range since `claim`; the table never shrinks"))
    }

    fn free(&mut self) {
        let first = self.number();
        let order = self.order();
        arch::memory::frame_table().release(first.index(), order);
        bound::free_frames(first, order);
    }
}

impl Clone for Frame {
    #[inline]
    fn clone(&self) -> Self {
        handles::add(self.state());
        Frame { number: self.number, machine: self.machine }
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if handles::drop_one(self.state()) {
            self.free();
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} order {} handles {}", self.number(), self.order(), self.ref_count())
    }
}
