//! The first tier: 16 to 256 bytes, a handful of instructions. Its free slots are in the [stock](hal::heap::stock) of
//! the CPU that the running thread keeps until it blocks.

use hal::PAGE_SIZE;

use super::size_class::SizeClass;

/// The largest size in bytes.
pub const MAX: usize = 256;
/// Slots of a size that lie at hand are at most two batches, and a batch is at most this.
const BATCH_MAX: usize = 64;

/// Returns how many slots of a class of this tier move at once between a CPU and the store behind it: half a frame's.
pub(super) const fn batch(class: SizeClass) -> usize {
    let half = PAGE_SIZE / 2 / class.bytes();
    if half < BATCH_MAX { half } else { BATCH_MAX }
}

/// Returns the bytes of free slots of this tier that this CPU has at hand.
pub fn cached_bytes() -> usize {
    SizeClass::all().filter(|class| class.bytes() <= MAX).map(SizeClass::cached_bytes).sum()
}
