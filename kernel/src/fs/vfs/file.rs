//! What can be read, written and polled: files.

use alloc::sync::Arc;

use bitflags::bitflags;
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::poll;
use linux_abi::seek::{SEEK_CUR, SEEK_END, SEEK_SET};

use super::OpenFile;
use super::text::Text;
use crate::memory::MemoryObject;
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

bitflags! {
    /// How one read or write is done: from the status flags of the open file and the flags of the call.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct IoFlags: u32 {
        /// Fail with `EAGAIN` instead of waiting.
        const NONBLOCK = 1;
        /// Write at the end of the file.
        const APPEND = 2;
        /// Store before returning.
        const SYNC = 4;
        /// `O_DIRECT`: packets, for a pipe.
        const DIRECT = 8;
        /// Leave the access time alone.
        const NO_ACCESS_TIME = 16;
        /// Change the access time only if it is not later than the last change, or a day old.
        const RELATIVE_ACCESS_TIME = 32;
    }
}

bitflags! {
    /// States of readiness, the numbers of `poll(2)`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PollEvents: u32 {
        /// Data to read.
        const IN = poll::POLLIN as u32;
        /// Urgent data to read.
        const PRI = poll::POLLPRI as u32;
        /// Room to write.
        const OUT = poll::POLLOUT as u32;
        /// An error.
        const ERR = poll::POLLERR as u32;
        /// Hung up.
        const HUP = poll::POLLHUP as u32;
        /// Normal data to read.
        const RDNORM = poll::POLLRDNORM as u32;
        /// Priority data to read.
        const RDBAND = poll::POLLRDBAND as u32;
        /// Room for normal data.
        const WRNORM = poll::POLLWRNORM as u32;
        /// Room for priority data.
        const WRBAND = poll::POLLWRBAND as u32;
        /// The peer shut down its writing half.
        const RDHUP = poll::POLLRDHUP as u32;
    }
}

impl PollEvents {
    /// What readable things report.
    pub const READABLE: Self = Self::IN.union(Self::RDNORM);
    /// What writable things report.
    pub const WRITABLE: Self = Self::OUT.union(Self::WRNORM);
    /// What things that never wait report.
    pub const ALWAYS_READY: Self = Self::READABLE.union(Self::WRITABLE);
}

/// How a file is to be opened. Permissions are already checked.
#[derive(Clone, Copy, Debug)]
pub struct OpenRequest {
    /// The flags of `open(2)`.
    pub flags: OpenFlags,
}

impl OpenRequest {
    /// Whether the file will be read.
    pub fn reads(&self) -> bool {
        self.flags.readable()
    }

    /// Whether the file will be written.
    pub fn writes(&self) -> bool {
        self.flags.writable()
    }

    /// Whether opening must not wait.
    pub fn is_nonblocking(&self) -> bool {
        self.flags.contains(OpenFlags::O_NONBLOCK)
    }
}

/// Something open: the contents of a file, a device, a pipe end.
///
/// Access modes are checked before a method is called. Methods may sleep; a wait that a signal ends returns `EINTR`.
/// A partial result wins over a later error. The defaults answer what Linux answers for a file without the operation.
pub trait File: Send + Sync {
    /// Whether the file has a position: `lseek`, `pread` and `pwrite` work. Streams (pipes, terminals) answer `false`
    /// and get position 0.
    fn is_seekable(&self) -> bool {
        true
    }

    /// Whether `lseek` on it, which has no position, does nothing and answers 0 (`noop_llseek` on Linux: the descriptors
    /// of events) instead of refusing.
    fn ignores_seek(&self) -> bool {
        false
    }

    /// Reads into `sink` what is at `*position` and moves the position past it. 0 means the end (or an empty sink).
    ///
    /// # Errors
    /// `EINVAL` by default; `EAGAIN`, `EINTR`, `EFAULT`, `EIO`.
    fn read(&self, _position: &mut u64, _sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes `source` at `*position` (with [`IoFlags::APPEND`]: at the end, in one piece with finding it) and moves
    /// the position past it. A write to a pipe without readers returns `EPIPE`; the signal is the caller's business.
    ///
    /// # Errors
    /// `EINVAL` by default; `EAGAIN`, `EINTR`, `EFAULT`, `ENOSPC`, `EFBIG`, `EPIPE`, `EIO`.
    fn write(&self, _position: &mut u64, _source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Computes a new position (`lseek`): `whence` is one of `SEEK_*`, `current` the present position, [`Self::size`]
    /// the end.
    ///
    /// # Errors
    /// - `EINVAL`: unknown `whence`, or the result is negative.
    /// - `EOVERFLOW`: the result is not a file offset.
    /// - `ENXIO`: `SEEK_DATA` or `SEEK_HOLE` beyond the end.
    fn seek(&self, current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => current,
            SEEK_END => self.size(),
            _ => return Err(Errno::EINVAL),
        };
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let sum = base.checked_add(offset).ok_or(Errno::EOVERFLOW)?;
        u64::try_from(sum).map_err(|_| Errno::EINVAL)
    }

    /// Returns the size that `SEEK_END` counts from.
    fn size(&self) -> u64 {
        0
    }

    /// Returns what the file is ready for now. With a `table` also registers the wait queues on which a change will
    /// be announced, before looking.
    fn poll(&self, _table: Option<&mut PollTable>) -> PollEvents {
        PollEvents::ALWAYS_READY
    }

    /// Performs a device-specific request; `argument` is a number or a user address, as `command` says. `open` is the
    /// open file the call came through.
    ///
    /// # Errors
    /// `ENOTTY` by default: no such request for this file.
    fn ioctl(&self, _open: &OpenFile, _command: u32, _argument: usize) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// Cuts or extends the file to `size` bytes.
    ///
    /// # Errors
    /// `EINVAL` by default; `EFBIG`, `ENOSPC`.
    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Reserves, clears or frees space; `mode` holds `FALLOC_FL_*` bits.
    ///
    /// # Errors
    /// `EOPNOTSUPP` by default; `ENOSPC`, `EFBIG`.
    fn allocate(&self, _mode: u32, _offset: u64, _length: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Tells whether a shared mapping of the file is shared memory without a name (`/dev/zero`).
    fn is_zeroes(&self) -> bool {
        false
    }

    /// Returns what `mmap` maps.
    ///
    /// # Errors
    /// `ENODEV` by default: the file cannot be mapped.
    fn memory_object(self: Arc<Self>) -> Result<Arc<dyn MemoryObject>, Errno> {
        Err(Errno::ENODEV)
    }

    /// Acts on one `close(2)` of a descriptor of this file (others may remain). Its error is what `close` returns.
    ///
    /// # Errors
    /// `EIO` and whatever else a delayed write met.
    fn flush(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Whether splice(2) reads from it. What counts events is not spliced.
    fn is_spliced_from(&self) -> bool {
        !self.ignores_seek()
    }

    /// Whether splice(2) writes to it.
    fn is_spliced_to(&self) -> bool {
        !self.ignores_seek()
    }

    /// Adds lines to `/proc/<pid>/fdinfo/<fd>`.
    fn describe(&self, _text: &mut Text) {}

    /// Returns the file as one in memory, for seals.
    fn as_memory_file(&self) -> Option<&crate::fs::tmpfs::Node> {
        None
    }

    /// Returns the file as an inotify instance.
    fn as_inotify(&self) -> Option<&crate::fs::inotify::Inotify> {
        None
    }

    /// Returns the file as a timer, for `timerfd_settime` and its like.
    fn as_timer(&self) -> Option<&crate::fs::timerfd::TimerFd> {
        None
    }

    /// Returns the file as a set of signals, for `signalfd4`.
    fn as_signal_fd(&self) -> Option<&crate::process::signal::signal_fd::SignalFd> {
        None
    }

    /// Returns the file as a process, for `pidfd_send_signal` and its like.
    fn as_pidfd(&self) -> Option<&crate::process::pidfd::PidFd> {
        None
    }

    /// Returns the file as an epoll instance.
    fn as_epoll(&self) -> Option<&crate::fs::epoll::Epoll> {
        None
    }

    /// Whether a write that finds nobody to read gives `SIGPIPE`, as for pipes and streams.
    fn signals_broken_pipe(&self) -> bool {
        true
    }

    /// Returns the file as a socket.
    fn as_socket(&self) -> Option<&dyn crate::net::Socket> {
        None
    }

    /// Returns the file as a pipe, for `splice`, `F_GETPIPE_SZ` and their like.
    fn as_pipe(&self) -> Option<&crate::ipc::pipe::Pipe> {
        None
    }
}
