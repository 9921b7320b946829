//! The contents of one file in memory, for read, write and mmap alike.
//!
//! A page that was never written is a hole: it takes no frame, and reads as zeroes. A frame is made by the first write,
//! or by the first access through a mapping.
//!
//! Invariants:
//! 1. The frame of a page never changes while the page is below the end of the file: all who map it see one frame.
//! 2. No page lies wholly beyond the end. When the end moves down, first the pages go, then all mappings of them: an
//!    access beyond the end faults and finds nothing (`SIGBUS`).
//! 3. Each frame is charged to the account, if there is one.
//!
//! The lock is a leaf but for the allocators, so that a page fault may come here whatever the file system holds. Writers
//! of one file are kept apart by the file system's lock; here they could only mix, not break anything.

mod shared_memory;
mod tree;

pub use shared_memory::SharedMemory;

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use hal::frame::Frame;
use hal::sync::SpinLock;
use hal::{Access, PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;

use self::tree::{Removed, Tree};
use super::address_space;
use super::object::MemoryObject;
use super::physical::buddy_allocator::{alloc_user_frame, alloc_zeroed_user_frame};
use crate::lock_order;
use crate::uio::{Sink, Source, in_pieces};

const PAGE: u64 = PAGE_SIZE as u64;

hal::machine_static! {
    /// Frames in all page caches.
    static CACHED_PAGES: AtomicUsize = AtomicUsize::new(0);
}

/// Who pays for the frames of a cache: a file system with a limited size.
pub trait PageAccount: Send + Sync {
    /// Takes `pages` from what is left. Called with the cache locked: must not block.
    ///
    /// # Errors
    /// `ENOSPC`: not so many are left.
    fn charge(&self, pages: usize) -> Result<(), Errno>;

    /// Gives `pages` back.
    fn release(&self, pages: usize);
}

struct Contents {
    tree: Tree,
    size: u64,
}

/// The pages of one file.
pub struct PageCache {
    contents: SpinLock<Contents>,
    /// Size in bytes, as in `contents`; for readers without the lock.
    size: AtomicU64,
    account: Option<Arc<dyn PageAccount>>,
    /// Mappings of the file.
    mappings: AtomicUsize,
    /// Mappings through which the file can be written; -1 when they are forbidden.
    shared_mappings: AtomicI32,
    /// No more of them are made.
    forbids_stores: AtomicBool,
}

impl PageCache {
    /// Makes an empty file; `account` pays for its pages.
    pub const fn new(account: Option<Arc<dyn PageAccount>>) -> Self {
        Self {
            contents: SpinLock::new(lock_order::PAGE_CACHE, Contents { tree: Tree::new(), size: 0 }),
            size: AtomicU64::new(0),
            account,
            mappings: AtomicUsize::new(0),
            shared_mappings: AtomicI32::new(0),
            forbids_stores: AtomicBool::new(false),
        }
    }

    /// Returns the size in bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.size.load(Relaxed)
    }

    /// Returns the number of frames.
    pub fn page_count(&self) -> usize {
        self.contents.lock().tree.len()
    }

    /// Returns the frame of a page; `None` for a hole.
    #[inline]
    pub fn get(&self, index: u64) -> Option<Frame> {
        self.contents.lock().tree.get(index).cloned()
    }

    /// Returns the frame of a page below the end of the file. A hole gets a frame that `fill` has filled; it may block.
    ///
    /// # Errors
    /// - `EFAULT`: the page lies beyond the end.
    /// - `ENOSPC`: the account is used up. `ENOMEM`: memory is used up.
    /// - What `fill` answers.
    pub fn get_or_fill(
        &self,
        index: u64,
        fill: impl FnOnce(&Frame) -> Result<(), Errno>,
    ) -> Result<Frame, Errno> {
        self.get_or_make(index, || {
            let frame = alloc_user_frame()?;
            fill(&frame)?;
            Ok(frame)
        })
    }

    /// Returns the frame of a page below the end of the file. A hole gets a frame of zeroes.
    ///
    /// # Errors
    /// As [`get_or_fill`](Self::get_or_fill).
    pub fn get_or_zero(&self, index: u64) -> Result<Frame, Errno> {
        self.get_or_make(index, alloc_zeroed_user_frame)
    }

    #[inline]
    fn get_or_make(&self, index: u64, make: impl FnOnce() -> Result<Frame, Errno>) -> Result<Frame, Errno> {
        {
            let contents = self.contents.lock();
            if index >= contents.size.div_ceil(PAGE) {
                return Err(Errno::EFAULT);
            }
            if let Some(frame) = contents.tree.get(index) {
                return Ok(frame.clone());
            }
        }
        let frame = make()?;
        let mut contents = self.contents.lock();
        if index >= contents.size.div_ceil(PAGE) {
            return Err(Errno::EFAULT);
        }
        match contents.tree.get(index) {
            Some(other) => Ok(other.clone()),
            None => {
                self.insert(&mut contents, index, frame.clone())?;
                Ok(frame)
            }
        }
    }

    fn insert(&self, contents: &mut Contents, index: u64, frame: Frame) -> Result<(), Errno> {
        if let Some(account) = &self.account {
            account.charge(1)?;
        }
        CACHED_PAGES.fetch_add(1, Relaxed);
        contents.tree.insert(index, frame);
        Ok(())
    }

    fn discard(&self, removed: Removed) {
        if removed.pages != 0 {
            CACHED_PAGES.fetch_sub(removed.pages, Relaxed);
            if let Some(account) = &self.account {
                account.release(removed.pages);
            }
        }
    }

    /// Copies from `position` to `sink` until the sink is full or the file ends; returns the number of bytes.
    ///
    /// # Errors
    /// `EFAULT`: the sink takes nothing.
    pub fn read(&self, position: u64, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        let wanted = sink.remaining();
        in_pieces(wanted, |done| {
            let at = position + done as u64;
            let (frame, left) = {
                let contents = self.contents.lock();
                (contents.tree.get(at / PAGE).cloned(), contents.size.saturating_sub(at))
            };
            let offset = (at % PAGE) as usize;
            let n = (PAGE_SIZE - offset).min(wanted - done).min(usize::try_from(left).unwrap_or(usize::MAX));
            let moved = match frame {
                Some(frame) => sink.put_frame(&frame, offset, n),
                None => sink.put_zeros(n),
            };
            (n, moved)
        })
    }

    /// Copies `source`, up to `limit` bytes of it, to `position` and beyond, and moves the end of the file up if need be;
    /// returns the number of bytes. The caller has made sure that the last offset fits into an `i64`.
    ///
    /// # Errors
    /// `EFAULT`, `ENOSPC`, `ENOMEM`, if nothing could be written.
    pub fn write(&self, position: u64, source: &mut Source<'_>, limit: usize) -> Result<usize, Errno> {
        let wanted = source.remaining().min(limit);
        in_pieces(wanted, |done| {
            let at = position + done as u64;
            let n = (PAGE_SIZE - (at % PAGE) as usize).min(wanted - done);
            (n, self.write_page(at, source, n))
        })
    }

    /// Writes `n` bytes within one page.
    fn write_page(&self, at: u64, source: &mut Source<'_>, n: usize) -> Result<usize, Errno> {
        let (index, offset) = (at / PAGE, (at % PAGE) as usize);
        if let Some(frame) = self.get(index) {
            let moved = source.take_to_frame(&frame, offset, n)?;
            self.extend_to(at + moved as u64);
            return Ok(moved);
        }
        // The frame is filled before anybody can see it, and without the lock: the copy may fault.
        let frame = alloc_user_frame()?;
        frame.zero_range(0, offset);
        let moved = source.take_to_frame(&frame, offset, n)?;
        frame.zero_range(offset + moved, PAGE_SIZE - offset - moved);
        let mut contents = self.contents.lock();
        match contents.tree.get(index) {
            // A mapping was faster.
            Some(other) => other.copy_range(offset, &frame, offset, moved),
            None => self.insert(&mut contents, index, frame)?,
        }
        self.extend_locked(&mut contents, at + moved as u64);
        Ok(moved)
    }

    fn extend_to(&self, end: u64) {
        if end > self.size() {
            self.extend_locked(&mut self.contents.lock(), end);
        }
    }

    fn extend_locked(&self, contents: &mut Contents, end: u64) {
        if end > contents.size {
            contents.size = end;
            self.size.store(end, Relaxed);
        }
    }

    /// Moves the end of the file. Bytes beyond it are gone: they read as zeroes when the end moves up again. May block.
    pub fn set_size(&self, size: u64) {
        let removed = {
            let mut contents = self.contents.lock();
            let shrinks = size < contents.size;
            contents.size = size;
            self.size.store(size, Relaxed);
            if !shrinks {
                return;
            }
            if let Some(last) = contents.tree.get(size / PAGE) {
                let offset = (size % PAGE) as usize;
                last.zero_range(offset, PAGE_SIZE - offset);
            }
            contents.tree.remove(size.div_ceil(PAGE)..u64::MAX)
        };
        self.discard(removed);
        self.unmap_everywhere(size.div_ceil(PAGE)..u64::MAX);
    }

    /// Turns a range of bytes into zeroes; whole pages become holes. The size stays. May block.
    pub fn punch_hole(&self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let pages = range.start.div_ceil(PAGE)..range.end / PAGE;
        let removed = {
            let mut contents = self.contents.lock();
            let first_part = range.start..range.end.min(range.start.next_multiple_of(PAGE));
            let last_part = range.start.max(range.end / PAGE * PAGE)..range.end;
            for part in [first_part, last_part] {
                if let Some(frame) = contents.tree.get(part.start / PAGE)
                    && part.start < part.end
                {
                    frame.zero_range((part.start % PAGE) as usize, (part.end - part.start) as usize);
                }
            }
            contents.tree.remove(pages.clone())
        };
        self.discard(removed);
        if !pages.is_empty() {
            self.unmap_everywhere(pages);
        }
    }

    /// Removes the mappings of pages from all address spaces; private copies stay when the pages are punched out, and go
    /// when the file was cut.
    fn unmap_everywhere(&self, pages: Range<u64>) {
        if self.mappings.load(Relaxed) != 0 {
            let with_copies = pages.end == u64::MAX;
            address_space::unmap_object(self.content_id(), pages, with_copies);
        }
    }

    /// Reserves frames for a range of bytes below the present or future end; the size stays.
    ///
    /// # Errors
    /// `ENOSPC`, `ENOMEM`; what has been made stays.
    pub fn allocate(&self, range: Range<u64>) -> Result<(), Errno> {
        for index in range.start / PAGE..range.end.div_ceil(PAGE) {
            if self.get(index).is_some() {
                continue;
            }
            let frame = alloc_zeroed_user_frame()?;
            let mut contents = self.contents.lock();
            if contents.tree.get(index).is_none() {
                self.insert(&mut contents, index, frame)?;
            }
        }
        Ok(())
    }

    /// Returns the first offset from `offset` on that holds data, for `SEEK_DATA`; `None` when only a hole is left.
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        let contents = self.contents.lock();
        let found = contents.tree.next_present(offset / PAGE)? * PAGE;
        Some(found.max(offset)).filter(|&found| found < contents.size)
    }

    /// Returns the first offset from `offset` on that lies in a hole, for `SEEK_HOLE`; at the latest the size.
    pub fn next_hole(&self, offset: u64) -> u64 {
        let contents = self.contents.lock();
        let found = contents.tree.next_absent(offset / PAGE).saturating_mul(PAGE);
        found.max(offset).min(contents.size.max(offset))
    }

    /// Forbids mappings through which the file can be written, from now on (`F_SEAL_WRITE`).
    ///
    /// # Errors
    /// `EBUSY`: there is one.
    pub fn deny_shared_mappings(&self) -> Result<(), Errno> {
        match self.shared_mappings.compare_exchange(0, -1, Relaxed, Relaxed) {
            Ok(_) | Err(-1) => Ok(()),
            Err(_) => Err(Errno::EBUSY),
        }
    }

    /// Has no more mappings made through which the file can be written.
    pub fn forbid_stores(&self) {
        self.forbids_stores.store(true, Relaxed);
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        let removed = self.contents.get_mut().tree.remove(0..u64::MAX);
        self.discard(removed);
    }
}

impl MemoryObject for PageCache {
    fn size(&self) -> u64 {
        self.size()
    }

    fn page(&self, index: u64, _access: Access) -> Result<Frame, Errno> {
        self.get_or_zero(index)
    }

    fn cached_page(&self, index: u64) -> Option<Frame> {
        let contents = self.contents.lock();
        if index << PAGE_SHIFT >= contents.size { None } else { contents.tree.get(index).cloned() }
    }

    fn content_id(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn mapping_id(&self) -> usize {
        self.content_id()
    }

    fn forbids_stores(&self) -> bool {
        self.forbids_stores.load(Relaxed)
    }

    fn attach(&self, is_shared: bool) -> Result<(), Errno> {
        if is_shared {
            let grow = |n: i32| n.checked_add(1).filter(|_| n >= 0);
            self.shared_mappings.fetch_update(Relaxed, Relaxed, grow).map_err(|_| Errno::EPERM)?;
        }
        self.mappings.fetch_add(1, Relaxed);
        Ok(())
    }

    fn is_shared_memory(&self) -> bool {
        true
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<(), Errno> {
        self.punch_hole(range);
        Ok(())
    }

    fn detach(&self, is_shared: bool) {
        if is_shared {
            self.shared_mappings.fetch_sub(1, Relaxed);
        }
        self.mappings.fetch_sub(1, Relaxed);
    }
}

impl core::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PageCache").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Returns the number of bytes in all page caches.
pub fn cached_bytes() -> usize {
    CACHED_PAGES.load(Relaxed) * PAGE_SIZE
}

#[cfg(test)]
mod tests;
