//! A bounded stack of free slots of one size.

use hal::heap::{Slot, SlotList};

use super::size_class::SizeClass;

/// Free slots of one class that one CPU holds.
#[derive(Debug)]
pub(super) struct Magazine {
    slots: SlotList,
    limit: u32,
}

impl Magazine {
    pub(super) const fn new(slot_size: usize) -> Self {
        Self { slots: SlotList::new(slot_size), limit: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes the slot that came last: the one most likely in the CPU's cache.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Slot> {
        self.slots.pop()
    }

    /// Keeps a slot.
    ///
    /// # Errors
    /// Returns it when there are too many.
    #[inline(always)]
    pub(super) fn push(&mut self, slot: Slot) -> Result<(), Slot> {
        if self.slots.len() >= self.limit as usize {
            return Err(slot);
        }
        self.slots.push(slot);
        Ok(())
    }

    /// Takes over what fits of a batch; a first batch sets the limit, which is two.
    pub(super) fn fill(&mut self, class: SizeClass, batch: &mut SlotList) {
        self.limit = 2 * class.batch() as u32;
        let room = (self.limit as usize).saturating_sub(self.slots.len());
        self.slots.take_from(batch, room);
    }

    /// Gives up to `n` slots. With all of them goes the limit: the next slot does not stay.
    pub(super) fn shed(&mut self, n: usize) -> SlotList {
        let mut shed = SlotList::new(self.slots.slot_size());
        shed.take_from(&mut self.slots, n);
        if self.slots.is_empty() {
            self.limit = 0;
        }
        shed
    }
}
