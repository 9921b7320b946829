//! read(2), write(2), pread(2), pwrite(2), readv(2), writev(2) and their kin.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_ACCESS, IN_MODIFY};
use linux_abi::signal::Signal;
use linux_abi::uio::RwFlags;

use super::{Args, Context, SyscallError, splice};
use crate::fs::inotify::file_event;
use crate::fs::vfs::{IoFlags, OpenFile};
use crate::memory::fallible;
use crate::process::signal::send_to_thread;
use crate::uio::{Sink, Source, check_user_range, copy_iovecs};

/// read(2). Errors: `EBADF`, `EFAULT`, `EISDIR`, `EINVAL` and those of the file.
pub(super) fn read(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = readable(cx, args.fd(0))?;
    check_user_range(args.u64(1), args.u64(2))?;
    file.read(&mut Sink::user(args.addr(1), args.size(2)), IoFlags::empty())
}

/// write(2). Errors: `EBADF`, `EFAULT`, `EPIPE` with SIGPIPE, `ENOSPC` and those of the file.
pub(super) fn write(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = writable(cx, args.fd(0))?;
    check_user_range(args.u64(1), args.u64(2))?;
    with_sigpipe(cx, &file, file.write(&mut Source::user(args.addr(1), args.size(2)), IoFlags::empty()))
}

/// pread64(2). Errors as read; `EINVAL`: a negative offset; `ESPIPE`: a stream.
pub(super) fn pread64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let position = offset(args.i64(3))?;
    let file = readable(cx, args.fd(0))?;
    check_user_range(args.u64(1), args.u64(2))?;
    file.read_at(position, &mut Sink::user(args.addr(1), args.size(2)), IoFlags::empty())
}

/// pwrite64(2). Errors as write; `EINVAL`: a negative offset; `ESPIPE`: a stream.
pub(super) fn pwrite64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let position = offset(args.i64(3))?;
    let file = writable(cx, args.fd(0))?;
    check_user_range(args.u64(1), args.u64(2))?;
    with_sigpipe(
        cx,
        &file,
        file.write_at(position, &mut Source::user(args.addr(1), args.size(2)), IoFlags::empty()),
    )
}

/// readv(2). Errors as read; `EINVAL`: too many or too large parts.
pub(super) fn readv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = readable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    vectors_read(&file, file.read(&mut Sink::vectors(&vectors), IoFlags::empty()))
}

/// writev(2). Errors as write; `EINVAL`: too many or too large parts.
pub(super) fn writev(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let file = writable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    with_sigpipe(cx, &file, file.write(&mut Source::vectors(&vectors), IoFlags::empty()))
}

/// preadv(2). Errors as readv and pread64.
pub(super) fn preadv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let position = offset(args.i64(3))?;
    let file = readable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    vectors_read(&file, file.read_at(position, &mut Sink::vectors(&vectors), IoFlags::empty()))
}

/// pwritev(2). Errors as writev and pwrite64.
pub(super) fn pwritev(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let position = offset(args.i64(3))?;
    let file = writable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    with_sigpipe(cx, &file, file.write_at(position, &mut Source::vectors(&vectors), IoFlags::empty()))
}

/// preadv2(2): offset -1 means the position. Errors as preadv; `EOPNOTSUPP`: an unknown flag.
pub(super) fn preadv2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = rw_flags(args.uint(5))?;
    let file = readable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    let outcome = match args.i64(3) {
        -1 => file.read(&mut Sink::vectors(&vectors), flags),
        position => file.read_at(offset(position)?, &mut Sink::vectors(&vectors), flags),
    };
    vectors_read(&file, outcome)
}

/// Who watches a file is told even of a readv(2) that finds nothing.
fn vectors_read(file: &OpenFile, outcome: Result<usize, Errno>) -> Result<usize, Errno> {
    if outcome == Ok(0) {
        file_event(file, IN_ACCESS);
    }
    outcome
}

/// pwritev2(2): offset -1 means the position. Errors as pwritev; `EOPNOTSUPP`: an unknown flag.
pub(super) fn pwritev2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = rw_flags(args.uint(5))?;
    let file = writable(cx, args.fd(0))?;
    let vectors = copy_iovecs(args.addr(1), args.size(2))?;
    let outcome = match args.i64(3) {
        -1 => file.write(&mut Source::vectors(&vectors), flags),
        position => file.write_at(offset(position)?, &mut Source::vectors(&vectors), flags),
    };
    with_sigpipe(cx, &file, outcome)
}

/// sendfile(2): copies from a file to another inside the kernel.
///
/// # Errors
/// `EBADF`, `EINVAL`: an append-only target or a stream as source; `ESPIPE`: an offset for a stream; those of read and
/// write; `EFAULT`: a bad offset pointer.
pub(super) fn sendfile(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let offset_ptr = args.user_ptr::<i64>(2);
    let count = args.size(3).min(linux_abi::limits::MAX_RW_COUNT);
    let start = if offset_ptr.is_null() { None } else { Some(offset_ptr.read()?) };
    let from = readable(cx, args.fd(1))?;
    if start.is_some() && !from.is_seekable() {
        return Err(Errno::ESPIPE);
    }
    let explicit = start.map(offset).transpose()?;
    let to = writable(cx, args.fd(0))?;
    if to.io_flags().contains(IoFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    let done = if let Some(pipe) = to.file().as_pipe() {
        let is_nonblocking = from.is_nonblocking() || to.is_nonblocking();
        splice::file_to_pipe(cx, &from, explicit, &to, pipe, count, is_nonblocking)?
    } else if from.metadata().mode.is_regular() {
        copy(cx, &from, explicit, &to, None, count)?
    } else {
        // What a stream has given cannot be put back.
        return Err(Errno::EINVAL);
    };
    if let Some(start) = explicit {
        offset_ptr.write(&((start + done as u64).cast_signed()))?;
    }
    Ok(done)
}

/// copy_file_range(2): copies between regular files.
///
/// # Errors
/// `EBADF`, `EINVAL`: flags, files that are not regular, or parts of one file that overlap; `EISDIR`; those of read and
/// write.
pub(super) fn copy_file_range(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (from, to) = (readable(cx, args.fd(0))?, writable(cx, args.fd(2))?);
    let (from_ptr, to_ptr) = (args.user_ptr::<i64>(1), args.user_ptr::<i64>(3));
    if args.uint(5) != 0 {
        return Err(Errno::EINVAL);
    }
    for file in [&from, &to] {
        let mode = file.metadata().mode;
        if mode.is_directory() {
            return Err(Errno::EISDIR);
        }
        if !mode.is_regular() {
            return Err(Errno::EINVAL);
        }
    }
    if to.io_flags().contains(IoFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    let position = |ptr: hal::user::UserPtr<i64>| -> Result<Option<u64>, Errno> {
        if ptr.is_null() { Ok(None) } else { offset(ptr.read()?).map(Some) }
    };
    let (from_at, to_at) = (position(from_ptr)?, position(to_ptr)?);
    let count = args.size(4).min(linux_abi::limits::MAX_RW_COUNT);
    if Arc::ptr_eq(from.inode(), to.inode()) {
        let place = |file: &OpenFile, at: Option<u64>| at.unwrap_or_else(|| file.with_position(|at| *at));
        let (source, target) = (place(&from, from_at), place(&to, to_at));
        let count = from.file().size().saturating_sub(source).min(count as u64);
        if target < source + count && source < target + count {
            return Err(Errno::EINVAL);
        }
    }
    let done = copy(cx, &from, from_at, &to, to_at, count)?;
    for (start, ptr) in [(from_at, from_ptr), (to_at, to_ptr)] {
        if let Some(start) = start {
            ptr.write(&((start + done as u64).cast_signed()))?;
        }
    }
    Ok(done)
}

/// Copies from a file to another, and tells who watches them.
fn copy(
    cx: &Context,
    from: &OpenFile,
    from_at: Option<u64>,
    to: &OpenFile,
    to_at: Option<u64>,
    count: usize,
) -> Result<usize, Errno> {
    let done = copy_untold(cx, from, from_at, to, to_at, count)?;
    if done > 0 {
        file_event(from, IN_ACCESS);
        file_event(to, IN_MODIFY);
    }
    Ok(done)
}

fn copy_untold(
    cx: &Context,
    from: &OpenFile,
    from_at: Option<u64>,
    to: &OpenFile,
    to_at: Option<u64>,
    count: usize,
) -> Result<usize, Errno> {
    let mut buffer: alloc::vec::Vec<u8> = fallible::zeroed(count.min(16 * 1024))?;
    let mut done = 0;
    while done < count {
        let len = (count - done).min(buffer.len());
        let mut sink = Sink::kernel(&mut buffer[..len]);
        let read = match from_at {
            Some(start) => from.read_at_untold(start + done as u64, &mut sink, IoFlags::empty()),
            None => from.read_untold(&mut sink, IoFlags::empty()),
        };
        let got = match read {
            Ok(0) => break,
            Ok(got) => got,
            Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
        };
        let mut written = 0;
        while written < got {
            let mut source = Source::kernel(&buffer[written..got]);
            let outcome = match to_at {
                Some(start) => to.write_at(start + (done + written) as u64, &mut source, IoFlags::empty()),
                None => with_sigpipe(cx, to, to.write(&mut source, IoFlags::empty())),
            };
            match outcome {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(errno) if done + written == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        done += written;
        if written < got {
            if from_at.is_none() && from.is_seekable() {
                // What was read and not written is to be read again.
                from.with_position(|position| *position -= (got - written) as u64);
            }
            break;
        }
        crate::scheduler::cond_resched();
    }
    Ok(done)
}

fn readable(cx: &Context, fd: i32) -> Result<Arc<OpenFile>, Errno> {
    let file = cx.open_file(fd)?;
    if file.is_readable() { Ok(file) } else { Err(Errno::EBADF) }
}

fn writable(cx: &Context, fd: i32) -> Result<Arc<OpenFile>, Errno> {
    let file = cx.open_file(fd)?;
    if file.is_writable() { Ok(file) } else { Err(Errno::EBADF) }
}

fn offset(position: i64) -> Result<u64, Errno> {
    u64::try_from(position).map_err(|_| Errno::EINVAL)
}

fn rw_flags(bits: u32) -> Result<IoFlags, Errno> {
    let flags = RwFlags::from_bits(bits).ok_or(Errno::EOPNOTSUPP)?;
    let mut io = IoFlags::empty();
    io.set(IoFlags::NONBLOCK, flags.contains(RwFlags::RWF_NOWAIT));
    io.set(IoFlags::APPEND, flags.contains(RwFlags::RWF_APPEND));
    io.set(IoFlags::SYNC, flags.intersects(RwFlags::RWF_SYNC | RwFlags::RWF_DSYNC));
    Ok(io)
}

/// Sends SIGPIPE to the thread whose write to `file` found nobody to read.
pub(super) fn with_sigpipe(
    cx: &Context,
    file: &OpenFile,
    outcome: Result<usize, Errno>,
) -> Result<usize, Errno> {
    if outcome == Err(Errno::EPIPE) && file.file().signals_broken_pipe() {
        let thread = cx.thread_arc();
        let info =
            linux_abi::siginfo::SigInfo::kill(Signal::SIGPIPE, cx.process().pid, cx.credentials().uid.real);
        send_to_thread(&thread, info);
    }
    outcome
}
