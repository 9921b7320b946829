//! The kernel's own symbol table: how it is made from the linked image.
//!
//! `image/link.ld` places the table between `__kallsyms_start` and `__kallsyms_end`, 8-aligned and read-only.
//! An image linked without xtask has an empty one (the two symbols are equal). The format is `libs/symbol-table`'s.

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

/// Encodes a table for the image.
///
/// # Errors
/// If the names take more than 4 GiB.
pub(crate) fn encode(symbols: &Symbols) -> Result<Vec<u8>> {
    let functions = symbols.functions.iter().map(|(offset, name)| (*offset, name.as_str()));
    symbol_table::encode(functions, symbols.end)
        .context("the names of the image's functions take more than 4 GiB")
}
