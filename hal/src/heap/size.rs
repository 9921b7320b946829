//! Sizes of slots.

use core::alloc::Layout;
use core::fmt;

use super::MIN_SLOT;
use crate::addr::{MAX_ORDER, PAGE_SHIFT, PAGE_SIZE};

/// The size of a slot: up to a page a power of two or one and a half times one (16, 24, 32, 48, ... 3072, 4096), above a
/// power of two. Sizes compare as their bytes do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotSize(u8);

impl SlotSize {
    /// How many sizes there are up to a page.
    pub const SMALL: usize = 2 * (PAGE_SIZE / MIN_SLOT).ilog2() as usize + 1;
    /// The size of a page.
    pub const PAGE: SlotSize = SlotSize(Self::SMALL as u8 - 1);

    /// Returns the smallest size that serves a layout.
    ///
    /// Slots of a size lie at its multiples from the start of a block on, so a power of two is aligned to itself, and
    /// 3 * 2^n to 2^n. That is enough for a layout whose size is a multiple of its alignment, to which others are rounded up:
    /// between 2^(n + 1) and 3 * 2^n there is no multiple of more than 2^n.
    #[inline(always)]
    pub const fn of(layout: Layout) -> SlotSize {
        let align = layout.align();
        // A layout's size can be rounded up to its alignment: `Layout`'s own rule.
        let bytes = (layout.size() + align - 1) & !(align - 1);
        if bytes <= TABLE_END { SlotSize(TABLE[bytes.div_ceil(STEP)]) } else { Self::of_bytes(bytes) }
    }

    /// Returns the smallest size of at least so many bytes.
    const fn of_bytes(bytes: usize) -> SlotSize {
        let last = if bytes > MIN_SLOT { bytes - 1 } else { MIN_SLOT - 1 };
        // More than 2^bits bytes, 2^(bits + 1) at most.
        let bits = last.ilog2();
        let power_of_two = 2 * (bits + 1 - MIN_SLOT.ilog2());
        let is_half_enough = last >> (bits - 1) & 1 == 0 && last < PAGE_SIZE;
        SlotSize((power_of_two - is_half_enough as u32) as u8)
    }

    /// Returns the size of a block of 2^`order` frames.
    ///
    /// # Panics
    /// If there are no such blocks.
    #[inline]
    pub const fn of_block(order: u8) -> SlotSize {
        assert!(order <= MAX_ORDER);
        SlotSize(Self::PAGE.0 + 2 * order)
    }

    /// Returns the size with this number.
    #[inline]
    pub const fn of_index(index: usize) -> Option<SlotSize> {
        if index <= Self::of_block(MAX_ORDER).index() && (index < Self::SMALL || index.is_multiple_of(2)) {
            Some(SlotSize(index as u8))
        } else {
            None
        }
    }

    /// Returns its number: sizes up to a page are numbered from 0 on, larger ones have every second number above.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Tells whether it is at most a page.
    #[inline(always)]
    pub const fn is_small(self) -> bool {
        self.index() < Self::SMALL
    }

    /// Returns the order of the block that has this size.
    #[inline]
    pub const fn block_order(self) -> Option<u8> {
        let bits = self.bytes().trailing_zeros();
        if self.bytes() < PAGE_SIZE { None } else { Some((bits - PAGE_SHIFT) as u8) }
    }

    /// Returns the number of bytes.
    #[inline(always)]
    pub const fn bytes(self) -> usize {
        (MIN_SLOT + MIN_SLOT / 2 * (self.index() & 1)) << (self.index() / 2)
    }
}

/// All sizes are multiples of this.
const STEP: usize = MIN_SLOT / 2;
/// What most layouts are at most, in bytes.
const TABLE_END: usize = 1024;
/// The sizes for multiples of [`STEP`].
static TABLE: [u8; TABLE_END / STEP + 1] = {
    let mut table = [0; TABLE_END / STEP + 1];
    let mut at = 0;
    while at < table.len() {
        table[at] = SlotSize::of_bytes(at * STEP).0;
        at += 1;
    }
    table
};

impl fmt::Debug for SlotSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes())
    }
}
