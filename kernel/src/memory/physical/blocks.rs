//! The buddy system proper: free blocks by order, split and merged. Decides only; knows numbers, not memory.
//!
//! Invariants:
//! 1. A frame is covered by at most one free block, and by none while it is handed out.
//! 2. Two buddies of an order below the largest are never both free: they have been merged.
//! 3. `non_empty` has bit `n` set if and only if a block of order `n` is free.
//!
//! Ordinary requests take the highest free block of the smallest order that serves, so that low memory stays for
//! requests with an address limit and small remainders are used up first.

use core::array;
use core::ops::Range;
use core::sync::atomic::AtomicU64;

use hal::addr::{FrameNumber, MAX_ORDER};

use super::free_map::FreeMap;

/// Number of orders, 0 to 12.
pub const ORDERS: usize = MAX_ORDER as usize + 1;
/// Blocks that a search for a run looks at: the lock is not held for ever, however much memory there is in pieces.
const SEARCHED: usize = 4096;

/// Why a block was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// Some frame of the block is free already.
    AlreadyFree,
    /// The block is misaligned for its order, of no valid order, or beyond the last frame.
    Foreign,
}

fn frames(start: usize, end: usize) -> Range<FrameNumber> {
    FrameNumber::new(start as u32)..FrameNumber::new(end as u32)
}

/// Free blocks of physical memory.
#[derive(Debug)]
pub struct Blocks {
    maps: [FreeMap; ORDERS],
    non_empty: u32,
    free_frames: usize,
    /// One more than the highest frame number.
    end: usize,
}

impl Blocks {
    /// Returns how many words of zeroed memory [`new`](Self::new) takes for frames below `frames`.
    pub fn words_needed(frames: usize) -> usize {
        (0..ORDERS).map(|order| FreeMap::words_needed((frames >> order).max(1))).sum()
    }

    /// Makes an allocator without any memory.
    pub(super) const fn empty() -> Self {
        Self { maps: [const { FreeMap::empty() }; ORDERS], non_empty: 0, free_frames: 0, end: 0 }
    }

    /// Makes an allocator for the frames below `frames`, none of them free. `None` when `memory` is too short.
    pub fn new(frames: usize, mut memory: &'static [AtomicU64]) -> Option<Self> {
        let mut blocks = Self { end: frames, ..Self::empty() };
        for (order, map) in blocks.maps.iter_mut().enumerate() {
            (*map, memory) = FreeMap::new((frames >> order).max(1), memory)?;
        }
        Some(blocks)
    }

    /// Returns the number of free frames.
    #[inline]
    pub(super) fn free_frames(&self) -> usize {
        self.free_frames
    }

    /// Returns the number of free blocks of each order.
    pub(super) fn free_blocks(&self) -> [usize; ORDERS] {
        array::from_fn(|order| self.maps[order].len())
    }

    /// Returns the number of free blocks of each order below a multiple of the largest block.
    pub(super) fn free_blocks_below(&self, end: FrameNumber) -> [usize; ORDERS] {
        array::from_fn(|order| self.maps[order].count_below(end.index() >> order))
    }

    /// Takes a block of 2^`order` frames.
    #[inline]
    pub fn take(&mut self, order: u8) -> Option<FrameNumber> {
        if order > MAX_ORDER {
            return None;
        }
        let candidates = self.non_empty >> order << order;
        if candidates == 0 {
            return None;
        }
        let found = candidates.trailing_zeros() as usize;
        let index = self.maps[found].last()?;
        self.detach(found, index);
        // Give back the low halves: the block taken stays the highest.
        let mut index = index;
        for lower in (usize::from(order)..found).rev() {
            index = index * 2 + 1;
            self.attach(lower, index - 1);
        }
        self.free_frames -= 1 << order;
        Some(FrameNumber::new((index << order) as u32))
    }

    /// Takes single frames until `out` is full or memory is used up; returns how many. Takes small blocks whole before
    /// it splits larger ones.
    pub(super) fn take_batch(&mut self, mut out: impl FnMut(FrameNumber), n: usize) -> usize {
        let mut taken = 0;
        while taken < n && self.non_empty != 0 {
            let smallest = self.non_empty.trailing_zeros();
            let order = smallest.min((n - taken).ilog2()) as u8;
            let Some(first) = self.take(order) else { break };
            for frame in first.get()..first.get() + (1 << order) {
                out(FrameNumber::new(frame));
            }
            taken += 1 << order;
        }
        taken
    }

    /// Takes a run of `n` frames that starts at a multiple of `align`, a power of two, and ends at or below `limit`: from
    /// the smallest block that holds it whatever it looks like inside, else from several blocks that lie side by side.
    pub(super) fn take_run(
        &mut self,
        n: usize,
        align: usize,
        limit: FrameNumber,
    ) -> Option<Range<FrameNumber>> {
        if n == 0 || n > self.free_frames || !align.is_power_of_two() {
            return None;
        }
        let limit = limit.index().min(self.end);
        let start = self.find_in_block(n, align, limit).or_else(|| self.find_run(n, align, limit))?;
        let mut at = start;
        while at < start + n {
            let (order, index) = self.block_at(at)?;
            self.detach(order, index);
            self.free_frames -= 1 << order;
            let (first, end) = (index << order, (index + 1) << order);
            // What of the block lies before the run, and what behind it.
            self.give_range(first, at)?;
            self.give_range(start + n, end.max(start + n))?;
            at = end;
        }
        Some(frames(start, start + n))
    }

    /// Finds the lowest of the smallest blocks that are large enough for a run at any place.
    fn find_in_block(&self, n: usize, align: usize, limit: usize) -> Option<usize> {
        let order = n.max(align).checked_next_power_of_two()?.trailing_zeros() as usize;
        let lowest = |order: usize| Some(self.maps[order].first()? << order);
        (order..ORDERS).filter_map(lowest).find(|start| start + n <= limit)
    }

    /// Finds the lowest run, in whichever blocks it lies. The search ends after [`SEARCHED`] blocks.
    fn find_run(&self, n: usize, align: usize, limit: usize) -> Option<usize> {
        // A run of so many free frames holds an aligned piece of this order, and that lies in one free block.
        let order = (n.div_ceil(2).ilog2() as usize).min(ORDERS - 1);
        let mut from = 0;
        for _ in 0..SEARCHED {
            let (found, index) = self.next_block(from, order)?;
            let (first, end) = (index << found, (index + 1) << found);
            if first >= limit {
                return None;
            }
            // All that is free around the block and not too far from it.
            let mut run = first..end;
            while run.start > 0 && run.start + n > first {
                let Some((order, index)) = self.block_at(run.start - 1) else { break };
                run.start = index << order;
            }
            while run.end < end + n {
                let Some((order, index)) = self.block_at(run.end) else { break };
                run.end = (index + 1) << order;
            }
            let start = run.start.checked_next_multiple_of(align)?;
            if start.checked_add(n)? <= run.end.min(limit) {
                return Some(start);
            }
            from = end;
        }
        None
    }

    /// Finds the free block that a frame lies in: its order, and its number in that order.
    fn block_at(&self, frame: usize) -> Option<(usize, usize)> {
        (0..ORDERS)
            .map(|order| (order, frame >> order))
            .find(|&(order, index)| self.maps[order].contains(index))
    }

    /// Finds the first free block of `order` or above that starts at or above a frame.
    fn next_block(&self, from: usize, order: usize) -> Option<(usize, usize)> {
        let next = |order: usize| Some((order, self.maps[order].next(from.div_ceil(1 << order))?));
        (order..ORDERS).filter_map(next).min_by_key(|&(order, index)| index << order)
    }

    /// Gives back what was free a moment ago.
    fn give_range(&mut self, start: usize, end: usize) -> Option<()> {
        FrameNumber::blocks(frames(start, end)).try_for_each(|(first, order)| self.give(first, order).ok())
    }

    /// Gives a block back and merges it with its free buddies.
    ///
    /// # Errors
    /// Refuses a block that is not wholly handed out; nothing changes then.
    pub fn give(&mut self, first: FrameNumber, order: u8) -> Result<(), FreeError> {
        let start = first.index();
        if order > MAX_ORDER || !first.is_aligned_to(order) || start + (1 << order) > self.end {
            return Err(FreeError::Foreign);
        }
        self.check_not_free(start, order)?;
        self.free_frames += 1 << order;
        let mut order = usize::from(order);
        let mut index = start >> order;
        while order < ORDERS - 1 && self.maps[order].contains(index ^ 1) {
            self.detach(order, index ^ 1);
            index /= 2;
            order += 1;
        }
        self.attach(order, index);
        Ok(())
    }

    /// Refuses a block that lies in a free block or has free parts.
    fn check_not_free(&self, start: usize, order: u8) -> Result<(), FreeError> {
        let mut larger = self.non_empty >> order << order;
        while larger != 0 {
            let at = larger.trailing_zeros() as usize;
            if self.maps[at].contains(start >> at) {
                return Err(FreeError::AlreadyFree);
            }
            larger &= larger - 1;
        }
        // Which of the orders below have free blocks at all.
        let mut smaller = self.non_empty & ((1 << order) - 1);
        while smaller != 0 {
            let at = smaller.trailing_zeros() as usize;
            if self.maps[at].has_any(start >> at, 1 << (usize::from(order) - at)) {
                return Err(FreeError::AlreadyFree);
            }
            smaller &= smaller - 1;
        }
        Ok(())
    }

    #[inline]
    fn attach(&mut self, order: usize, index: usize) {
        self.maps[order].insert(index);
        self.non_empty |= 1 << order;
    }

    #[inline]
    fn detach(&mut self, order: usize, index: usize) {
        let map = &mut self.maps[order];
        map.remove(index);
        if map.len() == 0 {
            self.non_empty &= !(1 << order);
        }
    }
}

#[cfg(test)]
pub(super) fn test_memory(frames: usize) -> &'static [AtomicU64] {
    let words = (0..Blocks::words_needed(frames)).map(|_| AtomicU64::new(0));
    alloc::boxed::Box::leak(words.collect())
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
