//! What can be wrong with an ELF file, and the errno that Linux gives for it.

use core::fmt;

const ENOEXEC: i32 = 8;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;
const ELIBBAD: i32 = 80;

/// A reason to refuse a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfError {
    /// The file ends inside the file header.
    HeaderTruncated,
    /// It does not begin with the four magic bytes.
    BadMagic,
    /// It is for another machine than x86-64.
    WrongMachine,
    /// It is neither an executable nor a shared object.
    NotExecutable,
    /// Entries of the program header table are not 56 bytes.
    BadEntrySize,
    /// The program header table is empty or longer than 64 KiB.
    BadTableSize,
    /// The program header table lies beyond the end of the file, or of what file offsets can say.
    TableTruncated,
    /// The interpreter's path is shorter than one character or longer than `PATH_MAX`.
    BadInterpreterLength,
    /// The interpreter's path does not end with a zero byte.
    InterpreterUnterminated,
    /// A segment has more bytes in the file than in memory.
    FileLargerThanMemory,
    /// A segment lies, or reaches, beyond the user part of the address space.
    AddressOutOfRange,
    /// A segment's file offset and address differ within the page.
    Misaligned,
    /// A segment's end in the file is beyond what file offsets can say.
    OffsetOverflow,
    /// Nothing is to be loaded.
    NoLoadSegment,
    /// The entry point is beyond the user part of the address space.
    BadEntry,
}

impl ElfError {
    /// Returns the errno of `execve` when the file is the program: `ENOEXEC` or `EINVAL`.
    pub const fn errno(self) -> i32 {
        if self.is_about_format() { ENOEXEC } else { EINVAL }
    }

    /// Returns the errno of `execve` when the file is the interpreter: `ELIBBAD`, `ENOMEM` or `EINVAL`.
    pub const fn interpreter_errno(self) -> i32 {
        match self {
            Self::FileLargerThanMemory | Self::AddressOutOfRange => ENOMEM,
            _ if self.is_about_format() => ELIBBAD,
            _ => EINVAL,
        }
    }

    /// Tells whether this is not a file that we run, rather than one that is wrong inside.
    const fn is_about_format(self) -> bool {
        !matches!(
            self,
            Self::FileLargerThanMemory
                | Self::AddressOutOfRange
                | Self::Misaligned
                | Self::OffsetOverflow
                | Self::NoLoadSegment
                | Self::BadEntry
        )
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderTruncated => "the file ends inside the ELF header",
            Self::BadMagic => "not an ELF file",
            Self::WrongMachine => "not for x86-64",
            Self::NotExecutable => "neither an executable nor a shared object",
            Self::BadEntrySize => "program headers are not 56 bytes",
            Self::BadTableSize => "the program header table is empty or longer than 64 KiB",
            Self::TableTruncated => "the program header table lies beyond the end of the file",
            Self::BadInterpreterLength => "the path of the interpreter is empty or too long",
            Self::InterpreterUnterminated => "the path of the interpreter has no end",
            Self::FileLargerThanMemory => "a segment is larger in the file than in memory",
            Self::AddressOutOfRange => "a segment lies outside the user address space",
            Self::Misaligned => "a segment's offset and address differ within the page",
            Self::OffsetOverflow => "a segment's end is beyond any file offset",
            Self::NoLoadSegment => "no segment to load",
            Self::BadEntry => "the entry point is outside the user address space",
        })
    }
}

impl core::error::Error for ElfError {}
