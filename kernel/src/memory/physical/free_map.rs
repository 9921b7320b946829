//! A set of block numbers that finds its lowest and highest member in a handful of instructions.
//!
//! A tree of bitmaps with 64 children a node: bit `i` of level 0 says that block `i` is a member, bit `i` of level
//! `n + 1` that word `i` of level `n` is not zero. Adding and removing touch one word, and one more per level only when
//! a word becomes or stops being zero. An empty set is all zeroes, so it costs no initialisation beyond zeroed memory.
//!
//! The words are atomics only because the memory is shared by type; the owner of the set serialises all access, and
//! every operation is relaxed.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Levels that suffice for 2^32 blocks.
const MAX_LEVELS: usize = 6;

/// Returns how many words the levels of a set of `blocks` block numbers take, lowest level first, and their number.
const fn level_words(blocks: usize) -> ([usize; MAX_LEVELS], usize) {
    let mut words = [0; MAX_LEVELS];
    let mut level = 0;
    let mut n = blocks;
    loop {
        n = n.div_ceil(64);
        words[level] = n;
        level += 1;
        if n <= 1 || level == MAX_LEVELS {
            return (words, level);
        }
    }
}

/// A set of the numbers `0..blocks`.
#[derive(Debug)]
pub(super) struct FreeMap {
    levels: [&'static [AtomicU64]; MAX_LEVELS],
    depth: usize,
    count: usize,
}

impl FreeMap {
    /// Returns how many words [`new`](Self::new) takes for a set of `blocks` numbers.
    pub(super) const fn words_needed(blocks: usize) -> usize {
        let (words, depth) = level_words(blocks);
        let mut sum = 0;
        let mut level = 0;
        while level < depth {
            sum += words[level];
            level += 1;
        }
        sum
    }

    /// Makes the empty set of a range with no numbers.
    pub(super) const fn empty() -> Self {
        Self { levels: [&[]; MAX_LEVELS], depth: 0, count: 0 }
    }

    /// Makes an empty set of the numbers `0..blocks` in zeroed `memory` of [`words_needed`](Self::words_needed) words;
    /// returns the rest of `memory` too. `None` when `memory` is too short.
    pub(super) fn new(blocks: usize, memory: &'static [AtomicU64]) -> Option<(Self, &'static [AtomicU64])> {
        let (words, depth) = level_words(blocks);
        let mut map = Self { levels: [&[]; MAX_LEVELS], depth, count: 0 };
        let mut rest = memory;
        for (level, &n) in map.levels.iter_mut().zip(&words).take(depth) {
            (*level, rest) = rest.split_at_checked(n)?;
        }
        Some((map, rest))
    }

    /// Returns the number of members.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the number of members below `end`. Looks at each word of the range, unless that is all.
    pub(super) fn count_below(&self, end: usize) -> usize {
        let words = self.levels[0];
        if end >= words.len() * 64 {
            return self.count;
        }
        let ones = |word: &AtomicU64| word.load(Relaxed).count_ones() as usize;
        let last = words[end / 64].load(Relaxed) & !(u64::MAX << (end % 64));
        words[..end / 64].iter().map(ones).sum::<usize>() + last.count_ones() as usize
    }

    /// Tells whether `block` is a member; numbers out of range never are.
    #[inline]
    pub(super) fn contains(&self, block: usize) -> bool {
        match self.levels[0].get(block / 64) {
            Some(word) => word.load(Relaxed) >> (block % 64) & 1 != 0,
            None => false,
        }
    }

    /// Adds a number that is no member and is in range.
    #[inline]
    pub(super) fn insert(&mut self, block: usize) {
        self.count += 1;
        let mut at = block;
        for level in &self.levels[..self.depth] {
            let word = &level[at / 64];
            let old = word.load(Relaxed);
            word.store(old | 1 << (at % 64), Relaxed);
            if old != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// Removes a number; returns false when it was no member.
    #[inline]
    pub(super) fn remove(&mut self, block: usize) -> bool {
        if !self.contains(block) {
            return false;
        }
        self.count -= 1;
        let mut at = block;
        for level in &self.levels[..self.depth] {
            let word = &level[at / 64];
            let new = word.load(Relaxed) & !(1 << (at % 64));
            word.store(new, Relaxed);
            if new != 0 {
                break;
            }
            at /= 64;
        }
        true
    }

    /// Returns the lowest member.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        self.descend(u64::trailing_zeros)
    }

    /// Returns the highest member.
    #[inline]
    pub(super) fn last(&self) -> Option<usize> {
        self.descend(|word| 63 - word.leading_zeros())
    }

    /// Follows one non-zero child from the root down; `pick` chooses the bit of a non-zero word.
    #[inline]
    fn descend(&self, pick: impl Fn(u64) -> u32) -> Option<usize> {
        if self.count == 0 {
            return None;
        }
        let mut at = 0;
        for level in self.levels[..self.depth].iter().rev() {
            at = at * 64 + pick(level[at].load(Relaxed)) as usize;
        }
        Some(at)
    }

    /// Returns the lowest member that is at least `from`.
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut at = from;
        for (depth, level) in self.levels[..self.depth].iter().enumerate() {
            let word = level.get(at / 64)?.load(Relaxed) & u64::MAX << (at % 64);
            if word == 0 {
                at = at / 64 + 1;
                continue;
            }
            at = at / 64 * 64 + word.trailing_zeros() as usize;
            for below in self.levels[..depth].iter().rev() {
                at = at * 64 + below[at].load(Relaxed).trailing_zeros() as usize;
            }
            return Some(at);
        }
        None
    }

    /// Tells whether one of `n` numbers from `start` on is a member; `n` is a power of two and `start` a multiple of it.
    #[inline]
    pub(super) fn has_any(&self, start: usize, n: usize) -> bool {
        let words = self.levels[0];
        if n < 64 {
            let mask = ((1 << n) - 1) << (start % 64);
            return words.get(start / 64).is_some_and(|word| word.load(Relaxed) & mask != 0);
        }
        let range = words.get(start / 64..words.len().min((start + n) / 64)).unwrap_or_default();
        range.iter().any(|word| word.load(Relaxed) != 0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    use super::*;

    fn map(blocks: usize) -> FreeMap {
        let memory = (0..FreeMap::words_needed(blocks)).map(|_| AtomicU64::new(0)).collect::<Box<_>>();
        let (map, rest) = FreeMap::new(blocks, Box::leak(memory)).unwrap();
        assert!(rest.is_empty());
        map
    }

    #[test]
    fn sizes_at_the_edges() {
        assert_eq!(FreeMap::words_needed(1), 1);
        assert_eq!(FreeMap::words_needed(64), 1);
        assert_eq!(FreeMap::words_needed(65), 3);
        assert_eq!(FreeMap::words_needed(64 * 64), 65);
        assert_eq!(level_words(1 << 32).1, 6);
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_set(blocks in 1usize..9000, ops in prop::collection::vec((any::<bool>(), 0usize..9000), 0..400)) {
            let mut map = map(blocks);
            let mut model = BTreeSet::new();
            for (add, block) in ops {
                let block = block % blocks;
                prop_assert_eq!(map.contains(block), model.contains(&block));
                if add {
                    if model.insert(block) {
                        map.insert(block);
                    }
                } else {
                    prop_assert_eq!(map.remove(block), model.remove(&block));
                }
                prop_assert_eq!(map.first(), model.first().copied());
                prop_assert_eq!(map.last(), model.last().copied());
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.next(block), model.range(block..).next().copied());
                for n in [1, 4, 32, 64, 256] {
                    let start = block / n * n;
                    prop_assert_eq!(map.has_any(start, n), model.range(start..start + n).next().is_some());
                }
                prop_assert_eq!(map.count_below(block), model.range(..block).count());
            }
        }
    }
}
