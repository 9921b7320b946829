//! The first tier: 16 to 256 bytes, a handful of instructions, no atomic.

use hal::heap::{Slot, SlotList};

use super::magazine::Magazine;
use super::size_class::{SizeClass, THREAD_CACHE_MAX};

/// Number of sizes: 16, 32, 64, 128, 256.
pub const SIZES: usize = 5;
const _: () = assert!(16 << (SIZES - 1) == THREAD_CACHE_MAX);

/// Free slots for the running thread, by size. Bounded: two batches of each.
#[derive(Debug)]
pub struct ThreadCache {
    magazines: [Magazine; SIZES],
}

impl ThreadCache {
    /// Makes an empty cache.
    pub const fn new() -> Self {
        Self {
            magazines: [
                Magazine::new(16),
                Magazine::new(32),
                Magazine::new(64),
                Magazine::new(128),
                Magazine::new(256),
            ],
        }
    }

    /// Takes a slot of a class of this tier; `None` when the cache has none, or for another tier's class.
    #[inline(always)]
    pub fn take(&mut self, class: SizeClass) -> Option<Slot> {
        self.magazines.get_mut(class.index())?.pop()
    }

    /// Keeps a slot of a class of this tier, from whichever CPU or thread it came.
    ///
    /// # Errors
    /// Returns it when there are too many, or for another tier's class.
    #[inline(always)]
    pub fn give(&mut self, class: SizeClass, slot: Slot) -> Result<(), Slot> {
        match self.magazines.get_mut(class.index()) {
            Some(magazine) => magazine.push(slot),
            None => Err(slot),
        }
    }

    /// Takes over what fits of a batch of slots of a class.
    pub fn fill(&mut self, class: SizeClass, batch: &mut SlotList) {
        if let Some(magazine) = self.magazines.get_mut(class.index()) {
            magazine.fill(class, batch);
        }
    }

    /// Gives up to `n` slots of a class.
    pub fn shed(&mut self, class: SizeClass, n: usize) -> SlotList {
        match self.magazines.get_mut(class.index()) {
            Some(magazine) => magazine.shed(n),
            None => SlotList::new(class.size()),
        }
    }

    /// Returns the number of bytes in free slots.
    pub fn cached_bytes(&self) -> usize {
        SizeClass::all().zip(&self.magazines).map(|(class, magazine)| class.size() * magazine.len()).sum()
    }
}

impl Default for ThreadCache {
    fn default() -> Self {
        Self::new()
    }
}
