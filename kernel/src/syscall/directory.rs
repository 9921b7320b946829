//! getdents(2), chdir(2), fchdir(2), chroot(2), getcwd(2).

use core::ops::ControlFlow;

use linux_abi::cap::CAP_SYS_CHROOT;
use linux_abi::dirent::{self, Entry};
use linux_abi::errno::Errno;

use super::place::{Acting, Start};
use super::{Args, Context, SyscallError};
use crate::fs::vfs::access::{self, MAY_EXECUTE};
use crate::fs::vfs::{DirectoryEntry, DirectorySink, FIRST_ENTRY, FileType, Path};
use crate::memory::fallible;

/// Bytes of entries gathered before they are copied out.
const CHUNK: usize = 32 * 1024;

/// getdents64(2).
///
/// # Errors
/// `EBADF`, `ENOTDIR`; `EINVAL`: not even one entry fits; `ENOENT`: the directory has been removed; `EFAULT`.
pub(super) fn getdents64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_entries(cx, args, dirent::write64)
}

/// getdents(2): the old format. Errors as getdents64.
pub(super) fn getdents(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_entries(cx, args, dirent::write)
}

fn read_entries(
    cx: &Context,
    args: &Args,
    write: fn(&mut [u8], &Entry<'_>) -> Option<usize>,
) -> Result<usize, SyscallError> {
    let open = cx.files().get(args.fd(0))?;
    let (out, len) = (args.addr(1), args.uint(2) as usize);
    let directory = open.directory()?.clone();
    if directory.is_removed() {
        return Err(Errno::ENOENT);
    }
    let mut buffer: alloc::vec::Vec<u8> = fallible::zeroed(len.min(CHUNK))?;
    let (mut used, mut is_full) = (0, false);
    let place = open.place();
    open.with_position(|position| {
        let start = *position;
        let mut put = |entry: &DirectoryEntry<'_>| {
            let record = Entry {
                ino: entry.inode_number,
                next_offset: entry.next.cast_signed(),
                file_type: entry.file_type.dirent_type(),
                name: entry.name,
            };
            match write(&mut buffer[used..], &record) {
                Some(count) => {
                    used += count;
                    *position = entry.next;
                    ControlFlow::Continue(())
                }
                None => {
                    is_full = true;
                    ControlFlow::Break(())
                }
            }
        };
        report(&place, start, &mut put)
    })?;
    if used == 0 && is_full {
        return Err(Errno::EINVAL);
    }
    hal::user::copy_out(out, &buffer[..used])?;
    Ok(used)
}

/// chdir(2). Errors: `ENOTDIR`, `EACCES` and those of the walk.
pub(super) fn chdir(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let path = args.path(0)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), &path, true)?;
    check_enterable(cx, &place)?;
    cx.fs().set_working_directory(place);
    Ok(0)
}

/// fchdir(2). Errors: `EBADF`, `ENOTDIR`, `EACCES`.
pub(super) fn fchdir(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let place = cx.files().get_any(args.fd(0))?.place();
    check_enterable(cx, &place)?;
    cx.fs().set_working_directory(place);
    Ok(0)
}

/// chroot(2). Errors: `EPERM`: no `CAP_SYS_CHROOT`; those of chdir.
pub(super) fn chroot(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let path = args.path(0)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), &path, true)?;
    check_enterable(cx, &place)?;
    cx.credentials().require(CAP_SYS_CHROOT)?;
    cx.fs().set_root(place);
    Ok(0)
}

fn check_enterable(cx: &Context, place: &Path) -> Result<(), Errno> {
    if place.dentry.file_type() != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    access::check(place.inode().ownership(), &cx.credentials(), MAY_EXECUTE)
}

/// getcwd(2): the length with the NUL.
///
/// # Errors
/// `ERANGE`: no room. `ENOENT`: the directory has been removed. `EFAULT`: not writable.
pub(super) fn getcwd(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (out, size) = (args.addr(0), args.size(1));
    let (root, working) = cx.fs().root_and_working_directory();
    let path = working.text_from(&root)?;
    if path.is_removed {
        return Err(Errno::ENOENT);
    }
    let mut text = if path.is_reachable { alloc::vec::Vec::new() } else { b"(unreachable)".to_vec() };
    text.extend_from_slice(&path.text);
    text.push(0);
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    hal::user::copy_out(out, &text)?;
    Ok(text.len())
}

/// Reports the entries of a directory from position `from` on: `.` and `..`, then those of the file system.
fn report(place: &Path, from: u64, put: &mut DirectorySink<'_>) -> Result<(), Errno> {
    let dots: [(&[u8], u64); 2] = [(b".", number_of(place)), (b"..", number_of(&parent_of(place)))];
    for (position, (name, inode_number)) in (0..).zip(dots) {
        if position < from {
            continue;
        }
        let entry = DirectoryEntry { name, inode_number, file_type: FileType::Directory, next: position + 1 };
        if put(&entry).is_break() {
            return Ok(());
        }
    }
    place.inode().read_dir(from.max(FIRST_ENTRY), put)
}

fn number_of(place: &Path) -> u64 {
    place.inode().metadata().inode_number
}

/// The directory above, through the mount if `place` is the root of one.
fn parent_of(place: &Path) -> Path {
    let mut at = place.clone();
    while alloc::sync::Arc::ptr_eq(&at.dentry, at.mount.root()) {
        match at.mount.mounted_on() {
            Some(below) => at = below,
            None => return at,
        }
    }
    match at.dentry.parent() {
        Some(dentry) => Path { dentry, ..at },
        None => at,
    }
}
