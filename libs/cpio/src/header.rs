//! The header of an entry: 110 bytes of ASCII, the same for newc (070701) and crc (070702).

use crate::error::Problem;

/// Length of a header, bytes.
pub const HEADER_LEN: usize = 110;
/// Bytes of a name at most, the closing zero included.
pub const PATH_MAX: usize = 4096;
/// The name that ends an archive.
pub(crate) const TRAILER: &[u8] = b"TRAILER!!!";

const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// What an entry's header says. Nothing is checked but that the fields are numbers.
///
/// **Hard links.** Files with `nlink` of 2 or more that agree in `ino`, `dev_major` and `dev_minor` *within one archive*
/// are one file. Writers put the data on one of them, mostly the last, and a size of 0 on the others: so a size of 0
/// must not cut a file that a link has filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// Inode number in the archive.
    pub ino: u32,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Hard links.
    pub nlink: u32,
    /// Last change, seconds since 1970.
    pub mtime: u32,
    /// Length of the data, bytes.
    pub size: u32,
    /// Major number of the device that held the file.
    pub dev_major: u32,
    /// Minor number of the device that held the file.
    pub dev_minor: u32,
    /// Major number of the device that the file is.
    pub rdev_major: u32,
    /// Minor number of the device that the file is.
    pub rdev_minor: u32,
    /// Sum of the data's bytes, modulo 2^32, in the crc format.
    pub checksum: Option<u32>,
}

impl Header {
    /// Reads a header; returns it and the length of the name that follows, closing zero included (1 to `PATH_MAX`).
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Result<(Self, usize), Problem> {
        let (magic, digits) = bytes.split_at(6);
        let has_checksum = match magic {
            b"070701" => false,
            b"070702" => true,
            b"070707" => return Err(Problem::OldFormat),
            _ => return Err(Problem::BadMagic),
        };
        let mut digits = digits.chunks_exact(8);
        let mut field = |name| digits.next().and_then(parse_hex).ok_or(Problem::BadNumber(name));
        // In the order in which they lie there.
        let mut header = Self {
            ino: field("ino")?,
            mode: field("mode")?,
            uid: field("uid")?,
            gid: field("gid")?,
            nlink: field("nlink")?,
            mtime: field("mtime")?,
            size: field("filesize")?,
            dev_major: field("devmajor")?,
            dev_minor: field("devminor")?,
            rdev_major: field("rdevmajor")?,
            rdev_minor: field("rdevminor")?,
            checksum: None,
        };
        let name = field("namesize")?;
        let checksum = field("check")?;
        header.checksum = has_checksum.then_some(checksum);
        let name_len = name as usize;
        if name_len == 0 || name_len > PATH_MAX {
            return Err(Problem::NameLength(name));
        }
        if header.is_symlink() && header.size as usize > PATH_MAX {
            return Err(Problem::LinkLength(header.size));
        }
        Ok((header, name_len))
    }

    /// Tells whether this is a regular file.
    pub const fn is_regular(&self) -> bool {
        self.mode & S_IFMT == S_IFREG
    }

    /// Tells whether this is a symbolic link; its data is the target.
    pub const fn is_symlink(&self) -> bool {
        self.mode & S_IFMT == S_IFLNK
    }

    /// Tells whether data of this entry means anything.
    pub(crate) const fn can_have_data(&self) -> bool {
        self.is_regular() || self.is_symlink()
    }
}

/// Returns the bytes of header, name and padding: a multiple of 4.
pub(crate) const fn padded_head_len(name_len: usize) -> usize {
    (HEADER_LEN + name_len).next_multiple_of(4)
}

/// Returns the name in its field: what stands before the first zero, which must be there.
pub(crate) fn name_in(field: &[u8]) -> Result<&[u8], Problem> {
    match field.split_last() {
        Some((0, before)) => Ok(before.split(|&byte| byte == 0).next().unwrap_or(before)),
        _ => Err(Problem::NameUnterminated),
    }
}

/// Adds `bytes` to the sum of the crc format.
pub(crate) fn add_checksum(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, &byte| sum.wrapping_add(u32::from(byte)))
}

/// Reads eight hexadecimal digits.
fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | digit)
    })
}
