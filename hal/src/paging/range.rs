//! Changes of whole ranges of an address space.

use core::ops::Range;

use crate::addr::{FrameNumber, PAGE_SIZE, USER_END, is_page_aligned};
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{ENTRIES, Entry, ROOT_LEVEL, Table, index, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::table::PageTable;

/// What becomes of a mapping in a forked address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkMode {
    /// Private: both sides keep the frame, read-only and `COPY_ON_WRITE`, whatever they allowed before.
    CopyOnWrite,
    /// Shared: the child gets the same mapping.
    Share,
}

impl PageTable {
    /// Unmaps all pages of a range; the frames and the tables that become empty go to `flush`. Returns the number of
    /// pages that were mapped.
    pub fn unmap_range(&mut self, range: Range<usize>, flush: &mut TlbFlush) -> usize {
        self.unmap_range_with(range, flush, |_, _, _| ())
    }

    /// Like [`unmap_range`](Self::unmap_range), and calls `removed` with each page, its frame and its last flags.
    /// A store by another CPU may still set the frame's contents, but not `DIRTY`, until the flush is finished.
    pub fn unmap_range_with(
        &mut self,
        range: Range<usize>,
        flush: &mut TlbFlush,
        mut removed: impl FnMut(usize, &Frame, PageFlags),
    ) -> usize {
        let Some(range) = clamp(range) else { return 0 };
        flush.begin(&self.space);
        let mut pages = 0;
        let root = self.space.root_table();
        // SAFETY: `self` is borrowed exclusively, and the root is of this level.
        unsafe {
            unmap_level(root, ROOT_LEVEL, range, flush, &mut |page, frame, flags| {
                pages += 1;
                removed(page, frame, flags);
            })
        };
        pages
    }

    /// Adds and removes flags on all mapped pages of a range. `WRITE` is not added to a page that is `COPY_ON_WRITE`:
    /// its next write fault decides.
    pub fn protect_range(
        &mut self,
        range: Range<usize>,
        set: PageFlags,
        clear: PageFlags,
        flush: &mut TlbFlush,
    ) {
        let set = set.difference(PageFlags::GLOBAL);
        flush.begin(&self.space);
        self.for_each_leaf(range, |leaf, first_page, slots| {
            for i in slots.clone() {
                let change = |old: Entry| {
                    if old.is_absent() {
                        return old;
                    }
                    let mut flags = old.flags().difference(clear) | set;
                    if flags.contains(PageFlags::COPY_ON_WRITE) {
                        flags.remove(PageFlags::WRITE);
                    }
                    old.with_flags(flags)
                };
                let old = leaf.update(i, change);
                if change(old) != old {
                    flush.page(first_page + (i - slots.start) * PAGE_SIZE, old);
                }
            }
        });
    }

    /// Copies the mappings of a range into another table, in which it must be unmapped. Returns the number of pages.
    ///
    /// # Errors
    /// `OutOfMemory`, `AlreadyMapped`: the child has a part of the mappings; those of `self` are as after success.
    pub fn fork_range(
        &mut self,
        child: &mut PageTable,
        range: Range<usize>,
        mode: ForkMode,
        flush: &mut TlbFlush,
    ) -> Result<usize, Error> {
        self.fork_range_with(child, range, mode, flush, |_| ())
    }

    /// Like [`fork_range`](Self::fork_range), and calls `copied` with the flags of each page.
    ///
    /// # Errors
    /// As [`fork_range`](Self::fork_range).
    pub fn fork_range_with(
        &mut self,
        child: &mut PageTable,
        range: Range<usize>,
        mode: ForkMode,
        flush: &mut TlbFlush,
        mut copied: impl FnMut(PageFlags),
    ) -> Result<usize, Error> {
        flush.begin(&self.space);
        let (mut pages, mut result) = (0, Ok(()));
        self.for_each_leaf(range, |leaf, first_page, slots| {
            if result.is_err() {
                return;
            }
            let done = fork_leaf(leaf, child, first_page, slots, mode, flush, &mut copied);
            match done {
                Ok(n) => pages += n,
                Err(error) => result = Err(error),
            }
        });
        result.map(|()| pages)
    }

    /// Moves the mappings of a range to another, disjoint and unmapped, of the same size.
    ///
    /// # Errors
    /// - `Misaligned`, `OutOfRange`: an address is none of a page, a range leaves user space, or the two overlap.
    /// - `AlreadyMapped`: the new range has a mapping. `OutOfMemory`. Nothing has been moved in any of these cases.
    pub fn move_range(
        &mut self,
        old: Range<usize>,
        new_start: usize,
        flush: &mut TlbFlush,
    ) -> Result<(), Error> {
        let len = old.end.checked_sub(old.start).ok_or(Error::OutOfRange)?;
        let new_end = new_start.checked_add(len).ok_or(Error::OutOfRange)?;
        if old.end > USER_END || new_end > USER_END || (old.start < new_end && new_start < old.end) {
            return Err(Error::OutOfRange);
        }
        if !is_page_aligned(old.start) || !is_page_aligned(len) || !is_page_aligned(new_start) {
            return Err(Error::Misaligned);
        }
        let mut occupied = false;
        self.for_each(new_start..new_end, |_, _, _| occupied = true);
        if occupied {
            return Err(Error::AlreadyMapped);
        }
        // First everything that can fail: the tables.
        let mut page = old.start;
        while page < old.end {
            match self.leaf(page) {
                Some(_) => {
                    self.leaf_or_new(new_start + (page - old.start))?;
                    page += PAGE_SIZE;
                }
                None => page = (page | (span(1) - 1)) + 1,
            }
        }
        let mut page = old.start;
        flush.begin(&self.space);
        while page < old.end {
            let Some(leaf) = self.leaf(page) else {
                page = (page | (span(1) - 1)) + 1;
                continue;
            };
            let entry = leaf.swap(index(page, 0), Entry::ABSENT);
            if !entry.is_absent() {
                flush.page(page, entry);
                // The table stays, empty or not, until the range is unmapped below.
                leaf.count_sub(1);
                let target = new_start + (page - old.start);
                let new_leaf = self.leaf(target).unwrap_or_else(|| unreachable!("made above"));
                new_leaf.store(index(target, 0), entry);
                new_leaf.count_add(1);
            }
            page += PAGE_SIZE;
        }
        self.unmap_range(old, flush);
        Ok(())
    }

    /// Calls `visit` with every mapped page of a range, ascending.
    pub fn for_each(&self, range: Range<usize>, mut visit: impl FnMut(usize, FrameNumber, PageFlags)) {
        self.for_each_leaf(range, |leaf, first_page, slots| {
            for i in slots.clone() {
                let entry = leaf.load(i);
                if !entry.is_absent() {
                    visit(first_page + (i - slots.start) * PAGE_SIZE, entry.frame(), entry.flags());
                }
            }
        });
    }

    /// Calls `visit` with each table of level 0 that meets the range, the first page of the range in it, and the
    /// entries of the range in it.
    fn for_each_leaf(&self, range: Range<usize>, mut visit: impl FnMut(Table<'_>, usize, Range<usize>)) {
        let Some(range) = clamp(range) else { return };
        let mut page = range.start;
        while page < range.end {
            let mut table = self.space.root_table();
            let mut level = ROOT_LEVEL;
            while level > 0 {
                // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
                let Some(child) = (unsafe { table.child(index(page, level)) }) else { break };
                table = child;
                level -= 1;
            }
            // The end of what the entry, or for a table of level 0 the table, covers.
            let end = ((page | (span(level.max(1)) - 1)) + 1).min(range.end);
            if level == 0 {
                let first = index(page, 0);
                visit(table, page, first..first + (end - page) / PAGE_SIZE);
            }
            page = end;
        }
    }
}

/// Rounds a range outwards to pages and cuts it at the end of user space.
fn clamp(range: Range<usize>) -> Option<Range<usize>> {
    let start = crate::addr::page_floor(range.start);
    let end = crate::addr::page_ceil(range.end.min(USER_END))?;
    (start < end).then_some(start..end)
}

fn fork_leaf(
    leaf: Table<'_>,
    child: &mut PageTable,
    first_page: usize,
    slots: Range<usize>,
    mode: ForkMode,
    flush: &mut TlbFlush,
    visit: &mut impl FnMut(PageFlags),
) -> Result<usize, Error> {
    let Some(first) = slots.clone().find(|&i| !leaf.load(i).is_absent()) else { return Ok(0) };
    let to = child.leaf_or_new(first_page)?;
    let mut copied = 0;
    let mut result = Ok(());
    for i in first..slots.end {
        let mut entry = leaf.load(i);
        if entry.is_absent() {
            continue;
        }
        if !to.load(i).is_absent() {
            result = Err(Error::AlreadyMapped);
            break;
        }
        if mode == ForkMode::CopyOnWrite {
            let private = |old: Entry| {
                old.with_flags(old.flags().difference(PageFlags::WRITE) | PageFlags::COPY_ON_WRITE)
            };
            let old = leaf.update(i, private);
            if old.flags().contains(PageFlags::WRITE) {
                flush.page(first_page + (i - slots.start) * PAGE_SIZE, old);
            }
            entry = private(old);
        }
        // SAFETY: the parent's entry keeps its handle; the clone's goes to the child's entry.
        let frame = unsafe { Frame::borrow_raw(entry.frame()) };
        (*frame).clone().into_raw();
        to.store(i, entry.with_flags(entry.flags().difference(PageFlags::DIRTY)));
        copied += 1;
        visit(entry.flags());
    }
    to.count_add(copied);
    result.map(|()| copied as usize)
}

/// Unmaps a range below one table; tells nothing about whether the table is empty now, its count does.
///
/// # Safety
/// `table` is of this level, the caller may change it, and every address of the range lies in it.
unsafe fn unmap_level(
    table: Table<'_>,
    level: u32,
    range: Range<usize>,
    flush: &mut TlbFlush,
    removed: &mut dyn FnMut(usize, &Frame, PageFlags),
) {
    let mut at = range.start;
    let mut gone = 0;
    while at < range.end {
        let end = ((at | (span(level) - 1)) + 1).min(range.end);
        let i = index(at, level);
        if level == 0 {
            if !table.load(i).is_absent() {
                let old = table.swap(i, Entry::ABSENT);
                gone += 1;
                // SAFETY: the entry owned this handle, and has been cleared.
                let frame = unsafe { Frame::from_raw(old.frame()) };
                removed(at, &frame, old.flags());
                flush.page(at, old);
                flush.frame(frame);
            }
        // SAFETY: the caller's duty: tables below live until they are freed right here.
        } else if let Some(child) = unsafe { table.child(i) } {
            // SAFETY: the child is of the next level and covers this part of the range.
            unsafe { unmap_level(child, level - 1, at..end, flush, removed) };
            if child.is_empty() {
                table.swap(i, Entry::ABSENT);
                gone += 1;
                // SAFETY: the entry owned this handle, and has been cleared.
                flush.table(at, unsafe { Frame::from_raw(child.number) });
            }
        }
        at = end;
    }
    // The root's entries are not counted: it is never freed for being empty.
    if gone != 0 && level != ROOT_LEVEL {
        table.count_sub(gone);
    }
}

const _: () = assert!(ENTRIES * PAGE_SIZE == span(1));
