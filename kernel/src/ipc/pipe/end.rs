//! An open end of a pipe.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ioctl::FIONREAD;

use super::{Others, Pipe};
use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// An open end. It counts in its pipe as long as it lives.
pub(super) struct End {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
    /// Visits of writers before it was opened: a FIFO is hung up only after a writer was there.
    writer_visits: u32,
}

impl End {
    pub(super) fn new(pipe: Arc<Pipe>, reads: bool, writes: bool) -> Self {
        Self::enter(pipe, reads, writes).0
    }

    /// Opens an end; answers who was there before.
    pub(super) fn enter(pipe: Arc<Pipe>, reads: bool, writes: bool) -> (Self, Others) {
        let others = pipe.enter(reads, writes);
        // With a writer there, one visit has been seen already.
        let seen = u32::from(others.writers != 0);
        let end = Self { pipe, reads, writes, writer_visits: others.writer_visits.wrapping_sub(seen) };
        (end, others)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.pipe.leave(self.reads, self.writes);
    }
}

impl File for End {
    fn is_seekable(&self) -> bool {
        false
    }

    fn read(&self, _: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        self.pipe.read(sink, flags)
    }

    fn write(&self, _: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        self.pipe.write(source, flags)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            if self.reads {
                table.register(&self.pipe.read_queue);
            }
            if self.writes {
                table.register(&self.pipe.write_queue);
            }
        }
        let had_writer = self.pipe.writer_visits.load(Ordering::SeqCst) != self.writer_visits;
        self.pipe.ready(self.reads, self.writes, had_writer)
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        match command {
            FIONREAD => {
                let n = i32::try_from(self.pipe.buffered_bytes()).unwrap_or(i32::MAX);
                UserPtr::<i32>::new(argument).write(&n).map_err(|_| Errno::EFAULT)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn as_pipe(&self) -> Option<&Pipe> {
        Some(&self.pipe)
    }
}
