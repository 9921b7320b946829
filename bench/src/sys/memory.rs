//! Calls on memory.

use std::os::fd::RawFd;
use std::sync::atomic::AtomicU64;

use super::{Result, check, syscall1, syscall2, syscall3, syscall4, syscall6};

/// The size of a page, in bytes.
pub(crate) const PAGE: usize = 4096;

/// Memory of its own that a value owns and the kernel manages; unmapped on drop.
pub(crate) struct Mapping {
    start: usize,
    length: usize,
}

impl Mapping {
    /// Maps `pages` pages of zeros for reading and writing.
    #[inline(always)]
    pub(crate) fn anonymous(pages: usize) -> Result<Self> {
        Self::map(
            pages * PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
        )
    }

    /// Maps a page of zeros that children share.
    pub(crate) fn shared() -> Result<Self> {
        Self::map(PAGE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)
    }

    /// Maps the first `pages` pages of a file, shared, for reading.
    #[inline(always)]
    pub(crate) fn file_to_read(fd: RawFd, pages: usize) -> Result<Self> {
        Self::map(pages * PAGE, libc::PROT_READ, libc::MAP_SHARED, fd)
    }

    /// Maps the first `pages` pages of a file, shared, for reading and writing.
    #[inline(always)]
    pub(crate) fn file_to_write(fd: RawFd, pages: usize) -> Result<Self> {
        Self::map(pages * PAGE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd)
    }

    #[inline(always)]
    fn map(length: usize, protection: i32, flags: i32, fd: RawFd) -> Result<Self> {
        let (protection, flags, fd) = (protection as usize, flags as usize, fd as usize);
        // SAFETY: the kernel chooses a range that nothing uses.
        let returned = unsafe { syscall6(libc::SYS_mmap, 0, length, protection, flags, fd, 0) };
        Ok(Self { start: check("mmap", returned)?, length })
    }

    /// Writes one byte to each of the first `pages` pages.
    ///
    /// # Panics
    /// If it has fewer.
    #[inline(always)]
    pub(crate) fn write_pages(&mut self, pages: usize) {
        self.write_every(PAGE, pages * PAGE);
    }

    /// Writes one byte at every multiple of `step` below `end`.
    ///
    /// # Panics
    /// If that is beyond the mapping's end.
    #[inline(always)]
    pub(crate) fn write_every(&mut self, step: usize, end: usize) {
        assert!(end <= self.length, "the mapping has that many bytes");
        for offset in (0..end).step_by(step) {
            let byte = (self.start + offset) as *mut u8;
            // SAFETY: inside of the mapping, which this value owns; callers write only to writable ones.
            unsafe { byte.write_volatile(1) };
        }
    }

    /// Reads one byte of each of the first `pages` pages.
    ///
    /// # Panics
    /// If it has fewer.
    #[inline(always)]
    pub(crate) fn read_pages(&self, pages: usize) {
        assert!(pages * PAGE <= self.length, "the mapping has that many pages");
        for page in 0..pages {
            let byte = (self.start + page * PAGE) as *const u8;
            // SAFETY: inside of the mapping, which this value owns.
            unsafe { byte.read_volatile() };
        }
    }

    /// Returns the number at its start.
    pub(crate) fn counter(&self) -> &AtomicU64 {
        // SAFETY: at the start of a page that this value owns; other processes use it atomically as well.
        unsafe { AtomicU64::from_ptr(self.start as *mut u64) }
    }

    /// mprotect(2) of all of it.
    #[inline(always)]
    pub(crate) fn protect(&mut self, is_writable: bool) -> isize {
        let protection = if is_writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: the range is this value's, and nobody holds a reference into it.
        unsafe { syscall3(libc::SYS_mprotect, self.start, self.length, protection as usize) }
    }

    /// madvise(2) with `MADV_DONTNEED` on all of it: it holds zeros again.
    #[inline(always)]
    pub(crate) fn drop_pages(&mut self) -> isize {
        // SAFETY: the range is this value's, and nobody holds a reference into it.
        unsafe { syscall3(libc::SYS_madvise, self.start, self.length, libc::MADV_DONTNEED as usize) }
    }

    /// mremap(2) to another size, wherever it finds room.
    #[inline(always)]
    pub(crate) fn resize(&mut self, pages: usize) -> isize {
        let (length, flags) = (pages * PAGE, libc::MREMAP_MAYMOVE as usize);
        // SAFETY: the range is this value's, and nobody holds a reference into it.
        let returned = unsafe { syscall4(libc::SYS_mremap, self.start, self.length, length, flags) };
        if let Ok(start) = usize::try_from(returned) {
            (self.start, self.length) = (start, length);
        }
        returned
    }
}

impl Drop for Mapping {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the range is this value's, and nobody holds a reference into it.
        unsafe { syscall2(libc::SYS_munmap, self.start, self.length) };
    }
}

/// brk(2), three times: asks for the end of the data segment, moves it up by `pages` pages, moves it back.
#[inline(always)]
pub(crate) fn grow_and_shrink_data(pages: usize) -> isize {
    // SAFETY: 0 changes nothing.
    let end = unsafe { syscall1(libc::SYS_brk, 0) };
    // SAFETY: what is added is used by nobody.
    let grown = unsafe { syscall1(libc::SYS_brk, end as usize + pages * PAGE) };
    if grown == end {
        return -(libc::ENOMEM as isize);
    }
    // SAFETY: only what was added goes away; this thread is the only one, and has allocated nothing meanwhile.
    unsafe { syscall1(libc::SYS_brk, end as usize) }
}
