//! A word of 64 units, a bit each, as buddies see it: groups of 2^n bits that are all ones, at multiples of 2^n.

/// The order of a group that is the whole word.
pub(super) const WHOLE: u32 = 6;

/// Where groups of each order begin.
const STARTS: [u64; WHOLE as usize + 1] = [
    u64::MAX,
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
    1,
];

/// Returns the bits of a group; `order` is at most [`WHOLE`].
#[inline]
pub(super) const fn group(at: u32, order: u32) -> u64 {
    u64::MAX >> (64 - (1 << order)) << at
}

/// Returns where the groups of the next order begin, from where those of `order` do.
#[inline(always)]
const fn merge(groups: u64, order: u32) -> u64 {
    groups & groups >> (1 << order) & STARTS[order as usize + 1]
}

/// Returns the order of the largest group of a word that is not zero.
#[inline]
pub(super) const fn largest(word: u64) -> u32 {
    // The bits from which on 2^n ones follow, wherever that is; a group is where it is at a multiple too.
    let two = word & word >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    if eight & STARTS[3] == 0 {
        return if four & STARTS[2] != 0 { 2 } else { (two & STARTS[1] != 0) as u32 };
    }
    let sixteen = eight & eight >> 8;
    if sixteen & STARTS[4] == 0 {
        return 3;
    }
    let half = sixteen & sixteen >> 16;
    if half & STARTS[5] == 0 { 4 } else { 5 + (word == u64::MAX) as u32 }
}

/// Returns where the groups of this order begin.
#[inline]
const fn groups(word: u64, order: u32) -> u64 {
    // The bits from which on 2^n ones follow, wherever that is.
    let two = word & word >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    // Constants everywhere: shifts by a variable and tables take longer.
    match order {
        0 => word,
        1 => two & STARTS[1],
        2 => four & STARTS[2],
        3 => eight & STARTS[3],
        4 => sixteen & STARTS[4],
        5 => sixteen & sixteen >> 16 & STARTS[5],
        _ => (word == u64::MAX) as u64,
    }
}

/// Returns a bit that is one, the highest of those outside groups of eight, or the highest. The word is not zero.
#[inline]
pub(super) const fn spare_bit(word: u64) -> u32 {
    let outside = word & !(groups(word, 3) * 0xff);
    63 - if outside != 0 { outside } else { word }.leading_zeros()
}

/// Returns where a group of this order, at most [`WHOLE`], begins: the highest in the highest of the smallest groups that
/// are no part of a larger one. The word has such a group.
#[inline]
pub(super) const fn best_fit(word: u64, order: u32) -> u32 {
    let mut groups = groups(word, order);
    let mut size = order;
    while size < WHOLE {
        let merged = merge(groups, size);
        let alone = groups & !(merged | merged << (1 << size));
        if alone != 0 {
            groups = alone;
            break;
        }
        groups = merged;
        size += 1;
    }
    63 - groups.leading_zeros() + (1 << size) - (1 << order)
}

/// Returns where a group of this order, below [`WHOLE`], begins: the highest of those whose buddy is not all ones, or the
/// highest. The word has one. Cheaper than [`best_fit`].
#[inline]
pub(super) const fn good_fit(word: u64, order: u32) -> u32 {
    let groups = groups(word, order);
    let merged = merge(groups, order);
    let alone = groups & !(merged | merged << (1 << order));
    63 - if alone != 0 { alone } else { groups }.leading_zeros()
}

/// Counts the groups of each order that are no part of a larger one.
pub(super) fn count(word: u64, mut add: impl FnMut(u32, usize)) {
    let mut groups = word;
    for order in 0..WHOLE {
        let merged = merge(groups, order);
        add(order, (groups & !(merged | merged << (1 << order))).count_ones() as usize);
        groups = merged;
    }
    add(WHOLE, groups as usize);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words in which groups of all orders occur.
    fn words() -> impl Strategy<Value = u64> {
        let groups = prop::collection::vec((0u32..64, 0u32..=WHOLE), 0..8);
        groups.prop_map(|groups| {
            groups.iter().fold(0, |word, &(at, order)| word ^ group(at >> order << order, order))
        })
    }

    /// The groups of an order that are no part of a larger one.
    fn alone(word: u64, order: u32) -> impl DoubleEndedIterator<Item = u32> {
        let has = move |at: u32, order: u32| {
            word & group(at >> order << order, order) == group(at >> order << order, order)
        };
        (0..64u32)
            .step_by(1 << order)
            .filter(move |&at| has(at, order) && (order == WHOLE || !has(at, order + 1)))
    }

    proptest! {
        #[test]
        fn groups_are_found_as_by_looking_at_each(word in words(), order in 0..=WHOLE) {
            for size in 0..=WHOLE {
                let mut n = 0;
                count(word, |at, more| n += if at == size { more } else { 0 });
                prop_assert_eq!(n, alone(word, size).count());
            }
            let sizes = || (0..=WHOLE).filter(|&size| alone(word, size).next().is_some());
            if word != 0 {
                prop_assert_eq!(Some(largest(word)), sizes().max());
            }
            if let Some(size) = sizes().find(|&size| size >= order) {
                let best = alone(word, size).next_back().unwrap();
                prop_assert_eq!(best_fit(word, order), best + (1 << size) - (1 << order));
                let eights = (0..64).step_by(8).map(|at| group(at, 3)).filter(|&eight| word & eight == eight);
                let outside = word & !eights.fold(0, |all, eight| all | eight);
                prop_assert_eq!(spare_bit(word), 63 - if outside == 0 { word } else { outside }.leading_zeros());
                if order < WHOLE {
                    let has = |&at: &u32| word & group(at, order) == group(at, order);
                    let good = alone(word, order).next_back();
                    let good = good.or_else(|| (0..64).step_by(1 << order).rfind(has));
                    prop_assert_eq!(Some(good_fit(word, order)), good);
                }
            }
        }
    }
}
