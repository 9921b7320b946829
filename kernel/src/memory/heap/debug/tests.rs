//! Each misdeed, done on the simulated machine.

use alloc::string::String;
use alloc::vec::Vec;

use hal::sim::{self, Machine};
use proptest::prelude::*;

use super::*;
use crate::memory::heap::hybrid_allocator::{self, flush_this_cpu};
use crate::memory::heap::statistics::statistics;
use crate::memory::physical::buddy_allocator::free_bytes;

fn machine() {
    Machine::builder().memory_mib(16).build();
    enable().unwrap();
}

fn alloc(size: usize) -> Slot {
    hybrid_allocator::alloc(Layout::from_size_align(size, 8).unwrap()).unwrap()
}

fn all_found() -> [usize; 3] {
    [Misdeed::Overflow, Misdeed::UseAfterFree, Misdeed::DoubleFree].map(found)
}

#[test]
fn the_command_line_asks_for_it() {
    assert!(is_asked_for(b"quiet exo.heap=debug console=ttyS0"));
    assert!(!is_asked_for(b"exo.heap=debugger") && !is_asked_for(b"quiet -- exo.heap=debug"));
}

#[test]
fn honest_use_is_not_reported() {
    machine();
    for size in [1, 16, 24, 100, 256, 1000, 4096, 5000, 100_000, 3 << 20] {
        let slot = alloc(size);
        (0..size.min(9000)).for_each(|i| sim::poke(slot.addr() + i, 7));
        hybrid_allocator::free(slot);
    }
    flush_this_cpu();
    assert_eq!(all_found(), [0; 3]);
}

#[test]
fn one_byte_too_many_is_found_at_the_free() {
    machine();
    for (n, size) in [1, 16, 24, 63, 64, 4096, 5000].into_iter().enumerate() {
        let slot = alloc(size);
        sim::poke(slot.addr() + size, 0);
        hybrid_allocator::free(slot);
        assert_eq!(all_found(), [n + 1, 0, 0], "{size}");
    }
}

#[test]
fn a_byte_in_front_is_found_when_the_neighbour_is_freed() {
    machine();
    let mut slots: Vec<_> = (0..8).map(|_| alloc(64)).collect();
    slots.sort_by_key(Slot::addr);
    sim::poke(slots[4].addr() - 40, 0);
    slots.into_iter().for_each(hybrid_allocator::free);
    assert_eq!(all_found(), [1, 0, 0]);
}

#[test]
fn a_write_far_beyond_the_end_loses_the_note_and_is_found() {
    machine();
    let slot = alloc(64);
    (64..128).for_each(|i| sim::poke(slot.addr() + i, 0));
    hybrid_allocator::free(slot);
    assert_eq!(all_found(), [1, 0, 0]);
}

#[test]
fn a_write_after_the_free_is_found_when_the_quarantine_ends() {
    machine();
    for offset in [0, 8, 63] {
        let slot = alloc(64);
        let address = slot.addr();
        hybrid_allocator::free(slot);
        sim::poke(address + offset, 1);
    }
    assert_eq!(all_found(), [0; 3]);
    (0..1000).for_each(|_| hybrid_allocator::free(alloc(64)));
    assert_eq!(all_found(), [0, 3, 0]);
}

#[test]
fn a_second_free_is_found() {
    machine();
    let slot = alloc(40);
    let again = sim::forge_slot(&slot);
    hybrid_allocator::free(slot);
    hybrid_allocator::free(again);
    flush_this_cpu();
    assert_eq!(all_found(), [0, 0, 1]);
}

#[test]
fn a_leak_shows_by_who_holds_it() {
    machine();
    let kept: Vec<_> = (0..10).map(|_| alloc(100)).collect();
    (0..10).for_each(|_| hybrid_allocator::free(alloc(100)));
    let mut text = String::new();
    write_report(&mut text).unwrap();
    assert!(text.contains("double_frees 0\n1000 bytes in 10 allocations by"), "{text}");
    kept.into_iter().for_each(hybrid_allocator::free);
    text.clear();
    write_report(&mut text).unwrap();
    assert!(!text.contains(" in "), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn all_memory_comes_back(ops in prop::collection::vec((any::<bool>(), 1usize..20_000, any::<usize>()), 1..300)) {
        machine();
        let mut live: Vec<Slot> = Vec::new();
        flush_this_cpu();
        let before = free_bytes();
        for (allocates, size, pick) in ops {
            if allocates || live.is_empty() {
                live.push(alloc(size));
            } else {
                hybrid_allocator::free(live.swap_remove(pick % live.len()));
            }
        }
        live.into_iter().for_each(hybrid_allocator::free);
        flush_this_cpu();
        let numbers = statistics();
        prop_assert_eq!((numbers.used_bytes(), all_found()), (0, [0; 3]));
        // The stores keep a little so as not to run empty.
        prop_assert!(before - free_bytes() < 32 * hal::PAGE_SIZE);
    }
}
