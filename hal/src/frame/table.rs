//! Which frames are taken: one bit and one word for each.
//!
//! Blocks are claimed by their bits, 64 frames at once, all of which must have been clear. A single frame that is freed
//! stays taken and is *idle*: from then on one compare-exchange of its word claims it and one store frees it. A claim of
//! a block finds the idle frames by their bits and takes them one by one. So whoever gets a frame has changed its bit
//! from 0 to 1 or its word from idle to something else, and nobody else has.
//!
//! A taken frame that is not idle and that no owned block covers is *reserved*: no RAM, or in use since before the
//! allocator.

use core::ops::Range;

use crate::error::Error;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The word of a frame. In the first frame of an owned block bits 0 to 25 are the number of handles; bits 27 to 31 are
/// the order of the block, in other frames of it only if that was noted. All ones is idle. Otherwise it means nothing.
#[derive(Debug, Default)]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros))]
#[repr(transparent)]
pub(crate) struct FrameState(AtomicU32);

/// The bits of 64 frames, the lowest frame in the lowest bit.
#[derive(Debug, Default)]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros))]
#[repr(transparent)]
pub(crate) struct Taken(AtomicU64);

const IDLE: u32 = u32::MAX;
/// The order of a block whose bits are a word.
const WORD_ORDER: u8 = 6;
pub(super) const ORDER_SHIFT: u32 = 27;

/// The frames of a machine. Zeroed memory is a table of frames that are all free.
#[derive(Debug)]
pub(crate) struct FrameTable {
    states: &'static [FrameState],
    taken: &'static [Taken],
}

impl FrameTable {
    /// Returns how many words of bits a table of so many frames has.
    pub(crate) const fn taken_len(frames: usize) -> usize {
        frames.div_ceil(64)
    }

    /// Makes a table; frames beyond the shorter part do not exist.
    pub(crate) const fn new(states: &'static [FrameState], taken: &'static [Taken]) -> Self {
        Self { states, taken }
    }

    /// Returns the number of frames.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Returns the word of a frame.
    #[inline(always)]
    pub(super) fn state(&self, frame: usize) -> Option<&'static AtomicU32> {
        self.states.get(frame).map(|state| &state.0)
    }

    fn is_taken(&self, frame: usize) -> bool {
        let has_bit = |word: &Taken| word.0.load(Ordering::Relaxed) >> (frame % 64) & 1 != 0;
        self.taken.get(frame / 64).is_some_and(has_bit)
    }

    /// Tells whether a frame is neither owned nor reserved.
    pub(crate) fn is_free(&self, frame: usize) -> bool {
        let is_idle = |state: &AtomicU32| state.load(Ordering::Relaxed) == IDLE;
        !self.is_taken(frame) || self.state(frame).is_some_and(is_idle)
    }

    /// Reserves frames that nobody has owned yet; those beyond the end of the table are ignored.
    pub(crate) fn reserve(&self, frames: Range<usize>) {
        for (word, mask) in words(frames.start..frames.end.min(self.len())) {
            self.taken[word].0.fetch_or(mask, Ordering::Relaxed);
        }
    }

    /// Reserves frames, unless one is reserved or has been claimed before; tells whether it did.
    pub(crate) fn reserve_new(&self, frames: Range<usize>) -> bool {
        let are_new = !frames.clone().any(|frame| self.is_taken(frame));
        if are_new {
            self.reserve(frames);
        }
        are_new
    }

    /// Makes free what is reserved.
    pub(super) fn unreserve(&self, frames: Range<usize>) {
        for (word, mask) in words(frames.start..frames.end.min(self.len())) {
            self.taken[word].0.fetch_and(!mask, Ordering::Relaxed);
        }
    }

    /// Takes possession of a block, with one handle; the caller has checked that it is aligned.
    ///
    /// # Errors
    /// `OutOfRange`: there are no such frames. `InUse`: some frame is owned or reserved.
    #[inline]
    pub(super) fn claim(&self, first: usize, order: u8) -> Result<(), Error> {
        let state = self.state(first).ok_or(Error::OutOfRange)?;
        // Acquire pairs with the release in `release`: what the last owner did happened before.
        if order == 0 && state.compare_exchange(IDLE, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return Ok(());
        }
        self.take(first, order)?;
        // Relaxed: whoever asks for this word now does not own the frame.
        state.store(u32::from(order) << ORDER_SHIFT | 1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the frames of a block out of those that are free.
    #[inline(never)]
    fn take(&self, first: usize, order: u8) -> Result<(), Error> {
        let frames = first..first + (1 << order);
        if frames.end > self.len() {
            return Err(Error::OutOfRange);
        }
        for (word, mask) in words(frames.clone()) {
            // Acquire pairs with the releases in `release`, here and below.
            let mut busy = self.taken[word].0.fetch_or(mask, Ordering::Acquire) & mask;
            while busy != 0 {
                let frame = word * 64 + busy.trailing_zeros() as usize;
                let state = &self.states[frame].0;
                if state.compare_exchange(IDLE, 0, Ordering::Acquire, Ordering::Relaxed).is_err() {
                    let is_ours = |at: usize| at < frame || busy >> (at % 64) & 1 == 0;
                    let tried = frames.start..frames.end.min(word * 64 + 64);
                    tried.filter(|&at| is_ours(at)).for_each(|at| self.release(at, 0));
                    return Err(Error::InUse);
                }
                busy &= busy - 1;
            }
        }
        Ok(())
    }

    /// Makes an owned block free.
    #[inline]
    pub(super) fn release(&self, first: usize, order: u8) {
        // Release, here and below, pairs with the acquires in `claim` and `take`.
        if order == 0 {
            return self.states[first].0.store(IDLE, Ordering::Release);
        }
        if order >= WORD_ORDER {
            // Nobody else changes a word all of whose frames are owned.
            let words = first / 64..(first + (1 << order)) / 64;
            return self.taken[words].iter().for_each(|word| word.0.store(0, Ordering::Release));
        }
        let mask = u64::MAX >> (64 - (1 << order)) << (first % 64);
        self.taken[first / 64].0.fetch_and(!mask, Ordering::Release);
    }
}

/// Iterates over the words of bits that some frames have, each with the bits of those frames.
#[inline]
fn words(frames: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let mut at = frames.start;
    core::iter::from_fn(move || {
        let left = frames.end.checked_sub(at).filter(|&left| left != 0)?;
        let (word, bit) = (at / 64, at % 64);
        let n = left.min(64 - bit);
        at += n;
        Some((word, (u64::MAX >> (64 - n)) << bit))
    })
}
