//! Sizes: which tier serves a layout, with how many bytes.

use core::alloc::Layout;

use hal::PAGE_SIZE;
use hal::addr::MAX_ORDER;
use hal::heap::{Slot, SlotSize, stock};

use super::{cpu_slab, thread_cache};

/// Number of size classes below the buddy tier: 16, 24, 32, 48, ... 3072, 4096 bytes.
pub const CLASSES: usize = SlotSize::SMALL;
/// Number of tiers.
pub const TIERS: usize = 3;

/// The part of the heap that serves an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// 16 to 256 bytes.
    ThreadCache,
    /// 384 bytes to 4 KiB.
    CpuSlab,
    /// Whole blocks of frames.
    Buddy,
}

impl Tier {
    /// Returns what a hit costs on current hardware, in cycles, as designed for.
    pub const fn expected_cycles(self) -> u32 {
        match self {
            Self::ThreadCache => 8,
            Self::CpuSlab => 50,
            Self::Buddy => 200,
        }
    }
}

/// One of the sizes up to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeClass(SlotSize);

impl SizeClass {
    /// Iterates over all classes, ascending.
    pub fn all() -> impl Iterator<Item = SizeClass> {
        (0..CLASSES).filter_map(SlotSize::of_index).map(SizeClass)
    }

    /// Returns the class that serves a layout; `None` for the buddy tier.
    #[inline(always)]
    pub const fn of(layout: Layout) -> Option<SizeClass> {
        Self::of_size(SlotSize::of(layout))
    }

    /// Returns the class of a slot; `None` for the buddy tier.
    #[inline]
    pub fn of_slot(slot: &Slot) -> Option<SizeClass> {
        Self::of_size(slot.size())
    }

    const fn of_size(size: SlotSize) -> Option<SizeClass> {
        if size.is_small() { Some(SizeClass(size)) } else { None }
    }

    /// Returns the position among the classes, smallest first.
    #[inline]
    pub const fn index(self) -> usize {
        self.0.index()
    }

    /// Returns the size of its slots.
    #[inline]
    pub const fn slot_size(self) -> SlotSize {
        self.0
    }

    /// Returns the size of its slots in bytes.
    #[inline]
    pub const fn bytes(self) -> usize {
        self.0.bytes()
    }

    /// Returns the tier that holds the class.
    #[inline]
    pub const fn tier(self) -> Tier {
        if self.bytes() <= thread_cache::MAX { Tier::ThreadCache } else { Tier::CpuSlab }
    }

    /// Returns the order of the blocks that its slots are cut from: the smallest that leaves at most an eighth unused.
    pub const fn block_order(self) -> u8 {
        let mut order = 0;
        while order < MAX_ORDER && (PAGE_SIZE << order) % self.bytes() > (PAGE_SIZE << order) / 8 {
            order += 1;
        }
        order
    }

    /// Returns how many slots move at once between a CPU and the store behind it.
    pub const fn batch(self) -> usize {
        match self.tier() {
            Tier::ThreadCache => thread_cache::batch(self),
            _ => cpu_slab::batch(self),
        }
    }

    /// Returns the bytes of free slots of this class that this CPU has at hand.
    pub(super) fn cached_bytes(self) -> usize {
        stock::len(self.0) * self.bytes()
    }
}

/// Predicts which tier serves a layout.
#[inline]
pub const fn tier_of(layout: Layout) -> Tier {
    match SizeClass::of(layout) {
        Some(class) => class.tier(),
        None => Tier::Buddy,
    }
}

/// Returns the bytes that an allocation of this layout takes beyond what was asked for.
#[inline]
pub const fn waste(layout: Layout) -> usize {
    SlotSize::of(layout).bytes() - layout.size()
}

const _: () = assert!(cpu_slab::MAX == SlotSize::PAGE.bytes());

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn each_layout_goes_to_the_smallest_class_that_covers_size_and_alignment() {
        let class = |size, align| SizeClass::of(layout(size, align)).map(SizeClass::bytes);
        assert_eq!(class(0, 1), Some(16));
        assert_eq!(class(17, 1), Some(24));
        assert_eq!(class(17, 16), Some(32));
        assert_eq!(class(8, 512), Some(512));
        assert_eq!(class(600, 256), Some(768));
        assert_eq!(class(600, 512), Some(1024));
        assert_eq!(class(4096, 4096), Some(4096));
        assert_eq!(class(4097, 1), None);
        assert_eq!(class(1, 8192), None);
    }

    #[test]
    fn tiers_change_at_256_bytes_and_at_a_page() {
        let tier = |size| tier_of(layout(size, 1));
        assert_eq!(tier(256), Tier::ThreadCache);
        assert_eq!(tier(257), Tier::CpuSlab);
        assert_eq!(tier(4096), Tier::CpuSlab);
        assert_eq!(tier(4097), Tier::Buddy);
    }

    #[test]
    fn a_third_is_wasted_at_most_and_an_eighth_of_a_block() {
        for size in 16..=4096 {
            assert!(waste(layout(size, 1)) * 3 <= size + waste(layout(size, 1)) + 24, "{size}");
        }
        let orders: alloc::vec::Vec<_> = SizeClass::all().map(SizeClass::block_order).collect();
        assert_eq!(orders, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0]);
        for class in SizeClass::all() {
            assert!(class.batch() >= 4 && class.batch() <= 64);
        }
    }
}
