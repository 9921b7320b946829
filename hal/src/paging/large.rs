//! Pages of 2 MiB: entries of level 1 that own a block.
//!
//! A large page is one mapping's alone. Its entry owns the only handle of the block, and none other is given out: fork
//! splits it first. So it can be split at any time, for a frame that becomes the table, and its parts freed one by one.

use crate::addr::{FrameNumber, USER_END};
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{ENTRIES, Entry, Table, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::range::Unmap;
use super::table::PageTable;

/// Size of a large page in bytes.
pub const LARGE_PAGE_SIZE: usize = span(1);
/// Order of the block behind it.
pub const LARGE_PAGE_ORDER: u8 = ENTRIES.trailing_zeros() as u8;

impl PageTable {
    /// Tells whether a large page can be mapped around an address: nothing is mapped there.
    #[inline]
    pub fn has_room_for_large(&self, addr: usize) -> bool {
        let is_absent = |(directory, i): (Table<'_>, usize)| directory.load(i).is_absent();
        addr < USER_END - LARGE_PAGE_SIZE && self.directory(addr).map_or(true, is_absent)
    }

    /// Maps a block, as [`map`](Self::map) says.
    pub(super) fn map_large(&mut self, page: usize, block: Frame, flags: PageFlags) -> Result<(), Error> {
        if page >= USER_END - LARGE_PAGE_SIZE {
            return Err(Error::OutOfRange);
        }
        if !page.is_multiple_of(LARGE_PAGE_SIZE) {
            return Err(Error::Misaligned);
        }
        let is_plain = flags.contains(PageFlags::USER_ACCESS) && !flags.contains(PageFlags::COPY_ON_WRITE);
        if !flags.fit_user() || !is_plain || block.order() != LARGE_PAGE_ORDER {
            return Err(Error::Unsupported);
        }
        if !block.is_unique() {
            return Err(Error::InUse);
        }
        let (directory, i) = self.directory_or_new(page)?;
        if !directory.load(i).is_absent() {
            return Err(Error::AlreadyMapped);
        }
        directory.store(i, Entry::large(block.into_raw(), flags));
        directory.count_add(1);
        self.large.set(self.large.get() + 1);
        Ok(())
    }

    /// Returns the number of large pages.
    pub fn large_pages(&self) -> usize {
        self.large.get() as usize
    }

    /// Returns the number of large pages that lie in a range.
    pub fn large_pages_in(&self, range: core::ops::Range<usize>) -> usize {
        let mut count = 0;
        if self.large_pages() != 0 {
            self.for_each_entry(range, |directory, i, pages| {
                count += usize::from(directory.load(i).is_large() && pages.len() == LARGE_PAGE_SIZE);
            });
        }
        count
    }

    /// Makes 512 single pages of the large page behind an entry.
    #[cold]
    pub(super) fn split_large(&self, directory: Table<'_>, i: usize) -> Result<(), Error> {
        let table = Table::allocate()?;
        let entry = directory.load(i);
        // SAFETY: the entry keeps its handle until it is overwritten below.
        let block = unsafe { Frame::borrow_raw(entry.frame()) };
        if !block.split() {
            unreachable!("the entry owns the only handle");
        }
        // The MMU may set these until the entry is overwritten.
        let flags = entry.flags() | PageFlags::ACCESSED | PageFlags::DIRTY;
        for slot in 0..ENTRIES {
            table.store(slot, Entry::leaf(FrameNumber::new(entry.frame().get() + slot as u32), flags));
        }
        table.count_add(ENTRIES as u32);
        directory.swap(i, Entry::table(table.number));
        self.large.set(self.large.get() - 1);
        // No page changes, but no CPU shall have one cached in both sizes.
        let mut flush = TlbFlush::new();
        flush.begin(&self.space);
        flush.everything();
        Ok(())
    }
}

/// Unmaps the large page at `page` behind an entry.
pub(super) fn unmap(directory: Table<'_>, i: usize, page: usize, unmap: &mut Unmap<'_>) {
    let old = directory.swap(i, Entry::ABSENT);
    // SAFETY: the entry owned this handle, and has been cleared.
    let block = unsafe { Frame::from_raw(old.frame()) };
    (unmap.removed)(page, &block, old.flags());
    unmap.large += 1;
    unmap.flush.everything();
    unmap.flush.frame(block);
}
