//! Memory in use that changes its size where it is.

use super::{Slot, SlotSize};
use crate::addr::FrameNumber;
use crate::frame::Frame;

/// Memory in use that is a whole block, on its way to another size. Its contents are out of reach here and stay as they are.
#[derive(Debug)]
pub struct LiveBlock(Slot);

impl LiveBlock {
    /// Turns a slot that is a whole block into one that may change its size.
    ///
    /// # Errors
    /// Returns a slot that was cut from a block.
    pub fn new(slot: Slot) -> Result<LiveBlock, Slot> {
        let frame = slot.into_frame()?;
        // It was a slot a moment ago.
        Slot::from_frame(frame).map(LiveBlock).map_err(|_| unreachable!("a slot's frame is not shared"))
    }

    /// Returns the slot, with the size that it has now.
    pub fn into_slot(self) -> Slot {
        self.0
    }

    /// Returns the number of its first frame.
    pub fn number(&self) -> FrameNumber {
        self.0.frame_number()
    }

    /// Returns the binary logarithm of the number of its frames.
    pub fn order(&self) -> u8 {
        self.0.order_around()
    }

    /// Gives up the upper half; `None` if it is a single frame.
    pub fn halve(&mut self) -> Option<Frame> {
        let upper = self.frame().halve()?;
        self.0.size = SlotSize::of_block(self.order());
        Some(upper)
    }

    /// Takes over the block behind, its buddy.
    ///
    /// # Errors
    /// Returns what is no such block, or shared.
    pub fn double(&mut self, behind: Frame) -> Result<(), Frame> {
        self.frame().join(behind)?;
        self.0.size = SlotSize::of_block(self.order());
        Ok(())
    }

    fn frame(&self) -> core::mem::ManuallyDrop<Frame> {
        // SAFETY: the slot is a whole block (`new`) and holds its handle in trust.
        unsafe { Frame::borrow_raw(self.number()) }
    }
}
