//! One member of a gzip file (RFC 1952), decoded piece by piece.

use crate::crc32::Crc32;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The two bytes that every member begins with.
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How far back deflate refers; also the size of the pieces at most.
const WINDOW_SIZE: usize = 32 * 1024;

const DEFLATE: u8 = 8;
const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
/// Bits that must be zero, since nobody knows what would follow.
const RESERVED: u8 = 0xe0;

/// What is wrong with a member, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GzipError {
    /// Offset in the compressed bytes, about where it was noticed.
    pub offset: usize,
    /// What is wrong.
    pub problem: GzipProblem,
}

/// What can be wrong with a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GzipProblem {
    /// It does not begin with the magic bytes.
    BadMagic,
    /// It is not compressed by deflate.
    UnknownMethod,
    /// Its header uses bits without a meaning.
    ReservedFlags,
    /// The checksum of the header is wrong.
    HeaderChecksum,
    /// The input ends too early.
    Truncated,
    /// The compressed data makes no sense.
    Corrupt,
    /// The checksum of the data is wrong.
    Checksum,
    /// The length of the data is wrong.
    Length,
    /// No memory for the window.
    OutOfMemory,
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.problem {
            GzipProblem::BadMagic => "not a gzip member",
            GzipProblem::UnknownMethod => "unknown compression method",
            GzipProblem::ReservedFlags => "unknown header flags",
            GzipProblem::HeaderChecksum => "wrong checksum of the header",
            GzipProblem::Truncated => "the compressed data is cut off",
            GzipProblem::Corrupt => "the compressed data is corrupt",
            GzipProblem::Checksum => "wrong checksum of the data",
            GzipProblem::Length => "wrong length of the data",
            GzipProblem::OutOfMemory => "out of memory",
        };
        write!(f, "{text} (compressed byte {})", self.offset)
    }
}

impl core::error::Error for GzipError {}

/// Decodes the member at the start of a byte string; what follows the member is left alone.
///
/// Needs about 45 KiB of memory whatever the size of the data.
pub struct GzipReader<'a> {
    input: &'a [u8],
    /// Bytes of `input` used.
    consumed: usize,
    decompressor: Box<[DecompressorOxide; 1]>,
    /// The last 32 KiB of output, in a ring.
    window: Box<[u8]>,
    /// Where in the ring output goes on.
    position: usize,
    /// Output in the ring that was not handed out.
    pending: Range<usize>,
    crc: Crc32,
    /// Bytes of output, modulo 2^32 as the trailer has it.
    length: u32,
    /// The end, good or bad, was reached.
    end: Option<Result<(), GzipError>>,
}

impl<'a> GzipReader<'a> {
    /// Reads the header of the member at the start of `input`.
    ///
    /// # Errors
    /// A wrong header, or no memory.
    pub fn new(input: &'a [u8]) -> Result<Self, GzipError> {
        let consumed = header_len(input)?;
        let no_memory = GzipError { offset: 0, problem: GzipProblem::OutOfMemory };
        let mut decompressor = Vec::new();
        decompressor.try_reserve_exact(1).map_err(|_| no_memory)?;
        decompressor.resize_with(1, DecompressorOxide::new);
        let decompressor = decompressor.into_boxed_slice().try_into().map_err(|_| no_memory)?;
        let mut window = Vec::new();
        window.try_reserve_exact(WINDOW_SIZE).map_err(|_| no_memory)?;
        window.resize(WINDOW_SIZE, 0);
        Ok(Self {
            input,
            consumed,
            decompressor,
            window: window.into_boxed_slice(),
            position: 0,
            pending: 0..0,
            crc: Crc32::default(),
            length: 0,
            end: None,
        })
    }

    /// Returns the next piece of the data, without a copy; an empty one at the end, when checksum and length were
    /// right.
    ///
    /// # Errors
    /// The data is cut off or corrupt, or checksum or length are wrong. The same error comes again on every further
    /// call.
    pub fn chunk(&mut self) -> Result<&[u8], GzipError> {
        self.fill()?;
        let chunk = core::mem::replace(&mut self.pending, 0..0);
        Ok(&self.window[chunk])
    }

    /// Copies the next bytes of the data to the start of `buffer` and returns how many; 0 at the end or if `buffer` is
    /// empty.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GzipError> {
        self.fill()?;
        let len = buffer.len().min(self.pending.len());
        let from = self.pending.start;
        buffer[..len].copy_from_slice(&self.window[from..from + len]);
        self.pending.start += len;
        Ok(len)
    }

    /// Returns the bytes of the input used so far; after the end of the data that is the length of the whole member.
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// Makes output pending, unless some is or the end was reached.
    fn fill(&mut self) -> Result<(), GzipError> {
        while self.pending.is_empty() {
            match self.end {
                Some(result) => return result,
                None => {
                    if let Err(error) = self.step() {
                        self.end = Some(Err(error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Decompresses until the ring's end or the data's.
    fn step(&mut self) -> Result<(), GzipError> {
        let input = self.input.get(self.consumed..).unwrap_or_default();
        let [decompressor] = &mut *self.decompressor;
        let (status, used, written) = decompress(decompressor, input, &mut self.window, self.position, 0);
        self.consumed += used;
        let new = self.position..self.position + written;
        self.crc.update(&self.window[new.clone()]);
        self.length = self.length.wrapping_add(written as u32);
        self.position = new.end % WINDOW_SIZE;
        self.pending = new;
        match status {
            TINFLStatus::Done => {
                self.end = Some(Ok(()));
                self.check_trailer().inspect_err(|_| self.pending = 0..0)
            }
            TINFLStatus::HasMoreOutput if used + written > 0 => Ok(()),
            TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                // What was decoded so far is good; the error comes after it.
                self.end = Some(Err(self.error(GzipProblem::Truncated)));
                Ok(())
            }
            _ => Err(self.error(GzipProblem::Corrupt)),
        }
    }

    /// Compares the eight bytes behind the data.
    fn check_trailer(&mut self) -> Result<(), GzipError> {
        let trailer = self.input.get(self.consumed..).and_then(|rest| rest.first_chunk::<8>());
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer.ok_or_else(|| self.error(GzipProblem::Truncated))?;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.crc.value() {
            return Err(self.error(GzipProblem::Checksum));
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) != self.length {
            return Err(self.error(GzipProblem::Length));
        }
        self.consumed += 8;
        Ok(())
    }

    const fn error(&self, problem: GzipProblem) -> GzipError {
        GzipError { offset: self.consumed, problem }
    }
}

impl fmt::Debug for GzipReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipReader")
            .field("consumed", &self.consumed)
            .field("length", &self.length)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Checks the header of a member and returns its length.
fn header_len(input: &[u8]) -> Result<usize, GzipError> {
    let error = |offset, problem| GzipError { offset, problem };
    if !input.starts_with(&GZIP_MAGIC) {
        return Err(error(0, GzipProblem::BadMagic));
    }
    let truncated = error(input.len(), GzipProblem::Truncated);
    let &[_, _, method, flags, ..] = input.first_chunk::<10>().ok_or(truncated)?;
    if method != DEFLATE {
        return Err(error(2, GzipProblem::UnknownMethod));
    }
    if flags & RESERVED != 0 {
        return Err(error(3, GzipProblem::ReservedFlags));
    }
    let mut len = 10;
    let rest = |len: usize| input.get(len..).ok_or(truncated);
    if flags & FEXTRA != 0 {
        let extra = rest(len)?.first_chunk::<2>().ok_or(truncated)?;
        len += 2 + usize::from(u16::from_le_bytes(*extra));
    }
    for flag in [FNAME, FCOMMENT] {
        if flags & flag != 0 {
            len += rest(len)?.iter().position(|&byte| byte == 0).ok_or(truncated)? + 1;
        }
    }
    if flags & FHCRC != 0 {
        let expected = rest(len)?.first_chunk::<2>().ok_or(truncated)?;
        let mut crc = Crc32::default();
        crc.update(&input[..len]);
        if u16::from_le_bytes(*expected) != crc.value() as u16 {
            return Err(error(len, GzipProblem::HeaderChecksum));
        }
        len += 2;
    }
    rest(len)?;
    Ok(len)
}
