//! Event counters: eventfd(2).

use alloc::sync::Arc;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::errno::Errno;
use linux_abi::eventfd::EVENTFD_MAX;
use linux_abi::open::OpenFlags;

use crate::fs::vfs::anonymous::AnonymousInode;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::memory::reserve;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::uio::{Sink, Source};

/// Bytes of one value.
const VALUE_LEN: usize = size_of::<u64>();

/// A counter that can be waited for.
pub struct EventCounter {
    /// At most [`EVENTFD_MAX`].
    count: AtomicU64,
    /// Reads take one at a time.
    is_semaphore: bool,
    /// For the count to grow, and to shrink.
    readers: WaitQueue,
    writers: WaitQueue,
}

impl EventCounter {
    /// Makes a counter that starts at `count`, and opens it. `flags` may hold `O_NONBLOCK`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(count: u32, is_semaphore: bool, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        reserve::check(size_of::<Self>())?;
        let counter = Arc::new(Self::new(count, is_semaphore));
        let flags = (flags & OpenFlags::O_NONBLOCK) | OpenFlags::O_RDWR;
        Ok(OpenFile::anonymous(counter, AnonymousInode::of("[eventfd]"), flags))
    }

    fn new(count: u32, is_semaphore: bool) -> Self {
        Self {
            count: AtomicU64::new(u64::from(count)),
            is_semaphore,
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
        }
    }

    #[cold]
    fn watch(&self, table: &mut PollTable) {
        table.register(&self.readers);
        table.register(&self.writers);
    }

    fn try_take(&self) -> Option<u64> {
        let part = |count: u64| if self.is_semaphore { count.min(1) } else { count };
        let rest = |count: u64| (count != 0).then(|| count - part(count));
        self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest).ok().map(part)
    }

    fn try_add(&self, value: u64) -> Option<()> {
        let sum = |count: u64| count.checked_add(value).filter(|&sum| sum <= EVENTFD_MAX);
        self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, sum).ok().map(drop)
    }
}

impl File for EventCounter {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seek(&self) -> bool {
        true
    }

    fn read(&self, _: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.remaining() < VALUE_LEN {
            return Err(Errno::EINVAL);
        }
        let taken = match self.try_take() {
            Some(taken) => taken,
            None if flags.contains(IoFlags::NONBLOCK) => return Err(Errno::EAGAIN),
            None => self.readers.wait_interruptible(|| self.try_take())?,
        };
        self.writers.wake_all();
        sink.put(&taken.to_le_bytes())
    }

    fn write(&self, _: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if source.remaining() < VALUE_LEN {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; VALUE_LEN];
        if source.take(&mut bytes)? != VALUE_LEN {
            return Err(Errno::EFAULT);
        }
        let value = u64::from_le_bytes(bytes);
        if value > EVENTFD_MAX {
            return Err(Errno::EINVAL);
        }
        match self.try_add(value) {
            Some(()) => {}
            None if flags.contains(IoFlags::NONBLOCK) => return Err(Errno::EAGAIN),
            None => self.writers.wait_interruptible(|| self.try_add(value))?,
        }
        self.readers.wake_all();
        Ok(VALUE_LEN)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            self.watch(table);
        }
        let count = self.count.load(Ordering::Acquire);
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, count > 0);
        events.set(PollEvents::OUT, count < EVENTFD_MAX);
        events
    }

    fn describe(&self, text: &mut Text) {
        let count = self.count.load(Ordering::Acquire);
        // A text that has become too long says so itself.
        let _ = writeln!(text, "eventfd-count: {count:16x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(counter: &EventCounter) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        counter.read(&mut 0, &mut Sink::kernel(&mut bytes), IoFlags::NONBLOCK)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(counter: &EventCounter, value: u64) -> Result<usize, Errno> {
        counter.write(&mut 0, &mut Source::kernel(&value.to_le_bytes()), IoFlags::NONBLOCK)
    }

    #[test]
    fn a_read_takes_all_or_one() {
        let counter = EventCounter::new(3, false);
        write(&counter, 4).unwrap();
        assert_eq!(read(&counter), Ok(7));
        assert_eq!(read(&counter), Err(Errno::EAGAIN));
        let semaphore = EventCounter::new(2, true);
        assert_eq!((read(&semaphore), read(&semaphore)), (Ok(1), Ok(1)));
        assert_eq!(read(&semaphore), Err(Errno::EAGAIN));
    }

    #[test]
    fn the_counter_does_not_overflow() {
        let counter = EventCounter::new(0, false);
        assert_eq!(write(&counter, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(write(&counter, EVENTFD_MAX), Ok(8));
        assert_eq!(write(&counter, 1), Err(Errno::EAGAIN));
        assert_eq!(counter.poll(None), PollEvents::IN);
        assert_eq!(read(&counter), Ok(EVENTFD_MAX));
        assert_eq!(counter.poll(None), PollEvents::OUT);
        let short = counter.read(&mut 0, &mut Sink::kernel(&mut [0; 7]), IoFlags::NONBLOCK);
        assert_eq!(short, Err(Errno::EINVAL));
    }
}
