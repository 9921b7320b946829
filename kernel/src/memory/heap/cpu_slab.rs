//! The second tier: more than 256 bytes and at most a page. Its free slots, too, are in the [stock](hal::heap::stock) of
//! the CPU, fewer of them.

use hal::PAGE_SIZE;

use super::size_class::SizeClass;
use super::thread_cache;

/// The largest size in bytes.
pub const MAX: usize = PAGE_SIZE;
/// Returns how many slots of a class of this tier move at once between a CPU and the store behind it: as few as pay, since
/// twice as many may lie at hand on each CPU.
pub(super) const fn batch(class: SizeClass) -> usize {
    if class.bytes() <= 1024 { 8 } else { 4 }
}

/// Returns the bytes of free slots of this tier that this CPU has at hand.
pub fn cached_bytes() -> usize {
    SizeClass::all().filter(|class| class.bytes() > thread_cache::MAX).map(SizeClass::cached_bytes).sum()
}
