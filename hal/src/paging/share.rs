//! Last-level tables that several spaces have, since a fork and until one of them changes something in it.
//!
//! A space that may not be alone with a table points to it by an entry that forbids stores. Invariants of such tables:
//! 1. Each space that points to it owns one [`Share`]. Only an owner makes another, so whoever finds the table not shared
//!    any more is alone with it, and may allow stores again.
//! 2. Its entries are only ever made copy-on-write. As no space lets stores through, no CPU has one cached as writable:
//!    nothing is to be flushed for that.
//! 3. Who wants to change it takes a copy, in which each entry has a frame handle of its own, and gives up its share when
//!    no CPU can walk the table from this space any more. The last share takes the frames with it.
//!
//! So two spaces may copy at once, each under its own lock: both end with a copy and the table goes.

use core::ops::Range;

use crate::addr::FrameNumber;
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{ENTRIES, Entry, Table, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::range::{Unmap, copy_entry, fork_leaf, part, slots};
use super::space::free_range;
use super::table::PageTable;

/// One space's part in a table of level 0.
#[derive(Debug)]
pub(super) struct Share(FrameNumber);

impl Share {
    /// Takes possession of what an entry that forbids stores owns.
    ///
    /// # Safety
    /// The entry owns a share, is cleared or overwritten, and no CPU walks through it when the share is dropped.
    pub(super) unsafe fn from_entry(entry: Entry) -> Share {
        Share(entry.frame())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // SAFETY: the share keeps the table.
        let table = unsafe { Table::at(self.0) };
        if table.take_share() {
            return;
        }
        // SAFETY: this was the last share, so nobody can reach the table any more.
        unsafe { free_range(table, 0, 0..span(1)) };
        // SAFETY: the last share owns the frame's handle.
        drop(unsafe { Frame::from_raw(self.0) });
    }
}

impl PageTable {
    /// Gives a child what is mapped in a range, of which nothing is mapped there, as [`fork_range`](Self::fork_range)
    /// does. Tables that lie in `shareable` altogether and have `min_pages` or more are shared: either side copies such a
    /// table when it changes something in it. Returns the end of the last table shared, or the start of the range: the
    /// child has all that is mapped below.
    ///
    /// # Errors
    /// As [`fork_range`](Self::fork_range).
    pub fn share_range(
        &mut self,
        child: &mut PageTable,
        range: Range<usize>,
        shareable: Range<usize>,
        min_pages: u32,
        flush: &mut TlbFlush,
    ) -> Result<usize, Error> {
        self.split_range(range.clone())?;
        flush.begin(&self.space);
        let (mut result, mut end) = (Ok(()), range.start);
        self.for_each_entry(range, |directory, i, pages| {
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            let (Ok(()), Some(leaf)) = (result, unsafe { directory.child(i) }) else { return };
            let start = pages.start & !(span(1) - 1);
            let fits = shareable.start <= start && start + span(1) <= shareable.end;
            result = if fits && leaf.in_use() >= min_pages {
                end = start + span(1);
                self.share_table(directory, i, leaf, child, start, flush)
            } else {
                fork_leaf(leaf, child, &pages, flush, &mut |_| ())
            };
        });
        result.map(|()| end)
    }

    /// Tells whether single pages can be changed everywhere: no table is shared, no page is large.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.shares.get() | self.large.get() | self.huge.get() == 0
    }

    /// Makes sure that a page can be changed by itself: what was a part of a large page is a single one then, and the
    /// table it is in this space's alone.
    ///
    /// # Errors
    /// `OutOfMemory`: no frame for a table.
    #[inline]
    pub fn separate(&mut self, page: usize) -> Result<(), Error> {
        if self.is_plain() {
            return Ok(());
        }
        self.split_huge(page..page + 1, |_| true)?;
        match self.directory(page) {
            Ok((directory, i)) => self.separate_entry(page, directory, i),
            Err(_) => Ok(()),
        }
    }

    /// Does what [`separate`](Self::separate) does for all pages of a range that are mapped.
    ///
    /// # Errors
    /// As [`separate`](Self::separate).
    #[inline]
    pub fn separate_range(&mut self, range: Range<usize>) -> Result<(), Error> {
        self.split_huge(range.clone(), |_| true)?;
        self.separate_where(range, |_, _| true)
    }

    /// Makes sure that changing the flags of a range cannot fail.
    ///
    /// # Errors
    /// As [`separate`](Self::separate).
    #[inline]
    pub fn prepare_protect(
        &mut self,
        range: Range<usize>,
        set: PageFlags,
        clear: PageFlags,
    ) -> Result<(), Error> {
        self.split_huge(range.clone(), |_| true)?;
        // A large page cannot be held.
        let ends_access = clear.difference(set).contains(PageFlags::USER_ACCESS);
        self.separate_where(range, |entry, pages| !entry.is_large() || ends_access || pages.len() != span(1))
    }

    /// Makes sure that unmapping the range, at once or in parts of which this is called for each, cannot fail.
    ///
    /// # Errors
    /// As [`separate`](Self::separate).
    #[inline]
    pub fn prepare_unmap(&mut self, range: Range<usize>) -> Result<(), Error> {
        self.split_huge(range.clone(), |pages| pages.len() != span(2))?;
        self.separate_where(range, |entry, pages| {
            if pages.len() == span(1) {
                return false;
            }
            if entry.is_large() {
                return true;
            }
            // SAFETY: an entry that is special and no page owns a share of a table.
            let table = unsafe { Table::at(entry.frame()) };
            count(table, slots(pages)) != table.in_use()
        })
    }

    /// Splits the large pages that meet a range.
    pub(super) fn split_range(&mut self, range: Range<usize>) -> Result<(), Error> {
        self.split_huge(range.clone(), |_| true)?;
        if self.large.get() == 0 {
            return Ok(());
        }
        self.separate_where(range, |entry, _| entry.is_large())
    }

    /// Does what [`separate`](Self::separate) does where `is_needed` says so, of an entry and what it covers of the range.
    #[inline]
    fn separate_where(
        &mut self,
        range: Range<usize>,
        is_needed: impl Fn(Entry, &Range<usize>) -> bool,
    ) -> Result<(), Error> {
        if self.is_plain() {
            return Ok(());
        }
        let mut result = Ok(());
        self.for_each_entry(range, |directory, i, pages| {
            let entry = directory.load(i);
            if result.is_err() || !entry.is_special() {
                return;
            }
            let is_used = || {
                if entry.is_large() {
                    return true;
                }
                // SAFETY: an entry that is special and no page owns a share of a table.
                let leaf = unsafe { Table::at(entry.frame()) };
                count(leaf, slots(&pages)) != 0
            };
            if is_needed(entry, &pages) && is_used() {
                result = self.separate_entry(pages.start, directory, i);
            }
        });
        result
    }

    fn separate_entry(&self, page: usize, directory: Table<'_>, i: usize) -> Result<(), Error> {
        let entry = directory.load(i);
        if entry.is_large() {
            self.split_page(directory, i, 1)
        } else if entry.is_write_protected() {
            self.stop_sharing(page, directory, i)
        } else {
            Ok(())
        }
    }

    /// Lets the child have a table too.
    fn share_table(
        &self,
        directory: Table<'_>,
        i: usize,
        leaf: Table<'_>,
        child: &mut PageTable,
        start: usize,
        flush: &mut TlbFlush,
    ) -> Result<(), Error> {
        let (to, at) = child.directory_or_new(start)?;
        if !to.load(at).is_absent() {
            return Err(Error::AlreadyMapped);
        }
        if !leaf.add_share() {
            return fork_leaf(leaf, child, &(start..start + span(1)), flush, &mut |_| ());
        }
        let shared = Entry::shared_table(leaf.number);
        to.store(at, shared);
        to.count_add(1);
        child.shares.set(child.shares.get() + 1);
        if !directory.load(i).is_write_protected() {
            directory.swap(i, shared);
            self.shares.set(self.shares.get() + 1);
            flush.everything();
        }
        Ok(())
    }

    /// Makes the table behind an entry of level 1 that forbids stores this space's alone. `self` is not changed by
    /// anybody else meanwhile: the callers borrow it exclusively.
    #[cold]
    pub(super) fn stop_sharing(&self, addr: usize, directory: Table<'_>, i: usize) -> Result<(), Error> {
        let entry = directory.load(i);
        // SAFETY: the entry owns a share, which is given up below.
        let table = unsafe { Table::at(entry.frame()) };
        if !table.is_shared() {
            // A CPU that remembers the former entry takes a spurious fault, no more.
            directory.swap(i, Entry::table(entry.frame()));
            self.shares.set(self.shares.get() - 1);
            return Ok(());
        }
        let copy = Table::allocate()?;
        copy.count_add(table.in_use());
        for slot in table.used(0..ENTRIES) {
            copy_entry(table, copy, slot);
        }
        directory.swap(i, Entry::table(copy.number));
        self.shares.set(self.shares.get() - 1);
        let mut flush = TlbFlush::new();
        flush.begin(&self.space);
        // SAFETY: the entry has been overwritten, and the flush keeps the share until no CPU walks through it.
        flush.share(addr, unsafe { Share::from_entry(entry) });
        Ok(())
    }
}

/// Unmaps some entries of a shared table, all that are in use or none, by giving it up; tells whether it did.
pub(super) fn unmap(directory: Table<'_>, i: usize, pages: Range<usize>, unmap: &mut Unmap<'_>) -> bool {
    let entry = directory.load(i);
    // SAFETY: the entry owns a share, which is given up below.
    let table = unsafe { Table::at(entry.frame()) };
    let mut is_used = false;
    for slot in table.used(slots(&pages)) {
        is_used = true;
        let leaf = table.load(slot).below(entry);
        // SAFETY: the table's entry keeps its handle at least as long as the share lives.
        let frame = unsafe { Frame::borrow_raw(leaf.frame()) };
        (unmap.removed)(part(&pages, slot, 0).start, &frame, leaf.flags());
    }
    if !is_used {
        return false;
    }
    directory.swap(i, Entry::ABSENT);
    unmap.shares += 1;
    unmap.flush.everything();
    // SAFETY: the entry has been cleared, and the flush keeps the share until no CPU walks through it.
    unmap.flush.share(pages.start, unsafe { Share::from_entry(entry) });
    true
}

/// Counts the entries in use among some.
fn count(table: Table<'_>, slots: Range<usize>) -> u32 {
    table.used(slots).fold(0, |count, _| count + 1)
}
