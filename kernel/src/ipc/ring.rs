//! Bytes in pages, filled at the back, emptied at the front: what is in a pipe, and what waits at a socket.

use alloc::collections::VecDeque;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arrayvec::ArrayVec;
use hal::PAGE_SIZE;
use hal::frame::Frame;
use linux_abi::errno::Errno;

use crate::memory::physical::buddy_allocator::alloc_user_frame;
use crate::uio::{Sink, Source};

/// Pages kept for the next writes, so that a pipe in steady use asks the allocator for nothing.
const SPARES: usize = 2;

hal::machine_static! {
    /// Pages in all buffers, one that is in several counted for each.
    static PAGES: AtomicUsize = AtomicUsize::new(0);
}

/// Returns the number of pages in all rings, for the audit of memory.
pub(crate) fn page_count() -> usize {
    PAGES.load(Relaxed)
}

/// A page of a ring.
struct Page(Frame);

impl Page {
    fn new() -> Result<Self, Errno> {
        let frame = alloc_user_frame()?;
        PAGES.fetch_add(1, Relaxed);
        Ok(Self(frame))
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        PAGES.fetch_add(1, Relaxed);
        Self(self.0.clone())
    }
}

impl Deref for Page {
    type Target = Frame;
    fn deref(&self) -> &Frame {
        &self.0
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        PAGES.fetch_sub(1, Relaxed);
    }
}

/// Bytes in a page.
pub struct Buffer {
    frame: Page,
    start: usize,
    len: usize,
    /// A message of its own (`O_DIRECT`): read alone, never added to.
    is_packet: bool,
}

impl Buffer {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies all bytes to `target`, which is as long.
    pub fn copy_to(&self, target: &mut [u8]) {
        self.frame.read(self.start, target);
    }

    /// Forgets the first `count` bytes.
    pub fn skip(&mut self, count: usize) {
        let count = count.min(self.len);
        self.start += count;
        self.len -= count;
    }

    /// Moves bytes to `sink`, as many as it takes; returns how many.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn put(&mut self, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        let moved = sink.put_frame(&self.frame, self.start, self.len)?;
        self.skip(moved);
        Ok(moved)
    }

    /// The first `len` bytes, in the same page.
    fn share(&self, len: usize) -> Self {
        Self {
            frame: self.frame.clone(),
            start: self.start,
            len: self.len.min(len),
            is_packet: self.is_packet,
        }
    }
}

/// The buffers, oldest first.
pub(crate) struct Ring {
    buffers: VecDeque<Buffer>,
    spares: ArrayVec<Page, SPARES>,
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self { buffers: VecDeque::new(), spares: ArrayVec::new_const() }
    }

    /// Number of buffers.
    pub(crate) fn len(&self) -> usize {
        self.buffers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Adds exactly `len` bytes, or nothing.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`.
    pub(crate) fn write_whole(&mut self, source: &mut Source<'_>, len: usize) -> Result<(), Errno> {
        let mut done = 0;
        while done < len {
            let moved = self.write(source, len - done, usize::MAX, false);
            match moved {
                Ok(moved) if moved != 0 => done += moved,
                failed => {
                    self.take_back(done);
                    return Err(failed.err().unwrap_or(Errno::EFAULT));
                }
            }
        }
        Ok(())
    }

    /// Removes the last `len` bytes.
    fn take_back(&mut self, mut len: usize) {
        while len > 0
            && let Some(last) = self.buffers.back_mut()
        {
            let part = last.len.min(len);
            last.len -= part;
            len -= part;
            if last.len == 0
                && let Some(last) = self.buffers.pop_back()
            {
                self.keep(last);
            }
        }
    }

    /// Removes the first `len` bytes.
    pub(crate) fn discard(&mut self, mut len: usize) {
        while len > 0
            && let Some(first) = self.buffers.front_mut()
        {
            let part = first.len.min(len);
            first.start += part;
            first.len -= part;
            len -= part;
            if first.len == 0 {
                self.pop_front();
            }
        }
    }

    /// Copies up to `wanted` bytes to `sink`, after the first `skipped`; all stay. Returns how many.
    ///
    /// # Errors
    /// `EFAULT`: the sink does not take what the first buffer gives.
    pub(crate) fn peek(
        &self,
        mut skipped: usize,
        sink: &mut Sink<'_>,
        wanted: usize,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        for buffer in &self.buffers {
            if done == wanted {
                break;
            }
            if skipped >= buffer.len {
                skipped -= buffer.len;
                continue;
            }
            let part = (buffer.len - skipped).min(wanted - done);
            match whole(sink.put_frame(&buffer.frame, buffer.start + skipped, part), part) {
                Ok(_) => done += part,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            skipped = 0;
        }
        Ok(done)
    }

    /// Takes up to `len` bytes, all from the first buffer.
    pub(crate) fn take_front(&mut self, len: usize) -> Option<Buffer> {
        let first = self.buffers.front_mut()?;
        if first.len <= len {
            return self.buffers.pop_front();
        }
        let part = first.share(len);
        first.skip(len);
        Some(part)
    }

    /// The first `len` bytes of the buffer at `index`; they stay.
    pub(crate) fn share(&self, index: usize, len: usize) -> Option<Buffer> {
        self.buffers.get(index).map(|buffer| buffer.share(len))
    }

    /// Sees to it that another buffer can be added.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn make_room(&mut self) -> Result<(), Errno> {
        fallible_room(&mut self.buffers)
    }

    /// Adds a buffer, for which there is room, behind the others.
    pub(crate) fn push_back(&mut self, buffer: Buffer) {
        self.buffers.push_back(buffer);
    }

    /// Puts back a buffer that was taken from the front. Should there be no memory to hold it, it is lost.
    pub(crate) fn push_front(&mut self, buffer: Buffer) {
        if fallible_room(&mut self.buffers).is_ok() {
            self.buffers.push_front(buffer);
        }
    }

    /// Number of bytes.
    pub(crate) fn byte_count(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.len).sum()
    }

    /// Moves up to `wanted` bytes to `sink`; a packet ends it, and what of it does not fit is lost.
    ///
    /// # Errors
    /// `EFAULT`: the sink does not take what the first buffer gives.
    pub(crate) fn read(&mut self, sink: &mut Sink<'_>, wanted: usize) -> Result<usize, Errno> {
        let mut done = 0;
        while done < wanted {
            let Some(buffer) = self.buffers.front_mut() else { break };
            let part = buffer.len.min(wanted - done);
            match whole(sink.put_frame(&buffer.frame, buffer.start, part), part) {
                Ok(_) => {}
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            done += part;
            buffer.start += part;
            buffer.len -= part;
            let (is_packet, is_used_up) = (buffer.is_packet, buffer.len == 0);
            if is_used_up || is_packet {
                self.pop_front();
            }
            if is_packet {
                break;
            }
        }
        Ok(done)
    }

    fn pop_front(&mut self) {
        if let Some(buffer) = self.buffers.pop_front() {
            self.keep(buffer);
        }
    }

    /// Keeps the frame of an empty buffer for the next write.
    fn keep(&mut self, buffer: Buffer) {
        if buffer.frame.is_unique() {
            // Full: the frame goes back to the allocator.
            let _ = self.spares.try_push(buffer.frame);
        }
    }

    /// Moves up to `len` bytes from `source`, as long as there are fewer than `capacity` buffers. At most `PIPE_BUF`
    /// bytes go in together or not at all.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`: not even the first buffer's part could be moved.
    pub(crate) fn write(
        &mut self,
        source: &mut Source<'_>,
        len: usize,
        capacity: usize,
        as_packets: bool,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        if !as_packets {
            done = self.append(source, len)?;
        }
        while done < len && self.buffers.len() < capacity {
            match self.push(source, (len - done).min(PAGE_SIZE), as_packets) {
                Ok(moved) => done += moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Adds to the last buffer what does not fill pages of its own, if all of that fits.
    fn append(&mut self, source: &mut Source<'_>, len: usize) -> Result<usize, Errno> {
        let odd = len % PAGE_SIZE;
        let Some(last) = self.buffers.back_mut().filter(|last| !last.is_packet) else { return Ok(0) };
        let end = last.start + last.len;
        if odd == 0 || end + odd > PAGE_SIZE || !last.frame.is_unique() {
            return Ok(0);
        }
        let moved = whole(source.take_to_frame(&last.frame, end, odd), odd)?;
        last.len += moved;
        Ok(moved)
    }

    /// Puts up to a page into a new buffer.
    fn push(&mut self, source: &mut Source<'_>, len: usize, is_packet: bool) -> Result<usize, Errno> {
        self.buffers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let frame = match self.spares.pop() {
            Some(frame) => frame,
            None => Page::new()?,
        };
        let moved = whole(source.take_to_frame(&frame, 0, len), len)?;
        self.buffers.push_back(Buffer { frame, start: 0, len, is_packet });
        Ok(moved)
    }
}

fn fallible_room(buffers: &mut VecDeque<Buffer>) -> Result<(), Errno> {
    buffers.try_reserve(1).map_err(|_| Errno::ENOMEM)
}

/// What moves between a buffer and user memory moves as a whole, as on Linux: a part of it does not count.
fn whole(moved: Result<usize, Errno>, len: usize) -> Result<usize, Errno> {
    if moved? == len { Ok(len) } else { Err(Errno::EFAULT) }
}
