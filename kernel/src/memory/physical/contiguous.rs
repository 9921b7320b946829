//! Physically contiguous memory, for devices.

use alloc::vec::Vec;
use core::ops::Range;

use hal::addr::{FrameNumber, PhysAddr};
use hal::frame::Frame;

/// Physically contiguous memory. Dropping it gives it back.
#[derive(Debug)]
pub struct Contiguous {
    range: Range<FrameNumber>,
    /// Ascending and without gaps.
    blocks: Vec<Frame>,
}

impl Contiguous {
    /// Makes one of blocks that are exactly the range, in ascending order.
    pub(super) fn new(range: Range<FrameNumber>, blocks: Vec<Frame>) -> Self {
        Self { range, blocks }
    }

    /// Returns the address of the first byte.
    pub fn phys(&self) -> PhysAddr {
        self.range.start.phys()
    }

    /// Returns the number of frames.
    pub fn frame_count(&self) -> usize {
        self.range.end.index() - self.range.start.index()
    }

    /// Returns the blocks that make up the memory, in ascending order.
    pub fn blocks(&self) -> &[Frame] {
        &self.blocks
    }

    /// Gives up the frame around the blocks, which stay owned.
    pub fn into_blocks(self) -> Vec<Frame> {
        self.blocks
    }
}
