//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).

use linux_abi::errno::Errno;
use linux_abi::inotify::*;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::place::{Acting, Start};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::inotify::Inotify;
use crate::fs::vfs::access::{self, MAY_READ};

/// All bits that a mask may have.
const KNOWN: u32 = IN_ALL_EVENTS
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ISDIR
    | IN_ONESHOT;

/// inotify_init(2). Errors as inotify_init1.
pub(super) fn inotify_init(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    make(cx, 0)
}

/// inotify_init1(2): makes an instance and returns its descriptor.
///
/// # Errors
/// - `EINVAL`: an unknown flag.
/// - `EMFILE`: no descriptor left, or too many instances of the user. `ENOMEM`.
pub(super) fn inotify_init1(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, args.uint(0))
}

fn make(cx: &Context, flags: u32) -> Result<usize, SyscallError> {
    if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    // `IN_NONBLOCK` and `IN_CLOEXEC` are the flags of open(2).
    let open_flags = OpenFlags::from_bits_truncate(flags & IN_NONBLOCK);
    let file = Inotify::open(cx.credentials().uid.effective, open_flags)?;
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let fd = cx.files().insert(file, flags & IN_CLOEXEC != 0, limit)?;
    Ok(fd as usize)
}

/// inotify_add_watch(2): watches a file, or changes what it is watched for; returns the number of the watch.
///
/// # Errors
/// - `EINVAL`: an unknown bit, no bit, `IN_MASK_ADD` with `IN_MASK_CREATE`, or a descriptor of something else.
/// - `EACCES`: the file may not be read. `ENOTDIR`: `IN_ONLYDIR`, and it is no directory.
/// - `EEXIST`: `IN_MASK_CREATE`, and it is watched. `ENOSPC`: too many watches of the user. `EBADF`, `ENOMEM`.
/// - The errors of the walk.
pub(super) fn inotify_add_watch(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mask = args.uint(2);
    if mask & !KNOWN != 0 || mask & KNOWN == 0 {
        return Err(Errno::EINVAL);
    }
    let open = cx.open_file(args.fd(0))?;
    if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL);
    }
    let inotify = open.file().as_inotify().ok_or(Errno::EINVAL)?;
    let mut buffer = PathBuffer::new();
    let path = args.path(1, &mut buffer)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), path, mask & IN_DONT_FOLLOW == 0)?;
    if mask & IN_ONLYDIR != 0 && !place.dentry.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    access::check(place.inode().ownership(), &cx.credentials(), MAY_READ)?;
    Ok(inotify.watch(&place, mask)? as usize)
}

/// inotify_rm_watch(2). Errors: `EBADF`; `EINVAL`: a descriptor of something else, or no such watch.
pub(super) fn inotify_rm_watch(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    open.file().as_inotify().ok_or(Errno::EINVAL)?.end_watch(args.int(1))?;
    Ok(0)
}
