//! stat(2), fstat(2), lstat(2), fstatat(2), statx(2), statfs(2), access(2).

use linux_abi::access::{R_OK, W_OK, X_OK};
use linux_abi::errno::Errno;
use linux_abi::open::{AT_FDCWD, AtFlags};
use linux_abi::stat::*;
use linux_abi::statfs::Statfs;
use linux_abi::time::Timespec;

use super::place::{Acting, Start, place_at};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::vfs::{Metadata, Path, access};

/// stat(2). Errors: `EFAULT` and those of the walk.
pub(super) fn stat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let place = Acting::of(cx).caller().resolve(Start::WORKING.base(), path, true)?;
    args.user_ptr::<Stat>(1).write(&to_stat(&place.inode().metadata()))?;
    Ok(0)
}

/// lstat(2): does not follow the last link. Errors as stat.
pub(super) fn lstat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let place = Acting::of(cx).caller().resolve(Start::WORKING.base(), path, false)?;
    args.user_ptr::<Stat>(1).write(&to_stat(&place.inode().metadata()))?;
    Ok(0)
}

/// fstat(2). Errors: `EBADF`, `EFAULT`.
pub(super) fn fstat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.files().get_any(args.fd(0))?;
    args.user_ptr::<Stat>(1).write(&to_stat(&open.metadata()))?;
    Ok(0)
}

/// newfstatat(2). Errors: `EBADF`, `EINVAL`, `EFAULT` and those of the walk.
pub(super) fn newfstatat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let known = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT | AtFlags::AT_EMPTY_PATH;
    let flags = at_flags(args.uint(3), known)?;
    let metadata = metadata_at(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, flags)?.0;
    args.user_ptr::<Stat>(2).write(&to_stat(&metadata))?;
    Ok(0)
}

/// statx(2). Errors as newfstatat; `EINVAL` also for reserved mask bits.
pub(super) fn statx(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    const RESERVED: u32 = 1 << 31;

    let known = AtFlags::AT_SYMLINK_NOFOLLOW
        | AtFlags::AT_NO_AUTOMOUNT
        | AtFlags::AT_EMPTY_PATH
        | AtFlags::AT_STATX_FORCE_SYNC
        | AtFlags::AT_STATX_DONT_SYNC;
    let flags = at_flags(args.uint(2), known)?;
    let both_sync = AtFlags::AT_STATX_FORCE_SYNC | AtFlags::AT_STATX_DONT_SYNC;
    if args.uint(3) & RESERVED != 0 || flags.contains(both_sync) {
        return Err(Errno::EINVAL);
    }
    let (metadata, mount) = metadata_at(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, flags)?;
    args.user_ptr::<Statx>(4).write(&to_statx(&metadata, mount))?;
    Ok(0)
}

/// statfs(2). Errors: `EFAULT` and those of the walk.
pub(super) fn statfs(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let place = Acting::of(cx).caller().resolve(Start::WORKING.base(), path, true)?;
    args.user_ptr::<Statfs>(1).write(&to_statfs(&place))?;
    Ok(0)
}

/// fstatfs(2). Errors: `EBADF`, `EFAULT`.
pub(super) fn fstatfs(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let open = cx.files().get_any(args.fd(0))?;
    args.user_ptr::<Statfs>(1).write(&to_statfs(&open.place()))?;
    Ok(0)
}

/// access(2): with the real ids. Errors: `EACCES`, `EROFS`, `EINVAL` and those of the walk.
pub(super) fn access(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    check_access(cx, AT_FDCWD, args.path(0, &mut PathBuffer::new())?, args.uint(1), AtFlags::empty())
}

/// faccessat(2). Errors as access, and `EBADF`.
pub(super) fn faccessat(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    check_access(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.uint(2), AtFlags::empty())
}

/// faccessat2(2): faccessat with flags. Errors as faccessat; `EINVAL`: an unknown flag.
pub(super) fn faccessat2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let known = AtFlags::AT_EACCESS | AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH;
    let flags = at_flags(args.uint(3), known)?;
    check_access(cx, args.fd(0), args.path(1, &mut PathBuffer::new())?, args.uint(2), flags)
}

fn check_access(
    cx: &Context,
    dir: i32,
    path: &[u8],
    wish: u32,
    flags: AtFlags,
) -> Result<usize, SyscallError> {
    if wish & !(R_OK | W_OK | X_OK) != 0 {
        return Err(Errno::EINVAL);
    }
    let acting = if flags.contains(AtFlags::AT_EACCESS) { Acting::of(cx) } else { Acting::with_real_ids(cx) };
    let caller = acting.caller();
    let place = place_at(cx, &caller, dir, path, flags, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW))?;
    let file = place.inode().ownership();
    if wish & X_OK != 0
        && file.mode.is_regular()
        && place.mount.options().contains(crate::fs::vfs::MountOptions::NO_EXECUTE)
    {
        return Err(Errno::EACCES);
    }
    access::check(file, caller.credentials, wish)?;
    if wish & W_OK != 0 && !file.mode.is_device() && !file.mode.is_fifo() {
        place.mount.check_writable()?;
    }
    Ok(0)
}

pub(super) fn at_flags(bits: u32, known: AtFlags) -> Result<AtFlags, Errno> {
    AtFlags::from_bits(bits).filter(|flags| known.contains(*flags)).ok_or(Errno::EINVAL)
}

fn metadata_at(cx: &Context, dir: i32, path: &[u8], flags: AtFlags) -> Result<(Metadata, u32), Errno> {
    let acting = Acting::of(cx);
    let follow = !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW);
    let place = place_at(cx, &acting.caller(), dir, path, flags, follow)?;
    Ok((place.inode().metadata(), place.mount.id()))
}

fn to_stat(metadata: &Metadata) -> Stat {
    Stat {
        st_dev: u64::from(metadata.device.0),
        st_ino: metadata.inode_number,
        st_nlink: u64::from(metadata.link_count),
        st_mode: metadata.mode,
        st_uid: metadata.uid,
        st_gid: metadata.gid,
        st_rdev: u64::from(metadata.represents.0),
        st_size: metadata.size.cast_signed(),
        st_blksize: i64::from(metadata.block_size),
        st_blocks: metadata.blocks.cast_signed(),
        st_atim: metadata.accessed,
        st_mtim: metadata.modified,
        st_ctim: metadata.changed,
        ..Stat::default()
    }
}

fn to_statx(metadata: &Metadata, mount: u32) -> Statx {
    let stamp =
        |time: Timespec| StatxTimestamp { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec as u32, _pad: 0 };
    let mut mask = STATX_BASIC_STATS | STATX_MNT_ID;
    if metadata.created.is_some() {
        mask |= STATX_BTIME;
    }
    Statx {
        stx_mask: mask,
        stx_blksize: metadata.block_size,
        stx_nlink: metadata.link_count,
        stx_uid: metadata.uid,
        stx_gid: metadata.gid,
        stx_mode: metadata.mode.0 as u16,
        stx_ino: metadata.inode_number,
        stx_size: metadata.size,
        stx_blocks: metadata.blocks,
        stx_atime: stamp(metadata.accessed),
        stx_btime: metadata.created.map_or_else(StatxTimestamp::default, stamp),
        stx_ctime: stamp(metadata.changed),
        stx_mtime: stamp(metadata.modified),
        stx_rdev_major: metadata.represents.major(),
        stx_rdev_minor: metadata.represents.minor(),
        stx_dev_major: metadata.device.major(),
        stx_dev_minor: metadata.device.minor(),
        stx_mnt_id: u64::from(mount),
        ..Statx::default()
    }
}

fn to_statfs(place: &Path) -> Statfs {
    let super_block = place.mount.super_block();
    let usage = super_block.file_system().usage();
    let device = super_block.file_system().device().0;
    Statfs {
        f_type: usage.magic,
        f_bsize: i64::from(usage.block_size),
        f_blocks: usage.blocks,
        f_bfree: usage.free_blocks,
        f_bavail: usage.free_blocks,
        f_files: usage.inodes,
        f_ffree: usage.free_inodes,
        f_fsid: [device as i32, 0],
        f_namelen: i64::from(usage.name_max),
        f_frsize: i64::from(usage.block_size),
        f_flags: place.mount.options().statfs_flags() | linux_abi::statfs::ST_VALID,
        ..Statfs::default()
    }
}
