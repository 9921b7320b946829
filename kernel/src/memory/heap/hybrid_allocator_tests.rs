//! The heap on the simulated machine.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hal::cpu::CpuId;
use hal::sim::Machine;
use proptest::prelude::*;

use super::*;
use crate::memory::heap::size_class::CLASSES;
use crate::memory::heap::statistics::statistics;
use crate::memory::physical::buddy_allocator::tests::trade;
use crate::memory::physical::buddy_allocator::{alloc_user_frame, free_bytes};

fn machine(cpus: usize) -> Machine {
    let machine = Machine::builder().memory_mib(16).cpus(cpus).build();
    machine.enter();
    machine
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Everything goes back to the buddy allocator but what the stores keep so as not to run empty.
fn assert_all_free(machine: Machine, cpus: usize, before: usize) {
    for cpu in 0..cpus {
        machine.act_as(CpuId::new(cpu));
        flush_this_cpu();
    }
    machine.act_as(CpuId::new(0));
    let numbers = statistics();
    assert_eq!(numbers.used_bytes(), 0);
    let kept: usize = numbers.classes.iter().map(|class| class.frames * PAGE_SIZE).sum();
    assert_eq!(free_bytes() + kept, before);
    for class in &numbers.classes {
        assert!(class.frames <= 3, "{class:?} keeps too much");
        assert!(class.slot_size == PAGE_SIZE || class.frames * PAGE_SIZE == class.stored * class.slot_size);
    }
}

#[test]
fn slots_have_the_size_and_alignment_asked_for() {
    machine(1);
    for size in [1, 16, 17, 100, 256, 257, 512, 1000, 4096, 4097, 70_000, 1 << 20] {
        for align in [1, 8, 64, 4096, 16384] {
            let slot = alloc(layout(size, align)).unwrap();
            assert!(slot.size() >= size && slot.addr().is_multiple_of(align.min(PAGE_SIZE)));
            free(slot);
        }
    }
    assert!(alloc(layout(32 << 20, 1)).is_none());
}

#[test]
fn a_hit_is_the_slot_freed_last() {
    machine(1);
    let slot = alloc(layout(64, 8)).unwrap();
    let addr = slot.addr();
    free(slot);
    assert_eq!(alloc(layout(60, 8)).unwrap().addr(), addr);
}

#[test]
fn hits_are_counted() {
    machine(1);
    for _ in 0..1000 {
        free(alloc(layout(128, 8)).unwrap());
    }
    let numbers = statistics();
    assert_eq!((numbers.classes[3].allocations, numbers.classes[3].refills), (1000, 1));
    assert_eq!(numbers.hits_per_mille(Tier::ThreadCache), 999);
}

#[test]
fn slots_freed_on_another_cpu_go_back_to_their_frames() {
    let machine = machine(2);
    let before = free_bytes();
    for size in [16, 128, 512, 2048, 4096, 8192] {
        machine.act_as(CpuId::new(0));
        let slots: Vec<_> = (0..1000).map_while(|_| alloc(layout(size, 8))).collect();
        machine.act_as(CpuId::new(1));
        slots.into_iter().for_each(free);
    }
    assert_all_free(machine, 2, before);
}

#[test]
fn cpus_trade_slots_and_none_is_lost() {
    let machine = machine(4);
    let before = free_bytes();
    let make = |random: usize| {
        let mut slot = alloc(layout(16 << (random % 10), 8))?;
        let address = slot.addr();
        slot.write(8, &address.to_le_bytes());
        Some(slot)
    };
    trade(machine, 4, make, |slot| {
        let mut bytes = [0; 8];
        slot.read(8, &mut bytes);
        assert_eq!(usize::from_le_bytes(bytes), slot.addr(), "somebody else has this slot");
        free(slot);
    });
    assert_all_free(machine, 4, before);
}

#[test]
fn memory_pressure_empties_the_caches() {
    machine(1);
    let slots: Vec<_> = (0..200).map(|_| alloc(layout(1024, 8)).unwrap()).collect();
    slots.into_iter().for_each(free);
    assert!(has_cached_slots());
    let frames: Vec<_> = core::iter::from_fn(|| alloc_user_frame().ok()).collect();
    free(alloc(layout(1024, 8)).unwrap());
    assert!(has_cached_slots());
    crate::memory::tend();
    assert!(!has_cached_slots());
    free(alloc(layout(1024, 8)).unwrap());
    assert!(!has_cached_slots(), "a slot freed under pressure does not stay");
    drop(frames);
}

#[test]
fn running_out_of_memory_is_an_answer_and_leaks_nothing() {
    let machine = machine(1);
    let before = free_bytes();
    for n in 0..40 {
        machine.fail_allocations_after(n);
        let slots: Vec<_> = (0..CLASSES + 2).filter_map(|class| alloc(layout(16 << class, 8))).collect();
        machine.allow_allocations();
        slots.into_iter().for_each(free);
    }
    assert_all_free(machine, 1, before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn live_slots_never_overlap(ops in prop::collection::vec((any::<bool>(), 0usize..2, 0u32..14, any::<usize>()), 1..600)) {
        let machine = machine(2);
        let before = free_bytes();
        let mut live: BTreeMap<usize, Slot> = BTreeMap::new();
        for (allocates, cpu, bits, pick) in ops {
            machine.act_as(CpuId::new(cpu));
            if allocates || live.is_empty() {
                let slot = alloc(layout((1 << bits) + pick % (1 << bits), 1)).unwrap();
                if let Some((&addr, other)) = live.range(..=slot.addr()).next_back() {
                    prop_assert!(addr + other.size() <= slot.addr());
                }
                if let Some((&addr, _)) = live.range(slot.addr()..).next() {
                    prop_assert!(slot.addr() + slot.size() <= addr);
                }
                live.insert(slot.addr(), slot);
            } else {
                let addr = *live.keys().nth(pick % live.len()).unwrap();
                free(live.remove(&addr).unwrap());
            }
        }
        let used: usize = live.values().map(Slot::size).sum();
        prop_assert_eq!(statistics().used_bytes(), used);
        live.into_values().for_each(free);
        assert_all_free(machine, 2, before);
    }
}
