//! The file header.

use crate::error::ElfError;
use crate::program::PROGRAM_HEADER_SIZE;
use core::ops::Range;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Size of the file header, bytes: what to read first.
pub const HEADER_SIZE: usize = 64;
/// Size of the program header table at most, bytes.
pub const MAX_TABLE_SIZE: usize = 65_536;

const MAGIC: [u8; 4] = *b"\x7fELF";
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;

/// Where a file can be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `ET_EXEC`: at the addresses that it names.
    Fixed,
    /// `ET_DYN`: at any distance from them (a position-independent executable, or an interpreter).
    Relocatable,
}

/// What the file header says, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    kind: Kind,
    entry: u64,
    table_offset: u64,
    table_entries: u16,
}

/// `Elf64_Ehdr`.
#[repr(C)]
#[derive(FromBytes, Immutable, KnownLayout)]
struct RawHeader {
    magic: [u8; 4],
    _ident: [u8; 12],
    file_type: u16,
    machine: u16,
    _version: u32,
    entry: u64,
    phoff: u64,
    _shoff: u64,
    _flags: u32,
    _ehsize: u16,
    phentsize: u16,
    phnum: u16,
    _shentsize: u16,
    _shnum: u16,
    _shstrndx: u16,
}

const _: () = assert!(size_of::<RawHeader>() == HEADER_SIZE);

impl Header {
    /// Reads and checks the header at the start of `bytes` (at least [`HEADER_SIZE`] of the file).
    ///
    /// # Errors
    /// All of them mean `ENOEXEC` for a program, `ELIBBAD` for an interpreter.
    pub fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ElfError::BadMagic);
        }
        let (raw, _) = RawHeader::read_from_prefix(bytes).map_err(|_| ElfError::HeaderTruncated)?;
        // Linux does not look at class and byte order: the machine implies both.
        if raw.machine != EM_X86_64 {
            return Err(ElfError::WrongMachine);
        }
        let kind = match raw.file_type {
            ET_EXEC => Kind::Fixed,
            ET_DYN => Kind::Relocatable,
            _ => return Err(ElfError::NotExecutable),
        };
        if usize::from(raw.phentsize) != PROGRAM_HEADER_SIZE {
            return Err(ElfError::BadEntrySize);
        }
        let size = usize::from(raw.phnum) * PROGRAM_HEADER_SIZE;
        if size == 0 || size > MAX_TABLE_SIZE {
            return Err(ElfError::BadTableSize);
        }
        // File offsets are signed in Linux.
        let end = raw.phoff.checked_add(size as u64);
        if end.is_none_or(|end| end > i64::MAX as u64) {
            return Err(ElfError::TableTruncated);
        }
        Ok(Self { kind, entry: raw.entry, table_offset: raw.phoff, table_entries: raw.phnum })
    }

    /// Returns where the file can be loaded.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the entry point as the file names it, before relocation.
    pub const fn entry(&self) -> u64 {
        self.entry
    }

    /// Returns the number of program headers, at least 1.
    pub const fn table_entries(&self) -> u16 {
        self.table_entries
    }

    /// Returns the offset of the program header table in the file.
    pub const fn table_offset(&self) -> u64 {
        self.table_offset
    }

    /// Returns the size of the program header table, bytes; 56 to 64 KiB.
    pub const fn table_size(&self) -> usize {
        self.table_entries as usize * PROGRAM_HEADER_SIZE
    }

    /// Returns the bytes of the file that hold the program header table: what to read next.
    pub const fn table_range(&self) -> Range<u64> {
        self.table_offset..self.table_offset + self.table_size() as u64
    }
}
