//! dup(2), dup2(2), dup3(2), fcntl(2), flock(2), lseek(2), ioctl(2).

use alloc::sync::Arc;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::fcntl::*;
use linux_abi::ioctl::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD};
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::seek::{SEEK_CUR, SEEK_END, SEEK_SET};

use super::open::close_one;
use super::{Args, Context, SyscallError};
use crate::fs::vfs::locks::{LockKind, Owner, Patience, RangeLock};
use crate::fs::vfs::{OpenFile, SignalOwner};

/// dup(2). Errors: `EBADF`, `EMFILE`.
pub(super) fn dup(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let files = cx.files();
    let open = files.get_any(args.fd(0))?;
    Ok(files.insert(open, false, cx.process().limit(RLIMIT_NOFILE))? as usize)
}

/// dup2(2). Errors: `EBADF`.
pub(super) fn dup2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (old, new) = (args.fd(0), args.fd(1));
    if old == new {
        cx.files().get_any(old)?;
        return Ok(new as usize);
    }
    replace(cx, old, new, false)
}

/// dup3(2). Errors as dup2; `EINVAL`: an unknown flag, or both descriptors are the same.
pub(super) fn dup3(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (old, new, flags) = (args.fd(0), args.fd(1), args.uint(2));
    if old == new || flags & !OpenFlags::O_CLOEXEC.bits() != 0 {
        return Err(Errno::EINVAL);
    }
    replace(cx, old, new, flags != 0)
}

fn replace(cx: &Context, old: i32, new: i32, close_on_exec: bool) -> Result<usize, SyscallError> {
    let files = cx.files();
    let open = files.get_any(old)?;
    if let Some(closed) = files.replace(new, open, close_on_exec, cx.process().limit(RLIMIT_NOFILE))? {
        // dup2 has no way to tell of what closing met.
        let _ = close_one(&files, &closed);
    }
    Ok(new as usize)
}

/// fcntl(2). Errors: `EBADF`, `EINVAL`, `EAGAIN`, `EDEADLK`, `EFAULT`, `EMFILE`, `EPERM` as the manual gives them per command.
pub(super) fn fcntl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (fd, command, argument) = (args.fd(0), args.uint(1), args.u64(2));
    let files = cx.files();
    let open = files.get_any(fd)?;
    let works_on_path = matches!(command, F_DUPFD | F_DUPFD_CLOEXEC | F_GETFD | F_SETFD | F_GETFL);
    if open.is_path_only() && !works_on_path {
        return Err(Errno::EBADF);
    }
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let limit = cx.process().limit(RLIMIT_NOFILE);
            let from = usize::try_from(argument).map_err(|_| Errno::EINVAL)?;
            if argument >= limit {
                return Err(Errno::EINVAL);
            }
            let reserved = files.reserve_from::<1>(from, command == F_DUPFD_CLOEXEC, limit)?;
            let [new] = reserved.numbers();
            reserved.install([open]);
            Ok(new as usize)
        }
        F_GETFD => Ok(if files.is_close_on_exec(fd)? { FD_CLOEXEC as usize } else { 0 }),
        F_SETFD => files.set_close_on_exec(fd, argument as u32 & FD_CLOEXEC != 0).map(|()| 0),
        F_GETFL => Ok(open.flags().bits() as usize),
        F_SETFL => {
            let settable = OpenFlags::SETTABLE;
            let new = OpenFlags::from_bits_truncate(argument as u32) & settable;
            open.set_flags(open.flags().difference(settable) | new);
            Ok(0)
        }
        F_GETLK | F_OFD_GETLK => get_lock(cx, &open, command == F_OFD_GETLK, argument as usize),
        F_SETLK | F_OFD_SETLK => {
            set_lock(cx, &open, command == F_OFD_SETLK, argument as usize, Patience::Try)
        }
        F_SETLKW | F_OFD_SETLKW => {
            set_lock(cx, &open, command == F_OFD_SETLKW, argument as usize, Patience::Wait)
        }
        F_SETOWN => {
            let id = argument as i32;
            let owner = if id < 0 {
                SignalOwner { kind: F_OWNER_PGRP, id: id.checked_neg().ok_or(Errno::EINVAL)? }
            } else {
                SignalOwner { kind: F_OWNER_PID, id }
            };
            open.set_signal_owner(owner);
            Ok(0)
        }
        F_GETOWN => {
            let owner = open.signal_owner();
            Ok((if owner.kind == F_OWNER_PGRP { -owner.id } else { owner.id }) as isize as usize)
        }
        F_SETSIG => {
            if argument > 64 {
                return Err(Errno::EINVAL);
            }
            open.set_signal_number(argument as i32);
            Ok(0)
        }
        F_GETSIG => Ok(open.signal_number() as usize),
        F_GETPIPE_SZ => open.file().as_pipe().map(|pipe| pipe.size()).ok_or(Errno::EBADF),
        F_SETPIPE_SZ => {
            let is_privileged = cx.credentials().has(linux_abi::cap::CAP_SYS_RESOURCE);
            open.file().as_pipe().ok_or(Errno::EBADF)?.set_size(argument as usize, is_privileged)
        }
        F_GET_SEALS => {
            let file = open.file().as_memory_file().ok_or(Errno::EINVAL)?;
            file.seals().map(|seals| seals.bits() as usize)
        }
        F_ADD_SEALS => {
            if !open.is_writable() {
                return Err(Errno::EPERM);
            }
            let file = open.file().as_memory_file().ok_or(Errno::EINVAL)?;
            let seals = u32::try_from(argument).ok().and_then(linux_abi::mman::Seals::from_bits);
            file.add_seals(seals.ok_or(Errno::EINVAL)?)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn owner_of(cx: &Context, open: &Arc<OpenFile>, by_open_file: bool) -> (Owner, i32) {
    if by_open_file {
        (Owner::OpenFile(Arc::as_ptr(open).addr()), -1)
    } else {
        (Owner::Process(Arc::as_ptr(&cx.files()).addr()), cx.process().pid)
    }
}

/// First and last byte of the range a `struct flock` names.
fn range_of(open: &OpenFile, lock: &Flock) -> Result<(u64, u64), Errno> {
    let base = match lock.l_whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => open.with_position(|position| position.cast_signed()),
        SEEK_END => open.metadata().size.cast_signed(),
        _ => return Err(Errno::EINVAL),
    };
    let mut start = base.checked_add(lock.l_start).ok_or(Errno::EOVERFLOW)?;
    let last = match lock.l_len {
        0 => i64::MAX,
        len if len > 0 => start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?,
        len => {
            let last = start.checked_sub(1).ok_or(Errno::EINVAL)?;
            start = start.checked_add(len).ok_or(Errno::EINVAL)?;
            last
        }
    };
    match (u64::try_from(start), u64::try_from(last)) {
        (Ok(start), Ok(last)) => Ok((start, last)),
        _ => Err(Errno::EINVAL),
    }
}

fn kind_of(lock: &Flock) -> Result<Option<LockKind>, Errno> {
    match lock.l_type {
        F_RDLCK => Ok(Some(LockKind::Shared)),
        F_WRLCK => Ok(Some(LockKind::Exclusive)),
        F_UNLCK => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

fn get_lock(cx: &Context, open: &Arc<OpenFile>, by_open_file: bool, addr: usize) -> Result<usize, Errno> {
    let ptr = UserPtr::<Flock>::new(addr);
    let mut lock = ptr.read()?;
    if by_open_file && lock.l_pid != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = kind_of(&lock)?.ok_or(Errno::EINVAL)?;
    let (start, last) = range_of(open, &lock)?;
    let (owner, pid) = owner_of(cx, open, by_open_file);
    let wanted = RangeLock { owner, pid, kind, start, last };
    match open.inode().state().locks().conflicting(&wanted) {
        None => lock.l_type = F_UNLCK,
        Some(held) => {
            lock.l_type = if held.kind == LockKind::Exclusive { F_WRLCK } else { F_RDLCK };
            lock.l_whence = SEEK_SET as i16;
            lock.l_start = held.start.cast_signed();
            lock.l_len =
                if held.last >= i64::MAX as u64 { 0 } else { (held.last - held.start + 1).cast_signed() };
            lock.l_pid = held.pid;
        }
    }
    ptr.write(&lock)?;
    Ok(0)
}

fn set_lock(
    cx: &Context,
    open: &Arc<OpenFile>,
    by_open_file: bool,
    addr: usize,
    patience: Patience,
) -> Result<usize, Errno> {
    let lock = UserPtr::<Flock>::new(addr).read()?;
    if by_open_file && lock.l_pid != 0 {
        return Err(Errno::EINVAL);
    }
    let (start, last) = range_of(open, &lock)?;
    let (owner, pid) = owner_of(cx, open, by_open_file);
    let locks = open.inode().state().locks();
    match kind_of(&lock)? {
        None => locks.unlock_range(owner, start, last)?,
        Some(LockKind::Shared) if !open.is_readable() => return Err(Errno::EBADF),
        Some(LockKind::Exclusive) if !open.is_writable() => return Err(Errno::EBADF),
        Some(kind) => locks.lock_range(RangeLock { owner, pid, kind, start, last }, patience)?,
    }
    Ok(0)
}

/// flock(2). Errors: `EBADF`, `EINVAL`, `EWOULDBLOCK`, `EINTR`.
pub(super) fn flock(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    let operation = args.uint(1);
    let owner = Arc::as_ptr(&open).addr();
    let locks = open.inode().state().locks();
    let patience = if operation & LOCK_NB != 0 { Patience::Try } else { Patience::Wait };
    match operation & !LOCK_NB {
        LOCK_SH => locks.lock_whole(owner, LockKind::Shared, patience)?,
        LOCK_EX => locks.lock_whole(owner, LockKind::Exclusive, patience)?,
        LOCK_UN => locks.unlock_whole(owner),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// lseek(2). Errors: `EBADF`, `ESPIPE`, `EINVAL`, `ENXIO`, `EOVERFLOW`.
pub(super) fn lseek(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    Ok(open.seek(args.i64(1), args.uint(2))? as usize)
}

/// ioctl(2). Errors: `EBADF`, `EFAULT`, `ENOTTY`: the file does not know the request.
pub(super) fn ioctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (fd, command, argument) = (args.fd(0), args.uint(1), args.addr(2));
    let files = cx.files();
    let open = files.get(fd)?;
    let flag = || Ok::<_, Errno>(UserPtr::<i32>::new(argument).read()? != 0);
    match command {
        FIOCLEX => files.set_close_on_exec(fd, true).map(|()| 0),
        FIONCLEX => files.set_close_on_exec(fd, false).map(|()| 0),
        FIONBIO => {
            open.set_flag(OpenFlags::O_NONBLOCK, flag()?);
            Ok(0)
        }
        FIOASYNC => match flag()? {
            false => Ok(0),
            true => Err(Errno::ENOTTY),
        },
        FIONREAD if open.metadata().mode.is_regular() => {
            let left = open.metadata().size.saturating_sub(open.with_position(|position| *position));
            UserPtr::<i32>::new(argument).write(&(left.min(i32::MAX as u64) as i32))?;
            Ok(0)
        }
        _ => open.file().ioctl(&open, command, argument),
    }
}
