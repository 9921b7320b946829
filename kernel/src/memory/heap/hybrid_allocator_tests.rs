//! The heap on the simulated machine.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hal::cpu::CpuId;
use hal::sim::Machine;
use proptest::prelude::*;

use super::*;
use crate::memory::heap::size_class::{CLASSES, Tier};
use crate::memory::heap::statistics::statistics;
use crate::memory::physical::buddy_allocator::tests::trade;
use crate::memory::physical::buddy_allocator::{self, alloc_user_frame, free_bytes};

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
        assert!(class.frames <= 8, "{class:?} keeps too much");
        let stored = class.stored * class.slot_size;
        let unused = (class.frames * PAGE_SIZE).checked_sub(stored).expect("as much as there is");
        assert!(unused <= class.frames * PAGE_SIZE / 8, "{class:?} misses slots");
        assert_eq!((class.cached, class.in_use()), (0, 0));
    }
}

#[test]
fn slots_have_the_size_and_alignment_asked_for() {
    machine(1);
    for size in [1, 16, 17, 40, 100, 180, 256, 257, 512, 700, 1000, 1300, 2500, 4096, 4097, 70_000, 1 << 20] {
        for align in [1, 8, 64, 4096, 16384] {
            let slot = alloc(layout(size, align)).unwrap();
            assert!(slot.size().bytes() >= size && slot.addr().is_multiple_of(align.min(PAGE_SIZE)));
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
    let class = numbers.classes.iter().find(|class| class.slot_size == 128).unwrap();
    assert_eq!((class.allocations, class.frees, class.refills), (1000, 1000, 1));
    assert_eq!(numbers.hits_per_mille(Tier::ThreadCache), 999);
}

#[test]
fn slots_freed_on_another_cpu_go_back_to_their_frames() {
    let machine = machine(2);
    let before = free_bytes();
    for size in [16, 24, 128, 192, 512, 768, 1536, 2048, 3072, 4096, 8192] {
        machine.act_as(CpuId::new(0));
        let slots: Vec<_> = (0..500).map_while(|_| alloc(layout(size, 8))).collect();
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
        let mut slot = alloc(layout((16 + 8 * (random / 16 % 2)) << (random % 10), 8))?;
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
    for n in 0..60 {
        machine.fail_allocations_after(n);
        let slots: Vec<_> = (0..CLASSES + 4)
            .filter_map(SlotSize::of_index)
            .filter_map(|size| alloc(layout(size.bytes(), 8)))
            .collect();
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
                    prop_assert!(addr + other.size().bytes() <= slot.addr());
                }
                if let Some((&addr, _)) = live.range(slot.addr()..).next() {
                    prop_assert!(slot.addr() + slot.size().bytes() <= addr);
                }
                live.insert(slot.addr(), slot);
            } else {
                let addr = *live.keys().nth(pick % live.len()).unwrap();
                free(live.remove(&addr).unwrap());
            }
        }
        let used: usize = live.values().map(|slot| slot.size().bytes()).sum();
        prop_assert_eq!(statistics().used_bytes(), used);
        live.into_values().for_each(free);
        assert_all_free(machine, 2, before);
    }

    /// The model is the set of blocks that live: one grows where it is exactly if it is aligned for that and no other one
    /// lies in the way.
    #[test]
    fn blocks_change_their_size_exactly_where_they_can(ops in prop::collection::vec((0u32..3, 1u32..7, any::<usize>()), 1..300)) {
        let machine = machine(1);
        let before = free_bytes();
        let of_order = |order: u32| layout((PAGE_SIZE << order) - 100, 8);
        // Eight blocks that everything happens in: all else is taken, so that the model knows what is free.
        let first: Vec<_> = (0..8).map(|_| alloc_block(7).unwrap()).collect();
        let all_else: Vec<_> = (0..=12).rev().flat_map(|order| core::iter::from_fn(move || alloc_block(order))).collect();
        drop(first);
        let mut live: BTreeMap<usize, (Slot, u32)> = BTreeMap::new();
        for (what, order, pick) in ops {
            if what == 0 || live.is_empty() {
                let Some(mut slot) = alloc(of_order(order)) else { continue };
                slot.write(0, &slot.addr().to_le_bytes());
                live.insert(slot.addr(), (slot, order));
                continue;
            }
            let addr = *live.keys().nth(pick % live.len()).unwrap();
            let (slot, old) = live.remove(&addr).unwrap();
            if what == 1 {
                free(slot);
                continue;
            }
            let (end, new_end) = (addr + (PAGE_SIZE << old), addr + (PAGE_SIZE << order));
            let number = slot.frame_number();
            let can = order <= old
                || number.is_aligned_to(order as u8) && live.range(addr..new_end).next().is_none();
            let (slot, did) = resize_to(slot, of_order(old), of_order(order));
            prop_assert_eq!(did, can, "{:x} from {:x} to {:x}", addr, end, new_end);
            let mut bytes = [0; 8];
            slot.read(0, &mut bytes);
            prop_assert_eq!((slot.addr(), usize::from_le_bytes(bytes)), (addr, addr));
            live.insert(addr, (slot, if did { order } else { old }));
        }
        let used: usize = live.values().map(|(_, order)| PAGE_SIZE << order).sum();
        prop_assert_eq!(statistics().large_bytes, used);
        live.into_values().for_each(|(slot, _)| free(slot));
        drop(all_else);
        assert_all_free(machine, 1, before);
    }
}

/// Changes the size of an allocation as the global allocator does; answers whether it could where it is. Free blocks are where
/// everybody finds them.
fn resize_to(slot: Slot, old: Layout, new: Layout) -> (Slot, bool) {
    buddy_allocator::flush_this_cpu();
    let mut block = LiveBlock::new(slot).expect("a block");
    resize(&mut block, old, new);
    let slot = block.into_slot();
    let did = slot.size() == SlotSize::of(new);
    assert!(did || slot.size() == SlotSize::of(old));
    (slot, did)
}

#[test]
fn a_block_shrinks_where_it_is_and_grows_into_what_is_free_behind_it() {
    machine(1);
    let before = free_bytes();
    let (small, large) = (layout(5000, 8), layout(60_000, 8));
    let slot = alloc(large).unwrap();
    let addr = slot.addr();
    let (slot, did) = resize_to(slot, large, small);
    assert!(did && before - free_bytes() == 8192);
    assert_eq!(statistics().large_bytes, 8192);
    // The frames behind it are free now, but somebody takes some.
    let others: Vec<_> = core::iter::from_fn(|| alloc(layout(16_384, 8)))
        .take_while(|other| other.addr() != addr + 16_384)
        .collect();
    let (slot, did) = resize_to(slot, small, large);
    assert!(!did && statistics().large_bytes == 8192 + others.len() * 16_384 + 16_384);
    let free_before = free_bytes();
    let (slot, did) = resize_to(slot, small, layout(10_000, 8));
    assert!(did && slot.addr() == addr && free_before - free_bytes() == 8192);
    let (slot, did) = resize_to(slot, layout(10_000, 8), layout(40 << 20, 8));
    assert!(!did, "no block is so large");
    free(slot);
    others.into_iter().for_each(free);
    assert_eq!(statistics().large_bytes, 16_384);
}
