//! Calls that wait for events: poll, select, epoll, eventfd, futex.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;

use super::{Result, check, syscall2, syscall3, syscall4, syscall5};

/// Makes an event counter.
pub(crate) fn eventfd() -> Result<OwnedFd> {
    // SAFETY: touches no memory.
    let returned = unsafe { syscall2(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC as usize) };
    let fd = check("eventfd2", returned)?;
    // SAFETY: the kernel has just given it out, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// futex(2): wakes at most one thread that waits at the word.
#[inline(always)]
pub(crate) fn futex_wake(word: &AtomicU32) -> isize {
    let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel only takes the word's address.
    unsafe { syscall3(libc::SYS_futex, word.as_ptr() as usize, op as usize, 1) }
}

/// futex(2): waits until somebody wakes this thread, unless the word has another value by now.
#[inline(always)]
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) -> isize {
    let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel reads the word atomically, as everybody does.
    unsafe { syscall4(libc::SYS_futex, word.as_ptr() as usize, op as usize, value as usize, 0) }
}

/// The descriptors of poll(2).
pub(crate) struct PollSet(Vec<libc::pollfd>);

impl PollSet {
    /// Asks whether they can be read.
    pub(crate) fn new(fds: &[OwnedFd]) -> Self {
        let wanted = |fd: &OwnedFd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        Self(fds.iter().map(wanted).collect())
    }

    /// poll(2) without waiting.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> isize {
        // SAFETY: the kernel reads and writes the structures this value owns, as many as there are.
        unsafe { syscall3(libc::SYS_poll, self.0.as_mut_ptr() as usize, self.0.len(), 0) }
    }
}

/// The descriptors of select(2).
pub(crate) struct SelectSet {
    wanted: [u64; 16],
    limit: usize,
}

impl SelectSet {
    /// Asks whether they can be read; `None` if one is too large for select(2).
    pub(crate) fn new(fds: &[OwnedFd]) -> Option<Self> {
        let mut set = Self { wanted: [0; 16], limit: 0 };
        for fd in fds {
            let fd = usize::try_from(fd.as_raw_fd()).ok()?;
            *set.wanted.get_mut(fd / 64)? |= 1 << (fd % 64);
            set.limit = set.limit.max(fd + 1);
        }
        Some(set)
    }

    /// select(2) without waiting.
    #[inline(always)]
    pub(crate) fn select(&self) -> isize {
        let mut ready = self.wanted;
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let (set, timeout) = (ready.as_mut_ptr() as usize, (&raw const zero) as usize);
        // SAFETY: the kernel reads and writes a set of 1024 bits and a time, which are there.
        unsafe { syscall5(libc::SYS_select, self.limit, set, 0, 0, timeout) }
    }
}

/// An epoll set.
pub(crate) struct Epoll {
    fd: OwnedFd,
    events: [libc::epoll_event; 16],
}

impl Epoll {
    /// Makes a set of descriptors, to know which can be read.
    pub(crate) fn new(fds: &[OwnedFd]) -> Result<Self> {
        // SAFETY: touches no memory.
        let returned = unsafe { syscall2(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC as usize, 0) };
        let fd = check("epoll_create1", returned)?;
        // SAFETY: the kernel has just given it out, so nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        for member in fds {
            let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            let (set, member) = (fd.as_raw_fd() as usize, member.as_raw_fd() as usize);
            let (add, event) = (libc::EPOLL_CTL_ADD as usize, (&raw const event) as usize);
            // SAFETY: the kernel reads one structure, which is there.
            check("epoll_ctl", unsafe { syscall4(libc::SYS_epoll_ctl, set, add, member, event) })?;
        }
        Ok(Self { fd, events: [libc::epoll_event { events: 0, u64: 0 }; 16] })
    }

    /// epoll_wait(2) without waiting.
    #[inline(always)]
    pub(crate) fn wait(&mut self) -> isize {
        let (set, events) = (self.fd.as_raw_fd() as usize, self.events.as_mut_ptr() as usize);
        // SAFETY: the kernel writes at most as many structures as the array has.
        unsafe { syscall4(libc::SYS_epoll_wait, set, events, self.events.len(), 0) }
    }
}
