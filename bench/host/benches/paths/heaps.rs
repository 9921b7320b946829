//! Heaps on the kernel's mix of sizes.

use std::alloc::Layout;
use std::hint::black_box;

use hal::cpu::CpuId;
use hal::heap::Slot;
use hal::sim::Machine;
use kernel::memory::heap::hybrid_allocator;

use crate::random::Random;
use crate::time::Settings;
use crate::{rivals, threads};

/// A heap.
pub(crate) trait Heap: Sync {
    /// Memory that was taken.
    type Block: Send;

    /// Makes the calling thread one of those that use the heap, with a number of its own.
    fn enter(&self, _thread: usize) {}

    /// Takes memory.
    fn take(&self, layout: Layout) -> Option<Self::Block>;

    /// Gives it back to the heap it is from.
    fn give(&self, block: Self::Block);
}

/// The kernel's heap, with all its tiers. Each thread acts for a CPU.
struct KernelHeap(Machine);

impl Heap for KernelHeap {
    type Block = Slot;

    fn enter(&self, thread: usize) {
        self.0.act_as(CpuId::new(thread));
    }

    #[inline]
    fn take(&self, layout: Layout) -> Option<Slot> {
        hybrid_allocator::alloc(layout)
    }

    #[inline]
    fn give(&self, slot: Slot) {
        hybrid_allocator::free(slot);
    }
}

/// No heap: what it takes to choose a place and look into it.
struct Nothing;

impl Heap for Nothing {
    type Block = usize;

    #[inline]
    fn take(&self, layout: Layout) -> Option<usize> {
        Some(layout.size())
    }

    #[inline]
    fn give(&self, block: usize) {
        black_box(block);
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

/// Prints the table of heaps. The machine has a CPU for each thread.
pub(crate) fn run(settings: Settings, machine: Machine) {
    println!(
        "| heap | the kernel's mix, ns | cycles | 64 B, take and give, ns | cycles | mix on two threads, ns | \
         freed by another thread, ns |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    row(settings, "Exo-OS, on the simulated machine", &KernelHeap(machine));
    row(settings, "none: what measuring takes", &Nothing);
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
    let mut places = Places::new(heap);
    let mix = settings.best(|| places.walk(&steps));
    drop(places);
    let layout = layout(64);
    let pair = settings.best(|| {
        for _ in 0..PAIRS {
            let block = black_box(heap.take(layout));
            heap.give(block.expect("memory for one block"));
        }
        PAIRS
    });
    let scaled = threads::mix(settings, heap, &steps);
    let passed = threads::pass_on(settings, heap, &steps);
    let clock = settings.cycles_per_ns();
    println!(
        "| {name} | {mix:.1} | {:.0} | {pair:.1} | {:.0} | {scaled:.1} | {passed:.1} |",
        mix * clock,
        pair * clock
    );
}

/// Places that are empty or have a block.
pub(crate) struct Places<'a, H: Heap> {
    heap: &'a H,
    places: Vec<Option<H::Block>>,
}

impl<'a, H: Heap> Places<'a, H> {
    pub(crate) fn new(heap: &'a H) -> Self {
        Self { heap, places: (0..PLACES).map(|_| None).collect() }
    }

    /// At each place named, takes a block or gives the one back that is there; returns the number of steps.
    pub(crate) fn walk(&mut self, steps: &[Step]) -> usize {
        for &(place, layout) in steps {
            match self.places[place].take() {
                Some(block) => self.heap.give(block),
                None => self.places[place] = self.heap.take(layout),
            }
        }
        steps.len()
    }
}

impl<H: Heap> Drop for Places<'_, H> {
    fn drop(&mut self) {
        self.places.drain(..).flatten().for_each(|block| self.heap.give(block));
    }
}

/// A place, and what to take if it is empty.
pub(crate) type Step = (usize, Layout);

/// Makes the steps.
fn steps() -> Vec<Step> {
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
