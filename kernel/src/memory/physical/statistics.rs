//! Numbers about physical memory, and what they say about its state.

use core::sync::atomic::Ordering::Relaxed;

use hal::PAGE_SHIFT;
use hal::addr::FrameNumber;

use super::blocks::ORDERS;
use super::buddy_allocator::{BuddyAllocator, CACHE, Free};
use super::frame_cache::FrameCache;
use super::section::FRAMES;
use super::zeroed;

/// Numbers about physical memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames that are managed.
    pub total_frames: usize,
    /// Frames that are free, in blocks, in caches and in the pool.
    pub free_frames: usize,
    /// Free frames that lie in the caches of CPUs.
    pub cached_frames: usize,
    /// Those of them that hold zeroes already.
    pub zeroed_frames: usize,
    /// Free frames that only the kernel gets.
    pub pooled_frames: usize,
    /// Times that a CPU's cache was filled from the blocks.
    pub refills: usize,
    /// Times that a CPU's cache was emptied into the blocks.
    pub drains: usize,
    /// Frames that have left the blocks since the start, by way of a CPU's cache or not.
    pub taken_frames: usize,
    /// Frames that have come back to the blocks.
    pub given_frames: usize,
    /// Blocks that were refused because they were free already or not of this allocator.
    pub refused: usize,
    /// Blocks that were free here and could not be claimed, because somebody has them.
    pub overlaps: usize,
}

/// Free blocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreeBlocks {
    /// How many there are of each order, those of the pool included.
    pub counts: [usize; ORDERS],
    /// Frames in the caches of CPUs, taken as single ones.
    pub cached_frames: usize,
}

impl FreeBlocks {
    /// Returns how many of 1000 free frames lie in blocks too small for a request of this order: 0 if all free memory can
    /// serve it, 1000 if none can. Frames in caches are such small blocks.
    pub fn unusable_per_mille(&self, order: usize) -> usize {
        let small = self.frames().saturating_sub(self.suitable_frames(order));
        (small * 1000).checked_div(self.frames()).unwrap_or(0)
    }

    /// Says why a request of this order fails, as Linux's fragmentation index: near 0 for want of memory, near 1000
    /// because what is free is in small pieces. `None` when the request would succeed.
    pub fn fragmentation_index(&self, order: usize) -> Option<usize> {
        if self.suitable_frames(order) != 0 {
            return None;
        }
        let blocks = self.counts.iter().sum::<usize>() + self.cached_frames;
        let wanted = 1usize.checked_shl(order as u32)?;
        // The blocks that the free memory would make if each were of the size wanted, against those there are.
        let filled = (1000 + self.frames() * 1000 / wanted).checked_div(blocks)?;
        Some(1000usize.saturating_sub(filled))
    }

    fn frames(&self) -> usize {
        self.suitable_frames(0) + self.cached_frames
    }

    /// Frames in free blocks of this order and above.
    fn suitable_frames(&self, order: usize) -> usize {
        self.counts.iter().enumerate().skip(order).map(|(order, blocks)| blocks << order).sum()
    }
}

/// A part of physical memory as Linux divides it. All of it is one store here, from which a request with an address limit
/// is served from below and every other from above; zones only tell what is left where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Below 16 MiB.
    Dma,
    /// From there to 4 GiB.
    Dma32,
    /// All above.
    Normal,
}

impl Zone {
    /// The zones, lowest first.
    pub const ALL: [Zone; 3] = [Zone::Dma, Zone::Dma32, Zone::Normal];

    /// Returns the name that `/proc/buddyinfo` and `/proc/zoneinfo` show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::Dma32 => "DMA32",
            Self::Normal => "Normal",
        }
    }

    /// Returns the first frame that lies beyond; no block lies across.
    pub const fn end(self) -> FrameNumber {
        FrameNumber::new(match self {
            Self::Dma => 1 << (24 - PAGE_SHIFT),
            Self::Dma32 => 1 << (32 - PAGE_SHIFT),
            Self::Normal => u32::MAX,
        })
    }
}

impl BuddyAllocator {
    pub(super) fn statistics(&self) -> Statistics {
        let (free, pooled_frames) = {
            let Free { blocks, pool } = &*self.free.lock();
            (blocks.free_frames(), pool.free_frames())
        };
        let zeroed_frames: usize = hal::cpu::all().map(zeroed::len).sum();
        let cached_frames: usize = CACHE.iter().map(FrameCache::frame_count).sum::<usize>() + zeroed_frames;
        Statistics {
            total_frames: self.total_frames.load(Relaxed),
            free_frames: free + pooled_frames + cached_frames,
            cached_frames,
            zeroed_frames,
            pooled_frames,
            refills: self.refills.load(Relaxed),
            drains: self.drains.load(Relaxed),
            taken_frames: self.taken.load(Relaxed),
            given_frames: self.given.load(Relaxed),
            refused: self.refused.load(Relaxed),
            overlaps: self.overlaps.load(Relaxed),
        }
    }

    pub(super) fn free_blocks_by_zone(&self) -> [[usize; ORDERS]; Zone::ALL.len()] {
        let sections = self.free.lock().blocks.section_count();
        let zone_of = |index: usize| Zone::ALL.iter().position(|zone| index < zone.end().index() / FRAMES);
        let mut zones = [[0; ORDERS]; Zone::ALL.len()];
        for index in 0..sections {
            if let Some(counts) = zone_of(index).and_then(|zone| zones.get_mut(zone)) {
                // Others have the lock in between.
                self.free.lock().blocks.count_blocks(index..index + 1, counts);
            }
        }
        let pool = &self.free.lock().pool;
        if let Some(counts) = zone_of(pool.range().0.index() / FRAMES).and_then(|zone| zones.get_mut(zone)) {
            pool.count_blocks(counts);
        }
        zones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_tell_want_from_fragmentation() {
        let whole = FreeBlocks { counts: blocks(&[(12, 1)]), cached_frames: 0 };
        assert_eq!((whole.unusable_per_mille(12), whole.fragmentation_index(12)), (0, None));

        let pieces = FreeBlocks { counts: blocks(&[(0, 4096)]), cached_frames: 0 };
        assert_eq!((pieces.unusable_per_mille(0), pieces.unusable_per_mille(1)), (0, 1000));
        assert!(pieces.fragmentation_index(9).unwrap() > 950);

        let little = FreeBlocks { counts: blocks(&[(0, 1)]), cached_frames: 0 };
        assert!(little.fragmentation_index(9).unwrap() < 50);
        assert_eq!(FreeBlocks::default().fragmentation_index(0), None);

        let cached = FreeBlocks { counts: blocks(&[(2, 1)]), cached_frames: 4 };
        assert_eq!(cached.unusable_per_mille(2), 500);
    }

    fn blocks(counts: &[(usize, usize)]) -> [usize; ORDERS] {
        let mut blocks = [0; ORDERS];
        counts.iter().for_each(|&(order, n)| blocks[order] = n);
        blocks
    }
}
