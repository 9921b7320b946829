//! The second tier: 512 bytes to 4 KiB, owned by the CPU.

use hal::heap::Slot;

use super::magazine::Magazine;
use super::size_class::{CLASSES, SizeClass, Tier};
use super::thread_cache;

/// Number of sizes: 512, 1024, 2048, 4096.
pub const SIZES: usize = 4;
const FIRST: usize = thread_cache::SIZES;
const _: () = assert!(FIRST + SIZES == CLASSES);

/// Free slots of one CPU, by size. Bounded: two batches of each.
#[derive(Debug)]
pub struct CpuSlab {
    magazines: [Magazine; SIZES],
}

impl CpuSlab {
    /// Makes an empty slab.
    pub const fn new() -> Self {
        Self {
            magazines: [Magazine::new(512), Magazine::new(1024), Magazine::new(2048), Magazine::new(4096)],
        }
    }

    /// Takes a slot of a class of this tier; `None` when memory is used up, or for another tier's class.
    #[inline]
    pub fn take(&mut self, class: SizeClass) -> Option<Slot> {
        self.magazines.get_mut(class.index().wrapping_sub(FIRST))?.take(class)
    }

    /// Takes back a slot of a class of this tier, from whichever CPU it came.
    ///
    /// # Panics
    /// For another tier's class.
    #[inline]
    pub fn give(&mut self, class: SizeClass, slot: Slot) {
        self.magazines[class.index() - FIRST].give(class, slot);
    }

    /// Gives all slots to the store behind.
    pub fn flush(&mut self) {
        for (class, magazine) in
            SizeClass::all().filter(|class| class.tier() == Tier::CpuSlab).zip(&mut self.magazines)
        {
            magazine.drain(class, usize::MAX);
        }
    }

    /// Returns the number of bytes in free slots.
    pub fn cached_bytes(&self) -> usize {
        SizeClass::all().skip(FIRST).zip(&self.magazines).map(|(class, m)| class.size() * m.len()).sum()
    }
}

impl Default for CpuSlab {
    fn default() -> Self {
        Self::new()
    }
}
