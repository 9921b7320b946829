//! Moving buffers between pipes, and in and out of them (splice(2), tee(2), vmsplice(2)): pages change hands or are
//! shared, and nothing is copied.

use core::sync::atomic::Ordering;

use linux_abi::errno::Errno;

use super::Pipe;
use crate::ipc::ring::{Buffer, Ring};
use crate::uio::Source;

/// What happens to what is spliced from a pipe to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    /// It goes there (splice).
    Move,
    /// It stays, and goes there too (tee).
    Share,
}

impl Pipe {
    /// Waits for data; `false` when there will never be any.
    ///
    /// # Errors
    /// `EAGAIN`: there is none, and `is_nonblocking`. `EINTR`: a signal.
    pub fn wait_for_data(&self, is_nonblocking: bool) -> Result<bool, Errno> {
        let look = || {
            // The writers first: what the last one wrote before it left is seen.
            let is_over = self.writer_count() == 0;
            if self.is_empty() { is_over.then_some(false) } else { Some(true) }
        };
        match look() {
            Some(has_data) => Ok(has_data),
            None if is_nonblocking => Err(Errno::EAGAIN),
            None => self.read_queue.wait_interruptible(look),
        }
    }

    /// Waits for room; returns how many buffers fit.
    ///
    /// # Errors
    /// `EPIPE`: there is no reader. `EAGAIN`: there is no room, and `is_nonblocking`. `EINTR`: a signal.
    pub fn wait_for_room(&self, is_nonblocking: bool) -> Result<usize, Errno> {
        let look = || {
            if self.reader_count() == 0 {
                return Some(Err(Errno::EPIPE));
            }
            let occupied = self.occupied.load(Ordering::SeqCst);
            let room = self.capacity.load(Ordering::SeqCst).saturating_sub(occupied);
            (room > 0).then_some(Ok(room))
        };
        match look() {
            Some(room) => room,
            None if is_nonblocking => Err(Errno::EAGAIN),
            None => self.write_queue.wait_interruptible(look)?,
        }
    }

    /// Takes up to `len` bytes, of one buffer, out of the pipe.
    pub fn take_buffer(&self, len: usize) -> Option<Buffer> {
        let mut ring = self.ring.lock();
        let buffer = ring.take_front(len)?;
        self.settle(ring.len());
        drop(ring);
        self.write_queue.wake_one();
        Some(buffer)
    }

    /// Puts back what is left of a buffer.
    pub fn put_back(&self, buffer: Buffer) {
        if buffer.is_empty() {
            return;
        }
        let mut ring = self.ring.lock();
        ring.push_front(buffer);
        self.settle(ring.len());
        drop(ring);
        self.read_queue.wake_one();
    }

    /// Writes what there is room for at once.
    ///
    /// # Errors
    /// `EPIPE`: there is no reader. `EFAULT`, `ENOMEM`.
    pub fn write_at_once(&self, source: &mut Source<'_>) -> Result<usize, Errno> {
        let len = source.remaining();
        let outcome = self.write_some(source, len, crate::fs::vfs::IoFlags::empty());
        outcome.map(|(written, _)| written)
    }

    /// Passes up to `len` bytes on to `target`, another pipe, as far as there are data and room; returns how many. The
    /// caller has waited for both.
    ///
    /// # Errors
    /// `EPIPE`: the target has no reader. `EAGAIN`: data or room have gone again. `ENOMEM`.
    pub fn pass_to(&self, target: &Self, len: usize, passing: Passing) -> Result<usize, Errno> {
        let (mut from, mut to);
        // By address, as the rank of the locks demands.
        if core::ptr::from_ref(self).addr() < core::ptr::from_ref(target).addr() {
            from = self.ring.lock();
            to = target.ring.lock();
        } else {
            to = target.ring.lock();
            from = self.ring.lock();
        }
        if target.reader_count() == 0 {
            return Err(Errno::EPIPE);
        }
        let capacity = target.capacity.load(Ordering::SeqCst);
        let outcome = pass(&mut from, &mut to, capacity, len, passing);
        self.settle(from.len());
        target.settle(to.len());
        let is_over = from.is_empty() && self.writer_count() == 0;
        drop(from);
        drop(to);
        let passed = outcome?;
        if passed > 0 {
            target.read_queue.wake_one();
            if passing == Passing::Move {
                self.write_queue.wake_one();
            }
        }
        if passed > 0 || is_over { Ok(passed) } else { Err(Errno::EAGAIN) }
    }

    fn settle(&self, buffers: usize) {
        self.occupied.store(buffers, Ordering::SeqCst);
    }
}

fn pass(
    from: &mut Ring,
    to: &mut Ring,
    capacity: usize,
    len: usize,
    passing: Passing,
) -> Result<usize, Errno> {
    let (mut passed, mut index) = (0, 0);
    while passed < len && to.len() < capacity {
        if let Err(error) = to.make_room() {
            return if passed > 0 { Ok(passed) } else { Err(error) };
        }
        let buffer = match passing {
            Passing::Move => from.take_front(len - passed),
            Passing::Share => from.share(index, len - passed),
        };
        let Some(buffer) = buffer else { break };
        passed += buffer.len();
        index += 1;
        to.push_back(buffer);
    }
    Ok(passed)
}
