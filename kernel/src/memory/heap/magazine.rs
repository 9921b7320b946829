//! A bounded stack of free slots of one size.

use hal::heap::{Slot, SlotList};

use super::central;
use super::size_class::SizeClass;

/// Free slots of one class that one CPU holds: at most two batches.
#[derive(Debug)]
pub(super) struct Magazine {
    slots: SlotList,
}

impl Magazine {
    pub(super) const fn new(slot_size: usize) -> Self {
        Self { slots: SlotList::new(slot_size) }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes a slot, filling up from the store when there is none.
    #[inline]
    pub(super) fn take(&mut self, class: SizeClass) -> Option<Slot> {
        match self.slots.pop() {
            Some(slot) => Some(slot),
            None => self.refill(class),
        }
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: SizeClass) -> Option<Slot> {
        central::take(class, class.batch(), &mut self.slots);
        self.slots.pop()
    }

    /// Keeps a slot, giving a batch to the store when there are too many.
    #[inline]
    pub(super) fn give(&mut self, class: SizeClass, slot: Slot) {
        self.slots.push(slot);
        if self.slots.len() > 2 * class.batch() {
            self.drain(class, class.batch());
        }
    }

    /// Gives up to `n` slots to the store.
    #[cold]
    #[inline(never)]
    pub(super) fn drain(&mut self, class: SizeClass, n: usize) {
        central::give(class, n, &mut self.slots);
    }
}
