//! The buddy system proper: free blocks of every order. Decides only; knows numbers, not memory.
//!
//! Memory is divided into sections, each as large as the largest block, whose bitmaps say what is free ([`Section`]).
//! Sections are found by the order of their largest free block. So a request looks at one section, and the cost is the
//! same however much memory there is and however many orders lie between the block wanted and the block found.
//!
//! Invariants:
//! 1. A frame is free or handed out; a block is given back only if all of it is handed out.
//! 2. `index` has each section under the order of its largest free block.
//!
//! Ordinary requests take the highest of the smallest free blocks in the highest section of those that have nothing much
//! larger, so that low memory stays for requests with an address limit and small remainders are used up first.

use core::ops::Range;

use hal::addr::{FrameNumber, MAX_ORDER};

use super::bits;
use super::index::{Index, Row};
use super::section::{FRAMES, Section};

/// Number of orders, 0 to 12.
pub const ORDERS: usize = MAX_ORDER as usize + 1;

/// Why a block was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// Some frame of the block is free already.
    AlreadyFree,
    /// The block is misaligned for its order, of no valid order, or beyond the last frame.
    Foreign,
}

/// Free blocks of physical memory.
#[derive(Debug)]
pub struct Blocks {
    pub(super) sections: &'static [Section],
    pub(super) index: Index,
    free_frames: usize,
    /// One more than the highest frame number.
    pub(super) end: usize,
}

impl Blocks {
    /// Returns how many zeroed sections and rows [`new`](Self::new) takes for frames below `frames`.
    pub fn memory_needed(frames: usize) -> (usize, usize) {
        let sections = frames.div_ceil(FRAMES);
        (sections, Index::rows_needed(sections))
    }

    /// Makes an allocator without any memory.
    pub(super) const fn empty() -> Self {
        Self { sections: &[], index: Index::empty(), free_frames: 0, end: 0 }
    }

    /// Makes an allocator for the frames below `frames`, none of them free. `None` when there is too little memory.
    pub fn new(frames: usize, sections: &'static [Section], rows: &'static [Row]) -> Option<Self> {
        let n_sections = frames.div_ceil(FRAMES);
        let (sections, index) = (sections.get(..n_sections)?, Index::new(n_sections, rows)?);
        Some(Self { sections, index, free_frames: 0, end: frames })
    }

    /// Makes an allocator in memory of the heap that is never given back: for measurements and tests.
    #[cfg(not(target_os = "none"))]
    pub fn leaked(frames: usize) -> Self {
        use alloc::boxed::Box;
        let (sections, rows) = Self::memory_needed(frames);
        let sections = Box::leak((0..sections).map(|_| Section::default()).collect());
        let rows = Box::leak((0..rows).map(|_| Row::default()).collect());
        Self::new(frames, sections, rows).expect("as much memory as is needed")
    }

    /// Returns the number of free frames.
    #[inline]
    pub(super) fn free_frames(&self) -> usize {
        self.free_frames
    }

    /// Returns the number of sections.
    pub(super) fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// Counts the free blocks of each order in some sections.
    pub(super) fn count_blocks(&self, sections: Range<usize>, counts: &mut [usize; ORDERS]) {
        for section in self.sections.get(sections).into_iter().flatten() {
            section.count_blocks(|order, n| counts[order as usize] += n);
        }
    }

    /// Takes a block of 2^`order` frames.
    #[inline]
    pub fn take(&mut self, order: u8) -> Option<FrameNumber> {
        let index = self.index.best(order.into())?;
        let first = self.change(index, |section| section.take(order.into()));
        self.free_frames -= 1 << order;
        Some(number(index * FRAMES + first))
    }

    /// Takes this very block if all of it is free; tells whether it did.
    pub(super) fn take_at(&mut self, first: FrameNumber, order: u8) -> bool {
        let Some(section) = self.sections.get(first.index() / FRAMES) else { return false };
        let is_free = order <= MAX_ORDER
            && first.is_aligned_to(order)
            && section.is_all(first.index() % FRAMES, order.into());
        if is_free {
            self.take_range(first..number(first.index() + (1 << order)));
        }
        is_free
    }

    /// Takes single frames until there are `n` or memory is used up; returns how many. Takes small remainders whole
    /// before it cuts larger blocks.
    pub(super) fn take_batch(&mut self, mut out: impl FnMut(FrameNumber), n: usize) -> usize {
        let mut taken = 0;
        while taken < n {
            let Some(index) = self.index.best(0) else { break };
            let section = &self.sections[index];
            let at = section.good_word(0);
            let word = section.word(at);
            let room = n - taken;
            let mut part = word;
            if word.count_ones() as usize > room {
                let order = room.ilog2().min(bits::largest(word));
                part = bits::group(bits::good_fit(word, order), order);
            }
            self.change(index, |section| section.set_word(at, word & !part));
            self.free_frames -= part.count_ones() as usize;
            taken += part.count_ones() as usize;
            while part != 0 {
                out(number(index * FRAMES + at * 64 + part.trailing_zeros() as usize));
                part &= part - 1;
            }
        }
        taken
    }

    /// Takes frames that are all free.
    pub(super) fn take_range(&mut self, range: Range<FrameNumber>) {
        for (first, order) in FrameNumber::blocks(range) {
            let at = first.index() % FRAMES;
            self.change(first.index() / FRAMES, |section| section.remove(at, order.into()));
            self.free_frames -= 1 << order;
        }
    }

    /// Gives a block back.
    ///
    /// # Errors
    /// Refuses a block that is not wholly handed out; nothing changes then.
    #[inline]
    pub fn give(&mut self, first: FrameNumber, order: u8) -> Result<(), FreeError> {
        let (index, at) = (first.index() / FRAMES, first.index() % FRAMES);
        if order > MAX_ORDER || !first.is_aligned_to(order) || first.index() + (1 << order) > self.end {
            return Err(FreeError::Foreign);
        }
        if !self.change(index, |section| section.give(at, order.into())) {
            return Err(FreeError::AlreadyFree);
        }
        self.free_frames += 1 << order;
        Ok(())
    }

    /// Gives single frames back, neighbours that come one after another at once. Returns how many were refused, as
    /// [`give`](Self::give) would have.
    pub(super) fn give_batch(&mut self, frames: impl Iterator<Item = FrameNumber>) -> usize {
        let mut refused = 0;
        let (mut word, mut mask) = (0, 0);
        for frame in frames {
            let (next, bit) = (frame.index() / 64, 1 << (frame.index() % 64));
            if next != word || mask & bit != 0 {
                refused += self.give_word(word, mask);
                (word, mask) = (next, 0);
            }
            mask |= bit;
        }
        refused + self.give_word(word, mask)
    }

    /// Gives those frames of a word back that are not free; returns how many are or do not exist.
    fn give_word(&mut self, word: usize, mask: u64) -> usize {
        let index = word * 64 / FRAMES;
        let Some(section) = self.sections.get(index) else { return mask.count_ones() as usize };
        let exist = self.end.saturating_sub(word * 64).min(64) as u32;
        let old = section.word(word);
        let new = mask & !old & u64::MAX.checked_shr(64 - exist).unwrap_or(0);
        if new != 0 {
            self.change(index, |section| section.set_word(word, old | new));
            self.free_frames += new.count_ones() as usize;
        }
        (mask & !new).count_ones() as usize
    }

    /// Changes a section and files it anew.
    #[inline]
    fn change<R>(&mut self, index: usize, change: impl FnOnce(&Section) -> R) -> R {
        let section = &self.sections[index];
        let before = section.largest();
        let result = change(section);
        let after = section.largest();
        if before != after {
            self.index.file(index, before, after);
        }
        result
    }
}

#[inline]
fn number(index: usize) -> FrameNumber {
    FrameNumber::new(index as u32)
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
