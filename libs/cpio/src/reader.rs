//! Reading archives that lie in memory, entry by entry.

use crate::error::{CpioError, Problem};
use crate::header::{HEADER_LEN, Header, TRAILER, add_checksum, name_in, padded_head_len};

/// An entry of an archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// What the header says.
    pub header: Header,
    /// Path, without a zero byte; can be empty, absolute or contain `..`.
    pub name: &'a [u8],
    /// Contents, or a symbolic link's target.
    pub data: &'a [u8],
    /// Number of the archive, from 0: inode numbers of different archives have nothing to do with each other.
    pub archive: usize,
    /// Offset of the header.
    pub offset: usize,
}

/// Iterates over the entries of one or several archives one after another, with zeros between.
///
/// The iterator ends after the first error. The end of the bytes between two entries is a good end, with or without a
/// trailer.
#[derive(Clone, Debug)]
pub struct Archives<'a> {
    bytes: &'a [u8],
    /// Where the next entry, or padding before it, begins; `None` after the end.
    position: Option<usize>,
    archive: usize,
}

impl<'a> Archives<'a> {
    /// Starts at the first of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: Some(0), archive: 0 }
    }

    /// Reads the entry at or after `position`, a trailer included; returns it and where the next one begins.
    fn read(&self, position: usize) -> Result<Option<(Entry<'a>, usize)>, CpioError> {
        let rest = self.bytes.get(position..).unwrap_or_default();
        let Some(zeros) = rest.iter().position(|&byte| byte != 0) else {
            return Ok(None);
        };
        let (offset, rest) = (position + zeros, &rest[zeros..]);
        let error = |problem| CpioError { offset: offset as u64, problem };
        if !offset.is_multiple_of(4) {
            return Err(error(Problem::Misaligned));
        }
        let head = rest.first_chunk::<HEADER_LEN>().ok_or(error(Problem::Truncated))?;
        let (header, name_len) = Header::parse(head).map_err(error)?;
        let name = rest.get(HEADER_LEN..HEADER_LEN + name_len).ok_or(error(Problem::Truncated))?;
        let name = name_in(name).map_err(error)?;

        let size = header.size as usize;
        let rest = rest.get(padded_head_len(name_len)..).ok_or(error(Problem::Truncated))?;
        let data = rest.get(..size).ok_or(error(Problem::DataPastEnd(header.size)))?;
        if header.checksum.is_some_and(|sum| header.is_regular() && sum != add_checksum(0, data)) {
            return Err(error(Problem::Checksum));
        }
        let next = offset + (padded_head_len(name_len) + size).next_multiple_of(4);
        Ok(Some((Entry { header, name, data, archive: self.archive, offset }, next)))
    }
}

impl<'a> Iterator for Archives<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let position = self.position.take()?;
            match self.read(position) {
                Ok(Some((entry, next))) => {
                    self.position = Some(next);
                    if entry.name != TRAILER {
                        return Some(Ok(entry));
                    }
                    self.archive += 1;
                }
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
