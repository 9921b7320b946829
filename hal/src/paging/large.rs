//! Pages of 2 MiB and of 1 GiB: entries of level 1 and 2 that own a block.
//!
//! A large page is one mapping's alone. Its entry owns the only handle of the block, and none other is given out: fork
//! splits it first. So it can be split at any time, for a frame that becomes the table, and its parts freed one by one.
//! A page of 1 GiB is mapped, translated and unmapped as a whole; for all else it becomes 512 pages of 2 MiB first.

use core::ops::Range;

use crate::addr::{FrameNumber, PAGE_SIZE, USER_END};
use crate::arch;
use crate::error::Error;
use crate::frame::{self, Frame};

use super::entry::{ENTRIES, Entry, ROOT_LEVEL, Table, index, span};
use super::flags::PageFlags;
use super::range::Unmap;
use super::space::free_range;
use super::table::PageTable;

/// Size of a large page in bytes.
pub const LARGE_PAGE_SIZE: usize = span(1);
/// Order of the block behind it.
pub const LARGE_PAGE_ORDER: u8 = ENTRIES.trailing_zeros() as u8;
/// Order of the block behind a page of 1 GiB.
pub const HUGE_PAGE_ORDER: u8 = 2 * LARGE_PAGE_ORDER;

impl PageTable {
    /// Tells whether a large page can be mapped around an address: nothing is mapped there.
    #[inline]
    pub fn has_room_for_large(&self, addr: usize) -> bool {
        let is_absent = |(directory, i): (Table<'_>, usize)| directory.load(i).is_absent();
        addr < USER_END - LARGE_PAGE_SIZE && self.directory(addr).map_or(true, is_absent)
    }

    /// Maps a block, as [`map`](Self::map) says.
    pub(super) fn map_large(&mut self, page: usize, block: Frame, flags: PageFlags) -> Result<(), Error> {
        let level = match block.order() {
            LARGE_PAGE_ORDER => 1,
            HUGE_PAGE_ORDER if arch::paging::has_huge_pages() => 2,
            _ => return Err(Error::Unsupported),
        };
        check_large(page, &block, flags, level)?;
        let (table, i) = self.table_or_new(page, level)?;
        if !table.load(i).is_absent() {
            return Err(Error::AlreadyMapped);
        }
        table.store(i, Entry::large(block.into_raw(), flags));
        table.count_add(1);
        let count = if level == 1 { &self.large } else { &self.huge };
        count.set(count.get() + 1);
        Ok(())
    }

    /// Makes 512 pages of 2 MiB of each page of 1 GiB in a range where `is_needed` says so, of the part of the range that
    /// it covers.
    #[inline]
    pub(super) fn split_huge(
        &self,
        range: Range<usize>,
        is_needed: impl Fn(&Range<usize>) -> bool,
    ) -> Result<(), Error> {
        if self.huge.get() == 0 { Ok(()) } else { self.split_huge_slowly(range, &is_needed) }
    }

    #[cold]
    fn split_huge_slowly(
        &self,
        range: Range<usize>,
        is_needed: &dyn Fn(&Range<usize>) -> bool,
    ) -> Result<(), Error> {
        let mut start = range.start;
        while start < range.end {
            let end = ((start | (span(2) - 1)) + 1).min(range.end);
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            if let Some(table) = unsafe { self.space.root_table().child(index(start, ROOT_LEVEL)) }
                && table.load(index(start, 2)).is_large()
                && is_needed(&(start..end))
            {
                self.split_page(table, index(start, 2), 2)?;
            }
            start = end;
        }
        Ok(())
    }

    /// Returns the number of large pages.
    pub fn large_pages(&self) -> usize {
        self.large.get() as usize
    }

    /// Returns the number of large pages that lie in a range.
    pub fn large_pages_in(&self, range: Range<usize>) -> usize {
        let mut count = 0;
        if self.large_pages() != 0 {
            self.for_each_entry(range, |directory, i, pages| {
                count += usize::from(directory.load(i).is_large() && pages.len() == LARGE_PAGE_SIZE);
            });
        }
        count
    }

    /// Makes 512 pages of the next smaller size of the large page behind an entry of this level.
    #[cold]
    pub(super) fn split_page(&self, above: Table<'_>, i: usize, level: u32) -> Result<(), Error> {
        let table = Table::allocate()?;
        let entry = above.load(i);
        // SAFETY: the entry keeps its handle until it is overwritten below.
        let block = unsafe { Frame::borrow_raw(entry.frame()) };
        let order = if level == 1 { 0 } else { LARGE_PAGE_ORDER };
        if !block.split(order) {
            unreachable!("the entry owns the only handle");
        }
        // The MMU may set these until the entry is overwritten.
        let flags = entry.flags() | PageFlags::ACCESSED | PageFlags::DIRTY;
        let part = if level == 1 { Entry::leaf } else { Entry::large };
        for slot in 0..ENTRIES {
            let first = FrameNumber::new(entry.frame().get() + ((slot as u32) << order));
            table.store(slot, part(first, flags));
        }
        table.count_add(ENTRIES as u32);
        above.swap(i, Entry::table(table.number));
        if level == 1 {
            self.large.set(self.large.get() - 1);
        } else {
            self.huge.set(self.huge.get() - 1);
            self.large.set(self.large.get() + ENTRIES as u32);
        }
        // No page changes, but no CPU shall have one cached in both sizes.
        self.space.invalidate(&[]);
        Ok(())
    }

    /// Puts a block in the place of the single pages around it, of which there is one at least: copies what they hold and
    /// frees them; the rest of the block stays as it is. The block is dropped on failure.
    ///
    /// # Errors
    /// `Unsupported`, `InUse`, `OutOfRange`, `Misaligned`: as [`map`](Self::map). `NotMapped`: there are no single pages.
    /// `OutOfMemory`: as [`separate`](Self::separate).
    pub fn gather(&mut self, page: usize, block: Frame, flags: PageFlags) -> Result<(), Error> {
        check_large(page, &block, flags, 1)?;
        self.separate(page)?;
        let (directory, i) = self.directory(page).map_err(|_| Error::NotMapped)?;
        // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
        let table = unsafe { directory.child(i) }.ok_or(Error::NotMapped)?;
        directory.swap(i, Entry::ABSENT);
        // From here on no CPU reaches the pages, so nobody stores to them any more.
        self.space.invalidate(&[]);
        for slot in table.used(0..ENTRIES) {
            // SAFETY: the entry keeps its handle until it is freed below.
            let frame = unsafe { Frame::borrow_raw(table.load(slot).frame()) };
            block.copy_range(slot * PAGE_SIZE, &frame, 0, PAGE_SIZE);
        }
        directory.store(i, Entry::large(block.into_raw(), flags));
        self.large.set(self.large.get() + 1);
        // SAFETY: nothing points to the table any more.
        unsafe { free_range(table, 0, 0..span(1)) };
        // SAFETY: the entry owned the table, and has been overwritten.
        drop(unsafe { Frame::from_raw(table.number) });
        Ok(())
    }

    /// Makes large pages of single ones, where a table in the range maps a whole block in order, with the same rights to
    /// all, and nobody else has a handle of a frame: what was split and is as before. Returns how many.
    pub fn join_range(&mut self, range: Range<usize>) -> usize {
        let mut joined = 0;
        self.for_each_entry(range, |directory, i, _| {
            let above = directory.load(i);
            if !above.is_own_table() {
                return;
            }
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            let table = unsafe { Table::at(above.frame()) };
            let Some(flags) = joined_flags(table) else { return };
            let first = table.load(0).frame();
            // All handles of the frames are those of the table's entries.
            frame::set_block(first, LARGE_PAGE_ORDER);
            directory.swap(i, Entry::large(first, flags));
            // No page changes, but no CPU shall have one cached in both sizes, or walk the table.
            self.space.invalidate(&[]);
            table.count_sub(ENTRIES as u32);
            // SAFETY: the entry owned the table, and has been overwritten; no CPU walks it any more.
            drop(unsafe { Frame::from_raw(table.number) });
            joined += 1;
        });
        self.large.set(self.large.get() + joined as u32);
        joined
    }
}

/// Checks what is to become a large page of this level.
#[inline]
fn check_large(page: usize, block: &Frame, flags: PageFlags, level: u32) -> Result<(), Error> {
    if page >= USER_END - span(level) {
        return Err(Error::OutOfRange);
    }
    if !page.is_multiple_of(span(level)) {
        return Err(Error::Misaligned);
    }
    let is_plain = flags.contains(PageFlags::USER_ACCESS) && !flags.contains(PageFlags::COPY_ON_WRITE);
    if !flags.fit_user() || !is_plain || u32::from(block.order()) != level * u32::from(LARGE_PAGE_ORDER) {
        return Err(Error::Unsupported);
    }
    if block.is_unique() { Ok(()) } else { Err(Error::InUse) }
}

/// Returns the flags of the large page that a table could become.
fn joined_flags(table: Table<'_>) -> Option<PageFlags> {
    let marks = PageFlags::ACCESSED | PageFlags::DIRTY;
    let first = table.load(0);
    let rights = first.flags().difference(marks);
    let fits = |slot: usize| {
        let entry = table.load(slot);
        let is_next = entry.is_present() && entry.frame().get() == first.frame().get() + slot as u32;
        is_next && entry.flags().difference(marks) == rights && frame::handles_of_owned(entry.frame()) == 1
    };
    let is_plain = rights.contains(PageFlags::USER_ACCESS) && !rights.contains(PageFlags::COPY_ON_WRITE);
    let is_whole = table.in_use() == ENTRIES as u32
        && is_plain
        && first.frame().is_aligned_to(LARGE_PAGE_ORDER)
        // Most that do not fit show it here.
        && fits(ENTRIES - 1);
    // The MMU may set these until the table is gone.
    (is_whole && (0..ENTRIES).all(fits)).then_some(rights | marks)
}

/// Unmaps the large page at `page` behind an entry.
pub(super) fn unmap(directory: Table<'_>, i: usize, page: usize, unmap: &mut Unmap<'_>) {
    let old = directory.swap(i, Entry::ABSENT);
    // SAFETY: the entry owned this handle, and has been cleared.
    let block = unsafe { Frame::from_raw(old.frame()) };
    (unmap.removed)(page, &block, old.flags());
    if block.order() == HUGE_PAGE_ORDER {
        unmap.huge += 1;
    } else {
        unmap.large += 1;
    }
    unmap.flush.everything();
    unmap.flush.frame(block);
}
