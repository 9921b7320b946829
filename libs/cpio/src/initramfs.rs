//! Unpacking an initial RAM file system: archives, plain or compressed, one after another.
//!
//! The rules are those of Linux:
//!
//! - An image is a row of *segments* with any number of zero bytes between. A plain segment begins with `0` (of
//!   `070701`) at an offset that is a multiple of 4; a compressed one begins with its magic, at any offset.
//! - A segment holds entries and archives one after another. Before each entry there can be zero bytes, as long as it
//!   begins at a multiple of 4, counted from the start of the image or of the decompressed data.
//! - A trailer ends an archive, and with it the meaning of its inode numbers. It can be missing.
//! - Data of anything but regular files and symbolic links is passed over.
//!
//! Where Linux passes over an entry that is wrong, this is an error. What came before has been handed on by then.
//!
//! Data goes to the [`Sink`] without a copy: slices of the image, or of the decompressor's window of 32 KiB.

use crate::error::{CpioError, Problem};
use crate::gzip::{GZIP_MAGIC, GzipError, GzipReader};
use crate::header::{HEADER_LEN, Header, TRAILER, add_checksum, name_in, padded_head_len};
use alloc::vec::Vec;
use core::fmt;

/// Takes what is unpacked. An error of it ends the unpacking.
///
/// For each entry: [`entry`](Self::entry), [`data`](Self::data) any number of times, [`end_entry`](Self::end_entry).
pub trait Sink {
    /// What can go wrong.
    type Error;

    /// Begins an entry. `name` is a path without a zero byte; it can be empty, absolute or contain `..`.
    ///
    /// See [`Header`] about hard links.
    ///
    /// # Errors
    /// The entry cannot be made.
    fn entry(&mut self, header: &Header, name: &[u8]) -> Result<(), Self::Error>;

    /// Takes the next piece, not empty, of a file's contents or a symbolic link's target (which is at most
    /// [`PATH_MAX`](crate::PATH_MAX) long in all). The pieces add up to `header.size`.
    ///
    /// # Errors
    /// The data cannot be stored.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Ends the entry.
    ///
    /// # Errors
    /// The entry cannot be completed.
    fn end_entry(&mut self) -> Result<(), Self::Error>;

    /// Ends an archive: later inode numbers have nothing to do with earlier ones.
    ///
    /// # Errors
    /// The archive cannot be completed.
    fn end_archive(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why an image was not unpacked to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error<E> {
    /// An archive is wrong.
    Cpio {
        /// Offset in the image of the segment.
        segment: usize,
        /// What is wrong. Its offset counts from the start of the decompressed data, or of the image if the segment is
        /// plain.
        error: CpioError,
    },
    /// A gzip member is wrong.
    Gzip {
        /// Offset in the image of the segment.
        segment: usize,
        /// What is wrong, offset from the start of the segment.
        error: GzipError,
    },
    /// A segment is compressed in a way that is not supported.
    Unsupported {
        /// Offset in the image of the segment.
        segment: usize,
        /// Name of the compression.
        compression: &'static str,
    },
    /// Neither an archive nor compressed.
    UnknownFormat {
        /// Offset in the image.
        segment: usize,
    },
    /// No memory for the unpacker's own buffers.
    OutOfMemory,
    /// The sink's error.
    Sink(E),
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpio { segment, error } => write!(f, "archive at byte {segment}: {error}"),
            Self::Gzip { segment, error } => write!(f, "compressed archive at byte {segment}: {error}"),
            Self::Unsupported { segment, compression } => {
                write!(f, "archive at byte {segment}: compressed with {compression}, not supported")
            }
            Self::UnknownFormat { segment } => {
                write!(f, "byte {segment}: neither a cpio archive nor a compressed one")
            }
            Self::OutOfMemory => write!(f, "out of memory"),
            Self::Sink(error) => write!(f, "{error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for Error<E> {}

/// Compressions that are recognised but not supported, by their first bytes.
const UNSUPPORTED: [(&[u8], &str); 6] = [
    (b"BZ", "bzip2"),
    (b"\x5d\x00", "lzma"),
    (b"\xfd7", "xz"),
    (b"\x89L", "lzo"),
    (b"\x02\x21", "lz4"),
    (b"\x28\xb5", "zstd"),
];

/// Unpacks `image` into `sink`.
///
/// # Errors
/// See [`Error`]; what came before the error has gone to the sink.
pub fn unpack<S: Sink>(image: &[u8], sink: &mut S) -> Result<(), Error<S::Error>> {
    let mut position = 0;
    loop {
        let rest = image.get(position..).unwrap_or_default();
        let Some(zeros) = rest.iter().position(|&byte| byte != 0) else {
            return Ok(());
        };
        let (segment, rest) = (position + zeros, &rest[zeros..]);
        position = if rest.starts_with(b"0") {
            unpack_plain(image, segment, sink)?
        } else if rest.starts_with(&GZIP_MAGIC) {
            segment + unpack_gzip(rest, segment, sink)?
        } else if let Some((_, compression)) = UNSUPPORTED.iter().find(|(magic, _)| rest.starts_with(magic)) {
            return Err(Error::Unsupported { segment, compression });
        } else {
            return Err(Error::UnknownFormat { segment });
        };
    }
}

/// Unpacks the plain segment at offset `segment` of `image`; returns where it ends.
fn unpack_plain<S: Sink>(image: &[u8], segment: usize, sink: &mut S) -> Result<usize, Error<S::Error>> {
    let mut unpacker = Unpacker::new(segment as u64, Some(image.len() as u64));
    let result = unpacker.feed(&image[segment..], sink).and_then(|rest| {
        unpacker.finish()?;
        Ok(image.len() - rest.len())
    });
    result.map_err(|failure| failure.in_segment(segment))
}

/// Unpacks the gzip member at the start of `bytes`; returns its length. `segment` is its offset in the image.
fn unpack_gzip<S: Sink>(bytes: &[u8], segment: usize, sink: &mut S) -> Result<usize, Error<S::Error>> {
    let in_segment = |failure: Failure<S::Error>| failure.in_segment(segment);
    let mut gzip = GzipReader::new(bytes).map_err(|error| Error::Gzip { segment, error })?;
    let mut unpacker = Unpacker::new(0, None);
    loop {
        let chunk = gzip.chunk().map_err(|error| Error::Gzip { segment, error })?;
        if chunk.is_empty() {
            unpacker.finish().map_err(in_segment)?;
            return Ok(gzip.consumed());
        }
        let rest = unpacker.feed(chunk, sink).map_err(in_segment)?;
        if !rest.is_empty() {
            return Err(in_segment(unpacker.fail(Problem::Junk)));
        }
    }
}

/// Why the unpacker stopped.
enum Failure<E> {
    Cpio(CpioError),
    OutOfMemory,
    Sink(E),
}

impl<E> Failure<E> {
    fn in_segment(self, segment: usize) -> Error<E> {
        match self {
            Self::Cpio(error) => Error::Cpio { segment, error },
            Self::OutOfMemory => Error::OutOfMemory,
            Self::Sink(error) => Error::Sink(error),
        }
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum State {
    /// Zeros, or the next entry.
    Between,
    /// A header.
    Head,
    /// A name of this length, and padding up to a multiple of 4.
    Name(Header, usize),
    /// Data, of which so much is missing, and the sum of what was seen.
    Data { header: Header, missing: u32, sum: u32 },
    /// Data that means nothing, of which so much is missing.
    Skip(u32),
    /// So many bytes up to a multiple of 4, whatever they are; missing at the very end they are not missed.
    Padding(u32),
}

/// Bytes that were asked for in one piece.
enum Whole<'p> {
    InPiece(&'p [u8]),
    Collected(Vec<u8>),
}

impl Whole<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::InPiece(bytes) => bytes,
            Self::Collected(bytes) => bytes,
        }
    }
}

/// Unpacks one segment, given in pieces of any size.
struct Unpacker {
    state: State,
    /// Offset of the next byte.
    position: u64,
    /// Offset of the entry.
    entry: u64,
    /// Offset of the end, if known.
    end: Option<u64>,
    /// The beginning of a header or name that was cut by the end of a piece.
    partial: Vec<u8>,
}

impl Unpacker {
    const fn new(position: u64, end: Option<u64>) -> Self {
        Self { state: State::Between, position, entry: position, end, partial: Vec::new() }
    }

    /// Takes a piece. Returns the rest of it from the first byte on that is neither padding nor an entry.
    fn feed<'p, S: Sink>(
        &mut self,
        mut piece: &'p [u8],
        sink: &mut S,
    ) -> Result<&'p [u8], Failure<S::Error>> {
        while !piece.is_empty() {
            match self.state {
                State::Between => {
                    let zeros = piece.iter().position(|&byte| byte != 0).unwrap_or(piece.len());
                    self.take(&mut piece, zeros);
                    match piece.first() {
                        Some(b'0') => {
                            self.entry = self.position;
                            if !self.position.is_multiple_of(4) {
                                return Err(self.fail(Problem::Misaligned));
                            }
                            self.state = State::Head;
                        }
                        Some(_) => return Ok(piece),
                        None => {}
                    }
                }
                State::Head => {
                    let Some(head) = self.whole(&mut piece, HEADER_LEN)? else {
                        continue;
                    };
                    let head = head.as_slice().first_chunk().ok_or_else(|| self.fail(Problem::Truncated))?;
                    let (header, name_len) = Header::parse(head).map_err(|problem| self.fail(problem))?;
                    self.state = State::Name(header, name_len);
                }
                State::Name(header, name_len) => {
                    let len = padded_head_len(name_len) - HEADER_LEN;
                    let Some(field) = self.whole(&mut piece, len)? else {
                        continue;
                    };
                    let name =
                        name_in(&field.as_slice()[..name_len]).map_err(|problem| self.fail(problem))?;
                    self.begin(header, name, sink)?;
                }
                State::Data { header, missing, sum } => self.data(&mut piece, header, missing, sum, sink)?,
                State::Skip(missing) => {
                    let len = self.take_up_to(&mut piece, missing).len() as u32;
                    self.state = match missing - len {
                        0 => self.padding(),
                        missing => State::Skip(missing),
                    };
                }
                State::Padding(missing) => {
                    let len = self.take_up_to(&mut piece, missing).len() as u32;
                    self.state = match missing - len {
                        0 => State::Between,
                        missing => State::Padding(missing),
                    };
                }
            }
        }
        Ok(piece)
    }

    /// Checks that the segment does not end inside an entry.
    fn finish<E>(&self) -> Result<(), Failure<E>> {
        match self.state {
            State::Between | State::Padding(_) => Ok(()),
            State::Head | State::Name(..) => Err(self.fail(Problem::Truncated)),
            State::Data { header, .. } => Err(self.fail(Problem::DataPastEnd(header.size))),
            State::Skip(missing) => Err(self.fail(Problem::DataPastEnd(missing))),
        }
    }

    /// Begins an entry when header and name are known.
    fn begin<S: Sink>(&mut self, header: Header, name: &[u8], sink: &mut S) -> Result<(), Failure<S::Error>> {
        let data_end = self.position + u64::from(header.size);
        // Checked first, so that a cut archive leaves no cut file where this can be known.
        if self.end.is_some_and(|end| data_end > end) {
            return Err(self.fail(Problem::DataPastEnd(header.size)));
        }
        if name == TRAILER {
            self.skip(header.size);
            return sink.end_archive().map_err(Failure::Sink);
        }
        sink.entry(&header, name).map_err(Failure::Sink)?;
        if header.size != 0 && header.can_have_data() {
            self.state = State::Data { header, missing: header.size, sum: 0 };
            return Ok(());
        }
        self.skip(header.size);
        sink.end_entry().map_err(Failure::Sink)
    }

    /// Hands on the data in `piece`.
    fn data<S: Sink>(
        &mut self,
        piece: &mut &[u8],
        header: Header,
        missing: u32,
        sum: u32,
        sink: &mut S,
    ) -> Result<(), Failure<S::Error>> {
        let bytes = self.take_up_to(piece, missing);
        sink.data(bytes).map_err(Failure::Sink)?;
        // The sum costs time and only the crc format has it.
        let sum = if header.checksum.is_some() { add_checksum(sum, bytes) } else { sum };
        let missing = missing - bytes.len() as u32;
        if missing != 0 {
            self.state = State::Data { header, missing, sum };
            return Ok(());
        }
        if header.is_regular() && header.checksum.is_some_and(|expected| expected != sum) {
            return Err(self.fail(Problem::Checksum));
        }
        self.state = self.padding();
        sink.end_entry().map_err(Failure::Sink)
    }

    /// Passes over `len` bytes of data.
    fn skip(&mut self, len: u32) {
        self.state = if len == 0 { self.padding() } else { State::Skip(len) };
    }

    /// Returns the state that leads to the next multiple of 4.
    fn padding(&self) -> State {
        match self.position.next_multiple_of(4) - self.position {
            0 => State::Between,
            missing => State::Padding(missing as u32),
        }
    }

    /// Takes `len` bytes off `piece` when they are all there, in it or in it and earlier ones; else keeps what is there.
    fn whole<'p, E>(&mut self, piece: &mut &'p [u8], len: usize) -> Result<Option<Whole<'p>>, Failure<E>> {
        if self.partial.is_empty() && piece.len() >= len {
            return Ok(Some(Whole::InPiece(self.take(piece, len))));
        }
        let missing = len - self.partial.len();
        self.partial.try_reserve_exact(missing).map_err(|_| Failure::OutOfMemory)?;
        let bytes = self.take(piece, piece.len().min(missing));
        self.partial.extend_from_slice(bytes);
        let is_whole = self.partial.len() == len;
        Ok(is_whole.then(|| Whole::Collected(core::mem::take(&mut self.partial))))
    }

    /// Takes `len` bytes off `piece`, or all of it if it is shorter.
    fn take_up_to<'p>(&mut self, piece: &mut &'p [u8], len: u32) -> &'p [u8] {
        self.take(piece, piece.len().min(len as usize))
    }

    /// Takes `len` bytes, which must be there, off `piece`.
    fn take<'p>(&mut self, piece: &mut &'p [u8], len: usize) -> &'p [u8] {
        let (taken, rest) = piece.split_at(len);
        *piece = rest;
        self.position += len as u64;
        taken
    }

    /// Says what is wrong with the present entry, or with the byte between entries.
    fn fail<E>(&self, problem: Problem) -> Failure<E> {
        let offset = match self.state {
            State::Between => self.position,
            _ => self.entry,
        };
        Failure::Cpio(CpioError { offset, problem })
    }
}
