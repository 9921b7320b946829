//! Which sections have a largest free block of which order; finds the lowest and the highest of them.
//!
//! Two bitmaps for each order: bit `i` of the lower says that section `i` is filed under the order, bit `i` of the upper
//! that word `i` of the lower is not zero. The upper is one word up to 64 GiB of memory, and looked through word by word
//! beyond. Words of all orders for the same sections lie side by side. An index without sections is all zeroes, so it
//! costs no initialisation beyond zeroed memory.
//!
//! The words are atomics only because the memory is shared by type; the owner serialises all access, and every operation
//! is relaxed.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::blocks::ORDERS;

/// A word for each order.
#[derive(Debug, Default, zerocopy::FromZeros)]
#[repr(C, align(128))]
pub struct Row([AtomicU64; 16]);

const _: () = assert!(ORDERS <= 16);

/// The sections of the machine by the order of their largest free block.
#[derive(Debug)]
pub(super) struct Index {
    lower: &'static [Row],
    upper: &'static [Row],
    /// Bit `n` is set if and only if a section is filed under order `n`.
    orders: u32,
}

impl Index {
    /// Returns how many rows [`new`](Self::new) takes for so many sections.
    pub(super) const fn rows_needed(sections: usize) -> usize {
        sections.div_ceil(64) + sections.div_ceil(64 * 64)
    }

    /// Makes an index for no sections.
    pub(super) const fn empty() -> Self {
        Self { lower: &[], upper: &[], orders: 0 }
    }

    /// Makes an index for so many sections, none of them filed, in zeroed rows. `None` when there are too few.
    pub(super) fn new(sections: usize, rows: &'static [Row]) -> Option<Self> {
        let (lower, rest) = rows.split_at_checked(sections.div_ceil(64))?;
        Some(Self { lower, upper: rest.get(..sections.div_ceil(64 * 64))?, orders: 0 })
    }

    /// Files a section under another order. Both are one more than the order, zero is none.
    pub(super) fn file(&mut self, section: usize, before: u32, after: u32) {
        let (lower, upper) = (&self.lower[section / 64].0, &self.upper[section / 64 / 64].0);
        let (bit, upper_bit) = (1 << (section % 64), 1 << (section / 64 % 64));
        if let Some(order) = before.checked_sub(1) {
            let word = &lower[order as usize % 16];
            word.store(word.load(Relaxed) & !bit, Relaxed);
            if word.load(Relaxed) == 0 {
                let word = &upper[order as usize % 16];
                word.store(word.load(Relaxed) & !upper_bit, Relaxed);
                if self.upper.iter().all(|row| row.0[order as usize % 16].load(Relaxed) == 0) {
                    self.orders &= !(1 << order);
                }
            }
        }
        if let Some(order) = after.checked_sub(1) {
            let (lower, upper) = (&lower[order as usize % 16], &upper[order as usize % 16]);
            lower.store(lower.load(Relaxed) | bit, Relaxed);
            upper.store(upper.load(Relaxed) | upper_bit, Relaxed);
            self.orders |= 1 << order;
        }
    }

    /// Returns the highest section under the lowest order from `order` on that has some.
    #[inline]
    pub(super) fn best(&self, order: u32) -> Option<usize> {
        let orders = self.orders & u32::MAX.checked_shl(order)?;
        if orders == 0 {
            return None;
        }
        let order = orders.trailing_zeros() as usize % 16;
        let uppers = self.upper.iter().map(|row| row.0[order].load(Relaxed)).enumerate();
        let (at, upper) = uppers.rev().find(|&(_, word)| word != 0)?;
        let word = at * 64 + highest(upper);
        Some(word * 64 + highest(self.lower.get(word)?.0[order].load(Relaxed)))
    }

    /// Returns the lowest section under an order.
    pub(super) fn lowest(&self, order: usize) -> Option<usize> {
        let mut uppers = self.upper.iter().map(|row| row.0[order % 16].load(Relaxed)).enumerate();
        let (at, upper) = uppers.find(|&(_, word)| word != 0)?;
        let word = at * 64 + upper.trailing_zeros() as usize;
        Some(word * 64 + self.lower.get(word)?.0[order % 16].load(Relaxed).trailing_zeros() as usize)
    }
}

/// Returns the highest bit of a word that is not zero.
#[inline]
fn highest(word: u64) -> usize {
    63 - word.leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sections_are_found_as_in_a_list(
            sections in 1usize..9000,
            changes in prop::collection::vec((0usize..9000, 0u32..=ORDERS as u32), 0..300),
        ) {
            let rows = Box::leak((0..Index::rows_needed(sections)).map(|_| Row::default()).collect());
            let mut index = Index::new(sections, rows).unwrap();
            let mut model = vec![0; sections];
            for (section, after) in changes {
                let section = section % sections;
                index.file(section, model[section], after);
                model[section] = after;
                for order in 0..ORDERS as u32 {
                    let lowest = model.iter().position(|&filed| filed == order + 1);
                    prop_assert_eq!(index.lowest(order as usize), lowest);
                    let best = model.iter().copied().filter(|&filed| filed > order).min();
                    let best = best.and_then(|best| model.iter().rposition(|&filed| filed == best));
                    prop_assert_eq!(index.best(order), best);
                }
            }
        }
    }
}
