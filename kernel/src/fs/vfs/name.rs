//! Names of directory entries and their hashes.

use smallvec::SmallVec;

/// A name in a directory; up to 24 bytes take no memory of their own.
pub type Name = SmallVec<[u8; 24]>;

/// Odd constants with well-mixed bits: the golden ratio and the fraction of the square root of 3.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const START: u64 = 0xbb67_ae85_84ca_a73b;

/// Hashes `name`, up to eight bytes at a time.
///
/// The hash only spreads names over a table whose buckets are compared byte by byte.
#[inline]
pub fn hash_name(name: &[u8]) -> u64 {
    let mut hash = START ^ name.len() as u64;
    // The last word overlaps the one before, which the length tells from a name that repeats itself.
    if let Some(&last) = name.last_chunk::<8>() {
        let (chunks, _) = name[..name.len() - 1].as_chunks::<8>();
        for &chunk in chunks {
            hash = fold(hash ^ u64::from_le_bytes(chunk));
        }
        hash = fold(hash ^ u64::from_le_bytes(last));
    } else if let (Some(&first), Some(&last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        hash ^= u64::from(u32::from_le_bytes(first)) | u64::from(u32::from_le_bytes(last)) << 32;
    } else if let (Some(&first), Some(&last)) = (name.first(), name.last()) {
        hash ^= u64::from_le_bytes([first, name[name.len() / 2], last, 0, 0, 0, 0, 0]);
    }
    fold(hash)
}

/// Multiplies to 128 bits and folds both halves together.
#[inline]
fn fold(value: u64) -> u64 {
    let product = u128::from(value) * u128::from(MULTIPLIER);
    product as u64 ^ (product >> 64) as u64
}

/// Splits `path` at its first `/`: the component before it, and the rest from the `/` on.
#[inline]
pub fn split_component(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(find_slash(path))
}

/// Returns the index of the first `/`, or the length.
#[inline]
fn find_slash(path: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const SLASHES: u64 = ONES * b'/' as u64;
    let mut index = 0;
    let mut chunks = path.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes) ^ SLASHES;
        // A byte that is zero now was a slash; the lowest marked byte is exact.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return index + (zeros.trailing_zeros() / 8) as usize;
        }
        index += 8;
    }
    for &byte in chunks.remainder() {
        if byte == b'/' {
            break;
        }
        index += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_first_slash_is_found_at_every_place() {
        for len in 0..40 {
            let plain = alloc::vec![b'.'; len];
            assert_eq!(find_slash(&plain), len);
            for at in 0..len {
                let mut path = plain.clone();
                path[at] = b'/';
                assert_eq!(find_slash(&path), at);
                path[len - 1] = b'/';
                assert_eq!(split_component(&path), (&plain[..at], &path[at..]));
                // Neighbours in value and the top bit do not confuse the word-wise test.
                for other in [b'.', b'0', 0xaf, 0x80, 0xff, 1] {
                    let mut path = alloc::vec![other; len];
                    path[at] = b'/';
                    assert_eq!(find_slash(&path), at);
                }
            }
        }
    }

    #[test]
    fn hashes_of_similar_names_differ() {
        let mut seen: Vec<u64> =
            (0..20_000).map(|n| hash_name(alloc::format!("file{n}").as_bytes())).collect();
        seen.extend((0..64).map(|n| hash_name(&alloc::vec![b'a'; n])));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
