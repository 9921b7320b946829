//! Signals behind descriptors (signalfd(2)): pending signals of a set are read instead of delivered.

use alloc::sync::Arc;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::siginfo::{SigInfo, SignalfdSiginfo};
use linux_abi::signal::SigSet;
use zerocopy::IntoBytes;

use super::delivery;
use crate::fs::vfs::anonymous::AnonymousInode;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::memory::reserve;
use crate::process::UserThread;
use crate::scheduler::wait::PollTable;
use crate::uio::Sink;

/// Bytes of one record.
const RECORD_LEN: usize = size_of::<SignalfdSiginfo>();

/// A set of signals that are read. They are those of whoever reads or polls, not of whoever made it.
pub struct SignalFd {
    set: AtomicU64,
}

impl SignalFd {
    /// Makes one for the signals of `set` and opens it. `flags` may hold `O_NONBLOCK`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(set: SigSet, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        reserve::check(size_of::<Self>())?;
        let file = Arc::new(Self { set: AtomicU64::new(set.0) });
        let flags = (flags & OpenFlags::O_NONBLOCK) | OpenFlags::O_RDWR;
        Ok(OpenFile::anonymous(file, AnonymousInode::of("[signalfd]"), flags))
    }

    /// Replaces the set; readers of the calling process look again.
    pub fn set_signals(&self, set: SigSet) {
        self.set.store(set.0, Ordering::SeqCst);
        if let Some(user) = crate::scheduler::current().user.as_ref() {
            user.process.signal_event.wake_all();
        }
    }

    fn signals(&self) -> SigSet {
        SigSet(self.set.load(Ordering::SeqCst))
    }

    fn take(&self, user: &UserThread) -> Option<SigInfo> {
        user.take_signal(self.signals()).map(|(_, info)| info)
    }

    /// Stores a record of `first` and of what else there is room for; a bad address after some counts as the end.
    fn read_from(&self, first: SigInfo, user: &UserThread, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        let mut read = 0;
        let mut next = Some(first);
        while let Some(info) = next {
            match sink.put(SignalfdSiginfo::from(&info).as_bytes()) {
                Ok(count) => read += count,
                Err(errno) if read == 0 => return Err(errno),
                Err(_) => break,
            }
            next = if sink.remaining() < RECORD_LEN { None } else { self.take(user) };
        }
        Ok(read)
    }
}

impl File for SignalFd {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seek(&self) -> bool {
        true
    }

    /// Reads as many pending signals as there is room for, a record each; waits for the first.
    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.remaining() < RECORD_LEN {
            return Err(Errno::EINVAL);
        }
        let thread = crate::scheduler::current();
        let user = thread.user.as_ref().ok_or(Errno::EINVAL)?;
        let first = match self.take(user) {
            Some(info) => info,
            None if flags.contains(IoFlags::NONBLOCK) => return Err(Errno::EAGAIN),
            None => user.process.signal_event.wait_interruptible(|| self.take(user))?,
        };
        let outcome = self.read_from(first, user, sink);
        // What was taken, be it lost to a bad address, is not to be delivered any more.
        delivery::recompute_work(&thread, user);
        outcome
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        let thread = crate::scheduler::current();
        let Some(user) = thread.user.as_ref() else { return PollEvents::empty() };
        if let Some(table) = table {
            table.register(&user.process.signal_event);
        }
        if user.pending_signals().intersection(self.signals()).is_empty() {
            PollEvents::empty()
        } else {
            PollEvents::READABLE
        }
    }

    fn describe(&self, text: &mut Text) {
        // A text that has become too long says so itself.
        let _ = writeln!(text, "sigmask:\t{:016x}", self.signals().0);
    }

    fn as_signal_fd(&self) -> Option<&SignalFd> {
        Some(self)
    }
}
