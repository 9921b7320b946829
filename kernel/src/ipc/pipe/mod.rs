//! Pipes and FIFOs: pipe(7), fifo(7).
//!
//! # Terms
//! - [`Pipe`]: the thing in the middle: buffered bytes, and who has it open. Also the inode that `fstat` sees of an
//!   unnamed pipe.
//! - [`End`]: an open end, a file. A FIFO opened for both is one end that counts on both sides.
//!
//! # Invariants
//! 1. The ring holds at most its capacity of buffers, each of at most a page, none empty.
//! 2. Bytes move only with the ring's lock held, so a write of at most `PIPE_BUF` bytes, which needs one buffer only,
//!    goes in as one piece or not at all.
//! 3. `occupied` equals the number of buffers whenever the ring is unlocked; waiters look at it without the lock.
//! 4. Who changes a count of ends wakes both queues.

mod end;
mod splice;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use hal::PAGE_SIZE;
use hal::sync::Mutex;
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::stat::{Mode, S_IFIFO};

use self::end::End;
pub use self::splice::Passing;
use crate::fs::vfs::anonymous::{self, Attributes};
use crate::fs::vfs::{
    AttributeChanges, File, Inode, InodeState, IoFlags, Metadata, OpenFile, OpenRequest, PollEvents, clock,
};
use crate::ipc::ring::Ring;
use crate::lock_order;
use crate::memory::reserve;
use crate::scheduler::wait::WaitQueue;
use crate::uio::{Sink, Source};

/// Capacity of a new pipe, pages.
const DEFAULT_PAGES: usize = 16;
/// Capacity that needs no privilege, bytes (`fs.pipe-max-size`).
pub const MAX_UNPRIVILEGED_SIZE: usize = 1 << 20;
/// Kernel memory that a pipe takes, roughly, bytes.
const PIPE_COST: usize = 2048;

/// A pipe.
pub struct Pipe {
    ring: Mutex<Ring>,
    /// Buffers in the ring.
    occupied: AtomicUsize,
    /// Buffers that fit.
    capacity: AtomicUsize,
    readers: AtomicU32,
    writers: AtomicU32,
    /// How often it was opened for reading, and for writing: who waits for the other side sees even a short visit.
    reader_visits: AtomicU32,
    writer_visits: AtomicU32,
    /// For data, or for writers to come or go.
    read_queue: WaitQueue,
    /// For room, or for readers to come or go.
    write_queue: WaitQueue,
    /// Whether it is behind a name, where each side waits for the other when it opens.
    is_fifo: bool,
    attributes: Attributes,
    state: InodeState,
}

/// Who had a pipe open when an end was opened.
struct Others {
    readers: u32,
    writers: u32,
    reader_visits: u32,
    writer_visits: u32,
}

impl Pipe {
    fn new(is_fifo: bool, uid: u32, gid: u32) -> Self {
        let mode = Mode::new(S_IFIFO, 0o600);
        let mut metadata =
            Metadata::new(anonymous::device(), anonymous::new_inode_number(), mode, clock::now());
        (metadata.uid, metadata.gid) = (uid, gid);
        Self {
            ring: Mutex::new(lock_order::PIPE, Ring::new()),
            occupied: AtomicUsize::new(0),
            capacity: AtomicUsize::new(DEFAULT_PAGES),
            readers: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            reader_visits: AtomicU32::new(0),
            writer_visits: AtomicU32::new(0),
            read_queue: WaitQueue::new(),
            write_queue: WaitQueue::new(),
            is_fifo,
            attributes: Attributes::new(metadata),
            state: InodeState::new(),
        }
    }

    /// Makes the pipe behind a FIFO; nobody has it open yet.
    pub fn new_fifo() -> Arc<Self> {
        Arc::new(Self::new(true, 0, 0))
    }

    /// Makes an unnamed pipe owned by `uid` and `gid` and opens both ends: reader, writer. `flags` may hold `O_NONBLOCK`
    /// and `O_DIRECT`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn create(uid: u32, gid: u32, flags: OpenFlags) -> Result<[Arc<OpenFile>; 2], Errno> {
        reserve::check(PIPE_COST)?;
        let pipe = Arc::new(Self::new(false, uid, gid));
        let flags = flags & (OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT);
        Ok([OpenFlags::O_RDONLY, OpenFlags::O_WRONLY].map(|mode| {
            let end: Arc<dyn File> = Arc::new(End::new(pipe.clone(), mode.readable(), mode.writable()));
            OpenFile::anonymous(end, pipe.clone(), flags | mode)
        }))
    }

    /// Opens an end, of a FIFO waiting for the other side as fifo(7) says. An unnamed pipe, which is opened again through
    /// `/proc/self/fd`, had its other side already.
    ///
    /// # Errors
    /// - `ENXIO`: for writing, without waiting, and there is no reader.
    /// - `EINTR`: a signal ended the wait.
    /// - `EINVAL`: neither for reading nor for writing.
    pub fn open(self: Arc<Self>, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        reserve::check(PIPE_COST)?;
        let (reads, writes) = (request.reads(), request.writes());
        let nonblocking = request.is_nonblocking();
        if !reads && !writes {
            return Err(Errno::EINVAL);
        }
        if self.is_fifo && writes && !reads && nonblocking && self.reader_count() == 0 {
            return Err(Errno::ENXIO);
        }
        // Dropped when the wait fails, which takes the counts back.
        let (end, others) = End::enter(self.clone(), reads, writes);
        let end = Arc::new(end);
        if !self.is_fifo {
            return Ok(end);
        }
        if reads && !writes && !nonblocking && others.writers == 0 {
            self.read_queue.wait_interruptible(|| {
                (self.writer_visits.load(Ordering::SeqCst) != others.writer_visits).then_some(())
            })?;
        }
        if writes && !reads && others.readers == 0 {
            self.write_queue.wait_interruptible(|| {
                (self.reader_visits.load(Ordering::SeqCst) != others.reader_visits).then_some(())
            })?;
        }
        Ok(end)
    }

    fn reader_count(&self) -> u32 {
        self.readers.load(Ordering::SeqCst)
    }

    fn writer_count(&self) -> u32 {
        self.writers.load(Ordering::SeqCst)
    }

    fn is_empty(&self) -> bool {
        self.occupied.load(Ordering::SeqCst) == 0
    }

    fn is_full(&self) -> bool {
        self.occupied.load(Ordering::SeqCst) >= self.capacity.load(Ordering::SeqCst)
    }

    /// Counts a new end; answers who was there before. Two that come at the same time do not miss each other: the second
    /// finds the first, or its visit.
    fn enter(&self, reads: bool, writes: bool) -> Others {
        let others = {
            let _one_at_a_time = self.ring.lock();
            let others = Others {
                readers: self.reader_count(),
                writers: self.writer_count(),
                reader_visits: self.reader_visits.load(Ordering::SeqCst),
                writer_visits: self.writer_visits.load(Ordering::SeqCst),
            };
            if reads {
                self.readers.fetch_add(1, Ordering::SeqCst);
                self.reader_visits.fetch_add(1, Ordering::SeqCst);
            }
            if writes {
                self.writers.fetch_add(1, Ordering::SeqCst);
                self.writer_visits.fetch_add(1, Ordering::SeqCst);
            }
            others
        };
        if reads {
            self.write_queue.wake_all();
        }
        if writes {
            self.read_queue.wake_all();
        }
        others
    }

    /// Takes a count back. When nobody has the pipe open any more, what is in it is lost.
    fn leave(&self, reads: bool, writes: bool) {
        if reads {
            self.readers.fetch_sub(1, Ordering::SeqCst);
        }
        if writes {
            self.writers.fetch_sub(1, Ordering::SeqCst);
        }
        self.read_queue.wake_all();
        self.write_queue.wake_all();
    }

    /// Reads what is there, at least a byte unless there will never be one.
    fn read(&self, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let wanted = sink.remaining();
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            let mut ring = self.ring.lock();
            if !ring.is_empty() {
                let outcome = ring.read(sink, wanted);
                let left = ring.len();
                let was_full =
                    self.occupied.swap(left, Ordering::SeqCst) >= self.capacity.load(Ordering::SeqCst);
                drop(ring);
                if was_full && !self.is_full() {
                    self.write_queue.wake_one();
                }
                if left != 0 {
                    // There is more: the next reader need not wait for the next write.
                    self.read_queue.wake_one();
                }
                let n = outcome?;
                self.attributes.with(|metadata| metadata.accessed = clock::now());
                return Ok(n);
            }
            // Asked before the ring is unlocked: what the last writer wrote before it left is seen.
            let is_over = self.writer_count() == 0;
            drop(ring);
            if is_over {
                return Ok(0);
            }
            if flags.contains(IoFlags::NONBLOCK) {
                return Err(Errno::EAGAIN);
            }
            self.read_queue
                .wait_interruptible(|| (!self.is_empty() || self.writer_count() == 0).then_some(()))?;
        }
    }

    /// Writes all of `source`, waiting for room unless told otherwise.
    fn write(&self, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let total = source.remaining();
        if total == 0 {
            return Ok(0);
        }
        let mut done = 0;
        loop {
            let outcome = self.write_some(source, total - done, flags);
            match outcome {
                Ok((n, is_full)) => {
                    done += n;
                    // Neither done nor full: a bad address, the rest cannot be had.
                    if done == total || !is_full {
                        break;
                    }
                }
                Err(_) if done != 0 => break,
                Err(error) => return Err(error),
            }
            if flags.contains(IoFlags::NONBLOCK) {
                if done == 0 {
                    return Err(Errno::EAGAIN);
                }
                break;
            }
            let waited = self
                .write_queue
                .wait_interruptible(|| (!self.is_full() || self.reader_count() == 0).then_some(()));
            if let Err(error) = waited {
                if done == 0 {
                    return Err(error);
                }
                break;
            }
        }
        if !self.is_full() {
            // There is room: the next writer need not wait for the next read.
            self.write_queue.wake_one();
        }
        self.attributes.with(|metadata| {
            metadata.modified = clock::now();
            metadata.changed = metadata.modified;
        });
        Ok(done)
    }

    /// Writes until the pipe is full or `len` bytes are in; returns how many are, and whether it is full.
    fn write_some(
        &self,
        source: &mut Source<'_>,
        len: usize,
        flags: IoFlags,
    ) -> Result<(usize, bool), Errno> {
        let mut ring = self.ring.lock();
        if self.reader_count() == 0 {
            return Err(Errno::EPIPE);
        }
        let capacity = self.capacity.load(Ordering::SeqCst);
        let outcome = ring.write(source, len, capacity, flags.contains(IoFlags::DIRECT));
        self.occupied.store(ring.len(), Ordering::SeqCst);
        let (has_data, is_full) = (!ring.is_empty(), ring.len() >= capacity);
        drop(ring);
        if has_data {
            self.read_queue.wake_one();
        }
        outcome.map(|n| (n, is_full))
    }

    /// What an end is ready for.
    fn ready(&self, reads: bool, writes: bool, had_writer: bool) -> PollEvents {
        let mut events = PollEvents::empty();
        if reads {
            if !self.is_empty() {
                events |= PollEvents::READABLE;
            }
            if self.writer_count() == 0 && had_writer {
                events |= PollEvents::HUP;
            }
        }
        if writes {
            if !self.is_full() {
                events |= PollEvents::WRITABLE;
            }
            if self.reader_count() == 0 {
                events |= PollEvents::ERR;
            }
        }
        events
    }

    /// Number of bytes that can be read (`FIONREAD`).
    pub fn buffered_bytes(&self) -> usize {
        self.ring.lock().byte_count()
    }

    /// Capacity in bytes (`F_GETPIPE_SZ`).
    pub fn size(&self) -> usize {
        self.capacity.load(Ordering::SeqCst) * PAGE_SIZE
    }

    /// Changes the capacity (`F_SETPIPE_SZ`) to at least `size` bytes and returns what it is now.
    ///
    /// # Errors
    /// - `EBUSY`: more is in it.
    /// - `EINVAL`: larger than can be.
    /// - `EPERM`: larger than [`MAX_UNPRIVILEGED_SIZE`] and than now, and not `is_privileged`.
    pub fn set_size(&self, size: usize, is_privileged: bool) -> Result<usize, Errno> {
        if size > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let pages = size.div_ceil(PAGE_SIZE).next_power_of_two();
        if pages * PAGE_SIZE > self.size().max(MAX_UNPRIVILEGED_SIZE) && !is_privileged {
            return Err(Errno::EPERM);
        }
        let ring = self.ring.lock();
        if ring.len() > pages {
            return Err(Errno::EBUSY);
        }
        self.capacity.store(pages, Ordering::SeqCst);
        drop(ring);
        self.write_queue.wake_all();
        Ok(pages * PAGE_SIZE)
    }
}

impl Inode for Pipe {
    fn metadata(&self) -> Metadata {
        self.attributes.get()
    }

    fn state(&self) -> &InodeState {
        &self.state
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.attributes.change(changes);
        Ok(())
    }

    fn anonymous_name(&self) -> Vec<u8> {
        format!("pipe:[{}]", self.attributes.get().inode_number).into_bytes()
    }

    fn fifo(self: Arc<Self>) -> Result<Arc<Pipe>, Errno> {
        Ok(self)
    }
}
