//! Addresses: physical bytes, physical frames, and arithmetic on virtual addresses.
//!
//! A *frame* is physical, a *page* is virtual. Virtual addresses are plain `usize` in arithmetic; what a user program
//! claims about one is a [`UserPtr`](crate::user::UserPtr).

use core::fmt;
use core::ops::Range;

/// Bytes in a page or a frame.
pub const PAGE_SIZE: usize = 4096;
/// Binary logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// First virtual address that user space may not use. The last page below 2^47 stays unmapped: a SYSCALL at its end
/// would return to a non-canonical address.
pub const USER_END: usize = 0x7fff_ffff_f000;
/// Largest order of a block of frames: 2^12 frames, 16 MiB.
pub const MAX_ORDER: u8 = 12;
/// The largest order of a block that can be owned as one [`Frame`](crate::frame::Frame): a page of 1 GiB.
pub const MAX_FRAME_ORDER: u8 = 18;

/// Rounds `addr` down to a page boundary.
#[inline]
pub const fn page_floor(addr: usize) -> usize {
    addr & !(PAGE_SIZE - 1)
}

/// Rounds `addr` up to a page boundary; `None` when that wraps.
#[inline]
pub const fn page_ceil(addr: usize) -> Option<usize> {
    match addr.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(page_floor(sum)),
        None => None,
    }
}

/// Tells whether `addr` is a multiple of the page size.
#[inline]
pub const fn is_page_aligned(addr: usize) -> bool {
    addr & (PAGE_SIZE - 1) == 0
}

/// A physical byte address, below 2^52.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct PhysAddr(u64);

impl PhysAddr {
    /// First address that the architecture cannot express.
    pub const LIMIT: u64 = 1 << 52;

    /// Makes an address.
    ///
    /// # Panics
    /// If `addr` is 2^52 or more.
    #[inline]
    pub const fn new(addr: u64) -> Self {
        assert!(addr < Self::LIMIT, "physical address out of range");
        Self(addr)
    }

    /// Returns the number of the byte.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds a byte count; `None` when the sum is no physical address.
    #[inline]
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) if sum < Self::LIMIT => Some(Self(sum)),
            _ => None,
        }
    }

    /// Returns the frame that contains this byte; `None` beyond the last numbered frame (16 TiB).
    #[inline]
    pub const fn frame(self) -> Option<FrameNumber> {
        let number = self.0 >> PAGE_SHIFT;
        if number <= u32::MAX as u64 { Some(FrameNumber(number as u32)) } else { None }
    }
}

impl fmt::Debug for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "phys {:#x}", self.0)
    }
}

/// The number of a 4 KiB frame: its physical address divided by the page size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct FrameNumber(u32);

impl FrameNumber {
    /// Makes a frame number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the number as an index into a per-frame table.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the address of the frame's first byte.
    #[inline]
    pub const fn phys(self) -> PhysAddr {
        PhysAddr((self.0 as u64) << PAGE_SHIFT)
    }

    /// Adds a number of frames; `None` on overflow.
    #[inline]
    pub const fn checked_add(self, frames: u32) -> Option<Self> {
        match self.0.checked_add(frames) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Subtracts a number of frames; `None` on underflow.
    #[inline]
    pub const fn checked_sub(self, frames: u32) -> Option<Self> {
        match self.0.checked_sub(frames) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Tells whether a block of this order may start here.
    #[inline]
    pub const fn is_aligned_to(self, order: u8) -> bool {
        order < 32 && self.0 & ((1 << order) - 1) == 0
    }

    /// Iterates over the frames of a half-open range.
    pub fn iter(range: Range<FrameNumber>) -> impl DoubleEndedIterator<Item = FrameNumber> {
        (range.start.0..range.end.0).map(FrameNumber)
    }

    /// Cuts a half-open range into the fewest naturally aligned blocks of at most [`MAX_ORDER`], in ascending order.
    pub fn blocks(range: Range<FrameNumber>) -> impl Iterator<Item = (FrameNumber, u8)> {
        let (mut at, end) = (range.start.0, range.end.0);
        core::iter::from_fn(move || {
            let left = end.checked_sub(at).filter(|&n| n != 0)?;
            let order = at.trailing_zeros().min(left.ilog2()).min(u32::from(MAX_ORDER));
            let block = (FrameNumber(at), order as u8);
            // Cannot pass `end`; wraps to 0 only past the last number, where `left` was the whole rest.
            at = at.checked_add(1 << order).unwrap_or(end);
            Some(block)
        })
    }
}

impl fmt::Debug for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}
