//! Numbers about the heap: per size class and per tier.

use core::array;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use hal::PAGE_SIZE;

use hal::heap::stock;

use super::central;
use super::size_class::{CLASSES, SizeClass, TIERS, Tier};

/// What one CPU counts when it has no slot, or no room for one; hits are counted by its [stock]. Only it changes its own, so
/// an increment is no read-modify-write.
#[derive(Debug)]
struct Counters {
    slow_frees: [AtomicU64; CLASSES],
    refills: [AtomicU64; CLASSES],
    /// Bytes asked for by the allocations that were refills: one in a batch, a sample of all.
    sampled: [AtomicU64; CLASSES],
    large_allocations: AtomicU64,
    large_frees: AtomicU64,
    /// Bytes asked for by large allocations, and by those that were resized.
    large_asked: AtomicU64,
    large_given: AtomicU64,
}

hal::per_cpu! {
    static COUNTERS: Counters = Counters::new();
}

/// Frames that a tier has, now and at most.
#[derive(Debug)]
struct Held {
    frames: AtomicUsize,
    peak: AtomicUsize,
}

hal::machine_static! {
    /// Frames cut into slots, by class.
    static FRAMES: [AtomicUsize; CLASSES] = [const { AtomicUsize::new(0) }; CLASSES];
    static HELD: [Held; TIERS] = [const { Held { frames: AtomicUsize::new(0), peak: AtomicUsize::new(0) } }; TIERS];
    static FAILURES: AtomicUsize = AtomicUsize::new(0);
}

#[inline(always)]
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Counters {
    const fn new() -> Self {
        Self {
            slow_frees: [const { AtomicU64::new(0) }; CLASSES],
            refills: [const { AtomicU64::new(0) }; CLASSES],
            sampled: [const { AtomicU64::new(0) }; CLASSES],
            large_allocations: AtomicU64::new(0),
            large_frees: AtomicU64::new(0),
            large_asked: AtomicU64::new(0),
            large_given: AtomicU64::new(0),
        }
    }
}

/// Counts an allocation for which the CPU had no slot.
pub(super) fn count_refill(class: SizeClass, asked: usize) {
    let counters = COUNTERS.get();
    bump(&counters.refills[class.index()], 1);
    bump(&counters.sampled[class.index()], asked as u64);
}

/// Counts a free of a slot for which the CPU had no room.
pub(super) fn count_slow_free(class: SizeClass) {
    bump(&COUNTERS.get().slow_frees[class.index()], 1);
}

pub(super) fn count_large_allocation(asked: usize, given: usize) {
    let counters = COUNTERS.get();
    bump(&counters.large_allocations, 1);
    bump(&counters.large_asked, asked as u64);
    bump(&counters.large_given, given as u64);
    hold(Tier::Buddy, given / PAGE_SIZE);
}

pub(super) fn count_large_free(bytes: usize) {
    bump(&COUNTERS.get().large_frees, 1);
    release(Tier::Buddy, bytes / PAGE_SIZE);
}

/// Counts that a large allocation, for which `old_asked` bytes were asked and `old` given, has changed its size.
pub(super) fn count_resize(old_asked: usize, old: usize, asked: usize, given: usize) {
    let counters = COUNTERS.get();
    bump(&counters.large_asked, (asked as u64).wrapping_sub(old_asked as u64));
    bump(&counters.large_given, (given as u64).wrapping_sub(old as u64));
    hold(Tier::Buddy, given / PAGE_SIZE);
    release(Tier::Buddy, old / PAGE_SIZE);
}

/// Counts an allocation that found no memory.
pub(super) fn count_failure() {
    FAILURES.fetch_add(1, Relaxed);
}

/// Notes frames that a class got.
pub(super) fn count_frames(class: SizeClass, frames: usize) {
    FRAMES[class.index()].fetch_add(frames, Relaxed);
    hold(class.tier(), frames);
}

/// Notes frames that a class gave back.
pub(super) fn uncount_frames(class: SizeClass, frames: usize) {
    FRAMES[class.index()].fetch_sub(frames, Relaxed);
    release(class.tier(), frames);
}

fn hold(tier: Tier, frames: usize) {
    let held = &HELD[tier as usize];
    let now = held.frames.fetch_add(frames, Relaxed) + frames;
    if now > held.peak.load(Relaxed) {
        held.peak.fetch_max(now, Relaxed);
    }
}

fn release(tier: Tier, frames: usize) {
    HELD[tier as usize].frames.fetch_sub(frames, Relaxed);
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
    /// Frames that are cut into slots of this size.
    pub frames: usize,
    /// Free slots in the shared store.
    pub stored: usize,
    /// Free slots that CPUs hold.
    pub cached: usize,
    /// Bytes of a slot beyond what was asked for, on average; a sample.
    pub rounding: usize,
}

impl ClassStatistics {
    /// Returns the number of slots in use.
    pub fn in_use(&self) -> u64 {
        self.allocations.saturating_sub(self.frees)
    }

    /// Returns how many of 1000 allocations found a slot on their CPU.
    pub fn hits_per_mille(&self) -> u64 {
        per_mille(self.allocations.saturating_sub(self.refills), self.allocations)
    }
}

/// Numbers of one tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierStatistics {
    /// Allocations since boot.
    pub allocations: u64,
    /// Frees since boot.
    pub frees: u64,
    /// How many of 1000 allocations were hits; those of the buddy tier are neither hits nor misses.
    pub hits_per_mille: u64,
    /// Bytes of the slots in use.
    pub used_bytes: usize,
    /// Bytes of all frames that the tier has.
    pub held_bytes: usize,
    /// The most that it ever had.
    pub peak_bytes: usize,
    /// Bytes in use beyond what was asked for: what rounding up to the size of a slot wastes. An estimate.
    pub wasted_bytes: usize,
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
    /// How many of 1000 bytes handed out in allocations of more than a page were beyond what was asked for.
    pub large_rounding_per_mille: u64,
    /// By [`Tier`]: the most bytes of frames that each ever had.
    pub peak_bytes: [usize; TIERS],
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
        self.tier(tier).hits_per_mille
    }

    /// Adds up the numbers of a tier.
    pub fn tier(&self, tier: Tier) -> TierStatistics {
        let peak_bytes = self.peak_bytes[tier as usize];
        if tier == Tier::Buddy {
            return TierStatistics {
                allocations: self.large_allocations,
                frees: self.large_frees,
                hits_per_mille: 1000,
                used_bytes: self.large_bytes,
                held_bytes: self.large_bytes,
                peak_bytes,
                wasted_bytes: self.large_bytes / 1000 * self.large_rounding_per_mille as usize,
            };
        }
        let mut sum = TierStatistics { peak_bytes, ..TierStatistics::default() };
        let mut refills = 0;
        for (_, class) in SizeClass::all().zip(&self.classes).filter(|(class, _)| class.tier() == tier) {
            let in_use = class.in_use() as usize;
            sum.allocations += class.allocations;
            sum.frees += class.frees;
            sum.used_bytes += in_use * class.slot_size;
            sum.held_bytes += class.frames * PAGE_SIZE;
            sum.wasted_bytes += in_use * class.rounding;
            refills += class.refills;
        }
        sum.hits_per_mille = per_mille(sum.allocations.saturating_sub(refills), sum.allocations);
        sum
    }
}

fn per_mille(part: u64, whole: u64) -> u64 {
    (part * 1000).checked_div(whole).unwrap_or(1000)
}

/// Returns numbers about the heap.
pub fn statistics() -> HeapStatistics {
    let sum = |of: &dyn Fn(&Counters) -> &AtomicU64| -> u64 {
        COUNTERS.iter().map(|cpu| of(cpu).load(Relaxed)).fold(0, u64::wrapping_add)
    };
    let large_given = sum(&|cpu| &cpu.large_given);
    let mut result = HeapStatistics {
        large_allocations: sum(&|cpu| &cpu.large_allocations),
        large_frees: sum(&|cpu| &cpu.large_frees),
        large_bytes: HELD[Tier::Buddy as usize].frames.load(Relaxed) * PAGE_SIZE,
        large_rounding_per_mille: (large_given.saturating_sub(sum(&|cpu| &cpu.large_asked)) * 1000)
            .checked_div(large_given)
            .unwrap_or(0),
        peak_bytes: array::from_fn(|tier| HELD[tier].peak.load(Relaxed) * PAGE_SIZE),
        failures: FAILURES.load(Relaxed),
        ..HeapStatistics::default()
    };
    for (class, numbers) in SizeClass::all().zip(&mut result.classes) {
        let i = class.index();
        let refills = sum(&|cpu| &cpu.refills[i]);
        let asked = sum(&|cpu| &cpu.sampled[i]).checked_div(refills).unwrap_or(class.bytes() as u64);
        let mut row = ClassStatistics {
            slot_size: class.bytes(),
            allocations: refills,
            frees: sum(&|cpu| &cpu.slow_frees[i]),
            refills,
            frames: FRAMES[i].load(Relaxed),
            stored: central::stored(class),
            cached: 0,
            rounding: class.bytes().saturating_sub(asked as usize),
        };
        for cpu in hal::cpu::all() {
            let at_hand = stock::numbers(cpu, class.slot_size());
            row.allocations += at_hand.taken;
            row.frees = row.frees.wrapping_add(at_hand.given);
            row.cached += at_hand.len;
        }
        *numbers = row;
    }
    result
}
