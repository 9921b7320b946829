//! `/dev/kmsg`: the kernel log, a record at a time.
//!
//! Linux's `Documentation/ABI/testing/dev-kmsg` is the specification. Records keep no facility: what programs write is
//! stored with its level only.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::errno::Errno;
use linux_abi::seek::{SEEK_DATA, SEEK_END, SEEK_SET};

use crate::fs::vfs::{File, IoFlags, PollEvents};
use crate::klog::{self, Record};
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// Longest message that can be written, bytes.
const WRITE_MAX: usize = 1024;

/// The log, open at a record.
pub(super) struct LogFile {
    /// Sequence number of the next record to read.
    next: AtomicU64,
}

impl LogFile {
    /// Opens the log at its oldest record.
    pub(super) fn new() -> Self {
        Self { next: AtomicU64::new(klog::bounds().0) }
    }
}

/// Writes a record as readers see it.
fn to_text(record: &Record) -> Vec<u8> {
    let (level, sequence, micros) = (record.level, record.sequence, record.time_ns / 1000);
    let mut text = alloc::format!("{level},{sequence},{micros},-;").into_bytes();
    for &byte in &record.text {
        if (b' '..0x7f).contains(&byte) && byte != b'\\' {
            text.push(byte);
        } else {
            text.extend_from_slice(alloc::format!("\\x{byte:02x}").as_bytes());
        }
    }
    text.push(b'\n');
    text
}

/// Splits `<N>` off the front of a message; without it the level is the default.
fn split_level(message: &[u8]) -> (u8, &[u8]) {
    let parse = || {
        let inner = message.strip_prefix(b"<")?;
        let end = inner.iter().position(|&byte| byte == b'>')?;
        let number: u32 = core::str::from_utf8(&inner[..end]).ok()?.parse().ok()?;
        Some(((number & 7) as u8, &inner[end + 1..]))
    };
    parse().unwrap_or((klog::DEFAULT_LEVEL, message))
}

impl File for LogFile {
    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let find = || klog::find(self.next.load(Ordering::Relaxed));
        let record = if flags.contains(IoFlags::NONBLOCK) {
            find().ok_or(Errno::EAGAIN)?
        } else {
            klog::news().wait_interruptible(find)?
        };
        let expected = self.next.load(Ordering::Relaxed);
        if record.sequence > expected {
            // What came next has been overwritten: the reader learns it once, then goes on at the oldest.
            self.next.store(record.sequence, Ordering::Relaxed);
            return Err(Errno::EPIPE);
        }
        self.next.store(record.sequence + 1, Ordering::Relaxed);
        let text = to_text(&record);
        if text.len() > sink.remaining() {
            return Err(Errno::EINVAL);
        }
        sink.put(&text)
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let len = source.remaining();
        if len > WRITE_MAX {
            return Err(Errno::EINVAL);
        }
        let mut message = [0; WRITE_MAX];
        if source.take(&mut message[..len])? < len {
            return Err(Errno::EFAULT);
        }
        let (level, text) = split_level(&message[..len]);
        klog::write(level, text);
        Ok(len)
    }

    /// Moves to the oldest record, the first since the log was cleared, or behind the newest.
    fn seek(&self, _current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        if offset != 0 {
            return Err(Errno::ESPIPE);
        }
        let next = match whence {
            SEEK_SET => klog::bounds().0,
            SEEK_DATA => klog::cleared_at(),
            SEEK_END => klog::bounds().1,
            _ => return Err(Errno::EINVAL),
        };
        self.next.store(next, Ordering::Relaxed);
        Ok(0)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(klog::news());
        }
        let next = self.next.load(Ordering::Relaxed);
        let (oldest, end) = klog::bounds();
        if next >= end {
            return PollEvents::empty();
        }
        if next < oldest {
            PollEvents::READABLE | PollEvents::ERR | PollEvents::PRI
        } else {
            PollEvents::READABLE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_one_line_each_with_other_bytes_escaped() {
        let record =
            Record { sequence: 12, level: 6, time_ns: 1_234_567_890, text: b"tab\there\\ \xff".to_vec() };
        assert_eq!(to_text(&record), b"6,12,1234567,-;tab\\x09here\\x5c \\xff\n");
    }

    #[test]
    fn levels_come_from_the_front_of_a_message() {
        assert_eq!(split_level(b"<3>bad"), (3, &b"bad"[..]));
        assert_eq!(split_level(b"<14>user info"), (6, &b"user info"[..]));
        assert_eq!(split_level(b"plain"), (klog::DEFAULT_LEVEL, &b"plain"[..]));
        assert_eq!(split_level(b"<x>odd"), (klog::DEFAULT_LEVEL, &b"<x>odd"[..]));
        assert_eq!(split_level(b"<3 open"), (klog::DEFAULT_LEVEL, &b"<3 open"[..]));
    }
}
