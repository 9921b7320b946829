//! The map of mappings against a plain sorted vector.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::memory::address_space::vma::{Lineage, VmFlags};

const PAGE: usize = 4096;

fn vma(start: usize, end: usize, growsdown: bool) -> Vma {
    let flags = if growsdown { VmFlags::GROWSDOWN } else { VmFlags::empty() };
    let (start, end) = (start * PAGE, end * PAGE);
    Vma { start, end, flags, lineage: Lineage::NONE, offset: (start / PAGE) as u64, object: None }
}

fn check(map: &VmaMap, model: &[Range<usize>]) {
    let ranges: Vec<_> = map.iter().map(Vma::range).collect();
    assert_eq!(ranges, model);
    assert_eq!(map.len(), model.len());
    for chunk in &map.chunks {
        assert!(!chunk.vmas.is_empty() && chunk.vmas.len() <= CHUNK);
        assert_eq!(chunk.start, chunk.vmas[0].start);
        let holes = chunk.vmas.windows(2).map(|pair| pair[1].start_with_gap().saturating_sub(pair[0].end));
        assert!(chunk.hole >= holes.max().unwrap_or(0));
    }
}

/// Tells whether `len` bytes from `start` are free of mappings and of the guard gap of the next mapping above.
fn fits(map: &VmaMap, start: usize, len: usize) -> bool {
    map.iter().find(|vma| vma.end > start).is_none_or(|vma| start + len <= vma.start_with_gap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_a_sorted_vector(ops in prop::collection::vec((0u8..10, 0usize..4000, 1usize..20), 1..300)) {
        let mut map = VmaMap::new();
        let mut model: Vec<Range<usize>> = Vec::new();
        for (op, page, len) in ops {
            let (start, end) = (page * PAGE, (page + len) * PAGE);
            match op {
                0..=5 => {
                    if model.iter().all(|other| other.end <= start || end <= other.start) {
                        map.insert(vma(page, page + len, op == 0));
                        model.push(start..end);
                        model.sort_by_key(|range| range.start);
                    }
                }
                6 => {
                    if let Some(at) = map.find(start) {
                        let gone = map.remove(at).range();
                        model.retain(|range| *range != gone);
                    }
                }
                7 => {
                    let inside = model.iter().position(|range| range.start < start && start < range.end);
                    prop_assert_eq!(map.split(start), inside.is_some());
                    if let Some(i) = inside {
                        let upper = start..model[i].end;
                        model[i].end = start;
                        model.insert(i + 1, upper);
                    }
                }
                8 => {
                    // Addresses straight after the range are free in the model too when the mapping may grow.
                    if let Some(at) = map.before(start) {
                        let limit = map.next(at).map_or(usize::MAX, |next| map.get(next).start);
                        let new_end = (map.get(at).end + len * PAGE).min(limit);
                        let old = map.get(at).range();
                        map.update(at, |vma| vma.end = new_end);
                        model.iter_mut().find(|range| **range == old).unwrap().end = new_end;
                    }
                }
                _ => {
                    // Few sizes and ends, so that one search meets what another has found out.
                    let want = [1, 97, 970][len % 3] * PAGE;
                    let bounds = start / 8..(4000 + (page % 3) * 500) * PAGE;
                    let bounds = bounds.start.next_multiple_of(PAGE)..bounds.end;
                    let (top, bottom) = (map.gap_top_down(want, bounds.clone()), map.gap_bottom_up(want, bounds.clone()));
                    let candidates = (bounds.start..bounds.end).step_by(PAGE);
                    let mut fitting = candidates.filter(|&at| at + want <= bounds.end && fits(&map, at, want));
                    prop_assert_eq!(bottom, fitting.next());
                    prop_assert_eq!(top, fitting.next_back().or(bottom));
                }
            }
            check(&map, &model);
            let expected = model.iter().find(|range| range.end > start);
            prop_assert_eq!(map.find(start).map(|at| map.get(at).range()), expected.cloned());
            let expected = model.iter().rev().find(|range| range.start < start);
            prop_assert_eq!(map.before(start).map(|at| map.get(at).range()), expected.cloned());
            if let Some(at) = map.find(start) {
                let i = model.iter().position(|range| *range == map.get(at).range()).unwrap();
                prop_assert_eq!(map.next(at).map(|at| map.get(at).range()), model.get(i + 1).cloned());
                let below = i.checked_sub(1).map(|i| model[i].clone());
                prop_assert_eq!(map.previous(at).map(|at| map.get(at).range()), below);
            }
        }
    }
}
