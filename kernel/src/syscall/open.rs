//! open(2), openat(2), openat2(2), creat(2), close(2), close_range(2), umask(2).

use linux_abi::errno::Errno;
use linux_abi::inotify::IN_OPEN;
use linux_abi::open::{
    AT_FDCWD, CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, OPEN_HOW_SIZE_VER0, OpenFlags, OpenHow, ResolveFlags,
};
use linux_abi::resource::RLIMIT_NOFILE;
use zerocopy::{FromZeros, IntoBytes};

use super::args::check_zeroed_tail;
use super::place::{Acting, Start};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::inotify::file_event;
use crate::fs::vfs::OpenParameters;

/// open(2). Errors: those of [`Caller::open`](crate::fs::vfs::Caller::open), `EMFILE`, `EFAULT`.
pub(super) fn open(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    open_at(cx, AT_FDCWD, path, lenient(args.uint(1), args.uint(2)))
}

/// openat(2). Errors as open, and `EBADF`.
pub(super) fn openat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(1, &mut buffer)?;
    open_at(cx, args.fd(0), path, lenient(args.uint(2), args.uint(3)))
}

/// creat(2). Errors as open.
pub(super) fn creat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let flags = (OpenFlags::O_CREAT | OpenFlags::O_WRONLY | OpenFlags::O_TRUNC).bits();
    open_at(cx, AT_FDCWD, path, lenient(flags, args.uint(1)))
}

/// openat2(2): open with flags that are checked, and restrictions of the walk.
///
/// # Errors
/// As openat; `EINVAL`: an unknown flag or a mode that makes no sense; `E2BIG`: bytes this kernel does not know.
pub(super) fn openat2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let size = args.size(3);
    if size < OPEN_HOW_SIZE_VER0 {
        return Err(Errno::EINVAL);
    }
    if size > hal::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let mut how = OpenHow::new_zeroed();
    let known = size.min(size_of::<OpenHow>());
    hal::user::copy_in(&mut how.as_mut_bytes()[..known], args.addr(2))?;
    check_zeroed_tail(args.addr(2), known, size)?;
    let bits = u32::try_from(how.flags).map_err(|_| Errno::EINVAL)?;
    let flags = with_large_offsets(OpenFlags::from_bits(bits).ok_or(Errno::EINVAL)?);
    let makes = flags.contains(OpenFlags::O_CREAT) || flags.contains(OpenFlags::O_TMPFILE);
    if how.mode > 0o7777 || how.mode != 0 && !makes {
        return Err(Errno::EINVAL);
    }
    let scope = ResolveFlags::from_bits(how.resolve).ok_or(Errno::EINVAL)?;
    let mut buffer = PathBuffer::new();
    let path = args.path(1, &mut buffer)?;
    open_at(cx, args.fd(0), path, OpenParameters { flags, permissions: how.mode as u32, scope })
}

/// open and openat drop flags nobody knows, as they always have.
fn lenient(flags: u32, mode: u32) -> OpenParameters {
    let mut flags = OpenFlags::from_bits_truncate(flags);
    if flags.contains(OpenFlags::O_PATH) {
        flags = flags & OpenFlags::WITH_PATH | OpenFlags::O_PATH;
    }
    OpenParameters {
        flags: with_large_offsets(flags),
        permissions: mode & 0o7777,
        scope: ResolveFlags::empty(),
    }
}

/// Every offset has 64 bits, and Linux shows that in the flags of whatever was opened by name.
fn with_large_offsets(flags: OpenFlags) -> OpenFlags {
    if flags.contains(OpenFlags::O_PATH) { flags } else { flags | OpenFlags::O_LARGEFILE }
}

fn open_at(cx: &Context, dir: i32, path: &[u8], how: OpenParameters) -> Result<usize, SyscallError> {
    let flags = how.flags;
    if flags.contains(OpenFlags::O_TMPFILE) && !flags.writable()
        || flags.contains(OpenFlags::O_CREAT | OpenFlags::O_DIRECTORY)
    {
        return Err(Errno::EINVAL);
    }
    let files = cx.files();
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let reserved = files.reserve::<1>(flags.contains(OpenFlags::O_CLOEXEC), limit)?;
    let acting = Acting::of(cx);
    let start = Start::at(cx, dir, path)?;
    let open = acting.caller().open(start.base(), path, &how)?;
    file_event(&open, IN_OPEN);
    let [fd] = reserved.numbers();
    reserved.install([open]);
    Ok(fd as usize)
}

/// close(2). Errors: `EBADF`; what a delayed write met.
pub(super) fn close(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let files = cx.files();
    let open = files.remove(args.fd(0))?;
    close_one(&files, &open)?;
    Ok(0)
}

/// What each close does beyond dropping a handle: the process's record locks on the file go.
pub(super) fn close_one(
    files: &crate::fs::vfs::FileTable,
    open: &crate::fs::vfs::OpenFile,
) -> Result<(), Errno> {
    if let Some(locks) = open.inode().state().existing_locks() {
        locks.release_process(crate::fs::vfs::locks::Owner::Process(core::ptr::from_ref(files).addr()));
    }
    open.file().flush()
}

/// close_range(2).
///
/// # Errors
/// `EINVAL`: an unknown flag, or the range is empty. `ENOMEM`.
pub(super) fn close_range(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (first, last, flags) = (args.uint(0), args.uint(1), args.uint(2));
    if first > last || flags & !(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) != 0 {
        return Err(Errno::EINVAL);
    }
    let (first, last) = (first as usize, last as usize);
    let mut files = cx.files();
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        files = files.duplicate()?;
        drop(cx.user().set_files(files.clone()));
    }
    if flags & CLOSE_RANGE_CLOEXEC != 0 {
        files.set_close_on_exec_range(first, last);
        return Ok(0);
    }
    files.remove_range(first, last, |open| {
        // close_range has no way to tell of what one descriptor met.
        let _ = close_one(&files, &open);
    });
    Ok(0)
}

/// umask(2): answers the old mask.
pub(super) fn umask(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.fs().set_umask(args.uint(0)) as usize)
}
