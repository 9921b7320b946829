//! A queue of bytes that takes memory as it needs it, up to a limit.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use linux_abi::errno::Errno;

use crate::memory::reserve;

/// Bytes for which a queue always has memory.
const FIRST: usize = 1024;

/// Bytes that wait at a pseudo-terminal.
pub(super) struct ByteQueue {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl ByteQueue {
    /// Makes an empty queue.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(limit: usize) -> Result<Self, Errno> {
        let mut bytes = VecDeque::new();
        reserve::check(FIRST)?;
        bytes.try_reserve_exact(FIRST).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { bytes, limit })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that fit in for sure, now: some unless the queue is full or memory is short; an empty queue has room.
    pub(super) fn room(&mut self) -> usize {
        let capacity = self.bytes.capacity();
        let wanted = (2 * capacity).min(self.limit);
        if capacity < wanted && self.bytes.len() * 2 > capacity && reserve::check(wanted).is_ok() {
            // Without more memory what there is must do.
            let _ = self.bytes.try_reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.capacity().min(self.limit) - self.bytes.len()
    }

    /// Adds bytes as far as there is room; answers how many.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let count = self.room().min(bytes.len() - done);
            if count == 0 {
                break;
            }
            self.bytes.extend(&bytes[done..done + count]);
            done += count;
        }
        done
    }

    /// Takes the first bytes; answers how many.
    pub(super) fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.bytes.len());
        for (to, byte) in out.iter_mut().zip(self.bytes.drain(..count)) {
            *to = byte;
        }
        count
    }

    /// Moves up to `limit` of the first bytes to `out`, which has room for them.
    pub(super) fn take_into(&mut self, limit: usize, out: &mut Vec<u8>) {
        out.extend(self.bytes.drain(..limit.min(self.bytes.len())));
    }

    /// Drops all but the first bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hal::sim::Machine;

    #[test]
    fn a_queue_grows_to_its_limit_and_lives_with_less_memory() {
        let machine = Machine::current();
        let mut queue = ByteQueue::new(5000).unwrap();
        assert_eq!(queue.push(&[7; 6000]), 5000);
        let mut out = [0; 6000];
        assert_eq!(queue.take(&mut out), 5000);
        assert_eq!(out[..5000], [7; 5000]);
        let mut queue = ByteQueue::new(5000).unwrap();
        machine.fail_allocations_after(0);
        assert!(ByteQueue::new(5000).is_err());
        assert!((FIRST..5000).contains(&queue.push(&[7; 6000])));
        machine.allow_allocations();
        assert!(queue.room() > 0);
    }
}
