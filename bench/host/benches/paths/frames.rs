//! Allocators of frames: numbers only, no memory, no lock.

use std::hint::black_box;

use buddy_system_allocator::FrameAllocator;
use hal::addr::FrameNumber;
use kernel::memory::physical::{Blocks, ORDERS};

use crate::random::Random;
use crate::time::Settings;

/// Frames that are managed, if not said otherwise: 1 GiB.
const FRAMES: usize = 1 << 18;
/// Places for blocks; half of them are full on average.
const PLACES: usize = 8192;
const STEPS: usize = 100_000;

/// An allocator of blocks of 2^order frames.
trait Frames {
    fn take(&mut self, order: u8) -> Option<usize>;
    fn give(&mut self, first: usize, order: u8);
}

impl Frames for Blocks {
    fn take(&mut self, order: u8) -> Option<usize> {
        self.take(order).map(FrameNumber::index)
    }

    fn give(&mut self, first: usize, order: u8) {
        self.give(FrameNumber::new(first as u32), order).expect("was taken");
    }
}

impl Frames for FrameAllocator<ORDERS> {
    fn take(&mut self, order: u8) -> Option<usize> {
        self.alloc(1 << order)
    }

    fn give(&mut self, first: usize, order: u8) {
        self.dealloc(first, 1 << order);
    }
}

/// Prints the table of frame allocators.
pub(crate) fn run(settings: Settings) {
    println!("| frames | 1 frame, ns | 16 frames, ns | mixed, ns |\n| --- | ---: | ---: | ---: |");
    for (name, frames) in [("Exo-OS", FRAMES), ("Exo-OS, 64 GiB", 64 * FRAMES)] {
        let mut ours = Blocks::leaked(frames);
        for first in (0..frames).step_by(1 << (ORDERS - 1)) {
            Frames::give(&mut ours, first, (ORDERS - 1) as u8);
        }
        row(settings, name, &mut ours);
    }
    let mut theirs = FrameAllocator::<ORDERS>::new();
    theirs.insert(0..FRAMES);
    row(settings, "buddy_system_allocator", &mut theirs);
    println!();
}

fn row(settings: Settings, name: &str, frames: &mut impl Frames) {
    let mut pair = |order: u8| {
        settings.best(|| {
            for _ in 0..STEPS {
                let first = black_box(frames.take(order)).expect("a block is free");
                frames.give(first, order);
            }
            2 * STEPS
        })
    };
    let (one, sixteen) = (pair(0), pair(4));
    let mut random = Random::new();
    // Four of five are single frames.
    let steps: Vec<(usize, u8)> = (0..STEPS)
        .map(|_| (random.below(PLACES as u64) as usize, random.below(25).saturating_sub(20) as u8))
        .collect();
    let mut places = vec![None; PLACES];
    let mixed = settings.best(|| {
        for &(place, order) in &steps {
            match places[place].take() {
                Some((first, order)) => frames.give(first, order),
                None => places[place] = frames.take(order).map(|first| (first, order)),
            }
        }
        steps.len()
    });
    println!("| {name} | {one:.1} | {sixteen:.1} | {mixed:.1} |");
}
