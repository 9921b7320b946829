//! The kernel's reserve: one piece of memory that is set aside at boot.
//!
//! Programs and files cannot take it, so the kernel lives on when they have eaten all else. It is contiguous, so that the
//! kernel finds room for a long table even when all other memory is in small pieces.

use hal::addr::FrameNumber;

use super::blocks::{Blocks, FreeError, ORDERS};

/// A piece of 2^n frames.
#[derive(Debug)]
pub(super) struct Pool {
    first: FrameNumber,
    frames: usize,
    /// What is free of it, counted from `first`.
    blocks: Blocks,
}

impl Pool {
    /// Makes a pool without memory.
    pub(super) const fn empty() -> Self {
        Self { first: FrameNumber::new(0), frames: 0, blocks: Blocks::empty() }
    }

    /// Makes a pool of the block of 2^`order` frames at `first`, which is a multiple of its size; `blocks` has room for so
    /// many frames, none free.
    ///
    /// # Errors
    /// Those of giving the block to `blocks`.
    pub(super) fn new(first: FrameNumber, order: u8, mut blocks: Blocks) -> Result<Self, FreeError> {
        blocks.give(FrameNumber::new(0), order)?;
        Ok(Self { first, frames: 1 << order, blocks })
    }

    /// The frames that belong to it, free or not: the first, and how many.
    pub(super) fn range(&self) -> (FrameNumber, usize) {
        (self.first, self.frames)
    }

    /// Returns the number of free frames.
    pub(super) fn free_frames(&self) -> usize {
        self.blocks.free_frames()
    }

    /// Counts the free blocks of each order.
    pub(super) fn count_blocks(&self, counts: &mut [usize; ORDERS]) {
        self.blocks.count_blocks(0..self.blocks.section_count(), counts);
    }

    /// Takes a block of 2^`order` frames. One of several frames is refused when less than half of the pool would be left:
    /// tables that live long must not use up what single frames are needed for.
    pub(super) fn take(&mut self, order: u8) -> Option<FrameNumber> {
        if order > 0 && self.free_frames() < (1 << order) + self.frames / 2 {
            return None;
        }
        let found = self.blocks.take(order)?;
        Some(FrameNumber::new(self.first.get() + found.get()))
    }

    /// Takes back a block that belongs to the pool.
    ///
    /// # Errors
    /// As [`Blocks::give`].
    pub(super) fn give(&mut self, first: FrameNumber, order: u8) -> Result<(), FreeError> {
        let offset = first.get().checked_sub(self.first.get()).ok_or(FreeError::Foreign)?;
        self.blocks.give(FrameNumber::new(offset), order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool::new(FrameNumber::new(128), 6, Blocks::leaked(64)).unwrap()
    }

    #[test]
    fn frames_are_those_of_the_piece_and_come_back() {
        let mut pool = pool();
        let frames: alloc::vec::Vec<_> = core::iter::from_fn(|| pool.take(0)).collect();
        assert_eq!(frames.len(), 64);
        assert!(frames.iter().all(|frame| (128..192).contains(&frame.get())));
        frames.into_iter().for_each(|frame| pool.give(frame, 0).unwrap());
        let mut counts = [0; ORDERS];
        pool.count_blocks(&mut counts);
        assert_eq!((pool.free_frames(), counts[6]), (64, 1));
        assert_eq!(pool.give(FrameNumber::new(127), 0), Err(FreeError::Foreign));
        assert_eq!(pool.give(FrameNumber::new(128), 0), Err(FreeError::AlreadyFree));
    }

    #[test]
    fn blocks_leave_half_for_single_frames() {
        let mut pool = pool();
        assert!(pool.take(5).is_some());
        assert!(pool.take(1).is_none());
        assert!(pool.take(0).is_some());
    }
}
