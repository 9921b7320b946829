//! The second tier: 512 bytes to 4 KiB, owned by the CPU.

use hal::heap::{Slot, SlotList};

use super::magazine::Magazine;
use super::size_class::{CLASSES, SizeClass};
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

    /// Takes a slot of a class of this tier; `None` when the slab has none, or for another tier's class.
    #[inline(always)]
    pub fn take(&mut self, class: SizeClass) -> Option<Slot> {
        self.magazines.get_mut(class.index().wrapping_sub(FIRST))?.pop()
    }

    /// Keeps a slot of a class of this tier, from whichever CPU it came.
    ///
    /// # Errors
    /// Returns it when there are too many, or for another tier's class.
    #[inline(always)]
    pub fn give(&mut self, class: SizeClass, slot: Slot) -> Result<(), Slot> {
        match self.magazines.get_mut(class.index().wrapping_sub(FIRST)) {
            Some(magazine) => magazine.push(slot),
            None => Err(slot),
        }
    }

    /// Takes over what fits of a batch of slots of a class.
    pub fn fill(&mut self, class: SizeClass, batch: &mut SlotList) {
        if let Some(magazine) = self.magazines.get_mut(class.index().wrapping_sub(FIRST)) {
            magazine.fill(class, batch);
        }
    }

    /// Gives up to `n` slots of a class.
    pub fn shed(&mut self, class: SizeClass, n: usize) -> SlotList {
        match self.magazines.get_mut(class.index().wrapping_sub(FIRST)) {
            Some(magazine) => magazine.shed(n),
            None => SlotList::new(class.size()),
        }
    }

    /// Returns the number of bytes in free slots.
    pub fn cached_bytes(&self) -> usize {
        SizeClass::all()
            .skip(FIRST)
            .zip(&self.magazines)
            .map(|(class, magazine)| class.size() * magazine.len())
            .sum()
    }
}

impl Default for CpuSlab {
    fn default() -> Self {
        Self::new()
    }
}
