//! `/dev/null`, `/dev/zero` and `/dev/full` (null(4), full(4)).

use alloc::sync::Arc;

use linux_abi::errno::Errno;

use crate::fs::vfs::{File, IoFlags};
use crate::memory::MemoryObject;
use crate::memory::page_cache::PageCache;
use crate::scheduler;
use crate::uio::{Sink, Source};

/// Zeroes stored between two looks at signals.
const CHUNK: usize = 64 * 1024;

/// Reads end at once; writes vanish.
pub(super) struct Null;

/// Reads are zeroes without end; writes vanish.
pub(super) struct Zero;

/// Reads are zeroes without end; for writes there is no room.
pub(super) struct Full;

/// Fills `sink` with zeroes; a signal ends it early.
fn read_zeroes(sink: &mut Sink<'_>) -> Result<usize, Errno> {
    let mut done = 0;
    loop {
        match sink.put_zeros(sink.remaining().min(CHUNK)) {
            Ok(stored) => {
                done += stored;
                if stored < CHUNK {
                    return Ok(done);
                }
            }
            Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
        }
        scheduler::cond_resched();
        if scheduler::current().has_pending_signal() {
            return Ok(done);
        }
    }
}

impl File for Null {
    fn is_spliced_from(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, _sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Ok(source.remaining())
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: u32) -> Result<u64, Errno> {
        Ok(0)
    }
}

impl File for Zero {
    fn is_spliced_from(&self) -> bool {
        false
    }

    fn is_spliced_to(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        read_zeroes(sink)
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Ok(source.remaining())
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: u32) -> Result<u64, Errno> {
        Ok(0)
    }

    fn is_zeroes(&self) -> bool {
        true
    }

    /// Each mapping has memory of its own.
    fn memory_object(self: Arc<Self>) -> Result<Arc<dyn MemoryObject>, Errno> {
        let pages = PageCache::new(None);
        pages.set_size(i64::MAX as u64);
        Ok(Arc::new(pages))
    }
}

impl File for Full {
    fn is_spliced_from(&self) -> bool {
        false
    }

    fn is_spliced_to(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        read_zeroes(sink)
    }

    fn write(&self, _position: &mut u64, _source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        Err(Errno::ENOSPC)
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: u32) -> Result<u64, Errno> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &dyn File) -> (usize, [u8; 4]) {
        let mut bytes = [1; 4];
        let len = file.read(&mut 0, &mut Sink::kernel(&mut bytes), IoFlags::empty()).unwrap();
        (len, bytes)
    }

    fn write(file: &dyn File) -> Result<usize, Errno> {
        file.write(&mut 0, &mut Source::kernel(b"abc"), IoFlags::empty())
    }

    #[test]
    fn the_three_differ_in_what_they_give_and_take() {
        assert_eq!((read(&Null), write(&Null)), ((0, [1; 4]), Ok(3)));
        assert_eq!((read(&Zero), write(&Zero)), ((4, [0; 4]), Ok(3)));
        assert_eq!((read(&Full), write(&Full)), ((4, [0; 4]), Err(Errno::ENOSPC)));
        assert_eq!(Null.seek(5, -100, 7), Ok(0));
    }
}
