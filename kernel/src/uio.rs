//! Where the bytes of read(2) go and the bytes of write(2) come from: user memory in one piece or several, or a kernel
//! buffer.
//!
//! A [`Sink`] and a [`Source`] move forward only, so no byte of user memory is looked at twice. Each operation does as
//! much as it can: a bad address after some progress shows as a short count, and as `EFAULT` at the next operation, which
//! then makes no progress. So a caller that stops at a short count and returns what it has done so far lets partial
//! progress win over the error, as Linux does.

use core::ops::Range;

use hal::USER_END;
use hal::frame::Frame;
use hal::user::{Fault, UserPtr, UserSlice};
use linux_abi::errno::Errno;
use linux_abi::limits::{MAX_RW_COUNT, UIO_FASTIOV, UIO_MAXIOV};
use linux_abi::uio::Iovec;
use smallvec::SmallVec;

/// Vectors copied from user memory, usually without an allocation.
pub type Iovecs = SmallVec<[Iovec; UIO_FASTIOV]>;

/// Copies in the `count` vectors of readv(2) and its like, and checks them; their sum is cut to `MAX_RW_COUNT`.
///
/// # Errors
/// - `EINVAL`: more than 1024 vectors, or a length that is negative.
/// - `EFAULT`: the vectors cannot be read, or one does not lie in user space.
/// - `ENOMEM`: no room for so many.
pub fn copy_iovecs(addr: usize, count: usize) -> Result<Iovecs, Errno> {
    if count > UIO_MAXIOV {
        return Err(Errno::EINVAL);
    }
    let mut vectors = Iovecs::new();
    vectors.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    let mut room = MAX_RW_COUNT as u64;
    for i in 0..count {
        let mut vector = UserPtr::<Iovec>::new(addr).add(i).read().map_err(|_| Errno::EFAULT)?;
        if vector.iov_len > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        check_user_range(vector.iov_base, vector.iov_len)?;
        vector.iov_len = vector.iov_len.min(room);
        room -= vector.iov_len;
        vectors.push(vector);
    }
    Ok(vectors)
}

/// Checks that a range lies in user space, as Linux does before it looks at a file (`access_ok`).
///
/// # Errors
/// `EFAULT`.
pub fn check_user_range(addr: u64, len: u64) -> Result<(), Errno> {
    match addr.checked_add(len) {
        Some(end) if end <= USER_END as u64 => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Moves `total` bytes a piece at a time. `step(done)` tries the next piece and answers how many bytes it tried and what
/// came of it; nothing tried ends the operation, and so do a piece moved in part and an error. Returns the bytes moved.
///
/// # Errors
/// That of the first piece: after some progress the caller learns of an error at the next call.
#[inline]
pub fn in_pieces(
    total: usize,
    mut step: impl FnMut(usize) -> (usize, Result<usize, Errno>),
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < total {
        let (tried, outcome) = step(done);
        match outcome {
            Ok(moved) => {
                done += moved;
                if moved < tried || tried == 0 {
                    break;
                }
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// A position in user memory: the piece at hand and those that follow.
struct UserCursor<'a> {
    piece: UserSlice,
    rest: &'a [Iovec],
}

impl<'a> UserCursor<'a> {
    fn single(addr: usize, len: usize) -> Self {
        Self { piece: UserSlice::new(addr, len), rest: &[] }
    }

    fn vectors(vectors: &'a [Iovec]) -> Self {
        Self { piece: UserSlice::new(0, 0), rest: vectors }
    }

    fn remaining(&self) -> usize {
        let rest = self.rest.iter().map(|vector| vector.iov_len as usize);
        rest.fold(self.piece.len(), usize::saturating_add)
    }

    /// Performs `step` on one piece after the other until `len` bytes or all pieces are done. `step` gets a piece and
    /// the range of the `len` bytes that fits into it.
    #[inline]
    fn advance(
        &mut self,
        len: usize,
        mut step: impl FnMut(&mut UserSlice, Range<usize>) -> Result<usize, Fault>,
    ) -> Result<usize, Errno> {
        if len > self.piece.len() {
            return self.advance_by_pieces(len, step);
        }
        match step(&mut self.piece, 0..len) {
            Ok(moved) => Ok(moved),
            Err(fault) if fault.copied != 0 => Ok(fault.copied),
            Err(_) => Err(Errno::EFAULT),
        }
    }

    #[inline(never)]
    fn advance_by_pieces(
        &mut self,
        len: usize,
        mut step: impl FnMut(&mut UserSlice, Range<usize>) -> Result<usize, Fault>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            if self.piece.is_empty() {
                let Some((next, rest)) = self.rest.split_first() else { break };
                self.piece = UserSlice::new(next.iov_base as usize, next.iov_len as usize);
                self.rest = rest;
                continue;
            }
            let n = self.piece.len().min(len - done);
            match step(&mut self.piece, done..done + n) {
                Ok(moved) => done += moved,
                Err(fault) => {
                    done += fault.copied;
                    return if done != 0 { Ok(done) } else { Err(Errno::EFAULT) };
                }
            }
        }
        Ok(done)
    }
}

enum SinkTarget<'a> {
    User(UserCursor<'a>),
    Kernel(&'a mut [u8]),
}

/// The destination of a read.
pub struct Sink<'a> {
    target: SinkTarget<'a>,
}

impl<'a> Sink<'a> {
    /// Makes a sink of `len` bytes of user memory at `addr`.
    pub fn user(addr: usize, len: usize) -> Self {
        Self { target: SinkTarget::User(UserCursor::single(addr, len.min(MAX_RW_COUNT))) }
    }

    /// Makes a sink of several pieces of user memory, to be filled one after the other.
    pub fn vectors(vectors: &'a [Iovec]) -> Self {
        Self { target: SinkTarget::User(UserCursor::vectors(vectors)) }
    }

    /// Makes a sink of a kernel buffer, which is filled from its start.
    pub fn kernel(buffer: &'a mut [u8]) -> Self {
        Self { target: SinkTarget::Kernel(buffer) }
    }

    /// Returns the number of bytes that still fit.
    pub fn remaining(&self) -> usize {
        match &self.target {
            SinkTarget::User(cursor) => cursor.remaining(),
            SinkTarget::Kernel(buffer) => buffer.len(),
        }
    }

    /// Tells whether nothing fits any more.
    pub fn is_full(&self) -> bool {
        self.remaining() == 0
    }

    /// Copies as many of `bytes` as fit; returns how many.
    ///
    /// # Errors
    /// `EFAULT`: not even one byte could be stored. So with the methods below.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        match &mut self.target {
            SinkTarget::User(cursor) => cursor.advance(bytes.len(), |piece, part| piece.write(&bytes[part])),
            SinkTarget::Kernel(buffer) => {
                let part = take_front(buffer, bytes.len());
                part.copy_from_slice(&bytes[..part.len()]);
                Ok(part.len())
            }
        }
    }

    /// Copies as much of the `len` bytes at `offset` of a frame as fits; returns how much.
    ///
    /// # Panics
    /// If the range leaves the frame.
    pub fn put_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> Result<usize, Errno> {
        match &mut self.target {
            SinkTarget::User(cursor) => cursor
                .advance(len, |piece, part| piece.write_from_frame(frame, offset + part.start, part.len())),
            SinkTarget::Kernel(buffer) => {
                let part = take_front(buffer, len);
                frame.read(offset, part);
                Ok(part.len())
            }
        }
    }

    /// Stores up to `n` zeroes; returns how many.
    pub fn put_zeros(&mut self, n: usize) -> Result<usize, Errno> {
        match &mut self.target {
            SinkTarget::User(cursor) => cursor.advance(n, |piece, part| piece.write_zeros(part.len())),
            SinkTarget::Kernel(buffer) => {
                let part = take_front(buffer, n);
                part.fill(0);
                Ok(part.len())
            }
        }
    }
}

enum SourceTarget<'a> {
    User(UserCursor<'a>),
    Kernel(&'a [u8]),
}

/// The origin of a write.
pub struct Source<'a> {
    target: SourceTarget<'a>,
}

impl<'a> Source<'a> {
    /// Makes a source of `len` bytes of user memory at `addr`.
    pub fn user(addr: usize, len: usize) -> Self {
        Self { target: SourceTarget::User(UserCursor::single(addr, len.min(MAX_RW_COUNT))) }
    }

    /// Makes a source of several pieces of user memory, one after the other.
    pub fn vectors(vectors: &'a [Iovec]) -> Self {
        Self { target: SourceTarget::User(UserCursor::vectors(vectors)) }
    }

    /// Makes a source of bytes in the kernel.
    pub fn kernel(bytes: &'a [u8]) -> Self {
        Self { target: SourceTarget::Kernel(bytes) }
    }

    /// Returns the number of bytes that are left.
    pub fn remaining(&self) -> usize {
        match &self.target {
            SourceTarget::User(cursor) => cursor.remaining(),
            SourceTarget::Kernel(bytes) => bytes.len(),
        }
    }

    /// Tells whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Copies the next bytes, as many as `buffer` takes and are left; returns how many.
    ///
    /// # Errors
    /// `EFAULT`: not even one byte could be loaded. So with the method below.
    pub fn take(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match &mut self.target {
            SourceTarget::User(cursor) => {
                cursor.advance(buffer.len(), |piece, part| piece.read(&mut buffer[part]))
            }
            SourceTarget::Kernel(bytes) => {
                let (part, rest) = bytes.split_at(buffer.len().min(bytes.len()));
                buffer[..part.len()].copy_from_slice(part);
                *bytes = rest;
                Ok(part.len())
            }
        }
    }

    /// Copies up to `len` of the next bytes into a frame at `offset`; returns how many.
    ///
    /// # Panics
    /// If the range leaves the frame.
    pub fn take_to_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> Result<usize, Errno> {
        match &mut self.target {
            SourceTarget::User(cursor) => {
                cursor.advance(len, |piece, part| piece.read_to_frame(frame, offset + part.start, part.len()))
            }
            SourceTarget::Kernel(bytes) => {
                let (part, rest) = bytes.split_at(len.min(bytes.len()));
                frame.write(offset, part);
                *bytes = rest;
                Ok(part.len())
            }
        }
    }
}

/// Splits up to `n` bytes off the front of a buffer.
fn take_front<'a>(buffer: &mut &'a mut [u8], n: usize) -> &'a mut [u8] {
    let n = n.min(buffer.len());
    let (front, rest) = core::mem::take(buffer).split_at_mut(n);
    *buffer = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_sink_takes_what_fits_and_no_more() {
        let mut buffer = [0xff; 6];
        let mut sink = Sink::kernel(&mut buffer);
        assert_eq!(sink.put(b"abc"), Ok(3));
        assert_eq!(sink.put_zeros(2), Ok(2));
        assert_eq!(sink.remaining(), 1);
        assert_eq!(sink.put(b"xyz"), Ok(1));
        assert!(sink.is_full());
        assert_eq!(sink.put(b"q"), Ok(0));
        assert_eq!(&buffer, b"abc\0\0x");
    }

    #[test]
    fn a_kernel_source_gives_each_byte_once() {
        let mut source = Source::kernel(b"hello");
        let mut buffer = [0; 3];
        assert_eq!(source.take(&mut buffer), Ok(3));
        assert_eq!(&buffer, b"hel");
        assert_eq!(source.take(&mut buffer), Ok(2));
        assert_eq!(&buffer[..2], b"lo");
        assert!(source.is_empty());
    }

    #[test]
    fn progress_beats_an_error_and_a_short_piece_ends() {
        let run = |outcomes: &[(usize, Result<usize, Errno>)]| {
            let mut outcomes = outcomes.iter();
            in_pieces(10, |_| *outcomes.next().expect("a piece after the last"))
        };
        assert_eq!(run(&[(5, Ok(5)), (5, Ok(5))]), Ok(10));
        assert_eq!(run(&[(5, Ok(5)), (5, Ok(2))]), Ok(7));
        assert_eq!(run(&[(5, Ok(5)), (5, Err(Errno::EFAULT))]), Ok(5));
        assert_eq!(run(&[(5, Err(Errno::EFAULT))]), Err(Errno::EFAULT));
        assert_eq!(run(&[(5, Ok(5)), (0, Ok(0))]), Ok(5));
        assert_eq!(in_pieces(0, |_| (1, Err(Errno::EIO))), Ok(0));
    }

    #[test]
    fn user_ranges_end_below_the_limit() {
        assert_eq!(check_user_range(0, USER_END as u64), Ok(()));
        assert_eq!(check_user_range(1, USER_END as u64), Err(Errno::EFAULT));
        assert_eq!(check_user_range(u64::MAX, 2), Err(Errno::EFAULT));
    }
}
