//! The kernel's own symbol table: [`encode`] makes it when the image is linked, [`lookup`] reads it for a backtrace.
//!
//! All numbers are little-endian:
//!
//! | Bytes | Content |
//! | --- | --- |
//! | 0..4 | `count`: number of entries, the end mark included |
//! | 4..8 | `names_len`: bytes in the name area |
//! | 8..8 + 8 * `count` | entries, ascending: `u32` offset in the code, `u32` offset in the name area |
//! | then `names_len` | names: UTF-8, each ended by a NUL byte |
//!
//! The code of entry *i* ends where entry *i + 1* begins. The last entry is an end mark with an empty name at the end of
//! the code, so that every address inside the code has a following entry. A table without entries has no bytes at all.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the function that contains the byte at `offset` of the code, and how far into it that is; `None` if there is
/// none or the table is damaged.
pub fn lookup(table: &[u8], offset: u32) -> Option<(&str, u32)> {
    let count = u32_at(table, 0)? as usize;
    let entry = |i: usize| Some((u32_at(table, 8 + 8 * i)?, u32_at(table, 12 + 8 * i)? as usize));
    let (mut low, mut high) = (0, count.checked_sub(1)?);
    if offset >= entry(high)?.0 || offset < entry(0)?.0 {
        return None;
    }
    // The entry at `low` begins at or before the address, the one at `high` behind it.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if entry(middle)?.0 <= offset {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (start, name) = entry(low)?;
    let names = table.get(8 + 8 * count..)?.get(name..)?;
    let len = names.iter().position(|&byte| byte == 0)?;
    Some((core::str::from_utf8(&names[..len]).ok()?, offset.checked_sub(start)?))
}

/// Encodes the functions of a program, ascending by offset, whose code ends at `end`; `None` if a count or the names
/// exceed 32 bits.
pub fn encode<'a>(functions: impl Iterator<Item = (u32, &'a str)>, end: u32) -> Option<Vec<u8>> {
    let mut names: Vec<u8> = Vec::new();
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut entries: Vec<u8> = Vec::new();
    for (offset, name) in functions.chain([(end, "")]) {
        let at = match known.get(name) {
            Some(at) => *at,
            None => {
                let at = u32::try_from(names.len()).ok()?;
                names.extend(name.bytes().filter(|byte| *byte != 0));
                names.push(0);
                known.insert(name, at);
                at
            }
        };
        entries.extend(offset.to_le_bytes());
        entries.extend(at.to_le_bytes());
    }
    let count = u32::try_from(entries.len() / 8).ok()?;
    let names_len = u32::try_from(names.len()).ok()?;
    Some([&count.to_le_bytes()[..], &names_len.to_le_bytes(), &entries, &names].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        encode([(0, "boot"), (16, "drop"), (32, "drop")].into_iter(), 40).expect("small")
    }

    #[test]
    fn a_table_has_its_entries_its_end_mark_and_each_name_once() {
        let bytes = sample();
        let word = |at| u32_at(&bytes, at).expect("inside");
        assert_eq!((word(0), word(4)), (4, 11));
        let entries: Vec<_> = (0..4).map(|i| (word(8 + 8 * i), word(12 + 8 * i))).collect();
        assert_eq!(entries, [(0, 0), (16, 5), (32, 5), (40, 10)]);
        assert_eq!(&bytes[40..], b"boot\0drop\0\0");
    }

    #[test]
    fn every_byte_of_the_code_is_found_and_none_beyond() {
        let table = sample();
        for offset in 0..40 {
            let expected = match offset {
                0..16 => ("boot", offset),
                16..32 => ("drop", offset - 16),
                _ => ("drop", offset - 32),
            };
            assert_eq!(lookup(&table, offset), Some(expected));
        }
        assert_eq!(lookup(&table, 40), None);
        assert_eq!(lookup(&table, u32::MAX), None);
        assert_eq!(lookup(&[], 0), None);
    }

    #[test]
    fn damage_is_survived() {
        let good = sample();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                for offset in [0, 15, 16, 39, 40, u32::MAX] {
                    let _ = lookup(&bad, offset);
                    let _ = lookup(&bad[..at], offset);
                }
            }
        }
    }
}
