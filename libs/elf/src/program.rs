//! The program header table: segments, the interpreter, the stack's permission.

use crate::error::ElfError;
use crate::header::Header;
use core::ops::Range;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Size of a program header, bytes (`AT_PHENT`).
pub const PROGRAM_HEADER_SIZE: usize = 56;
/// Bytes of the interpreter's path at most, the closing zero included.
pub const PATH_MAX: usize = 4096;

/// Type of a program header: to be loaded.
pub const PT_LOAD: u32 = 1;
/// Type of a program header: dynamic linking.
pub const PT_DYNAMIC: u32 = 2;
/// Type of a program header: path of the interpreter.
pub const PT_INTERP: u32 = 3;
/// Type of a program header: notes.
pub const PT_NOTE: u32 = 4;
/// Type of a program header: the table itself.
pub const PT_PHDR: u32 = 6;
/// Type of a program header: thread-local storage.
pub const PT_TLS: u32 = 7;
/// Type of a program header: the stack's permission.
pub const PT_GNU_STACK: u32 = 0x6474_e551;
/// Type of a program header: read-only after relocation.
pub const PT_GNU_RELRO: u32 = 0x6474_e552;
/// Type of a program header: properties.
pub const PT_GNU_PROPERTY: u32 = 0x6474_e553;

/// Segment flag: may be executed.
pub const PF_X: u32 = 1;
/// Segment flag: may be written.
pub const PF_W: u32 = 2;
/// Segment flag: may be read.
pub const PF_R: u32 = 4;

/// A program header as the file holds it: nothing in it is checked.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, Immutable, KnownLayout)]
pub struct ProgramHeader {
    /// `PT_*`.
    pub p_type: u32,
    /// `PF_*`.
    pub p_flags: u32,
    /// Offset in the file.
    pub p_offset: u64,
    /// Address.
    pub p_vaddr: u64,
    /// Physical address; no meaning here.
    pub p_paddr: u64,
    /// Bytes in the file.
    pub p_filesz: u64,
    /// Bytes in memory.
    pub p_memsz: u64,
    /// Alignment.
    pub p_align: u64,
}

const _: () = assert!(size_of::<ProgramHeader>() == PROGRAM_HEADER_SIZE);

/// What the file asks of its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// It says nothing. On x86-64 Linux then gives a stack that cannot be executed.
    Unspecified,
    /// Not executable.
    NoExecute,
    /// Executable.
    Execute,
}

/// The program header table over bytes that the caller read from [`Header::table_range`].
#[derive(Clone, Copy, Debug)]
pub struct ProgramHeaders<'a> {
    bytes: &'a [u8],
}

impl<'a> ProgramHeaders<'a> {
    /// Takes the table of `header` from the start of `bytes`.
    ///
    /// # Errors
    /// [`ElfError::TableTruncated`] if `bytes` is shorter than the table.
    pub fn new(header: &Header, bytes: &'a [u8]) -> Result<Self, ElfError> {
        let bytes = bytes.get(..header.table_size()).ok_or(ElfError::TableTruncated)?;
        Ok(Self { bytes })
    }

    /// Iterates over the entries.
    pub fn iter(&self) -> impl Iterator<Item = ProgramHeader> + use<'a> {
        self.bytes
            .chunks_exact(PROGRAM_HEADER_SIZE)
            .filter_map(|entry| ProgramHeader::read_from_bytes(entry).ok())
    }

    /// Returns the bytes of the file that hold the interpreter's path, or `None` if there is no interpreter.
    /// Read them and give them to [`interpreter_path`].
    ///
    /// # Errors
    /// - [`ElfError::BadInterpreterLength`]: fewer than 2 or more than 4096 bytes.
    /// - [`ElfError::OffsetOverflow`]: the end is beyond any file offset.
    pub fn interpreter(&self) -> Result<Option<Range<u64>>, ElfError> {
        let Some(entry) = self.iter().find(|entry| entry.p_type == PT_INTERP) else {
            return Ok(None);
        };
        if entry.p_filesz < 2 || entry.p_filesz > PATH_MAX as u64 {
            return Err(ElfError::BadInterpreterLength);
        }
        let end = entry.p_offset.checked_add(entry.p_filesz).filter(|&end| end <= i64::MAX as u64);
        let end = end.ok_or(ElfError::OffsetOverflow)?;
        Ok(Some(entry.p_offset..end))
    }

    /// Returns what the file asks of its stack; the last header that speaks of it counts.
    pub fn stack(&self) -> Stack {
        match self.iter().filter(|entry| entry.p_type == PT_GNU_STACK).last() {
            None => Stack::Unspecified,
            Some(entry) if entry.p_flags & PF_X != 0 => Stack::Execute,
            Some(_) => Stack::NoExecute,
        }
    }
}

/// Returns the interpreter's path in the bytes of its segment: what stands before the first zero.
///
/// # Errors
/// [`ElfError::InterpreterUnterminated`] if the last byte is not zero.
pub fn interpreter_path(bytes: &[u8]) -> Result<&[u8], ElfError> {
    match bytes.split_last() {
        Some((0, before)) => Ok(before.split(|&byte| byte == 0).next().unwrap_or(before)),
        _ => Err(ElfError::InterpreterUnterminated),
    }
}
