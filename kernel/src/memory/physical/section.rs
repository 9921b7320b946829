//! The free frames of a section: 4096 frames, as many as a block of the largest order has.
//!
//! A bit for each frame says whether it is free. A free block of 2^n frames is a group of bits, all ones, at a multiple of
//! its size: blocks merge and split by themselves, whatever else is free. On top there is a bitmap for each order, with a
//! bit for each of the 64 words: which words have a block of this order.
//!
//! Invariants:
//! 1. `fits[0]` has the bits of the words with a free frame, `fits[6]` those of the words that are free altogether. The
//!    contents of other words, and of these, mean nothing: a large block is taken and given without touching them.
//! 2. A word that has a block of order `n` has its bit in `fits[0..=n]`.
//! 3. `largest` is one more than the order of the largest free block; 0 if nothing is free.
//!
//! All fields are atomics only because the memory is shared by type; the owner serialises all access, and every operation
//! is relaxed.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hal::addr::MAX_ORDER;

use super::bits::{self, WHOLE};

/// Frames in a section.
pub(super) const FRAMES: usize = 1 << MAX_ORDER;
const WORDS: usize = 64;
/// Orders up to that of a word.
const WORD_ORDERS: usize = WHOLE as usize + 1;

const _: () = assert!(FRAMES == WORDS * 64);

/// Which frames of 4096 are free. Zeroed memory is a section without a free frame.
#[derive(Debug, Default, zerocopy::FromZeros)]
#[repr(C, align(64))]
pub struct Section {
    fits: [AtomicU64; WORD_ORDERS],
    largest: AtomicU64,
    words: Words,
}

#[derive(Debug, zerocopy::FromZeros)]
#[repr(transparent)]
struct Words([AtomicU64; WORDS]);

impl Default for Words {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }
}

impl Section {
    /// Returns one more than the order of the largest free block; 0 if nothing is free.
    #[inline]
    pub(super) fn largest(&self) -> u32 {
        self.largest.load(Relaxed) as u32
    }

    /// Returns the words with a block of this order, at most [`WHOLE`].
    #[inline]
    fn fits(&self, order: u32) -> u64 {
        self.fits[order as usize].load(Relaxed)
    }

    /// Returns a word; its number is taken modulo 64.
    #[inline]
    pub(super) fn word(&self, word: usize) -> u64 {
        let word = word % WORDS;
        if self.fits(WHOLE) >> word & 1 != 0 {
            u64::MAX
        } else if self.fits(0) >> word & 1 != 0 {
            self.words.0[word].load(Relaxed)
        } else {
            0
        }
    }

    /// Changes a word.
    #[inline]
    pub(super) fn set_word(&self, word: usize, new: u64) {
        let word = word % WORDS;
        self.words.0[word].store(new, Relaxed);
        let bit = 1 << word;
        let whole = self.fits(WHOLE);
        // As many orders as fit now have the bit; by invariant 2 those above have lost it from the lowest on, those below
        // had it up to the highest.
        let orders = if new == 0 { 0 } else { bits::largest(new) as usize + 1 };
        for fits in &self.fits[orders..] {
            let old = fits.load(Relaxed);
            if old & bit == 0 {
                break;
            }
            fits.store(old & !bit, Relaxed);
        }
        for fits in self.fits[..orders].iter().rev() {
            let old = fits.load(Relaxed);
            if old & bit != 0 {
                break;
            }
            fits.store(old | bit, Relaxed);
        }
        if whole == 0 || whole != self.fits(WHOLE) {
            self.update_largest();
        }
    }

    /// Adds or removes whole words.
    #[inline]
    fn set_words(&self, words: u64, are_free: bool) {
        for fits in &self.fits {
            let old = fits.load(Relaxed);
            fits.store(if are_free { old | words } else { old & !words }, Relaxed);
        }
        self.update_largest();
    }

    #[inline]
    fn update_largest(&self) {
        let whole = self.fits(WHOLE);
        let largest = if whole != 0 {
            WHOLE + bits::largest(whole) + 1
        } else {
            (0..WHOLE).rev().find(|&order| self.fits(order) != 0).map_or(0, |order| order + 1)
        };
        self.largest.store(largest.into(), Relaxed);
    }

    /// Takes a block of this order; there is one. Words that have nothing larger come first, then those that are cut
    /// already, then one that is whole and no part of a block of eight, which is the size of a large page.
    #[inline]
    pub(super) fn take(&self, order: u32) -> usize {
        if order >= WHOLE {
            let first = bits::best_fit(self.fits(WHOLE), order - WHOLE);
            self.set_words(bits::group(first, order - WHOLE), false);
            return 64 * first as usize;
        }
        let at = self.good_word(order);
        let word = self.word(at);
        let first = bits::good_fit(word, order);
        self.set_word(at, word & !bits::group(first, order));
        64 * at + first as usize
    }

    /// Returns a word with a block of this order, below [`WHOLE`]; there is one. See [`take`](Self::take).
    #[inline]
    pub(super) fn good_word(&self, order: u32) -> usize {
        let (fit, whole) = (self.fits(order), self.fits(WHOLE));
        let very = fit & !self.fits(order + 1);
        let cut = fit & !whole;
        let words = if very != 0 { very } else { cut };
        if words != 0 { 63 - words.leading_zeros() as usize } else { bits::spare_bit(whole) as usize }
    }

    /// Takes a block that is free.
    pub(super) fn remove(&self, first: usize, order: u32) {
        if order < WHOLE {
            self.set_word(first / 64, self.word(first / 64) & !bits::group(first as u32 % 64, order));
        } else {
            self.set_words(bits::group((first / 64) as u32, order - WHOLE), false);
        }
    }

    /// Makes a block free, unless some frame of it is; tells whether it did.
    #[inline]
    pub(super) fn give(&self, first: usize, order: u32) -> bool {
        if order < WHOLE {
            let (word, group) = (self.word(first / 64), bits::group(first as u32 % 64, order));
            if word & group != 0 {
                return false;
            }
            self.set_word(first / 64, word | group);
        } else {
            let words = bits::group((first / 64) as u32, order - WHOLE);
            if self.fits(0) & words != 0 {
                return false;
            }
            self.set_words(words, true);
        }
        true
    }

    /// Returns the lowest free block of this order, cut or not.
    pub(super) fn first_fit(&self, order: u32) -> Option<usize> {
        (0..FRAMES).step_by(1 << order).find(|&first| self.is_all(first, order))
    }

    /// Tells whether all frames of a block are free; the block is aligned to its size.
    pub(super) fn is_all(&self, first: usize, order: u32) -> bool {
        let (set, group) = if order < WHOLE {
            (self.word(first / 64), bits::group(first as u32 % 64, order))
        } else {
            (self.fits(WHOLE), bits::group((first / 64) as u32, order - WHOLE))
        };
        set & group == group
    }

    /// Counts the free blocks of each order.
    pub(super) fn count_blocks(&self, mut add: impl FnMut(u32, usize)) {
        let mut parts = self.fits(0) & !self.fits(WHOLE);
        while parts != 0 {
            bits::count(self.word(parts.trailing_zeros() as usize), &mut add);
            parts &= parts - 1;
        }
        bits::count(self.fits(WHOLE), |order, n| add(WHOLE + order, n));
    }
}
