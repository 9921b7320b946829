//! The kernel's own symbol table: how it is made from the linked image, and its format.
//!
//! `image/link.ld` places the table between `__kallsyms_start` and `__kallsyms_end`, 8-aligned and read-only.
//! An image linked without xtask has an empty one (the two symbols are equal). All numbers are little-endian:
//!
//! | Bytes | Content |
//! | --- | --- |
//! | 0..4 | `count`: number of entries, the end mark included |
//! | 4..8 | `names_len`: bytes in the name area |
//! | 8..8 + 8 * `count` | entries, ascending: `u32` offset from `__text_start`, `u32` offset in the name area |
//! | then `names_len` | names: UTF-8, demangled, each ended by a NUL byte |
//!
//! The code of entry *i* ends where entry *i + 1* begins. The last entry is an end mark with an empty name at
//! the end of the code, so that every address inside the code has a following entry.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol, SymbolKind};

/// The functions of an image, ascending by offset from `__text_start`, and where the code ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Symbols {
    functions: Vec<(u32, String)>,
    end: u32,
}

/// Reads the functions of a linked image.
///
/// # Errors
/// If it is no ELF file or lacks the linker script's symbols.
pub(crate) fn read(image: &Path) -> Result<Symbols> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", image.display()))?;
    let address = |name: &str| {
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
        symbol.map(|symbol| symbol.address()).with_context(|| format!("the image has no symbol {name}"))
    };
    let (start, end) = (address("__text_start")?, address("__text_end")?);

    let mut functions: Vec<(u32, String)> = Vec::new();
    for symbol in file.symbols() {
        let inside = (start..end).contains(&symbol.address());
        // Labels of assembly have no type; they are what a backtrace through an entry path shows.
        if !inside || !matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown | SymbolKind::Label) {
            continue;
        }
        let name = symbol.name().context("a symbol's name is not UTF-8")?;
        if name.is_empty() || name.starts_with(".L") || name.starts_with("$") || name == "__text_start" {
            continue;
        }
        let offset = u32::try_from(symbol.address() - start).context("the code is larger than 4 GiB")?;
        functions.push((offset, format!("{:#}", rustc_demangle::demangle(name))));
    }
    functions.sort();
    functions.dedup_by_key(|(offset, _)| *offset);
    let end = u32::try_from(end - start).context("the code is larger than 4 GiB")?;
    Ok(Symbols { functions, end })
}

/// Encodes a table in the format described above.
///
/// # Errors
/// If the names take more than 4 GiB.
pub(crate) fn encode(symbols: &Symbols) -> Result<Vec<u8>> {
    let mut names: Vec<u8> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut entries: Vec<u8> = Vec::new();
    let marks = symbols.functions.iter().map(|(offset, name)| (*offset, name.as_str()));
    for (offset, name) in marks.chain([(symbols.end, "")]) {
        let at = match known.get(name) {
            Some(at) => *at,
            None => {
                let at = u32::try_from(names.len()).context("the names take more than 4 GiB")?;
                names.extend(name.bytes().filter(|byte| *byte != 0));
                names.push(0);
                known.insert(name, at);
                at
            }
        };
        entries.extend(offset.to_le_bytes());
        entries.extend(at.to_le_bytes());
    }
    let count = u32::try_from(entries.len() / 8).context("too many symbols")?;
    let names_len = u32::try_from(names.len()).context("the names take more than 4 GiB")?;
    Ok([&count.to_le_bytes()[..], &names_len.to_le_bytes(), &entries, &names].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_entries_its_end_mark_and_each_name_once() {
        let functions = vec![(0, "boot".to_owned()), (16, "drop".to_owned()), (32, "drop".to_owned())];
        let bytes = encode(&Symbols { functions, end: 40 }).expect("small");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        assert_eq!((word(0), word(4)), (4, 11));
        let entries: Vec<_> = (0..4).map(|i| (word(8 + 8 * i), word(12 + 8 * i))).collect();
        assert_eq!(entries, [(0, 0), (16, 5), (32, 5), (40, 10)]);
        assert_eq!(&bytes[40..], b"boot\0drop\0\0");
    }
}
