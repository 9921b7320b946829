//! Processes behind descriptors (pidfd_open(2)): a process that is named so is never mistaken for a later one of the
//! same id.

use alloc::sync::Arc;
use core::fmt::Write;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;

use super::{Process, tree};
use crate::fs::vfs::anonymous::AnonymousInode;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, OpenFile, PollEvents};
use crate::memory::reserve;
use crate::scheduler::wait::PollTable;

/// A process that a descriptor names, a zombie or one that is gone included.
pub struct PidFd {
    process: Arc<Process>,
}

impl PidFd {
    /// Makes a descriptor's file for `process`. `flags` may hold `O_NONBLOCK`: waiting for it does not sleep then.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(process: Arc<Process>, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        reserve::check(size_of::<Self>())?;
        let flags = (flags & OpenFlags::O_NONBLOCK) | OpenFlags::O_RDWR;
        Ok(OpenFile::anonymous(Arc::new(Self { process }), AnonymousInode::of("[pidfd]"), flags))
    }

    /// The process.
    ///
    /// # Errors
    /// `ESRCH`: it has ended and was waited for.
    pub fn process(&self) -> Result<&Arc<Process>, Errno> {
        let tree = tree::lock();
        match tree.node(self.process.pid) {
            Some(node) if Arc::ptr_eq(&node.process, &self.process) => Ok(&self.process),
            _ => Err(Errno::ESRCH),
        }
    }

    fn has_ended(&self) -> bool {
        let tree = tree::lock();
        tree.node(self.process.pid)
            .is_none_or(|node| !Arc::ptr_eq(&node.process, &self.process) || node.exit.is_some())
    }
}

impl File for PidFd {
    fn is_seekable(&self) -> bool {
        false
    }

    /// Readable once every thread of the process has ended.
    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(&self.process.exit_event);
        }
        if self.has_ended() { PollEvents::READABLE } else { PollEvents::empty() }
    }

    fn describe(&self, text: &mut Text) {
        let pid = self.process().map_or(-1, |process| process.pid);
        // A text that has become too long says so itself.
        let _ = writeln!(text, "Pid:\t{pid}\nNSpid:\t{pid}");
    }

    fn as_pidfd(&self) -> Option<&PidFd> {
        Some(self)
    }
}
