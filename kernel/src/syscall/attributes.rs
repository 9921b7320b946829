//! chmod(2), chown(2), utime(2), truncate(2), fallocate(2) and their kin; fsync(2), sync(2); extended attributes.

use linux_abi::errno::Errno;
use linux_abi::inotify::{IN_ATTRIB, IN_MODIFY};
use linux_abi::limits::{XATTR_NAME_MAX, XATTR_SIZE_MAX};
use linux_abi::open::{AT_FDCWD, AtFlags};
use linux_abi::time::{Timespec, Timeval, UTIME_NOW, UTIME_OMIT, Utimbuf};

use super::place::{Acting, Start, place_at};
use super::stat::at_flags;
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::inotify::{Subject, file_event};
use crate::fs::vfs::{NewTime, Path, mount, truncate as truncate_file};
use crate::memory::fallible;

/// chmod(2). Errors: `EPERM`, `EROFS` and those of the walk.
pub(super) fn chmod(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    change_mode(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, args.uint(1), AtFlags::empty())
}

/// fchmod(2). Errors: `EBADF`, `EPERM`, `EROFS`.
pub(super) fn fchmod(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    Acting::of(cx).caller().change_mode(&open.place(), args.uint(1) & 0o7777)?;
    Ok(0)
}

/// fchmodat(2). Errors as chmod, and `EBADF`.
pub(super) fn fchmodat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    change_mode(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.uint(2), AtFlags::empty())
}

/// fchmodat2(2): with flags. Errors as fchmodat; `EOPNOTSUPP`: a symbolic link.
pub(super) fn fchmodat2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = at_flags(args.uint(3), AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    change_mode(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.uint(2), flags)
}

fn change_mode(
    cx: &Context,
    dir: i32,
    path: &[u8],
    mode: u32,
    flags: AtFlags,
) -> Result<usize, SyscallError> {
    let acting = Acting::of(cx);
    let follow = !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW);
    let place = place_at(cx, &acting.caller(), dir, path, flags, follow)?;
    acting.caller().change_mode(&place, mode & 0o7777)?;
    Ok(0)
}

/// chown(2). Errors: `EPERM`, `EROFS` and those of the walk.
pub(super) fn chown(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    change_owner(
        cx,
        AT_FDCWD,
        args.path(0, &mut PathBuffer::new())?,
        args.uint(1),
        args.uint(2),
        AtFlags::empty(),
    )
}

/// lchown(2): of a link itself. Errors as chown.
pub(super) fn lchown(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    change_owner(
        cx,
        AT_FDCWD,
        args.path(0, &mut PathBuffer::new())?,
        args.uint(1),
        args.uint(2),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
}

/// fchown(2). Errors: `EBADF`, `EPERM`, `EROFS`.
pub(super) fn fchown(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    Acting::of(cx).caller().change_owner(&open.place(), id(args.uint(1)), id(args.uint(2)))?;
    Ok(0)
}

/// fchownat(2). Errors as chown; `EINVAL`: an unknown flag; `EBADF`.
pub(super) fn fchownat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = at_flags(args.uint(4), AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    change_owner(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.uint(2), args.uint(3), flags)
}

fn change_owner(
    cx: &Context,
    dir: i32,
    path: &[u8],
    uid: u32,
    gid: u32,
    flags: AtFlags,
) -> Result<usize, SyscallError> {
    let acting = Acting::of(cx);
    let follow = !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW);
    let place = place_at(cx, &acting.caller(), dir, path, flags, follow)?;
    acting.caller().change_owner(&place, id(uid), id(gid))?;
    Ok(0)
}

fn id(id: u32) -> Option<u32> {
    (id != u32::MAX).then_some(id)
}

/// utime(2). Errors: `EACCES`, `EPERM`, `EROFS`, `EFAULT` and those of the walk.
pub(super) fn utime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let times = args.user_ptr::<Utimbuf>(1);
    let (accessed, modified) = if times.is_null() {
        (NewTime::Now, NewTime::Now)
    } else {
        let times = times.read()?;
        let at = |tv_sec: i64| NewTime::At(Timespec { tv_sec, tv_nsec: 0 });
        (at(times.actime), at(times.modtime))
    };
    set_times_at(cx, AT_FDCWD, Some(path), AtFlags::empty(), accessed, modified)
}

/// utimes(2). Errors as utime; `EINVAL`: microseconds out of range.
pub(super) fn utimes(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let (accessed, modified) = timevals(args, 1)?;
    set_times_at(cx, AT_FDCWD, Some(path), AtFlags::empty(), accessed, modified)
}

/// futimesat(2). Errors as utimes, and `EBADF`.
pub(super) fn futimesat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = if args.addr(1) == 0 { None } else { Some(args.path(1, &mut buffer)?) };
    let (accessed, modified) = timevals(args, 2)?;
    set_times_at(cx, args.fd(0), path, AtFlags::empty(), accessed, modified)
}

/// utimensat(2): a null path names the descriptor itself. Errors as utimes; `EINVAL`: an unknown flag.
pub(super) fn utimensat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let times = args.user_ptr::<[Timespec; 2]>(2);
    let (accessed, modified) = if times.is_null() {
        (NewTime::Now, NewTime::Now)
    } else {
        let [accessed, modified] = times.read()?;
        (new_time(accessed)?, new_time(modified)?)
    };
    if accessed == NewTime::Keep && modified == NewTime::Keep {
        return Ok(0);
    }
    let flags = at_flags(args.uint(3), AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let mut buffer = PathBuffer::new();
    let path = if args.addr(1) == 0 { None } else { Some(args.path(1, &mut buffer)?) };
    if path.is_none() && args.fd(0) == AT_FDCWD {
        return Err(Errno::EFAULT);
    }
    set_times_at(cx, args.fd(0), path, flags, accessed, modified)
}

fn new_time(time: Timespec) -> Result<NewTime, Errno> {
    match time.tv_nsec {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Keep),
        0..1_000_000_000 => Ok(NewTime::At(time)),
        _ => Err(Errno::EINVAL),
    }
}

fn timevals(args: &Args, index: usize) -> Result<(NewTime, NewTime), Errno> {
    let times = args.user_ptr::<[Timeval; 2]>(index);
    if times.is_null() {
        return Ok((NewTime::Now, NewTime::Now));
    }
    let convert = |time: Timeval| {
        if !(0..1_000_000).contains(&time.tv_usec) {
            return Err(Errno::EINVAL);
        }
        Ok(NewTime::At(Timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_usec * 1000 }))
    };
    let [accessed, modified] = times.read()?;
    Ok((convert(accessed)?, convert(modified)?))
}

fn set_times_at(
    cx: &Context,
    dir: i32,
    path: Option<&[u8]>,
    flags: AtFlags,
    accessed: NewTime,
    modified: NewTime,
) -> Result<usize, SyscallError> {
    let acting = Acting::of(cx);
    let caller = acting.caller();
    let place = match path {
        Some(path) => place_at(cx, &caller, dir, path, flags, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW))?,
        None => cx.open_file(dir)?.place(),
    };
    caller.change_times(&place, accessed, modified)?;
    Ok(0)
}

/// truncate(2). Errors: `EINVAL`: a negative length; `EISDIR`, `EACCES`, `ETXTBSY`, `EFBIG` and those of the walk.
pub(super) fn truncate(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let size = u64::try_from(args.i64(1)).map_err(|_| Errno::EINVAL)?;
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), path, true)?;
    acting.caller().truncate(&place, size)?;
    Ok(0)
}

/// ftruncate(2). Errors: `EBADF`, `EINVAL`: negative, not writable or no regular file; `EFBIG`.
pub(super) fn ftruncate(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let size = u64::try_from(args.i64(1)).map_err(|_| Errno::EINVAL)?;
    let open = cx.open_file(args.fd(0))?;
    if !open.is_writable() || !open.metadata().mode.is_regular() {
        return Err(Errno::EINVAL);
    }
    let acting = Acting::of(cx);
    truncate_file(&acting.caller(), Subject::of(&open), open.file().as_ref(), size)?;
    Ok(0)
}

/// fallocate(2). Errors: `EBADF`, `EINVAL`, `ENODEV`, `ESPIPE`, `EOPNOTSUPP`, `EFBIG`, `ENOSPC`.
pub(super) fn fallocate(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (mode, offset, len) = (args.uint(1), args.i64(2), args.i64(3));
    let open = cx.open_file(args.fd(0))?;
    if offset < 0 || len <= 0 {
        return Err(Errno::EINVAL);
    }
    if !open.is_writable() {
        return Err(Errno::EBADF);
    }
    let file_mode = open.metadata().mode;
    if file_mode.is_fifo() {
        return Err(Errno::ESPIPE);
    }
    if !file_mode.is_regular() {
        return Err(Errno::ENODEV);
    }
    offset.checked_add(len).ok_or(Errno::EFBIG)?;
    open.file().allocate(mode, offset as u64, len as u64)?;
    file_event(&open, IN_MODIFY);
    Ok(0)
}

/// fadvise64(2): advice has no effect on files in memory. Errors: `EBADF`, `ESPIPE`, `EINVAL`.
pub(super) fn fadvise64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    const LAST_ADVICE: u32 = 5;

    let open = cx.open_file(args.fd(0))?;
    if open.metadata().mode.is_fifo() {
        return Err(Errno::ESPIPE);
    }
    if args.uint(3) > LAST_ADVICE || args.i64(2) < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// readahead(2). Errors: `EBADF`; `EINVAL`: no regular file.
pub(super) fn readahead(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    if !open.is_readable() {
        return Err(Errno::EBADF);
    }
    if open.metadata().mode.is_regular() { Ok(0) } else { Err(Errno::EINVAL) }
}

/// fsync(2). Errors: `EBADF`; `EINVAL`: nothing that can be stored; `EIO`.
pub(super) fn fsync(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    sync_file(cx, args.fd(0), false)
}

/// fdatasync(2). Errors as fsync.
pub(super) fn fdatasync(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    sync_file(cx, args.fd(0), true)
}

fn sync_file(cx: &Context, fd: i32, data_only: bool) -> Result<usize, SyscallError> {
    let open = cx.open_file(fd)?;
    let mode = open.metadata().mode;
    if !mode.is_regular() && !mode.is_directory() {
        return Err(Errno::EINVAL);
    }
    open.inode().sync(data_only)?;
    Ok(0)
}

/// sync(2): writes everything to its device; what goes wrong has no way to be told.
pub(super) fn sync(_cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    mount::for_each_super_block(|super_block| {
        let _ = super_block.file_system().sync();
    });
    Ok(0)
}

/// syncfs(2). Errors: `EBADF`, `EIO`.
pub(super) fn syncfs(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    open.place().mount.super_block().file_system().sync()?;
    Ok(0)
}

/// setxattr(2), lsetxattr(2), fsetxattr(2): arguments are place, name, value, size, flags.
pub(super) fn setxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set_attribute(cx, args, &named(cx, args, true)?)
}

/// lsetxattr(2): of a link itself.
pub(super) fn lsetxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set_attribute(cx, args, &named(cx, args, false)?)
}

/// fsetxattr(2): of an open file.
pub(super) fn fsetxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set_attribute(cx, args, &cx.open_file(args.fd(0))?.place())
}

/// getxattr(2). Errors: `ENODATA`, `ERANGE`, `EOPNOTSUPP`, `EFAULT`.
pub(super) fn getxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    get_attribute(cx, args, &named(cx, args, true)?)
}

/// lgetxattr(2): of a link itself.
pub(super) fn lgetxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    get_attribute(cx, args, &named(cx, args, false)?)
}

/// fgetxattr(2): of an open file.
pub(super) fn fgetxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    get_attribute(cx, args, &cx.open_file(args.fd(0))?.place())
}

/// listxattr(2). Errors: `ERANGE`, `EFAULT`.
pub(super) fn listxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    list_attributes(args, &named(cx, args, true)?)
}

/// llistxattr(2): of a link itself.
pub(super) fn llistxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    list_attributes(args, &named(cx, args, false)?)
}

/// flistxattr(2): of an open file.
pub(super) fn flistxattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    list_attributes(args, &cx.open_file(args.fd(0))?.place())
}

/// removexattr(2). Errors: `ENODATA`, `EPERM`, `EROFS`.
pub(super) fn removexattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    remove_attribute(cx, args, &named(cx, args, true)?)
}

/// lremovexattr(2): of a link itself.
pub(super) fn lremovexattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    remove_attribute(cx, args, &named(cx, args, false)?)
}

/// fremovexattr(2): of an open file.
pub(super) fn fremovexattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    remove_attribute(cx, args, &cx.open_file(args.fd(0))?.place())
}

fn named(cx: &Context, args: &Args, follow: bool) -> Result<Path, Errno> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    Acting::of(cx).caller().resolve(Start::WORKING.base(), path, follow)
}

fn attribute_name(args: &Args) -> Result<alloc::vec::Vec<u8>, Errno> {
    let mut name = [0u8; XATTR_NAME_MAX + 1];
    match hal::user::read_cstr(args.addr(1), &mut name)? {
        Some(len) if len > 0 => Ok(name[..len].to_vec()),
        _ => Err(Errno::ERANGE),
    }
}

fn check_attribute_change(cx: &Context, place: &Path, name: &[u8]) -> Result<(), Errno> {
    use crate::fs::vfs::access;

    place.mount.check_writable()?;
    let credentials = cx.credentials();
    let file = place.inode().ownership();
    if name.starts_with(b"user.") {
        if !file.mode.is_regular() && !file.mode.is_directory() {
            return Err(Errno::EPERM);
        }
        return access::check(file, &credentials, access::MAY_WRITE);
    }
    if name.starts_with(b"trusted.") || name.starts_with(b"security.") {
        return credentials.require(linux_abi::cap::CAP_SYS_ADMIN);
    }
    Err(Errno::EOPNOTSUPP)
}

fn set_attribute(cx: &Context, args: &Args, place: &Path) -> Result<usize, SyscallError> {
    let name = attribute_name(args)?;
    let (size, flags) = (args.size(3), args.uint(4));
    if flags > 2 {
        return Err(Errno::EINVAL);
    }
    if size > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let mut value: alloc::vec::Vec<u8> = fallible::zeroed(size)?;
    hal::user::copy_in(&mut value, args.addr(2))?;
    check_attribute_change(cx, place, &name)?;
    place.inode().set_extended_attribute(&name, Some(&value), flags)?;
    Subject::Entry(&place.dentry).tell(IN_ATTRIB);
    Ok(0)
}

fn get_attribute(cx: &Context, args: &Args, place: &Path) -> Result<usize, SyscallError> {
    use crate::fs::vfs::access;

    let name = attribute_name(args)?;
    if name.starts_with(b"trusted.") && !cx.credentials().has(linux_abi::cap::CAP_SYS_ADMIN) {
        return Err(Errno::ENODATA);
    }
    if name.starts_with(b"user.") {
        access::check(place.inode().ownership(), &cx.credentials(), access::MAY_READ)?;
    }
    let value = place.inode().extended_attribute(&name)?;
    copy_sized(&value, args.addr(2), args.size(3))
}

fn list_attributes(args: &Args, place: &Path) -> Result<usize, SyscallError> {
    let mut names = alloc::vec::Vec::new();
    let mut outcome = Ok(());
    place.inode().for_each_extended_attribute(&mut |name| {
        outcome = outcome.and_then(|()| fallible::extend(&mut names, name));
        outcome = outcome.and_then(|()| fallible::push(&mut names, 0));
    });
    outcome?;
    copy_sized(&names, args.addr(1), args.size(2))
}

fn remove_attribute(cx: &Context, args: &Args, place: &Path) -> Result<usize, SyscallError> {
    let name = attribute_name(args)?;
    check_attribute_change(cx, place, &name)?;
    place.inode().set_extended_attribute(&name, None, 0)?;
    Subject::Entry(&place.dentry).tell(IN_ATTRIB);
    Ok(0)
}

/// Copies a value out; size 0 only asks for its length.
fn copy_sized(value: &[u8], addr: usize, size: usize) -> Result<usize, SyscallError> {
    if size == 0 {
        return Ok(value.len());
    }
    if size < value.len() {
        return Err(Errno::ERANGE);
    }
    hal::user::copy_out(addr, value)?;
    Ok(value.len())
}
