//! Heaps on the kernel's mix of sizes.

use std::alloc::Layout;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hal::heap::Slot;
use kernel::memory::heap::hybrid_allocator;

use crate::random::Random;
use crate::rivals;
use crate::time::Settings;

/// A heap.
pub(crate) trait Heap {
    /// Memory that was taken.
    type Block;

    /// Takes memory.
    fn take(&self, layout: Layout) -> Option<Self::Block>;

    /// Gives it back to the heap it is from.
    fn give(&self, block: Self::Block);
}

/// The kernel's heap, with all its tiers.
struct KernelHeap;

impl Heap for KernelHeap {
    type Block = Slot;

    #[inline]
    fn take(&self, layout: Layout) -> Option<Slot> {
        hybrid_allocator::alloc(layout)
    }

    #[inline]
    fn give(&self, slot: Slot) {
        hybrid_allocator::free(slot);
    }
}

/// What this machine takes to find what belongs to a CPU: one instruction on the PC, and part of each step of the kernel's
/// heap.
struct Lookup;

hal::per_cpu! {
    static COUNTER: AtomicUsize = AtomicUsize::new(0);
}

impl Heap for Lookup {
    type Block = usize;

    #[inline]
    fn take(&self, layout: Layout) -> Option<usize> {
        COUNTER.get().store(layout.size(), Relaxed);
        Some(layout.size())
    }

    #[inline]
    fn give(&self, block: usize) {
        COUNTER.get().store(block, Relaxed);
    }
}

/// Sizes in bytes and how many of a thousand allocations have them, from `/proc/exo/heap` after a shell, pipelines and
/// some hundred files.
const MIX: [(usize, u64); 10] = [
    (16, 495),
    (32, 58),
    (64, 64),
    (120, 217),
    (240, 80),
    (500, 52),
    (1000, 16),
    (2000, 1),
    (4096, 4),
    (8192, 13),
];
/// Places for blocks; half of them are full on average.
const PLACES: usize = 2048;
const STEPS: usize = 100_000;
const PAIRS: usize = 100_000;

/// Prints the table of heaps.
pub(crate) fn run(settings: Settings) {
    println!("| heap | the kernel's mix, ns | 64 B, take and give, ns |\n| --- | ---: | ---: |");
    row(settings, "Exo-OS, on the simulated machine", &KernelHeap);
    row(settings, "of that, to find a CPU's data", &Lookup);
    row(settings, "talc, spin lock", &rivals::talc());
    row(settings, "buddy_system_allocator, spin lock", &rivals::buddy_system());
    row(settings, "linked_list_allocator, spin lock", &rivals::linked_list());
    row(settings, "the C library's malloc", &rivals::system());
    #[cfg(feature = "c-allocators")]
    {
        row(settings, "mimalloc", &rivals::mimalloc());
        row(settings, "jemalloc", &rivals::jemalloc());
    }
    println!();
}

fn row<H: Heap>(settings: Settings, name: &str, heap: &H) {
    let steps = steps();
    let mut places: Vec<Option<H::Block>> = (0..PLACES).map(|_| None).collect();
    // A step takes or gives: the figure is for one of these.
    let mix = settings.median(|| {
        for &(place, layout) in &steps {
            match places[place].take() {
                Some(block) => heap.give(block),
                None => places[place] = heap.take(layout),
            }
        }
        steps.len()
    });
    places.into_iter().flatten().for_each(|block| heap.give(block));
    let layout = layout(64);
    let pair = settings.median(|| {
        for _ in 0..PAIRS {
            let block = std::hint::black_box(heap.take(layout));
            heap.give(block.expect("memory for one block"));
        }
        PAIRS
    });
    println!("| {name} | {mix:.1} | {pair:.1} |");
}

/// Makes the steps: a place, and what to take if it is empty.
fn steps() -> Vec<(usize, Layout)> {
    let mut random = Random::new();
    let mut size = || {
        let mut left = random.below(1000);
        let chosen = MIX.iter().find(|(_, share)| {
            let is_here = left < *share;
            left = left.saturating_sub(*share);
            is_here
        });
        (random.below(PLACES as u64) as usize, layout(chosen.map_or(16, |(size, _)| *size)))
    };
    (0..STEPS).map(|_| size()).collect()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a small size")
}
