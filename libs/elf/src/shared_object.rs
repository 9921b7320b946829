//! A writer of small shared objects: machine code, and the names of functions in it, in one piece of memory that is
//! mapped as it is. That is what the vDSO is, the object that Linux maps into every program.
//!
//! Loaders find everything through the program headers; there are no sections. The names carry one version.
//!
//! ```text
//! file header | program headers | hash table | symbols | names | versions of symbols | versions | dynamic section |
//! unwind table | ... | code, from `code_offset` on
//! ```
//!
//! Sources: System V ABI, chapters 4 and 5; Linux Standard Base, "Symbol Versioning" and "Exception Frames".

use core::fmt;
use core::ops::Range;

use crate::header::HEADER_SIZE;
use crate::program::{PF_R, PF_X, PROGRAM_HEADER_SIZE, PT_DYNAMIC, PT_LOAD};

const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const SYMBOL_SIZE: usize = 24;
const STT_FUNC: u8 = 2;
const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;
/// Any section but 0, which means "not defined here": no loader looks it up.
const SOME_SECTION: u16 = 1;

/// Version of the object itself, and of its symbols.
const VERSION_BASE: u16 = 1;
const VERSION_SYMBOLS: u16 = 2;
const VER_FLG_BASE: u16 = 1;

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// What comes before its name: `__vdso_`. Empty for none.
    pub prefix: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Where it is in the code, bytes.
    pub range: Range<usize>,
    /// Whether a program may have another function of this name.
    pub is_weak: bool,
}

/// A shared object to be written.
#[derive(Clone, Debug)]
pub struct SharedObject<'a> {
    /// Its own name.
    pub name: &'a str,
    /// The version of its symbols.
    pub version: &'a str,
    /// The functions.
    pub functions: &'a [Function<'a>],
    /// The machine code. It never moves the stack pointer, which is what the unwind table says.
    pub code: &'a [u8],
    /// Where the code lies in the object.
    pub code_offset: usize,
}

/// There is no room for an object, or for what goes before its code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shared object is larger than its place")
    }
}

impl SharedObject<'_> {
    /// Writes the object to `out`, which is all zeroes; returns its size.
    ///
    /// # Errors
    /// `TooLarge`: it does not fit, or what goes before the code does not fit there.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, TooLarge> {
        let size = self.code_offset.checked_add(self.code.len()).ok_or(TooLarge)?;
        if size > out.len() {
            return Err(TooLarge);
        }
        let (head, code) = out.split_at_mut(self.code_offset);
        code[..self.code.len()].copy_from_slice(self.code);

        let mut out = Writer { out: head, at: HEADER_SIZE + 3 * PROGRAM_HEADER_SIZE };
        let hash = self.write_hash(&mut out)?;
        let symbols = out.at;
        let names = symbols + (1 + self.functions.len()) * SYMBOL_SIZE;
        let (names_end, own_name, version) = self.write_names(&mut out, names)?;
        self.write_symbols(&mut out, symbols)?;
        out.at = names_end;
        let symbol_versions = self.write_symbol_versions(&mut out)?;
        let versions = self.write_versions(&mut out, own_name, version)?;

        let dynamic = out.align(8);
        let entries: [(u64, usize); 10] = [
            (14, own_name),                        // DT_SONAME
            (4, hash),                             // DT_HASH
            (5, names),                            // DT_STRTAB
            (10, names_end - names),               // DT_STRSZ
            (6, symbols),                          // DT_SYMTAB
            (11, SYMBOL_SIZE),                     // DT_SYMENT
            (0x6fff_fff0, symbol_versions),        // DT_VERSYM
            (0x6fff_fffc, versions),               // DT_VERDEF
            (0x6fff_fffd, VERSION_SYMBOLS.into()), // DT_VERDEFNUM
            (0, 0),                                // DT_NULL
        ];
        for (tag, value) in entries {
            out.u64(tag)?;
            out.u64(value as u64)?;
        }
        let dynamic = dynamic..out.at;
        let unwind = self.write_unwind_table(&mut out)?;
        write_headers(&mut out, size, &dynamic, &unwind)?;
        Ok(size)
    }

    /// One chain with all symbols in it.
    fn write_hash(&self, out: &mut Writer<'_>) -> Result<usize, TooLarge> {
        let start = out.align(8);
        let count = 1 + self.functions.len() as u32;
        out.u32(1)?; // buckets
        out.u32(count)?;
        out.u32(if count > 1 { 1 } else { 0 })?;
        for symbol in 0..count {
            let next = if symbol == 0 || symbol + 1 == count { 0 } else { symbol + 1 };
            out.u32(next)?;
        }
        out.align(8);
        Ok(start)
    }

    /// Writes the names at `start`; returns where they end, and where among them the object's and the version's are. The
    /// symbols' names come first, in order.
    fn write_names(&self, out: &mut Writer<'_>, start: usize) -> Result<(usize, usize, usize), TooLarge> {
        out.at = start;
        out.bytes(&[0])?;
        for function in self.functions {
            out.bytes(function.prefix.as_bytes())?;
            out.string(function.name)?;
        }
        let own_name = out.at - start;
        out.string(self.name)?;
        let version = out.at - start;
        out.string(self.version)?;
        let end = out.at;
        out.at = start;
        Ok((end, own_name, version))
    }

    fn write_symbols(&self, out: &mut Writer<'_>, start: usize) -> Result<(), TooLarge> {
        out.at = start + SYMBOL_SIZE; // the first one is empty
        let mut name = 1;
        for function in self.functions {
            let binding = if function.is_weak { STB_WEAK } else { STB_GLOBAL };
            out.u32(name)?;
            out.bytes(&[binding << 4 | STT_FUNC, 0])?;
            out.u16(SOME_SECTION)?;
            out.u64((self.code_offset + function.range.start) as u64)?;
            out.u64(function.range.len() as u64)?;
            name += (function.prefix.len() + function.name.len() + 1) as u32;
        }
        Ok(())
    }

    fn write_symbol_versions(&self, out: &mut Writer<'_>) -> Result<usize, TooLarge> {
        let start = out.align(2);
        out.u16(0)?;
        for _ in self.functions {
            out.u16(VERSION_SYMBOLS)?;
        }
        Ok(start)
    }

    fn write_versions(&self, out: &mut Writer<'_>, name: usize, version: usize) -> Result<usize, TooLarge> {
        let start = out.align(8);
        let entries = [
            (VER_FLG_BASE, VERSION_BASE, self.name, name, 28),
            (0, VERSION_SYMBOLS, self.version, version, 0),
        ];
        for (flags, index, text, place, next) in entries {
            out.u16(1)?; // format
            out.u16(flags)?;
            out.u16(index)?;
            out.u16(1)?; // names of this version
            out.u32(hash(text))?;
            out.u32(20)?; // to the name
            out.u32(next)?;
            out.u32(place as u32)?;
            out.u32(0)?; // no further name
        }
        Ok(start)
    }

    /// Writes the table that finds the rule for an address, and the one rule: at every place in the code the return
    /// address is on top of the stack.
    fn write_unwind_table(&self, out: &mut Writer<'_>) -> Result<Range<usize>, TooLarge> {
        const PC_RELATIVE: u8 = 0x1b;
        const TABLE_RELATIVE: u8 = 0x3b;
        const UNSIGNED: u8 = 3;
        let relative = |to: usize, from: usize| (to as u32).wrapping_sub(from as u32);

        let table = out.align(8);
        let frames = table + 20;
        let rule = frames + 24;
        out.bytes(&[1, PC_RELATIVE, UNSIGNED, TABLE_RELATIVE])?;
        out.u32(relative(frames, out.at))?;
        out.u32(1)?; // rules
        out.u32(relative(self.code_offset, table))?;
        out.u32(relative(rule, table))?;
        let table = table..out.at;

        // What the rules have in common: factors, the return address in column 16, how pointers are written, then the
        // stack pointer (register 7) before the call: 8 above, with the return address right below that.
        out.u32(20)?;
        out.u32(0)?;
        out.bytes(&[1, b'z', b'R', 0, 1, 0x78, 16, 1, PC_RELATIVE, 0x0c, 7, 8, 0x90, 1, 0, 0])?;

        debug_assert_eq!(out.at, rule);
        out.u32(16)?;
        out.u32(relative(out.at, frames))?;
        out.u32(relative(self.code_offset, out.at))?;
        out.u32(self.code.len() as u32)?;
        out.bytes(&[0; 4])?;
        out.u32(0)?; // the end
        Ok(table)
    }
}

/// Writes the file header and the three program headers.
fn write_headers(
    out: &mut Writer<'_>,
    size: usize,
    dynamic: &Range<usize>,
    unwind: &Range<usize>,
) -> Result<(), TooLarge> {
    out.at = 0;
    out.bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0")?;
    out.u16(3)?; // shared object
    out.u16(62)?; // x86-64
    out.u32(1)?;
    out.u64(0)?; // no entry
    out.u64(HEADER_SIZE as u64)?;
    out.u64(0)?; // no sections
    out.u32(0)?;
    for word in [HEADER_SIZE as u16, PROGRAM_HEADER_SIZE as u16, 3, 64, 0, 0] {
        out.u16(word)?;
    }
    let segments = [
        (PT_LOAD, PF_R | PF_X, &(0..size), 0x1000),
        (PT_DYNAMIC, PF_R, dynamic, 8),
        (PT_GNU_EH_FRAME, PF_R, unwind, 4),
    ];
    for (kind, flags, range, alignment) in segments {
        out.u32(kind)?;
        out.u32(flags)?;
        // Offset, virtual and physical address are the same.
        for _ in 0..3 {
            out.u64(range.start as u64)?;
        }
        out.u64(range.len() as u64)?;
        out.u64(range.len() as u64)?;
        out.u64(alignment)?;
    }
    Ok(())
}

/// The hash of a name (System V ABI, "Hash Table").
const fn hash(name: &str) -> u32 {
    let (bytes, mut at, mut hash) = (name.as_bytes(), 0, 0_u32);
    while at < bytes.len() {
        hash = (hash << 4).wrapping_add(bytes[at] as u32);
        let high = hash & 0xf000_0000;
        hash = (hash ^ high >> 24) & !high;
        at += 1;
    }
    hash
}

/// Writes one thing after the other.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let end = self.at + bytes.len();
        self.out.get_mut(self.at..end).ok_or(TooLarge)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), TooLarge> {
        self.bytes(text.as_bytes())?;
        self.bytes(&[0])
    }

    fn u16(&mut self, value: u16) -> Result<(), TooLarge> {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> Result<(), TooLarge> {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> Result<(), TooLarge> {
        self.bytes(&value.to_le_bytes())
    }

    /// Goes on at the next multiple of `alignment`, a power of two; returns it.
    fn align(&mut self, alignment: usize) -> usize {
        self.at = self.at.next_multiple_of(alignment);
        self.at
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{Header, Kind, ProgramHeaders};
    use std::collections::BTreeMap;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const CODE: [u8; 48] = [0x90; 48];
    const CODE_OFFSET: usize = 0x600;

    fn object<'a>(functions: &'a [Function<'a>]) -> SharedObject<'a> {
        let (name, version) = ("linux-vdso.so.1", "LINUX_2.6");
        SharedObject { name, version, functions, code: &CODE, code_offset: CODE_OFFSET }
    }

    fn functions() -> [Function<'static>; 3] {
        let function = |prefix, name, range, is_weak| Function { prefix, name, range, is_weak };
        [
            function("__vdso_", "time", 0..16, false),
            function("", "time", 0..16, true),
            function("__vdso_", "getcpu", 16..48, false),
        ]
    }

    fn number<const N: usize>(image: &[u8], at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(&image[at..at + N]);
        u64::from_le_bytes(bytes)
    }

    fn text(image: &[u8], at: usize) -> String {
        let end = image[at..].iter().position(|&byte| byte == 0).unwrap();
        String::from_utf8(image[at..at + end].to_vec()).unwrap()
    }

    /// The dynamic section, found as a loader finds it.
    fn dynamic(image: &[u8]) -> BTreeMap<u64, usize> {
        let header = Header::parse(image).unwrap();
        assert_eq!(header.kind(), Kind::Relocatable);
        let range = header.table_range();
        let headers = ProgramHeaders::new(&header, &image[range.start as usize..range.end as usize]).unwrap();
        let segment = headers.iter().find(|segment| segment.p_type == PT_DYNAMIC).unwrap();
        let start = segment.p_offset as usize;
        (0..segment.p_filesz as usize / 16)
            .map(|i| start + 16 * i)
            .map(|at| (number::<8>(image, at), number::<8>(image, at + 8) as usize))
            .collect()
    }

    /// Looks a symbol up by walking the hash table's chain and comparing versions; value and size.
    fn find(image: &[u8], wanted: &str, version: &str) -> Option<(u64, u64)> {
        let dynamic = dynamic(image);
        let (hash_table, names, symbols) = (dynamic[&4], dynamic[&5], dynamic[&6]);
        let chain = hash_table + 12;
        let mut index = number::<4>(image, hash_table + 8) as usize;
        while index != 0 {
            let symbol = symbols + index * SYMBOL_SIZE;
            let name = text(image, names + number::<4>(image, symbol) as usize);
            let wants = number::<2>(image, dynamic[&0x6fff_fff0] + 2 * index);
            if name == wanted && version_name(image, &dynamic, wants) == Some(version.to_string()) {
                return Some((number::<8>(image, symbol + 8), number::<8>(image, symbol + 16)));
            }
            index = number::<4>(image, chain + 4 * index) as usize;
        }
        None
    }

    fn version_name(image: &[u8], dynamic: &BTreeMap<u64, usize>, index: u64) -> Option<String> {
        let mut at = dynamic[&0x6fff_fffc];
        for _ in 0..dynamic[&0x6fff_fffd] {
            if number::<2>(image, at + 4) == index && number::<2>(image, at + 2) & 1 == 0 {
                let name = text(image, dynamic[&5] + number::<4>(image, at + 20) as usize);
                assert_eq!(number::<4>(image, at + 8), u64::from(hash(&name)));
                return Some(name);
            }
            at += number::<4>(image, at + 16) as usize;
        }
        None
    }

    #[test]
    fn symbols_are_found_by_name_and_version() {
        let mut image = [0; 4096];
        let size = object(&functions()).write(&mut image).unwrap();
        assert_eq!(size, CODE_OFFSET + CODE.len());
        let at = CODE_OFFSET as u64;
        assert_eq!(find(&image, "__vdso_time", "LINUX_2.6"), Some((at, 16)));
        assert_eq!(find(&image, "time", "LINUX_2.6"), Some((at, 16)));
        assert_eq!(find(&image, "__vdso_getcpu", "LINUX_2.6"), Some((at + 16, 32)));
        assert_eq!(find(&image, "__vdso_getcpu", "LINUX_2.7"), None);
        assert_eq!(find(&image, "getcpu", "LINUX_2.6"), None);
        assert_eq!(text(&image, dynamic(&image)[&5] + dynamic(&image)[&14]), "linux-vdso.so.1");
        assert_eq!(image[CODE_OFFSET..size], CODE);
    }

    #[test]
    fn hashes_are_those_of_the_abi() {
        assert_eq!(hash("LINUX_2.6"), 0x03ae_75f6);
        assert_eq!(hash(""), 0);
    }

    #[test]
    fn the_unwind_table_leads_to_a_rule_for_the_code() {
        let mut image = [0; 4096];
        object(&functions()).write(&mut image).unwrap();
        let header = Header::parse(&image).unwrap();
        let range = header.table_range();
        let headers = ProgramHeaders::new(&header, &image[range.start as usize..range.end as usize]).unwrap();
        let table =
            headers.iter().find(|segment| segment.p_type == PT_GNU_EH_FRAME).unwrap().p_offset as usize;
        let rule = table + number::<4>(&image, table + 16) as usize;
        assert_eq!(table + number::<4>(&image, table + 12) as usize, CODE_OFFSET);
        assert_eq!(rule + 8 + number::<4>(&image, rule + 8) as usize, CODE_OFFSET);
        assert_eq!(number::<4>(&image, rule + 12) as usize, CODE.len());
        let common = rule + 4 - number::<4>(&image, rule + 4) as usize;
        assert_eq!(image[common + 8..common + 12], [1, b'z', b'R', 0]);
        assert_eq!(common, table + 4 + number::<4>(&image, table + 4) as usize);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let functions = functions();
        let whole = object(&functions);
        assert_eq!(whole.write(&mut [0; CODE_OFFSET + 47]), Err(TooLarge));
        let mut image: Vec<u8> = std::vec![0; 4096];
        for code_offset in (0..0x200).step_by(8) {
            assert_eq!(SharedObject { code_offset, ..whole.clone() }.write(&mut image), Err(TooLarge));
        }
        let code_offset = usize::MAX;
        assert_eq!(SharedObject { code_offset, ..whole }.write(&mut image), Err(TooLarge));
    }
}
