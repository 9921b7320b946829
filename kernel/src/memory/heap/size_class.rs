//! Sizes: which tier serves a layout, with how many bytes.

use core::alloc::Layout;

use hal::PAGE_SIZE;
use hal::heap::{MIN_SLOT, Slot, slot_bits, slot_size};

use super::thread_cache;

/// Number of size classes below the buddy tier: 16, 32, ... 4096 bytes.
pub const CLASSES: usize = 9;
/// Number of tiers.
pub const TIERS: usize = 3;
/// The largest size of the thread cache in bytes.
pub const THREAD_CACHE_MAX: usize = 256;
/// The largest size of the CPU slab in bytes.
pub const CPU_SLAB_MAX: usize = PAGE_SIZE;
const MIN_BITS: u32 = MIN_SLOT.trailing_zeros();

/// The part of the heap that serves an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// 16 to 256 bytes.
    ThreadCache,
    /// 512 bytes to 4 KiB.
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

/// One of the sizes 16, 32, ... 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeClass(u32);

impl SizeClass {
    /// Iterates over all classes, ascending.
    pub fn all() -> impl Iterator<Item = SizeClass> {
        (0..CLASSES as u32).map(SizeClass)
    }

    /// Returns the class that serves a layout; `None` for the buddy tier.
    #[inline(always)]
    pub const fn of(layout: Layout) -> Option<SizeClass> {
        Self::of_bits(slot_bits(layout))
    }

    /// Returns the class of a slot; `None` for the buddy tier.
    #[inline(always)]
    pub fn of_slot(slot: &Slot) -> Option<SizeClass> {
        Self::of_bits(slot.bits())
    }

    #[inline(always)]
    const fn of_bits(bits: u32) -> Option<SizeClass> {
        let index = bits.wrapping_sub(MIN_BITS);
        if index < CLASSES as u32 { Some(SizeClass(index)) } else { None }
    }

    /// Returns the position among the classes, smallest first.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the size of a slot in bytes.
    #[inline]
    pub const fn size(self) -> usize {
        MIN_SLOT << self.0
    }

    /// Returns the tier that holds the class.
    #[inline]
    pub const fn tier(self) -> Tier {
        if self.index() < thread_cache::SIZES { Tier::ThreadCache } else { Tier::CpuSlab }
    }

    /// Returns how many slots a frame gives.
    #[inline]
    pub const fn slots_per_frame(self) -> usize {
        PAGE_SIZE / self.size()
    }

    /// Returns how many slots move at once between a CPU and the store behind it.
    #[inline]
    pub const fn batch(self) -> usize {
        let per_half_frame = PAGE_SIZE / 2 / self.size();
        if per_half_frame > 64 {
            64
        } else if per_half_frame < 4 {
            4
        } else {
            per_half_frame
        }
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
    slot_size(layout) - layout.size()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_goes_to_the_smallest_class_that_covers_size_and_alignment() {
        let class =
            |size, align| SizeClass::of(Layout::from_size_align(size, align).unwrap()).map(SizeClass::size);
        assert_eq!(class(0, 1), Some(16));
        assert_eq!(class(17, 1), Some(32));
        assert_eq!(class(8, 512), Some(512));
        assert_eq!(class(4096, 4096), Some(4096));
        assert_eq!(class(4097, 1), None);
        assert_eq!(class(1, 8192), None);
    }

    #[test]
    fn tiers_change_at_256_bytes_and_at_a_page() {
        let tier = |size| tier_of(Layout::from_size_align(size, 1).unwrap());
        assert_eq!(tier(256), Tier::ThreadCache);
        assert_eq!(tier(257), Tier::CpuSlab);
        assert_eq!(tier(4096), Tier::CpuSlab);
        assert_eq!(tier(4097), Tier::Buddy);
    }

    #[test]
    fn classes_are_numbered_without_gaps() {
        let sizes: alloc::vec::Vec<_> = SizeClass::all().map(SizeClass::size).collect();
        assert_eq!(sizes, [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
        for class in SizeClass::all() {
            assert_eq!(SizeClass::of_bits(class.size().trailing_zeros()), Some(class));
            assert!(class.batch() >= 4 && class.batch() <= 64);
        }
    }
}
