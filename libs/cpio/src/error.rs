//! What can be wrong with an archive.

use core::fmt;

/// What is wrong with an archive, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpioError {
    /// Offset in the archive (in the decompressed data, if it is compressed) of the entry or byte in question.
    pub offset: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with an archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// An entry does not begin with the magic of newc or crc.
    BadMagic,
    /// The entry is in the old portable format.
    OldFormat,
    /// The named field is not a hexadecimal number.
    BadNumber(&'static str),
    /// The name's length is 0 or more than `PATH_MAX`.
    NameLength(u32),
    /// The name does not end with a zero byte.
    NameUnterminated,
    /// A symbolic link's target is longer than `PATH_MAX`.
    LinkLength(u32),
    /// The archive ends inside a header or a name.
    Truncated,
    /// The data of this length goes past the end of the archive.
    DataPastEnd(u32),
    /// The sum of the data's bytes is not what the header says.
    Checksum,
    /// An entry begins at an offset that is not a multiple of 4.
    Misaligned,
    /// Neither an entry nor padding.
    Junk,
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::BadMagic => write!(f, "no cpio entry"),
            Problem::OldFormat => write!(f, "old cpio format, newc is needed (cpio -H newc)"),
            Problem::BadNumber(field) => write!(f, "the field {field} is not a hexadecimal number"),
            Problem::NameLength(len) => write!(f, "a name of {len} bytes"),
            Problem::NameUnterminated => write!(f, "a name without an end"),
            Problem::LinkLength(len) => write!(f, "a symbolic link of {len} bytes"),
            Problem::Truncated => write!(f, "the archive is cut off"),
            Problem::DataPastEnd(len) => write!(f, "{len} bytes of data go past the end"),
            Problem::Checksum => write!(f, "wrong checksum of the data"),
            Problem::Misaligned => write!(f, "an entry that is not aligned to 4"),
            Problem::Junk => write!(f, "junk between entries"),
        }?;
        write!(f, " (byte {})", self.offset)
    }
}

impl core::error::Error for CpioError {}
