//! mount(2), umount2(2), pivot_root(2).

use alloc::vec::Vec;

use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::mount::{MS_MGC_MSK, MS_MGC_VAL, MountFlags, UmountFlags};

use super::args::copy_path;
use super::place::{Acting, Start};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::vfs::{Mount, MountOptions, MountRequest, Path, SuperBlock, find_type, mount as mounts};
use crate::memory::reserve;

/// Flags that change how a mount propagates.
const PROPAGATION: MountFlags = MountFlags::MS_SHARED
    .union(MountFlags::MS_PRIVATE)
    .union(MountFlags::MS_SLAVE)
    .union(MountFlags::MS_UNBINDABLE);
/// Flags that say which access times are kept.
const ACCESS_TIMES: MountFlags = MountFlags::MS_NOATIME
    .union(MountFlags::MS_NODIRATIME)
    .union(MountFlags::MS_RELATIME)
    .union(MountFlags::MS_STRICTATIME);

/// Memory that a mount takes of the kernel, roughly, with its file system.
const MOUNT_COST: usize = 8192;

/// mount(2): a new mount, a bind mount, a move, or new options.
///
/// # Errors
/// - `EPERM`: no `CAP_SYS_ADMIN`. `ENODEV`: no such type. `EINVAL`: bad options or flags. `EBUSY`.
/// - `ENOTBLK`: the type needs a device, and there is none. Those of the walk; `EFAULT`; `ENOMEM`.
pub(super) fn mount(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut bits = args.u64(3);
    if bits & MS_MGC_MSK == MS_MGC_VAL {
        bits &= !MS_MGC_MSK;
    }
    let flags = MountFlags::from_bits_truncate(bits);
    let type_name = optional_string(args.addr(2))?;
    let source = optional_string(args.addr(0))?;
    let mut buffer = PathBuffer::new();
    let target = args.path(1, &mut buffer)?;
    let options = options_text(args.addr(4))?;
    let acting = Acting::of(cx);
    let place = mounts::topmost(acting.caller().resolve(Start::WORKING.base(), target, true)?);
    cx.credentials().require(CAP_SYS_ADMIN)?;
    reserve::check(MOUNT_COST)?;

    if flags.contains(MountFlags::MS_REMOUNT) {
        return remount(&place, flags, &options);
    }
    if flags.contains(MountFlags::MS_BIND) {
        let from =
            acting.caller().resolve(Start::WORKING.base(), source.as_deref().unwrap_or_default(), true)?;
        let is_recursive = flags.contains(MountFlags::MS_REC);
        mounts::bind(&from, &place, source.as_deref().unwrap_or_default(), is_recursive)?;
        return Ok(0);
    }
    if flags.intersects(PROPAGATION) {
        return propagation(&place, flags);
    }
    if flags.contains(MountFlags::MS_MOVE) {
        let from =
            acting.caller().resolve(Start::WORKING.base(), source.as_deref().unwrap_or_default(), true)?;
        if !is_mount_root(&from) {
            return Err(Errno::EINVAL);
        }
        mounts::relocate(&from.mount, &place)?;
        return Ok(0);
    }
    let kind = find_type(&type_name.ok_or(Errno::EINVAL)?)?;
    if !kind.needs_no_device {
        return Err(Errno::ENOTBLK);
    }
    let source = source.unwrap_or_else(|| b"none".to_vec());
    let is_read_only = flags.contains(MountFlags::MS_RDONLY);
    let file_system = (kind.mount)(&MountRequest { source: &source, options: &options, is_read_only })?;
    let super_block = SuperBlock::of(file_system, is_read_only)?;
    let root = super_block.root().clone();
    let new = Mount::new(super_block, root, &source, MountOptions::from_flags(flags));
    mounts::attach(new, &place)?;
    Ok(0)
}

fn remount(place: &Path, flags: MountFlags, options: &[u8]) -> Result<usize, Errno> {
    if !is_mount_root(place) {
        return Err(Errno::EINVAL);
    }
    if !flags.contains(MountFlags::MS_BIND) {
        let super_block = place.mount.super_block();
        super_block.file_system().remount(options)?;
        super_block.set_read_only(flags.contains(MountFlags::MS_RDONLY));
    }
    let mut options = MountOptions::from_flags(flags);
    if !flags.intersects(ACCESS_TIMES) {
        options.remove(MountOptions::ACCESS_TIMES);
        options |= place.mount.options() & MountOptions::ACCESS_TIMES;
    }
    place.mount.set_options(options);
    Ok(0)
}

/// Every mount is private, which is what `MS_PRIVATE` asks for and what `MS_SLAVE` leaves of a mount without a master.
/// The other two would promise what does not happen.
fn propagation(place: &Path, flags: MountFlags) -> Result<usize, Errno> {
    let kind = flags - (MountFlags::MS_REC | MountFlags::MS_SILENT);
    let is_private = kind == MountFlags::MS_PRIVATE || kind == MountFlags::MS_SLAVE;
    (is_private && is_mount_root(place)).then_some(0).ok_or(Errno::EINVAL)
}

/// umount2(2).
///
/// # Errors
/// `EPERM`: no `CAP_SYS_ADMIN`. `EINVAL`: no mount point, or an unknown flag. `EBUSY`; `EAGAIN`: `MNT_EXPIRE`.
pub(super) fn umount2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = UmountFlags::from_bits(args.uint(1)).ok_or(Errno::EINVAL)?;
    cx.credentials().require(CAP_SYS_ADMIN)?;
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let acting = Acting::of(cx);
    let follow = !flags.contains(UmountFlags::UMOUNT_NOFOLLOW);
    let place = mounts::topmost(acting.caller().resolve(Start::WORKING.base(), path, follow)?);
    if !is_mount_root(&place) || flags.contains(UmountFlags::MNT_EXPIRE) {
        return Err(Errno::EINVAL);
    }
    let target = place.mount.clone();
    drop(place);
    if flags.contains(UmountFlags::MNT_DETACH) {
        mounts::detach_lazily(&target)?;
    } else {
        mounts::detach(&target, 1)?;
    }
    Ok(0)
}

/// pivot_root(2).
///
/// # Errors
/// `EPERM`: no `CAP_SYS_ADMIN`. `EINVAL`: not mount points, or the old root's place is not below the new root. `EBUSY`:
/// the two are one.
pub(super) fn pivot_root(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_ADMIN)?;
    let (mut buffer, mut other) = (PathBuffer::new(), PathBuffer::new());
    let (new_root, put_old) = (args.path(0, &mut buffer)?, args.path(1, &mut other)?);
    let acting = Acting::of(cx);
    let new = mounts::topmost(acting.caller().resolve(Start::WORKING.base(), new_root, true)?);
    let old_place = acting.caller().resolve(Start::WORKING.base(), put_old, true)?;
    let root = cx.fs().root();
    if alloc::sync::Arc::ptr_eq(&new.mount, &root.mount) {
        return Err(Errno::EBUSY);
    }
    if !is_mount_root(&new) || !is_mount_root(&root) {
        return Err(Errno::EINVAL);
    }
    let is_below = alloc::sync::Arc::ptr_eq(&old_place.mount, &new.mount)
        && new.dentry.is_ancestor_of(&old_place.dentry);
    if !is_below {
        return Err(Errno::EINVAL);
    }
    mounts::pivot(&new.mount, &root.mount, &old_place)?;
    cx.fs().replace(&root, &new);
    Ok(0)
}

fn is_mount_root(place: &Path) -> bool {
    alloc::sync::Arc::ptr_eq(&place.dentry, place.mount.root())
}

fn optional_string(addr: usize) -> Result<Option<Vec<u8>>, Errno> {
    if addr == 0 { Ok(None) } else { copy_path(addr).map(Some) }
}

/// The options: a string of at most a page; the page may be cut short by unmapped memory, as Linux allows.
fn options_text(addr: usize) -> Result<Vec<u8>, Errno> {
    if addr == 0 {
        return Ok(Vec::new());
    }
    let mut page = alloc::vec![0u8; hal::PAGE_SIZE];
    if let Err(fault) = hal::user::copy_in(&mut page, addr) {
        if fault.copied == 0 {
            return Err(fault.into());
        }
        page.truncate(fault.copied);
    }
    let len = page.iter().position(|&byte| byte == 0).unwrap_or(page.len());
    page.truncate(len);
    Ok(page)
}
