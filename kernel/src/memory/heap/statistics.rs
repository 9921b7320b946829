//! Numbers about the heap: per size class and per tier.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::central;
use super::size_class::{CLASSES, SizeClass, Tier};

/// What one CPU counts; only it changes its own, so an increment is no read-modify-write.
#[derive(Debug)]
pub(super) struct Counters {
    allocations: [AtomicU64; CLASSES],
    frees: [AtomicU64; CLASSES],
    refills: [AtomicU64; CLASSES],
    large_allocations: AtomicU64,
    large_frees: AtomicU64,
}

hal::per_cpu! {
    static COUNTERS: Counters = Counters::new();
}

hal::machine_static! {
    /// Frames cut into slots, by class.
    static FRAMES: [AtomicUsize; CLASSES] = [const { AtomicUsize::new(0) }; CLASSES];
    static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);
    static FAILURES: AtomicUsize = AtomicUsize::new(0);
}

#[inline(always)]
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

impl Counters {
    const fn new() -> Self {
        Self {
            allocations: [const { AtomicU64::new(0) }; CLASSES],
            frees: [const { AtomicU64::new(0) }; CLASSES],
            refills: [const { AtomicU64::new(0) }; CLASSES],
            large_allocations: AtomicU64::new(0),
            large_frees: AtomicU64::new(0),
        }
    }
}

#[inline(always)]
pub(super) fn count_allocation(class: SizeClass) {
    bump(&COUNTERS.get().allocations[class.index()]);
}

#[inline(always)]
pub(super) fn count_free(class: SizeClass) {
    bump(&COUNTERS.get().frees[class.index()]);
}

pub(super) fn count_refill(class: SizeClass) {
    bump(&COUNTERS.get().refills[class.index()]);
}

pub(super) fn count_frame(class: SizeClass, cut: bool) {
    if cut {
        FRAMES[class.index()].fetch_add(1, Relaxed);
    } else {
        FRAMES[class.index()].fetch_sub(1, Relaxed);
    }
}

pub(super) fn count_large_allocation(bytes: usize) {
    bump(&COUNTERS.get().large_allocations);
    LARGE_BYTES.fetch_add(bytes, Relaxed);
}

pub(super) fn count_large_free(bytes: usize) {
    bump(&COUNTERS.get().large_frees);
    LARGE_BYTES.fetch_sub(bytes, Relaxed);
}

pub(super) fn count_failure() {
    FAILURES.fetch_add(1, Relaxed);
}

/// Numbers of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStatistics {
    /// Bytes in a slot.
    pub slot_size: usize,
    /// Allocations since boot.
    pub allocations: u64,
    /// Frees since boot.
    pub frees: u64,
    /// Times that a CPU had no slot and asked the store.
    pub refills: u64,
    /// Frames that are cut into slots of this size; 0 for whole frames.
    pub frames: usize,
    /// Free slots in the shared store.
    pub stored: usize,
}

impl ClassStatistics {
    /// Returns the number of slots in use.
    pub fn in_use(&self) -> u64 {
        self.allocations.saturating_sub(self.frees)
    }

    /// Returns how many of 1000 allocations found a slot on their CPU.
    pub fn hits_per_mille(&self) -> u64 {
        match self.allocations {
            0 => 1000,
            n => n.saturating_sub(self.refills) * 1000 / n,
        }
    }
}

/// Numbers about the heap at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStatistics {
    /// By size class, smallest first.
    pub classes: [ClassStatistics; CLASSES],
    /// Allocations of more than a page since boot.
    pub large_allocations: u64,
    /// Frees of more than a page since boot.
    pub large_frees: u64,
    /// Bytes in use by allocations of more than a page.
    pub large_bytes: usize,
    /// Allocations that found no memory.
    pub failures: usize,
}

impl HeapStatistics {
    /// Returns the bytes that are handed out.
    pub fn used_bytes(&self) -> usize {
        let small: usize = self.classes.iter().map(|class| class.in_use() as usize * class.slot_size).sum();
        small + self.large_bytes
    }

    /// Returns how many of 1000 allocations of a tier were hits.
    pub fn hits_per_mille(&self, tier: Tier) -> u64 {
        let classes = || SizeClass::all().zip(&self.classes).filter(|(class, _)| class.tier() == tier);
        let allocations: u64 = classes().map(|(_, numbers)| numbers.allocations).sum();
        let refills: u64 = classes().map(|(_, numbers)| numbers.refills).sum();
        (allocations.saturating_sub(refills) * 1000).checked_div(allocations).unwrap_or(1000)
    }
}

/// Returns numbers about the heap.
pub fn statistics() -> HeapStatistics {
    let sum = |of: &dyn Fn(&Counters) -> &AtomicU64| COUNTERS.iter().map(|cpu| of(cpu).load(Relaxed)).sum();
    let mut result = HeapStatistics {
        large_allocations: sum(&|cpu| &cpu.large_allocations),
        large_frees: sum(&|cpu| &cpu.large_frees),
        large_bytes: LARGE_BYTES.load(Relaxed),
        failures: FAILURES.load(Relaxed),
        ..HeapStatistics::default()
    };
    for (class, numbers) in SizeClass::all().zip(&mut result.classes) {
        let i = class.index();
        *numbers = ClassStatistics {
            slot_size: class.size(),
            allocations: sum(&|cpu| &cpu.allocations[i]),
            frees: sum(&|cpu| &cpu.frees[i]),
            refills: sum(&|cpu| &cpu.refills[i]),
            frames: FRAMES[i].load(Relaxed),
            stored: central::stored(class),
        };
    }
    result
}
