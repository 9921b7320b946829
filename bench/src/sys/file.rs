//! Calls on files, directories, pipes and sockets.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Result, check, syscall1, syscall2, syscall3, syscall4};

/// A descriptor as an argument.
#[inline(always)]
fn arg(fd: RawFd) -> usize {
    fd as usize
}

/// open(2).
#[inline(always)]
pub(crate) fn open(path: &CStr, flags: i32, mode: u32) -> isize {
    // SAFETY: the kernel reads a string that ends in a zero.
    unsafe { syscall3(libc::SYS_open, path.as_ptr() as usize, flags as usize, mode as usize) }
}

/// Opens a file for reading and writing, makes it if it is not there, and owns it.
pub(crate) fn create(path: &CStr) -> Result<OwnedFd> {
    let fd = check("open", open(path, libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC, 0o644))?;
    // SAFETY: the kernel has just given it out, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// close(2).
#[inline(always)]
pub(crate) fn close(fd: RawFd) -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall1(libc::SYS_close, arg(fd)) }
}

/// read(2).
#[inline(always)]
pub(crate) fn read(fd: RawFd, buf: &mut [u8]) -> isize {
    // SAFETY: the kernel writes into the exclusively borrowed buffer, at most its length.
    unsafe { syscall3(libc::SYS_read, arg(fd), buf.as_mut_ptr() as usize, buf.len()) }
}

/// write(2).
#[inline(always)]
pub(crate) fn write(fd: RawFd, buf: &[u8]) -> isize {
    // SAFETY: the kernel reads the borrowed buffer, at most its length.
    unsafe { syscall3(libc::SYS_write, arg(fd), buf.as_ptr() as usize, buf.len()) }
}

/// pread64(2).
#[inline(always)]
pub(crate) fn pread(fd: RawFd, buf: &mut [u8], offset: usize) -> isize {
    // SAFETY: the kernel writes into the exclusively borrowed buffer, at most its length.
    unsafe { syscall4(libc::SYS_pread64, arg(fd), buf.as_mut_ptr() as usize, buf.len(), offset) }
}

/// pwrite64(2).
#[inline(always)]
pub(crate) fn pwrite(fd: RawFd, buf: &[u8], offset: usize) -> isize {
    // SAFETY: the kernel reads the borrowed buffer, at most its length.
    unsafe { syscall4(libc::SYS_pwrite64, arg(fd), buf.as_ptr() as usize, buf.len(), offset) }
}

/// stat(2), whose answer is dropped.
#[inline(always)]
pub(crate) fn stat(path: &CStr) -> isize {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the string ends in a zero, and the kernel fills one structure, which is there.
    unsafe { syscall2(libc::SYS_stat, path.as_ptr() as usize, answer.as_mut_ptr() as usize) }
}

/// fstat(2), whose answer is dropped.
#[inline(always)]
pub(crate) fn fstat(fd: RawFd) -> isize {
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills one structure, which is there.
    unsafe { syscall2(libc::SYS_fstat, arg(fd), answer.as_mut_ptr() as usize) }
}

/// access(2) for reading.
#[inline(always)]
pub(crate) fn access(path: &CStr) -> isize {
    // SAFETY: the kernel reads a string that ends in a zero.
    unsafe { syscall2(libc::SYS_access, path.as_ptr() as usize, libc::R_OK as usize) }
}

/// readlink(2).
#[inline(always)]
pub(crate) fn readlink(path: &CStr, buf: &mut [u8]) -> isize {
    let (start, length) = (buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: the string ends in a zero, and the kernel writes into the exclusively borrowed buffer.
    unsafe { syscall3(libc::SYS_readlink, path.as_ptr() as usize, start, length) }
}

/// getcwd(2).
#[inline(always)]
pub(crate) fn getcwd(buf: &mut [u8]) -> isize {
    // SAFETY: the kernel writes into the exclusively borrowed buffer, at most its length.
    unsafe { syscall2(libc::SYS_getcwd, buf.as_mut_ptr() as usize, buf.len()) }
}

/// lseek(2) to an offset from the start.
#[inline(always)]
pub(crate) fn lseek(fd: RawFd, offset: usize) -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall3(libc::SYS_lseek, arg(fd), offset, libc::SEEK_SET as usize) }
}

/// dup(2).
#[inline(always)]
pub(crate) fn dup(fd: RawFd) -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall1(libc::SYS_dup, arg(fd)) }
}

/// dup3(2): makes `to` a copy, which stays open until this process ends.
pub(crate) fn dup_to(fd: &OwnedFd, to: RawFd) -> isize {
    // SAFETY: touches no memory; the caller's number is one that nobody has opened.
    unsafe { syscall3(libc::SYS_dup3, arg(fd.as_raw_fd()), arg(to), libc::O_CLOEXEC as usize) }
}

/// fcntl(2) with `F_GETFL`.
#[inline(always)]
pub(crate) fn get_flags(fd: RawFd) -> isize {
    // SAFETY: touches no memory.
    unsafe { syscall2(libc::SYS_fcntl, arg(fd), libc::F_GETFL as usize) }
}

/// ftruncate(2).
#[inline(always)]
pub(crate) fn truncate(fd: RawFd, length: usize) -> isize {
    // SAFETY: touches no memory; this program shortens no file that it has mapped.
    unsafe { syscall2(libc::SYS_ftruncate, arg(fd), length) }
}

/// unlink(2).
#[inline(always)]
pub(crate) fn unlink(path: &CStr) -> isize {
    // SAFETY: the kernel reads a string that ends in a zero.
    unsafe { syscall1(libc::SYS_unlink, path.as_ptr() as usize) }
}

/// rename(2).
#[inline(always)]
pub(crate) fn rename(from: &CStr, to: &CStr) -> isize {
    // SAFETY: the kernel reads two strings that end in zeros.
    unsafe { syscall2(libc::SYS_rename, from.as_ptr() as usize, to.as_ptr() as usize) }
}

/// mkdir(2).
#[inline(always)]
pub(crate) fn mkdir(path: &CStr) -> isize {
    // SAFETY: the kernel reads a string that ends in a zero.
    unsafe { syscall2(libc::SYS_mkdir, path.as_ptr() as usize, 0o755) }
}

/// rmdir(2).
#[inline(always)]
pub(crate) fn rmdir(path: &CStr) -> isize {
    // SAFETY: the kernel reads a string that ends in a zero.
    unsafe { syscall1(libc::SYS_rmdir, path.as_ptr() as usize) }
}

/// An open directory, to be listed again and again.
pub(crate) struct Directory {
    fd: OwnedFd,
    buf: Vec<u8>,
}

impl Directory {
    /// Opens a directory.
    pub(crate) fn open(path: &CStr) -> Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let fd = check("open", open(path, flags, 0))?;
        // SAFETY: the kernel has just given it out, so nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        Ok(Self { fd, buf: vec![0; 32768] })
    }

    /// Lists it from its start to its end, 32 KiB at a time; returns the bytes of the entries.
    pub(crate) fn list(&mut self) -> isize {
        let fd = self.fd.as_raw_fd();
        let mut total = lseek(fd, 0);
        loop {
            let (start, length) = (self.buf.as_mut_ptr() as usize, self.buf.len());
            // SAFETY: the kernel writes into the buffer this value owns, at most its length.
            let got = unsafe { syscall3(libc::SYS_getdents64, arg(fd), start, length) };
            if got <= 0 {
                return if got < 0 { got } else { total };
            }
            total += got;
        }
    }
}

/// Makes a pipe: the end to read from, the end to write to.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel fills an array of two, which is there.
    let returned = unsafe { syscall2(libc::SYS_pipe2, ends.as_mut_ptr() as usize, libc::O_CLOEXEC as usize) };
    check("pipe2", returned)?;
    Ok(own(ends))
}

/// Makes a connected pair of Unix stream sockets.
pub(crate) fn socketpair() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    let (family, kind) = (libc::AF_UNIX as usize, (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as usize);
    // SAFETY: the kernel fills an array of two, which is there.
    let returned = unsafe { syscall4(libc::SYS_socketpair, family, kind, 0, ends.as_mut_ptr() as usize) };
    check("socketpair", returned)?;
    Ok(own(ends))
}

/// Takes two descriptors that the kernel has just given out.
fn own(ends: [RawFd; 2]) -> (OwnedFd, OwnedFd) {
    // SAFETY: new, so nobody else owns it.
    let first = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: new, so nobody else owns it.
    let second = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    (first, second)
}
