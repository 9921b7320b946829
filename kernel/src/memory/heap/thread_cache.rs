//! The first tier: 16 to 256 bytes, a handful of instructions, no atomic.

use hal::heap::Slot;

use super::magazine::Magazine;
use super::size_class::{SizeClass, THREAD_CACHE_MAX, Tier};

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

    /// Takes a slot of a class of this tier; `None` when memory is used up, or for another tier's class.
    #[inline]
    pub fn take(&mut self, class: SizeClass) -> Option<Slot> {
        self.magazines.get_mut(class.index())?.take(class)
    }

    /// Takes back a slot of a class of this tier, from whichever CPU or thread it came.
    ///
    /// # Panics
    /// For another tier's class.
    #[inline]
    pub fn give(&mut self, class: SizeClass, slot: Slot) {
        self.magazines[class.index()].give(class, slot);
    }

    /// Gives all slots to the store behind.
    pub fn flush(&mut self) {
        for (class, magazine) in
            SizeClass::all().filter(|class| class.tier() == Tier::ThreadCache).zip(&mut self.magazines)
        {
            magazine.drain(class, usize::MAX);
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
