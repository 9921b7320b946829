//! The frame allocator on the simulated machine.

extern crate std;

use alloc::vec::Vec;

use hal::cpu::CpuId;
use hal::sim::Machine;

use super::*;

fn machine(cpus: usize) -> Machine {
    let machine = Machine::builder().memory_mib(16).cpus(cpus).build();
    machine.enter();
    machine
}

#[test]
fn every_frame_can_be_had_once_and_comes_back() {
    machine(1);
    let before = statistics();
    assert!(before.free_frames > 3000 && before.total_frames == before.free_frames);
    let mut frames = Vec::new();
    while let Some(frame) = alloc_frame() {
        frames.push(frame);
    }
    assert_eq!(frames.len(), before.total_frames);
    assert_eq!(free_bytes(), 0);
    frames.sort_by_key(Frame::number);
    assert!(frames.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    frames.clear();
    let after = statistics();
    assert_eq!((after.free_frames, after.refused), (before.free_frames, 0));
}

#[test]
fn programs_leave_the_reserve_to_the_kernel() {
    machine(2);
    let mut frames = Vec::new();
    let refused = loop {
        match alloc_user_frame() {
            Ok(frame) => frames.push(frame),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, Errno::ENOMEM);
    let left = statistics().free_frames;
    assert_eq!(left, PHYSICAL.reserve_frames());
    assert!(!has_room_for(1));
    let kernel: Vec<_> = core::iter::from_fn(alloc_frame).collect();
    assert_eq!(kernel.len(), left);
    drop(kernel);
    assert_eq!(alloc_user_frame().err(), Some(Errno::ENOMEM), "the kernel's frames are not handed on");
    frames.truncate(frames.len() / 2);
    assert!(alloc_user_frame().is_ok() && has_room_for(1));
}

#[test]
fn frames_freed_on_another_cpu_are_not_lost() {
    let machine = machine(2);
    let before = statistics().free_frames;
    for _ in 0..20 {
        machine.act_as(CpuId::new(0));
        let frames: Vec<_> = (0..500).map(|_| alloc_frame().unwrap()).collect();
        machine.act_as(CpuId::new(1));
        drop(frames);
    }
    assert_eq!(statistics().free_frames, before);
    machine.act_as(CpuId::new(0));
    let all: Vec<_> = core::iter::from_fn(alloc_frame).collect();
    let stranded = CACHE.on(CpuId::new(1)).frame_count();
    assert_eq!(all.len() + stranded, before);
    assert!(stranded <= PHYSICAL.cache_limit.load(Relaxed));
}

#[test]
fn contiguous_memory_is_contiguous_aligned_and_below_the_limit() {
    machine(1);
    let before = statistics().free_frames;
    for (n, align) in [(1, 1), (3, 4), (100, 16), (513, 256), (1000, 1)] {
        let limit = PhysAddr::new(15 << 20);
        let run = alloc_contiguous(n, align, Some(limit)).unwrap();
        assert_eq!(run.frame_count(), n);
        assert_eq!(run.phys().get() % (align * PAGE_SIZE) as u64, 0);
        assert!(run.phys().get() + (n * PAGE_SIZE) as u64 <= limit.get());
        let mut next = run.phys();
        for block in run.blocks() {
            assert_eq!(block.phys(), next);
            next = next.checked_add(block.size() as u64).unwrap();
        }
    }
    assert!(alloc_contiguous(0, 1, None).is_none());
    assert!(alloc_contiguous(1, 3, None).is_none());
    assert!(alloc_contiguous(1 << 40, 1, None).is_none());
    assert_eq!(statistics().free_frames, before);
    alloc_contiguous(1024, 1024, None).expect("blocks merged again");
}

#[test]
fn zones_add_up_to_all_blocks() {
    Machine::builder().memory_mib(40).build().enter();
    let _some: Vec<_> = (0..100).map(|_| alloc_block(1).unwrap()).step_by(2).collect();
    let (zones, all) = (free_blocks_by_zone(), free_blocks().counts);
    assert_eq!(
        array::from_fn::<usize, ORDERS, _>(|order| zones.iter().map(|zone| zone[order]).sum::<usize>()),
        all
    );
    let frames = |zone: usize| zones[zone].iter().enumerate().map(|(order, n)| n << order).sum::<usize>();
    assert!(frames(0) > 3000 && frames(0) <= 4096 && frames(1) > 5000 && frames(2) == 0);
}

#[test]
fn a_block_freed_twice_is_refused_and_counted() {
    machine(1);
    let block = alloc_block(5).unwrap();
    let number = block.number();
    free_frame(block);
    let before = statistics();
    free_block(number, 5);
    let after = statistics();
    assert_eq!((after.free_frames, after.refused), (before.free_frames, 1));

    // Where a cache takes it, the second owner is refused.
    let block = alloc_block(3).unwrap();
    let number = block.number();
    free_frame(block);
    free_block(number, 3);
    let first = alloc_block(3).unwrap();
    assert_eq!((first.number(), statistics().overlaps), (number, 0));
    assert!(alloc_block(3).is_none());
    assert_eq!(statistics().overlaps, 1);
}

#[test]
fn small_blocks_are_cached_and_go_back_when_memory_is_short() {
    machine(1);
    let before = statistics();
    let blocks: Vec<_> =
        (1..=4).flat_map(|order| (0..10).map(move |_| alloc_block(order).unwrap())).collect();
    drop(blocks);
    let after = statistics();
    assert_eq!(after.free_frames, before.free_frames);
    assert!(after.cached_frames > before.cached_frames && CACHE.get().len() == before.cached_frames);
    let all: Vec<_> = core::iter::from_fn(alloc_frame).collect();
    assert_eq!((all.len(), CACHE.get().frame_count()), (before.free_frames, 0));
}

#[test]
fn a_refused_claim_loses_no_frame() {
    let machine = machine(1);
    let before = statistics().free_frames;
    machine.fail_allocations_after(3);
    let got: Vec<_> = core::iter::from_fn(alloc_frame).collect();
    assert_eq!(got.len(), 3);
    assert!(alloc_block(2).is_none());
    machine.allow_allocations();
    drop(got);
    assert_eq!(statistics().free_frames, before);
}

#[test]
fn frames_cleared_ahead_are_zero_are_free_and_go_back_under_pressure() {
    Machine::builder().memory_mib(64).build();
    let before = statistics().free_frames;
    (0..100).for_each(|_| crate::memory::tend());
    let numbers = statistics();
    assert_eq!((numbers.free_frames, numbers.zeroed_frames), (before, numbers.total_frames / 2048));
    let frame = alloc_zeroed_user_frame().unwrap();
    let mut bytes = [1; 64];
    frame.read(4032, &mut bytes);
    assert_eq!((bytes, statistics().zeroed_frames + 1), ([0; 64], numbers.zeroed_frames));
    let frames: Vec<_> = core::iter::from_fn(|| alloc_user_frame().ok()).collect();
    crate::memory::tend();
    assert_eq!(statistics().zeroed_frames, 0);
    drop((frame, frames));
    assert_eq!(statistics().free_frames, before);
}

#[test]
fn cpus_trade_frames_and_none_is_lost() {
    let machine = machine(4);
    let before = statistics().free_frames;
    trade(
        machine,
        4,
        |random| {
            let order = if random.is_multiple_of(5) { (random / 8 % 4) as u8 } else { 0 };
            alloc_block(order).inspect(|block| block.write(0, &block.number().get().to_le_bytes()))
        },
        |block| {
            let mut bytes = [0; 4];
            block.read(0, &mut bytes);
            assert_eq!(u32::from_le_bytes(bytes), block.number().get(), "somebody else has this frame");
        },
    );
    assert_eq!(statistics().free_frames, before);
}

/// Lets one thread for each CPU make things, keep some and hand others to the next CPU, which gives them back.
pub(in crate::memory) fn trade<T: Send>(
    machine: Machine,
    cpus: usize,
    make: impl Fn(usize) -> Option<T> + Sync,
    give: impl Fn(T) + Sync,
) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..cpus).map(|_| std::sync::mpsc::channel()).unzip();
    std::thread::scope(|scope| {
        for (cpu, received) in receivers.into_iter().enumerate() {
            let next = senders[(cpu + 1) % cpus].clone();
            let (make, give) = (&make, &give);
            scope.spawn(move || {
                machine.act_as(CpuId::new(cpu));
                let mut kept = Vec::new();
                let mut random = cpu + 1;
                for _ in 0..20_000 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    match random % 4 {
                        // A sender lives as long as this thread, and a receiver longer than what it is sent to.
                        0 => make(random / 4).into_iter().for_each(|thing| _ = next.send(thing)),
                        1 => kept.extend(make(random / 4)),
                        2 if !kept.is_empty() => give(kept.swap_remove(random / 4 % kept.len())),
                        _ => received.try_iter().take(4).for_each(give),
                    }
                }
                drop(next);
                kept.into_iter().for_each(give);
                received.into_iter().for_each(give);
            });
        }
        drop(senders);
    });
}
