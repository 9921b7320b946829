//! Free frames and small blocks that belong to one CPU, last in first out.

use core::iter;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use hal::addr::FrameNumber;

/// Single frames that a cache holds at most.
pub(super) const CAPACITY: usize = 512;
/// The largest order of a block in a cache: blocks from order 1 on.
const MAX_ORDER: usize = 4;
/// Blocks of each order that a cache holds at most.
const BLOCKS: usize = 8;

/// The cache of one CPU. Only that CPU changes it, and interrupt handlers do not allocate; the fields are atomics so that
/// other CPUs can read the lengths for statistics.
#[derive(Debug)]
pub(super) struct FrameCache {
    singles: Stack<CAPACITY>,
    blocks: [Stack<BLOCKS>; MAX_ORDER],
}

impl FrameCache {
    pub(super) const fn new() -> Self {
        Self { singles: Stack::new(), blocks: [const { Stack::new() }; MAX_ORDER] }
    }

    /// Returns the number of single frames.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.singles.len()
    }

    /// Returns the number of frames, those in blocks included.
    pub(super) fn frame_count(&self) -> usize {
        self.blocks.iter().zip(1..).fold(self.len(), |sum, (blocks, order)| sum + (blocks.len() << order))
    }

    /// Takes the frame that came last: the one whose contents are most likely in the CPU's cache.
    #[inline]
    pub(super) fn pop(&self) -> Option<FrameNumber> {
        self.singles.pop()
    }

    /// Adds a frame unless `limit` frames are there; tells whether it did.
    #[inline]
    pub(super) fn push(&self, frame: FrameNumber, limit: usize) -> bool {
        self.singles.push(frame, limit)
    }

    /// Takes a block of several frames.
    #[inline]
    pub(super) fn pop_block(&self, order: u8) -> Option<FrameNumber> {
        self.blocks.get(usize::from(order).wrapping_sub(1))?.pop()
    }

    /// Adds a block of several frames unless it is too large, or those of its order would be more than a fair part of
    /// `limit` frames; tells whether it did.
    #[inline]
    pub(super) fn push_block(&self, first: FrameNumber, order: u8, limit: usize) -> bool {
        let part = limit / MAX_ORDER;
        let blocks = self.blocks.get(usize::from(order).wrapping_sub(1));
        blocks.is_some_and(|blocks| blocks.push(first, part >> order))
    }

    /// Takes all blocks of several frames out, each with its order.
    pub(super) fn take_blocks(&self) -> impl Iterator<Item = (FrameNumber, u8)> {
        self.blocks
            .iter()
            .zip(1..)
            .flat_map(|(blocks, order)| iter::from_fn(|| blocks.pop()).map(move |first| (first, order)))
    }
}

/// A stack of frame numbers.
#[derive(Debug)]
struct Stack<const CAPACITY: usize> {
    len: AtomicUsize,
    frames: [AtomicU32; CAPACITY],
}

impl<const CAPACITY: usize> Stack<CAPACITY> {
    const fn new() -> Self {
        Self { len: AtomicUsize::new(0), frames: [const { AtomicU32::new(0) }; CAPACITY] }
    }

    #[inline]
    fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    #[inline]
    fn pop(&self) -> Option<FrameNumber> {
        let last = self.len().checked_sub(1)?;
        let frame = self.frames.get(last)?.load(Relaxed);
        self.len.store(last, Relaxed);
        Some(FrameNumber::new(frame))
    }

    #[inline]
    fn push(&self, frame: FrameNumber, limit: usize) -> bool {
        let len = self.len();
        match self.frames.get(len) {
            Some(slot) if len < limit => {
                slot.store(frame.get(), Relaxed);
                self.len.store(len + 1, Relaxed);
                true
            }
            _ => false,
        }
    }
}
