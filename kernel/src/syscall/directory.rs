//! getdents(2), chdir(2), fchdir(2), chroot(2), getcwd(2).

use core::ops::ControlFlow;

use hal::user::UserSlice;
use linux_abi::cap::CAP_SYS_CHROOT;
use linux_abi::dirent::{self, Entry};
use linux_abi::errno::Errno;
use linux_abi::inotify::IN_ACCESS;

use super::place::{Acting, Start};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::inotify::file_event;
use crate::fs::vfs::access::{self, MAY_EXECUTE};
use crate::fs::vfs::{Backwards, DirectoryEntry, DirectorySink, FIRST_ENTRY, FileType, Path};

/// Bytes of entries gathered before they are copied out; the longest has room.
const CHUNK: usize = 1024;

/// Writes one entry as the program reads it, to the start of a buffer; its length, or `None` if it has no room.
type WriteRecord = fn(&mut [u8], &Entry<'_>) -> Option<usize>;

/// getdents64(2).
///
/// # Errors
/// `EBADF`, `ENOTDIR`; `EINVAL`: not even one entry fits; `ENOENT`: the directory has been removed; `EFAULT`. What was
/// read before an error wins over it.
pub(super) fn getdents64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_entries(cx, args, dirent::write64)
}

/// getdents(2): the old format. Errors as getdents64.
pub(super) fn getdents(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    read_entries(cx, args, dirent::write)
}

fn read_entries(cx: &Context, args: &Args, write: WriteRecord) -> Result<usize, SyscallError> {
    let open = cx.open_file(args.fd(0))?;
    let mut out = UserSlice::new(args.addr(1), args.uint(2) as usize);
    if open.directory()?.is_removed() {
        return Err(Errno::ENOENT);
    }
    let place = open.place();
    let outcome = open.with_position(|position| {
        let mut total = 0;
        loop {
            match read_chunk(&place, position, &mut out, write) {
                Ok(0) => return Ok(total),
                Ok(count) => total += count,
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    });
    file_event(&open, IN_ACCESS);
    outcome
}

/// Copies some entries from `position` on to `out`, moves both and returns how many bytes went; 0 at the end of either.
fn read_chunk(
    place: &Path,
    position: &mut u64,
    out: &mut UserSlice,
    write: WriteRecord,
) -> Result<usize, Errno> {
    let mut chunk = [0; CHUNK];
    let room = &mut chunk[..out.len().min(CHUNK)];
    let (mut used, mut is_full, mut next) = (0, false, *position);
    report(place, *position, &mut |entry| {
        let record = Entry {
            ino: entry.inode_number,
            next_offset: entry.next.cast_signed(),
            file_type: entry.file_type.dirent_type(),
            name: entry.name,
        };
        match write(&mut room[used..], &record) {
            Some(count) => {
                used += count;
                next = entry.next;
                ControlFlow::Continue(())
            }
            None => {
                is_full = true;
                ControlFlow::Break(())
            }
        }
    })?;
    if used == 0 && is_full {
        return Err(Errno::EINVAL);
    }
    out.write(&room[..used])?;
    *position = next;
    Ok(used)
}

/// chdir(2). Errors: `ENOTDIR`, `EACCES` and those of the walk.
pub(super) fn chdir(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), path, true)?;
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
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let acting = Acting::of(cx);
    let place = acting.caller().resolve(Start::WORKING.base(), path, true)?;
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
    if working.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    let mut text = Backwards::with(b"\0");
    if !working.spell(&root, &mut text)? {
        text.push_front(b"(unreachable)");
    }
    let text = text.as_bytes();
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    hal::user::copy_out(out, text)?;
    Ok(text.len())
}

/// Reports the entries of a directory from position `from` on: `.` and `..`, then those of the file system.
fn report(place: &Path, from: u64, put: &mut DirectorySink<'_>) -> Result<(), Errno> {
    for position in from..FIRST_ENTRY {
        let (name, inode_number): (&[u8], _) = match position {
            0 => (b".", number_of(place)),
            _ => (b"..", number_of(&parent_of(place))),
        };
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
