//! The mappings of an address space in address order.
//!
//! A vector of chunks of at most [`CHUNK`] mappings: a look-up is two binary searches over contiguous memory, an
//! insertion moves at most one chunk, and a search for free addresses skips chunks without a large enough hole.
//!
//! Invariants:
//! 1. Mappings are not empty, page-aligned, ascending and disjoint.
//! 2. No chunk is empty; `Chunk::start` is the start of its first mapping.
//! 3. `Chunk::hole` is no smaller than the largest hole between two mappings of the chunk, guard gaps deducted.
//! 4. What `Searched` claims is true: whatever may make addresses free moves its lower end up.

use alloc::vec::Vec;
use core::cmp::max;
use core::ops::Range;

use linux_abi::errno::Errno;

use super::vma::{STACK_GUARD_GAP, Vma};
use crate::memory::fallible;

/// Mappings in a chunk: 20 of 48 bytes fill a 1 KiB slot.
const CHUNK: usize = 20;

const _: () = assert!(size_of::<Vma>() <= 48);

struct Chunk {
    start: usize,
    /// Upper bound; `usize::MAX` when unknown.
    hole: usize,
    vmas: Vec<Vma>,
}

impl Chunk {
    fn new(vmas: Vec<Vma>) -> Self {
        Self { start: vmas[0].start, hole: usize::MAX, vmas }
    }

    fn touch(&mut self) {
        self.start = self.vmas[0].start;
        self.hole = usize::MAX;
    }
}

/// The place of a mapping; any insertion or removal invalidates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    chunk: usize,
    index: usize,
}

/// What earlier searches from the top have found out: between `from` and `top` there is no hole of `len` bytes or more.
/// So a program that maps again and again does not search through all it has mapped before.
#[derive(Clone, Copy)]
struct Searched {
    len: usize,
    from: usize,
    top: usize,
}

impl Searched {
    const NOTHING: Self = Self { len: usize::MAX, from: usize::MAX, top: 0 };

    /// Whether the claim says anything about this search.
    fn covers(&self, len: usize, end: usize) -> bool {
        len >= self.len && end <= self.top
    }
}

/// The mappings of an address space.
pub(super) struct VmaMap {
    chunks: Vec<Chunk>,
    len: usize,
    searched: Searched,
}

impl Default for VmaMap {
    fn default() -> Self {
        Self::new()
    }
}

impl VmaMap {
    /// Makes an empty map.
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0, searched: Searched::NOTHING }
    }

    /// Returns the number of mappings.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the place of the first mapping that ends above `addr` (`find_vma`).
    pub(super) fn find(&self, addr: usize) -> Option<Position> {
        // The last chunk that starts at or below `addr` contains the mapping, or it is the first of the next chunk.
        let chunk = self.chunks.partition_point(|chunk| chunk.start <= addr).saturating_sub(1);
        let index = self.chunks.get(chunk)?.vmas.partition_point(|vma| vma.end <= addr);
        if index < self.chunks[chunk].vmas.len() {
            Some(Position { chunk, index })
        } else if chunk + 1 < self.chunks.len() {
            Some(Position { chunk: chunk + 1, index: 0 })
        } else {
            None
        }
    }

    /// Returns the mapping that contains `addr`.
    pub(super) fn containing(&self, addr: usize) -> Option<&Vma> {
        self.find(addr).map(|at| self.get(at)).filter(|vma| vma.start <= addr)
    }

    pub(super) fn get(&self, at: Position) -> &Vma {
        &self.chunks[at.chunk].vmas[at.index]
    }

    /// Returns a mapping for change. Its range may only grow into free addresses or shrink, and never become empty.
    pub(super) fn update<R>(&mut self, at: Position, change: impl FnOnce(&mut Vma) -> R) -> R {
        let chunk = &mut self.chunks[at.chunk];
        let vma = &mut chunk.vmas[at.index];
        let old_end = vma.end;
        let result = change(vma);
        let end = max(old_end, vma.end);
        chunk.touch();
        self.forget_below_next(at, end);
        result
    }

    /// Takes note that addresses next to a mapping, or its own up to `end`, may have become free. What lies below all
    /// claims needs no note.
    fn forget_below_next(&mut self, at: Position, end: usize) {
        if end <= self.searched.from {
            return;
        }
        let next = self.next(at).map_or(usize::MAX, |next| self.get(next).start);
        self.searched.from = max(self.searched.from, next);
    }

    pub(super) fn next(&self, at: Position) -> Option<Position> {
        if at.index + 1 < self.chunks[at.chunk].vmas.len() {
            Some(Position { index: at.index + 1, ..at })
        } else {
            (at.chunk + 1 < self.chunks.len()).then_some(Position { chunk: at.chunk + 1, index: 0 })
        }
    }

    pub(super) fn previous(&self, at: Position) -> Option<Position> {
        if at.index > 0 {
            return Some(Position { index: at.index - 1, ..at });
        }
        let chunk = at.chunk.checked_sub(1)?;
        Some(Position { chunk, index: self.chunks[chunk].vmas.len() - 1 })
    }

    /// Returns the place of the last mapping that starts below `addr`.
    pub(super) fn before(&self, addr: usize) -> Option<Position> {
        let chunk = self.chunks.partition_point(|chunk| chunk.start < addr).checked_sub(1)?;
        let index = self.chunks[chunk].vmas.partition_point(|vma| vma.start < addr) - 1;
        Some(Position { chunk, index })
    }

    /// Sees to it that `n` mappings can be added without a long list growing: chunks come from the kernel's reserve.
    ///
    /// # Errors
    /// `ENOMEM`.
    #[inline]
    pub(super) fn make_room(&mut self, n: usize) -> Result<(), Errno> {
        if self.chunks.capacity() - self.chunks.len() >= n {
            return Ok(());
        }
        fallible::make_room(&mut self.chunks, n)
    }

    /// Adds a mapping whose addresses are free. [`make_room`](Self::make_room) comes first.
    pub(super) fn insert(&mut self, vma: Vma) {
        debug_assert!(vma.start < vma.end);
        self.len += 1;
        let at = self.chunks.partition_point(|chunk| chunk.start <= vma.start).saturating_sub(1);
        let Some(chunk) = self.chunks.get_mut(at) else {
            let mut vmas = Vec::with_capacity(CHUNK);
            vmas.push(vma);
            self.chunks.push(Chunk::new(vmas));
            return;
        };
        if chunk.vmas.len() == CHUNK {
            let mut upper = Vec::with_capacity(CHUNK);
            if chunk.vmas[CHUNK - 1].start < vma.start {
                // Of mappings that come in order, as in fork, every chunk gets full.
                upper.push(vma);
                self.chunks.insert(at + 1, Chunk::new(upper));
                return;
            }
            upper.extend(chunk.vmas.drain(CHUNK / 2..));
            let into_upper = upper[0].start <= vma.start;
            self.chunks.insert(at + 1, Chunk::new(upper));
            return self.insert_into(if into_upper { at + 1 } else { at }, vma);
        }
        self.insert_into(at, vma);
    }

    fn insert_into(&mut self, at: usize, vma: Vma) {
        let chunk = &mut self.chunks[at];
        let index = chunk.vmas.partition_point(|other| other.start < vma.start);
        debug_assert!(index == 0 || chunk.vmas[index - 1].end <= vma.start);
        debug_assert!(chunk.vmas.get(index).is_none_or(|other| vma.end <= other.start));
        let start = vma.start;
        chunk.vmas.insert(index, vma);
        chunk.touch();
        // In the guard gap of a stack: below it the gap no longer counts.
        if start > self.searched.from
            && let Some(next) = self.next(Position { chunk: at, index })
            && self.get(next).start_with_gap() < start
        {
            self.searched.from = start;
        }
    }

    /// Takes a mapping out.
    pub(super) fn remove(&mut self, at: Position) -> Vma {
        self.len -= 1;
        self.forget_below_next(at, self.get(at).end);
        let chunk = &mut self.chunks[at.chunk];
        let vma = chunk.vmas.remove(at.index);
        if chunk.vmas.is_empty() {
            self.chunks.remove(at.chunk);
        } else {
            chunk.touch();
        }
        vma
    }

    /// Splits the mapping that contains both sides of `addr`, if there is one; tells whether.
    pub(super) fn split(&mut self, addr: usize) -> bool {
        let Some(at) = self.find(addr).filter(|&at| self.get(at).start < addr) else { return false };
        let upper = self.update(at, |vma| vma.split_off(addr));
        self.insert(upper);
        true
    }

    /// Iterates over the mappings that end above `addr`.
    pub(super) fn iter_from(&self, addr: usize) -> impl Iterator<Item = &Vma> {
        let mut at = self.find(addr);
        core::iter::from_fn(move || {
            let here = at?;
            at = self.next(here);
            Some(self.get(here))
        })
    }

    /// Iterates over all mappings.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> {
        self.chunks.iter().flat_map(|chunk| &chunk.vmas)
    }

    /// Iterates over the mappings that have a part in `range`.
    pub(super) fn overlapping(&self, range: Range<usize>) -> impl Iterator<Item = &Vma> {
        let end = range.end;
        self.iter_from(range.start).take_while(move |vma| vma.start < end)
    }

    /// Finds the highest `len` free bytes within `bounds`, clear of the guard gaps of stacks.
    pub(super) fn gap_top_down(&mut self, len: usize, bounds: Range<usize>) -> Option<usize> {
        let is_covered = self.searched.covers(len, bounds.end);
        let end = if is_covered { bounds.end.min(self.searched.from) } else { bounds.end };
        let start = self.search_down(len, bounds.start..end)?;
        // A claim about smaller holes says more than one about larger ones.
        if !is_covered || len == self.searched.len {
            let is_joined = is_covered && self.searched.from <= bounds.end;
            let top = if is_joined { self.searched.top } else { bounds.end };
            self.searched = Searched { len, from: start + len, top };
        }
        Some(start)
    }

    fn search_down(&mut self, len: usize, bounds: Range<usize>) -> Option<usize> {
        let below = self.chunks.partition_point(|chunk| chunk.start < bounds.end);
        // Free addresses end here: at the mapping above.
        let above = self.chunks.get(below).map_or(usize::MAX, |chunk| chunk.vmas[0].start_with_gap());
        let mut ceiling = bounds.end.min(above);
        for chunk in self.chunks[..below].iter_mut().rev() {
            if chunk.hole < len {
                if let Some(start) = fits_below(chunk, ceiling, len, &bounds) {
                    return Some(start);
                }
                ceiling = bounds.end.min(chunk.vmas[0].start_with_gap());
                continue;
            }
            let mut hole = 0;
            for (i, vma) in chunk.vmas.iter().enumerate().rev() {
                if i + 1 < chunk.vmas.len() {
                    hole = max(hole, chunk.vmas[i + 1].start_with_gap().saturating_sub(vma.end));
                }
                if let Some(start) = ceiling.checked_sub(len)
                    && start >= max(vma.end, bounds.start)
                {
                    return Some(start);
                }
                ceiling = bounds.end.min(vma.start_with_gap());
                if vma.start < bounds.start {
                    return None;
                }
            }
            chunk.hole = hole;
        }
        ceiling.checked_sub(len).filter(|&start| start >= bounds.start)
    }

    /// Finds the lowest `len` free bytes within `bounds`, clear of the guard gaps of stacks.
    pub(super) fn gap_bottom_up(&self, len: usize, bounds: Range<usize>) -> Option<usize> {
        let mut floor = bounds.start;
        for vma in self.iter_from(bounds.start) {
            if floor.checked_add(len)? <= vma.start_with_gap().min(bounds.end) {
                return Some(floor);
            }
            floor = max(floor, vma.end);
        }
        (floor.checked_add(len)? <= bounds.end).then_some(floor)
    }

    /// Tells whether a mapping of `range` overlaps none and keeps clear of the guard gap of the stack above.
    pub(super) fn is_free(&self, range: Range<usize>) -> bool {
        self.iter_from(range.start).next().is_none_or(|vma| range.end <= vma.start_with_gap())
    }

    /// Tells whether a stack may grow down to `start`: no accessible mapping other than a stack lies within the gap.
    pub(super) fn has_guard_gap(&self, start: usize) -> bool {
        let Some(below) = self.before(start) else { return true };
        let below = self.get(below);
        below.flags.contains(super::vma::VmFlags::GROWSDOWN)
            || !below.is_accessible()
            || start.saturating_sub(below.end) >= STACK_GUARD_GAP
    }
}

/// Tries the hole between the last mapping of `chunk` and `ceiling`.
fn fits_below(chunk: &Chunk, ceiling: usize, len: usize, bounds: &Range<usize>) -> Option<usize> {
    let floor = max(chunk.vmas.last()?.end, bounds.start);
    ceiling.checked_sub(len).filter(|&start| start >= floor)
}

#[cfg(test)]
#[path = "vma_map_tests.rs"]
mod tests;
