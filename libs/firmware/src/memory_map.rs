//! Sets of physical memory: what is RAM, and what of it is free before the frame allocator is up.
//!
//! Pure: works on numbers, so that it is tested on the host with maps that no sane firmware makes.

use core::ops::Range;

use arrayvec::ArrayVec;

/// Ranges kept; a map with more loses its smallest.
const MAX_RANGES: usize = 128;
/// Bytes of a frame.
const PAGE: u64 = 4096;
/// End of the physical memory that a frame number can name (16 TiB).
pub const MAX_PHYS: u64 = (u32::MAX as u64) << 12;

/// A set of whole frames, as ascending, disjoint, non-adjacent ranges of bytes.
#[derive(Clone, Debug, Default)]
pub struct MemoryMap {
    ranges: ArrayVec<Range<u64>, MAX_RANGES>,
}

impl MemoryMap {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self { ranges: ArrayVec::new_const() }
    }

    /// Iterates over the ranges, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + Clone + '_ {
        self.ranges.iter().cloned()
    }

    /// Returns the end of the last range, 0 if there is none.
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.end)
    }

    /// Returns the number of bytes.
    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Tells whether all bytes of a range belong to the set.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        self.ranges.iter().any(|own| own.start <= range.start && range.end <= own.end)
    }

    /// Adds the whole frames inside a range.
    pub fn add(&mut self, range: Range<u64>) {
        let Some(start) = range.start.checked_next_multiple_of(PAGE) else { return };
        let end = (range.end.min(MAX_PHYS)) & !(PAGE - 1);
        if start >= end {
            return;
        }
        let mut new = start..end;
        // Swallow all that overlap or touch.
        self.ranges.retain(|old| {
            let apart = old.end < new.start || new.end < old.start;
            if !apart {
                new = old.start.min(new.start)..old.end.max(new.end);
            }
            apart
        });
        let at = self.ranges.partition_point(|old| old.start < new.start);
        self.insert(at, new);
    }

    /// Removes every frame that a range touches.
    pub fn remove(&mut self, range: Range<u64>) {
        let start = range.start & !(PAGE - 1);
        let end = range.end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        if range.start >= range.end {
            return;
        }
        let mut i = 0;
        while i < self.ranges.len() {
            let old = self.ranges[i].clone();
            if old.end <= start || end <= old.start {
                i += 1;
                continue;
            }
            self.ranges.remove(i);
            if end < old.end {
                self.insert(i, end..old.end);
            }
            if old.start < start {
                self.insert(i, old.start..start);
            }
        }
    }

    /// Removes everything from `end` on.
    pub fn limit(&mut self, end: u64) {
        self.remove(end..u64::MAX);
    }

    /// Takes `len` bytes, rounded up to whole frames, from the lowest place that has them between `from` and `below`.
    pub fn allocate(&mut self, len: u64, from: u64, below: u64) -> Option<u64> {
        let len = len.checked_next_multiple_of(PAGE)?;
        let start = self.ranges.iter().find_map(|range| {
            let start = range.start.max(from.checked_next_multiple_of(PAGE)?);
            let end = start.checked_add(len)?;
            (end <= range.end.min(below)).then_some(start)
        })?;
        self.remove(start..start + len);
        Some(start)
    }

    fn insert(&mut self, at: usize, new: Range<u64>) {
        if let Err(full) = self.ranges.try_insert(at, new) {
            let new = full.element();
            let size = |range: &Range<u64>| range.end - range.start;
            let smallest = (0..self.ranges.len()).min_by_key(|&i| size(&self.ranges[i]));
            if let Some(i) = smallest
                && size(&self.ranges[i]) < size(&new)
            {
                self.ranges.remove(i);
                let at = self.ranges.partition_point(|old| old.start < new.start);
                self.ranges.insert(at, new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(map: &MemoryMap) -> Vec<(u64, u64)> {
        map.iter().map(|range| (range.start, range.end)).collect()
    }

    fn map(ranges: &[(u64, u64)]) -> MemoryMap {
        let mut map = MemoryMap::default();
        ranges.iter().for_each(|&(start, end)| map.add(start..end));
        map
    }

    #[test]
    fn ranges_are_whole_frames_sorted_and_merged() {
        let map =
            map(&[(0x5000, 0x8000), (0x1001, 0x2fff), (0x3000, 0x5000), (0x9000, 0x9fff), (5, 5), (9, 2)]);
        assert_eq!(list(&map), [(0x3000, 0x8000)]);
    }

    #[test]
    fn removal_takes_every_frame_it_touches_and_splits() {
        let mut map = map(&[(0x1000, 0x9000)]);
        map.remove(0x3001..0x3002);
        map.remove(0x8fff..u64::MAX);
        map.remove(0x5000..0x5000);
        assert_eq!(list(&map), [(0x1000, 0x3000), (0x4000, 0x8000)]);
        map.limit(0x5000);
        assert_eq!(list(&map), [(0x1000, 0x3000), (0x4000, 0x5000)]);
        assert!(map.contains(&(0x1000..0x3000)) && !map.contains(&(0x2000..0x4000)));
    }

    #[test]
    fn numbers_at_the_edge_do_not_wrap() {
        let map = map(&[(0, u64::MAX), (u64::MAX - 5, u64::MAX)]);
        assert_eq!(list(&map), [(0, MAX_PHYS)]);
    }

    #[test]
    fn allocation_takes_the_lowest_fit_within_the_limits() {
        let mut map = map(&[(0x1000, 0x3000), (0x10_0000, 0x10_8000), (0x1_0000_0000, 0x1_0010_0000)]);
        assert_eq!(map.allocate(1, 0x10_0000, 1 << 32), Some(0x10_0000));
        assert_eq!(map.allocate(0x8000, 0x10_0000, 1 << 32), None);
        assert_eq!(map.allocate(0x8000, 0x10_0000, u64::MAX), Some(0x1_0000_0000));
        assert_eq!(map.allocate(0x1000, 0, 0x10_0000), Some(0x1000));
        assert_eq!(map.allocate(u64::MAX, 0, u64::MAX), None);
        assert_eq!(list(&map), [(0x2000, 0x3000), (0x10_1000, 0x10_8000), (0x1_0000_8000, 0x1_0010_0000)]);
    }

    #[test]
    fn a_map_with_too_many_pieces_keeps_the_largest() {
        let mut map = MemoryMap::default();
        for i in 0..200u64 {
            let start = i * 0x100_0000;
            map.add(start..start + 0x1000 * (1 + i % 7));
        }
        map.add(0x800_0000_0000..0xf00_0000_0000);
        assert_eq!(map.ranges.len(), MAX_RANGES);
        assert!(
            map.total() > 0x700_0000_0000 && map.ranges.windows(2).all(|pair| pair[0].end < pair[1].start)
        );
        // Splitting a full map must not fail either.
        map.remove(0xa00_0000_0000..0xa00_0000_1000);
        assert!(map.contains(&(0xb00_0000_0000..0xc00_0000_0000)));
    }
}
