//! splice(2), tee(2), vmsplice(2).
//!
//! Between pipes pages change hands. Between a pipe and something else bytes are copied once, into or out of the pages
//! of the pipe.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::PAGE_SIZE;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::fcntl::{SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK};
use linux_abi::limits::MAX_RW_COUNT;

use super::read::with_sigpipe;
use super::{Args, Context, SyscallError};
use crate::fs::vfs::{IoFlags, OpenFile};
use crate::ipc::pipe::{Passing, Pipe};
use crate::memory::fallible;
use crate::uio::{Sink, Source, copy_iovecs};

const KNOWN: u32 = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
/// Bytes that are copied at a time.
const CHUNK: usize = 16 * PAGE_SIZE;

/// splice(2): moves bytes between a pipe and something else.
///
/// # Errors
/// - `EINVAL`: an unknown flag; no pipe among the two, or twice the same; a target opened with `O_APPEND`; an offset in
///   something without a position; a file that is not spliced.
/// - `EBADF`: no such descriptor, or not open for this. `ESPIPE`: an offset in a pipe. `EFAULT`.
/// - `EAGAIN`: it would have to wait. `EPIPE`, with SIGPIPE: nobody will read it. Those of read and write.
pub(super) fn splice(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (from_at, to_at) = (args.user_ptr::<i64>(1), args.user_ptr::<i64>(3));
    let (len, mut flags) = (args.size(4), args.uint(5));
    if len == 0 {
        return Ok(0);
    }
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (cx.open_file(args.fd(0))?, cx.open_file(args.fd(2))?);
    let (source, target) = (from.file().as_pipe(), to.file().as_pipe());
    if source.is_some() && !from_at.is_null() || target.is_some() && !to_at.is_null() {
        return Err(Errno::ESPIPE);
    }
    let offset = |at: UserPtr<i64>| if at.is_null() { Ok(None) } else { at.read().map(Some) };
    let (to_offset, from_offset) = (offset(to_at)?, offset(from_at)?);
    if !from.is_readable() || !to.is_writable() {
        return Err(Errno::EBADF);
    }
    let len = len.min(MAX_RW_COUNT);
    match (source, target) {
        (Some(source), Some(target)) => {
            if core::ptr::eq(source, target) {
                return Err(Errno::EINVAL);
            }
            if from.is_nonblocking() || to.is_nonblocking() {
                flags |= SPLICE_F_NONBLOCK;
            }
            with_sigpipe(cx, &to, pipe_to_pipe(source, target, len, flags, Passing::Move))
        }
        (Some(source), None) => {
            let at = position(&to, to_offset)?;
            if to.io_flags().contains(IoFlags::APPEND) || !to.file().is_spliced_to() {
                return Err(Errno::EINVAL);
            }
            let is_nonblocking = from.is_nonblocking() || flags & SPLICE_F_NONBLOCK != 0;
            let done = pipe_to_file(cx, source, &to, at, len, is_nonblocking)?;
            store(to_at, at, done)
        }
        (None, Some(target)) => {
            let at = position(&from, from_offset)?;
            if to.is_nonblocking() {
                flags |= SPLICE_F_NONBLOCK;
            }
            let done = file_to_pipe(cx, &from, at, &to, target, len, flags & SPLICE_F_NONBLOCK != 0)?;
            store(from_at, at, done)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// tee(2): passes what is in a pipe on to another, and leaves it there.
///
/// # Errors
/// As splice; `EINVAL`: one of the two is no pipe.
pub(super) fn tee(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (len, mut flags) = (args.size(2), args.uint(3));
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let (from, to) = (cx.open_file(args.fd(0))?, cx.open_file(args.fd(1))?);
    if !from.is_readable() || !to.is_writable() {
        return Err(Errno::EBADF);
    }
    let (Some(source), Some(target)) = (from.file().as_pipe(), to.file().as_pipe()) else {
        return Err(Errno::EINVAL);
    };
    if core::ptr::eq(source, target) {
        return Err(Errno::EINVAL);
    }
    if from.is_nonblocking() || to.is_nonblocking() {
        flags |= SPLICE_F_NONBLOCK;
    }
    let len = len.min(MAX_RW_COUNT);
    with_sigpipe(cx, &to, pipe_to_pipe(source, target, len, flags, Passing::Share))
}

/// vmsplice(2): moves bytes between memory and a pipe.
///
/// # Errors
/// - `EBADF`: no pipe. `EINVAL`: an unknown flag, too many or too large parts. `EFAULT`, `ENOMEM`.
/// - `EAGAIN`: it would have to wait. `EPIPE`, with SIGPIPE: nobody will read it.
pub(super) fn vmsplice(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = args.uint(3);
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let open = cx.open_file(args.fd(0))?;
    if !open.is_writable() && !open.is_readable() {
        return Err(Errno::EBADF);
    }
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    let mut source = Source::vectors(&vectors);
    if source.is_empty() {
        return Ok(0);
    }
    let pipe = open.file().as_pipe().ok_or(Errno::EBADF)?;
    let is_nonblocking = flags & SPLICE_F_NONBLOCK != 0;
    if open.is_writable() {
        let outcome = pipe.wait_for_room(is_nonblocking).and_then(|_| pipe.write_at_once(&mut source));
        return with_sigpipe(cx, &open, outcome);
    }
    if !pipe.wait_for_data(is_nonblocking)? {
        return Ok(0);
    }
    let mut sink = Sink::vectors(&vectors);
    let mut done = 0;
    while !sink.is_full() {
        let Some(mut buffer) = pipe.take_buffer(sink.remaining()) else { break };
        let outcome = buffer.put(&mut sink);
        pipe.put_back(buffer);
        match outcome {
            Ok(0) => break,
            Ok(moved) => done += moved,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Where in `open` it starts: at `offset`, if one is given.
fn position(open: &OpenFile, offset: Option<i64>) -> Result<Option<u64>, Errno> {
    let Some(offset) = offset else { return Ok(None) };
    if !open.is_seekable() {
        return Err(Errno::EINVAL);
    }
    u64::try_from(offset).map(Some).map_err(|_| Errno::EINVAL)
}

/// Stores the offset behind what was done.
fn store(ptr: UserPtr<i64>, start: Option<u64>, done: usize) -> Result<usize, Errno> {
    if let Some(start) = start {
        ptr.write(&(start + done as u64).cast_signed())?;
    }
    Ok(done)
}

fn pipe_to_pipe(
    source: &Pipe,
    target: &Pipe,
    len: usize,
    flags: u32,
    passing: Passing,
) -> Result<usize, Errno> {
    let is_nonblocking = flags & SPLICE_F_NONBLOCK != 0;
    loop {
        let has_data = source.wait_for_data(is_nonblocking)?;
        target.wait_for_room(is_nonblocking)?;
        if !has_data {
            return Ok(0);
        }
        match source.pass_to(target, len, passing) {
            // Others were faster.
            Err(Errno::EAGAIN) if !is_nonblocking => {}
            outcome => return outcome,
        }
    }
}

/// Writes what comes out of a pipe: waits for the first of it, and takes what is there.
fn pipe_to_file(
    cx: &Context,
    pipe: &Pipe,
    to: &Arc<OpenFile>,
    at: Option<u64>,
    len: usize,
    is_nonblocking: bool,
) -> Result<usize, Errno> {
    if !pipe.wait_for_data(is_nonblocking)? {
        return Ok(0);
    }
    let mut bytes: Vec<u8> = fallible::zeroed(PAGE_SIZE)?;
    let mut done = 0;
    while done < len {
        let Some(mut buffer) = pipe.take_buffer(len - done) else { break };
        let bytes = &mut bytes[..buffer.len()];
        buffer.copy_to(bytes);
        let mut source = Source::kernel(bytes);
        let outcome = match at {
            Some(start) => to.write_at(start + done as u64, &mut source, IoFlags::empty()),
            None => to.write(&mut source, IoFlags::empty()),
        };
        let written = outcome.unwrap_or(0);
        buffer.skip(written);
        let is_short = !buffer.is_empty();
        pipe.put_back(buffer);
        done += written;
        match outcome {
            Err(_) if done == 0 => return with_sigpipe(cx, to, outcome),
            _ if is_short => break,
            _ => {}
        }
        crate::scheduler::cond_resched();
    }
    Ok(done)
}

/// Reads into a pipe as much as there is room for: waits for room, and as the file does for data.
///
/// # Errors
/// `EINVAL`: the file is not spliced. `EPIPE`, with SIGPIPE, `EAGAIN`: of the pipe. Those of the file.
pub(super) fn file_to_pipe(
    cx: &Context,
    from: &OpenFile,
    at: Option<u64>,
    to: &OpenFile,
    pipe: &Pipe,
    len: usize,
    is_nonblocking: bool,
) -> Result<usize, Errno> {
    let room = match pipe.wait_for_room(is_nonblocking) {
        Ok(buffers) => buffers.saturating_mul(PAGE_SIZE),
        Err(error) => return with_sigpipe(cx, to, Err(error)),
    };
    if !from.file().is_spliced_from() {
        return Err(Errno::EINVAL);
    }
    let len = len.min(room);
    let mut bytes: Vec<u8> = fallible::zeroed(len.min(CHUNK))?;
    let mut extra = IoFlags::empty();
    // Of what is read, only a socket heeds it.
    extra.set(IoFlags::NONBLOCK, is_nonblocking && from.file().as_socket().is_some());
    let mut done = 0;
    while done < len {
        let part = (len - done).min(bytes.len());
        let mut sink = Sink::kernel(&mut bytes[..part]);
        let read = match at {
            Some(start) => from.read_at(start + done as u64, &mut sink, extra),
            None => from.read(&mut sink, extra),
        };
        let got = match read {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        };
        let written = to.write(&mut Source::kernel(&bytes[..got]), IoFlags::empty()).unwrap_or(0);
        done += written;
        if written < got && at.is_none() && from.is_seekable() {
            // What was read and not written is to be read again.
            from.with_position(|position| *position -= (got - written) as u64);
        }
        if written < got || got < part || !from.is_seekable() {
            break;
        }
        crate::scheduler::cond_resched();
    }
    Ok(done)
}
