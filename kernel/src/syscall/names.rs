//! Calls that change names: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2), readlink(2).

use linux_abi::errno::Errno;
use linux_abi::open::{AT_FDCWD, AtFlags};
use linux_abi::stat::{Mode, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK};

use super::place::{Acting, Start, place_at};
use super::stat::at_flags;
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::vfs::{DeviceNumber, LinkTarget, NodeKind, Removal};

/// mkdir(2). Errors: those of [`Caller::make_node`](crate::fs::vfs::Caller::make_node).
pub(super) fn mkdir(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, NodeKind::Directory, args.uint(1) & 0o1777)
}

/// mkdirat(2). Errors as mkdir, and `EBADF`.
pub(super) fn mkdirat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, NodeKind::Directory, args.uint(2) & 0o1777)
}

/// mknod(2). Errors as mkdir; `EPERM`: a directory, or a device without `CAP_MKNOD`; `EINVAL`: no such type.
pub(super) fn mknod(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let kind = node_kind(args.uint(1), args.uint(2))?;
    make(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, kind, args.uint(1) & 0o7777)
}

/// mknodat(2). Errors as mknod, and `EBADF`.
pub(super) fn mknodat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let kind = node_kind(args.uint(2), args.uint(3))?;
    make(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, kind, args.uint(2) & 0o7777)
}

fn node_kind(mode: u32, device: u32) -> Result<NodeKind<'static>, Errno> {
    match Mode(mode).file_type() {
        0 | S_IFREG => Ok(NodeKind::Regular),
        S_IFIFO => Ok(NodeKind::Fifo),
        S_IFSOCK => Ok(NodeKind::Socket),
        S_IFCHR => Ok(NodeKind::CharDevice(DeviceNumber(device))),
        S_IFBLK => Ok(NodeKind::BlockDevice(DeviceNumber(device))),
        S_IFDIR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

fn make(
    cx: &Context,
    dir: i32,
    path: &[u8],
    kind: NodeKind<'_>,
    permissions: u32,
) -> Result<usize, SyscallError> {
    let start = Start::at(cx, dir, path)?;
    Acting::of(cx).caller().make_node(start.base(), path, kind, permissions)?;
    Ok(0)
}

/// symlink(2). Errors as mkdir; `ENOENT`: an empty target.
pub(super) fn symlink(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let target = args.path(0, &mut buffer)?;
    make(cx, AT_FDCWD, args.path(1, &mut PathBuffer::new())?, NodeKind::Symlink(target), 0o777)
}

/// symlinkat(2). Errors as symlink, and `EBADF`.
pub(super) fn symlinkat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let target = args.path(0, &mut buffer)?;
    make(cx, args.fd(1), args.path(2, &mut PathBuffer::new())?, NodeKind::Symlink(target), 0o777)
}

/// link(2). Errors: those of [`Caller::link`](crate::fs::vfs::Caller::link).
pub(super) fn link(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    link_at(
        cx,
        AT_FDCWD,
        args.path(0, &mut PathBuffer::new())?,
        AT_FDCWD,
        args.path(1, &mut PathBuffer::new())?,
        AtFlags::empty(),
    )
}

/// linkat(2). Errors as link; `EINVAL`: an unknown flag; `EBADF`.
pub(super) fn linkat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = at_flags(args.uint(4), AtFlags::AT_SYMLINK_FOLLOW | AtFlags::AT_EMPTY_PATH)?;
    link_at(
        cx,
        args.fd(0),
        args.path(1, &mut PathBuffer::new())?,
        args.fd(2),
        args.path(3, &mut PathBuffer::new())?,
        flags,
    )
}

fn link_at(
    cx: &Context,
    old_dir: i32,
    old_path: &[u8],
    new_dir: i32,
    new_path: &[u8],
    flags: AtFlags,
) -> Result<usize, SyscallError> {
    let acting = Acting::of(cx);
    let caller = acting.caller();
    let follow = flags.contains(AtFlags::AT_SYMLINK_FOLLOW);
    let target = place_at(cx, &caller, old_dir, old_path, flags, follow)?;
    caller.link(&target, Start::at(cx, new_dir, new_path)?.base(), new_path)?;
    Ok(0)
}

/// unlink(2). Errors: those of [`Caller::remove`](crate::fs::vfs::Caller::remove).
pub(super) fn unlink(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    remove(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, Removal::File)
}

/// rmdir(2). Errors as unlink; `ENOTEMPTY`.
pub(super) fn rmdir(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    remove(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, Removal::Directory)
}

/// unlinkat(2). Errors as the two; `EINVAL`: an unknown flag; `EBADF`.
pub(super) fn unlinkat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = at_flags(args.uint(2), AtFlags::AT_REMOVEDIR)?;
    let what = if flags.contains(AtFlags::AT_REMOVEDIR) { Removal::Directory } else { Removal::File };
    remove(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, what)
}

fn remove(cx: &Context, dir: i32, path: &[u8], what: Removal) -> Result<usize, SyscallError> {
    let start = Start::at(cx, dir, path)?;
    Acting::of(cx).caller().remove(start.base(), path, what)?;
    Ok(0)
}

/// rename(2). Errors: those of [`Caller::rename`](crate::fs::vfs::Caller::rename).
pub(super) fn rename(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    rename_at(
        cx,
        AT_FDCWD,
        args.path(0, &mut PathBuffer::new()),
        AT_FDCWD,
        args.path(1, &mut PathBuffer::new()),
        0,
    )
}

/// renameat(2). Errors as rename, and `EBADF`.
pub(super) fn renameat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    rename_at(
        cx,
        args.fd(0),
        args.path(1, &mut PathBuffer::new()),
        args.fd(2),
        args.path(3, &mut PathBuffer::new()),
        0,
    )
}

/// renameat2(2). Errors as renameat; `EINVAL`: flags that are unknown or contradict each other.
pub(super) fn renameat2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    rename_at(
        cx,
        args.fd(0),
        args.path(1, &mut PathBuffer::new()),
        args.fd(2),
        args.path(3, &mut PathBuffer::new()),
        args.uint(4),
    )
}

fn rename_at(
    cx: &Context,
    old_dir: i32,
    old_path: Result<&[u8], Errno>,
    new_dir: i32,
    new_path: Result<&[u8], Errno>,
    flags: u32,
) -> Result<usize, SyscallError> {
    let old_path = old_path?;
    let old = Start::at(cx, old_dir, old_path)?;
    let acting = Acting::of(cx);
    let new = new_path.and_then(|path| Ok((Start::at(cx, new_dir, path)?, path)));
    let (new, new_path) = match new {
        Ok(new) => new,
        Err(errno) => {
            // What is wrong with the way to the old name is told first.
            acting.caller().resolve_parent(old.base(), old_path)?;
            return Err(errno);
        }
    };
    acting.caller().rename(old.base(), old_path, new.base(), new_path, flags)?;
    Ok(0)
}

/// readlink(2). Errors: `EINVAL`: no symbolic link, or no room at all; `EFAULT` and those of the walk.
pub(super) fn readlink(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_link_at(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, args.addr(1), args.int(2))
}

/// readlinkat(2). Errors as readlink, and `EBADF`; an empty path names the descriptor's own link.
pub(super) fn readlinkat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_link_at(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.addr(2), args.int(3))
}

fn read_link_at(cx: &Context, dir: i32, path: &[u8], out: usize, len: i32) -> Result<usize, SyscallError> {
    let len = usize::try_from(len).ok().filter(|&len| len > 0).ok_or(Errno::EINVAL)?;
    let acting = Acting::of(cx);
    let flags = if dir == AT_FDCWD { AtFlags::empty() } else { AtFlags::AT_EMPTY_PATH };
    let place = place_at(cx, &acting.caller(), dir, path, flags, false)?;
    if !place.dentry.is_symlink() {
        return Err(if path.is_empty() { Errno::ENOENT } else { Errno::EINVAL });
    }
    let inode = place.inode();
    let put = |text: &[u8]| {
        let count = text.len().min(len);
        hal::user::copy_out(out, &text[..count])?;
        Ok(count)
    };
    match inode.link_text() {
        Some(text) => put(&text?),
        None => match inode.read_link()? {
            LinkTarget::Text(text) => put(&text),
            LinkTarget::Jump(target) => put(&target.display(&cx.fs().root())?),
        },
    }
}
