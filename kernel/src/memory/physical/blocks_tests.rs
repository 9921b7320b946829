//! The buddy system against a model that keeps one flag per frame.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const LARGEST: usize = 1 << MAX_ORDER;
const FRAMES: usize = 3 * LARGEST + 77;

fn blocks_with(range: Range<u32>) -> Blocks {
    let mut blocks = Blocks::leaked(FRAMES);
    for (first, order) in FrameNumber::blocks(FrameNumber::new(range.start)..FrameNumber::new(range.end)) {
        blocks.give(first, order).unwrap();
    }
    blocks
}

fn free_blocks(blocks: &Blocks) -> [usize; ORDERS] {
    let mut counts = [0; ORDERS];
    blocks.count_blocks(0..blocks.section_count(), &mut counts);
    counts
}

fn check_invariants(blocks: &Blocks, model: &[bool]) {
    let is_free =
        |frame: usize| blocks.sections[frame / LARGEST].word(frame / 64 % 64) >> (frame % 64) & 1 != 0;
    assert!((0..model.len()).all(|frame| is_free(frame) == model[frame]));
    assert_eq!(blocks.free_frames(), model.iter().filter(|&&free| free).count());

    let has = |order: u8, at: usize| {
        model.get(at..at + (1 << order)).is_some_and(|block| block.iter().all(|&free| free))
    };
    let mut counts = [0; ORDERS];
    for order in 0..=MAX_ORDER {
        for at in (0..model.len()).step_by(1 << order).filter(|&at| has(order, at)) {
            let around = at & !((2 << order) - 1);
            counts[usize::from(order)] += usize::from(order == MAX_ORDER || !has(order + 1, around));
        }
    }
    assert_eq!(free_blocks(blocks), counts);
    for (index, section) in blocks.sections.iter().enumerate() {
        let orders = (0..=MAX_ORDER).rev();
        let mut sizes = orders
            .filter(|&order| (0..LARGEST).step_by(1 << order).any(|at| has(order, index * LARGEST + at)));
        let largest = sizes.next();
        assert_eq!(section.largest(), largest.map_or(0, |order| u32::from(order) + 1));
    }
    for order in 0..ORDERS {
        let lowest = blocks.sections.iter().position(|section| section.largest() as usize == order + 1);
        assert_eq!(blocks.index.lowest(order), lowest);
    }
}

#[test]
fn all_memory_given_in_any_order_merges_into_largest_blocks() {
    let mut blocks = blocks_with(0..0);
    for frame in (0..FRAMES as u32).rev().step_by(2).chain((0..FRAMES as u32).rev().skip(1).step_by(2)) {
        blocks.give(FrameNumber::new(frame), 0).unwrap();
    }
    let free = free_blocks(&blocks);
    assert_eq!(free[12], 3);
    assert_eq!(free[..12].iter().enumerate().map(|(order, n)| n << order).sum::<usize>(), 77);
}

#[test]
fn a_block_freed_twice_is_refused_also_after_it_was_merged() {
    let mut blocks = blocks_with(0..64);
    let frame = blocks.take(0).unwrap();
    blocks.give(frame, 0).unwrap();
    assert_eq!(blocks.give(frame, 0), Err(FreeError::AlreadyFree));
    assert_eq!(blocks.give(FrameNumber::new(0), 6), Err(FreeError::AlreadyFree));
    let part = blocks.take(4).unwrap();
    let larger = FrameNumber::new(part.get() & !31);
    assert_eq!(blocks.give(larger, 5), Err(FreeError::AlreadyFree), "half of it is free");
    assert_eq!(blocks.free_frames(), 48);
}

#[test]
fn foreign_blocks_are_refused() {
    let mut blocks = blocks_with(0..0);
    assert_eq!(blocks.give(FrameNumber::new(1), 1), Err(FreeError::Foreign));
    assert_eq!(blocks.give(FrameNumber::new(0), 13), Err(FreeError::Foreign));
    assert_eq!(blocks.give(FrameNumber::new(FRAMES as u32), 0), Err(FreeError::Foreign));
    assert_eq!(blocks.give(FrameNumber::new(3 * LARGEST as u32), 12), Err(FreeError::Foreign));
}

#[test]
fn a_run_longer_than_the_largest_block_is_found_and_its_tail_kept() {
    let mut blocks = blocks_with(0..FRAMES as u32);
    let n = 2 * LARGEST - 100;
    let run = blocks.take_run(n, 1, FrameNumber::new(u32::MAX)).unwrap();
    assert_eq!((run.start.get(), run.end.get()), (0, n as u32));
    assert_eq!(blocks.free_frames(), FRAMES - n);
    assert!(blocks.take_run(2 * LARGEST, 1, FrameNumber::new(u32::MAX)).is_none());
}

#[test]
fn a_run_may_lie_in_several_blocks_and_have_any_alignment() {
    let mut blocks = blocks_with(7..FRAMES as u32);
    let any = FrameNumber::new(u32::MAX);
    // No block of eight starts at 7; the run does.
    assert_eq!(blocks_with(7..15).take_run(8, 1, any).map(|run| run.start.get()), Some(7));
    assert_eq!(blocks_with(7..15).take_run(7, 4, any).map(|run| run.start.get()), Some(8));
    assert_eq!(blocks_with(7..15).take_run(8, 4, any), None);
    assert_eq!(blocks.take_run(10, 2 * LARGEST, any).map(|run| run.start.index()), Some(2 * LARGEST));
    assert_eq!(blocks.take_run(10, 1 << 60, any), None);
    assert_eq!(blocks.take_run(10, 3, any), None);
}

#[derive(Clone, Debug)]
enum Op {
    Take(u8),
    Batch(usize),
    Run { n: usize, align: u8, limit: usize },
    Give(usize),
    GiveSingles(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0u8..13).prop_map(Op::Take),
        2 => (1usize..70).prop_map(Op::Batch),
        2 => (1usize..6000, 0u8..13, 0..FRAMES * 2).prop_map(|(n, align, limit)| Op::Run { n, align, limit }),
        5 => any::<usize>().prop_map(Op::Give),
        2 => (1usize..100).prop_map(Op::GiveSingles),
    ];
    prop::collection::vec(op, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_hands_out_a_frame_twice_or_loses_one(
        holes in prop::collection::vec((0..FRAMES as u32, 1u32..3000), 0..4),
        ops in ops(),
    ) {
        let mut model = vec![true; FRAMES];
        for (start, len) in holes {
            let end = (start + len).min(FRAMES as u32);
            model[start as usize..end as usize].fill(false);
        }
        let mut blocks = blocks_with(0..0);
        let mut at = 0;
        for run in model.chunk_by(|a, b| a == b) {
            if run[0] {
                for (first, order) in FrameNumber::blocks(FrameNumber::new(at)..FrameNumber::new(at + run.len() as u32)) {
                    blocks.give(first, order).unwrap();
                }
            }
            at += run.len() as u32;
        }
        let mut held: Vec<(FrameNumber, u8)> = Vec::new();
        let hold = |model: &mut [bool], held: &mut Vec<(FrameNumber, u8)>, first: FrameNumber, order: u8| {
            for frame in &mut model[first.index()..first.index() + (1 << order)] {
                assert!(*frame, "handed out twice");
                *frame = false;
            }
            held.push((first, order));
        };
        for op in ops {
            match op {
                Op::Take(order) => {
                    let fits = model.chunks_exact(1 << order).any(|block| block.iter().all(|&free| free));
                    match blocks.take(order) {
                        Some(first) => {
                            prop_assert!(first.is_aligned_to(order));
                            hold(&mut model, &mut held, first, order);
                        }
                        None => prop_assert!(!fits),
                    }
                }
                Op::Batch(n) => {
                    let mut got = Vec::new();
                    let free = blocks.free_frames();
                    prop_assert_eq!(blocks.take_batch(|frame| got.push(frame), n), n.min(free));
                    prop_assert_eq!(got.len(), n.min(free));
                    for frame in got {
                        hold(&mut model, &mut held, frame, 0);
                    }
                }
                Op::Run { n, align, limit } => {
                    let align_frames = 1usize << align;
                    let end = limit.min(FRAMES);
                    let mut starts = (0..(end + 1).saturating_sub(n)).step_by(align_frames);
                    let exists = starts.any(|start| model[start..start + n].iter().all(|&free| free));
                    let run = blocks.take_run(n, align_frames, FrameNumber::new(limit as u32));
                    prop_assert_eq!(run.is_some(), exists);
                    if let Some(run) = run {
                        prop_assert_eq!(run.end.index() - run.start.index(), n);
                        prop_assert!(run.start.is_aligned_to(align) && run.end.index() <= limit);
                        for (first, order) in FrameNumber::blocks(run) {
                            hold(&mut model, &mut held, first, order);
                        }
                    }
                }
                Op::GiveSingles(n) => {
                    let singles = held.iter().filter(|&&(_, order)| order == 0).map(|&(first, _)| first);
                    let singles: Vec<_> = singles.take(n).collect();
                    held.retain(|(first, order)| *order != 0 || !singles.contains(first));
                    singles.iter().for_each(|frame| model[frame.index()] = true);
                    // Each twice, and one that does not exist.
                    let none = FrameNumber::new(FRAMES as u32);
                    let twice = singles.iter().chain(&singles).copied().chain([none]);
                    prop_assert_eq!(blocks.give_batch(twice), singles.len() + 1);
                }
                Op::Give(pick) => {
                    if !held.is_empty() {
                        let (first, order) = held.swap_remove(pick % held.len());
                        prop_assert_eq!(blocks.give(first, order), Ok(()));
                        prop_assert_eq!(blocks.give(first, order), Err(FreeError::AlreadyFree));
                        model[first.index()..first.index() + (1 << order)].fill(true);
                    }
                }
            }
            check_invariants(&blocks, &model);
        }
        for (first, order) in held.drain(..) {
            prop_assert_eq!(blocks.give(first, order), Ok(()));
            model[first.index()..first.index() + (1 << order)].fill(true);
        }
        check_invariants(&blocks, &model);
    }
}
