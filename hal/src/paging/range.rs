//! Changes of whole ranges of an address space.

use core::ops::Range;

use crate::addr::{FrameNumber, PAGE_SIZE, USER_END, is_page_aligned};
use crate::error::Error;
use crate::frame::{Frame, handles_of_owned};

use super::entry::{ENTRIES, Entry, ROOT_LEVEL, Table, index, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::table::PageTable;
use super::{large, share};

impl PageTable {
    /// Unmaps all pages of a range; the frames and the tables that become empty go to `flush`. Returns the number of
    /// pages that were mapped.
    ///
    /// # Errors
    /// `OutOfMemory`: only a part of a large page, or of what a table shared with other spaces has, lies in the range, and
    /// there is no frame for a table. Nothing has been unmapped.
    pub fn unmap_range(&mut self, range: Range<usize>, flush: &mut TlbFlush) -> Result<usize, Error> {
        self.unmap_range_with(range, flush, |_, _, _| ())
    }

    /// Like [`unmap_range`](Self::unmap_range), and calls `removed` with each page, its frame and its last flags; once for
    /// a large page, with its block.
    /// A store by another CPU may still set the frame's contents, but not `DIRTY`, until the flush is finished.
    ///
    /// # Errors
    /// As [`unmap_range`](Self::unmap_range).
    pub fn unmap_range_with(
        &mut self,
        range: Range<usize>,
        flush: &mut TlbFlush,
        removed: impl FnMut(usize, &Frame, PageFlags),
    ) -> Result<usize, Error> {
        self.unmap_range_but(PageFlags::empty(), range, flush, removed)
    }

    /// Like [`unmap_range_with`](Self::unmap_range_with), but pages that have one of the flags `spared` stay; large ones,
    /// and those in tables that are shared with other spaces, do not.
    ///
    /// # Errors
    /// As [`unmap_range`](Self::unmap_range).
    pub fn unmap_range_but(
        &mut self,
        spared: PageFlags,
        range: Range<usize>,
        flush: &mut TlbFlush,
        mut removed: impl FnMut(usize, &Frame, PageFlags),
    ) -> Result<usize, Error> {
        let Some(range) = clamp(range) else { return Ok(0) };
        self.prepare_unmap(range.clone())?;
        flush.begin(&self.space);
        let mut pages = 0;
        let mut removed = |page, frame: &Frame, flags| {
            pages += 1 << frame.order();
            removed(page, frame, flags);
        };
        let mut unmap = Unmap { flush, removed: &mut removed, spared, shares: 0, large: 0, huge: 0 };
        // SAFETY: `self` is borrowed exclusively, and the root is of this level.
        unsafe { unmap_level(self.space.root_table(), ROOT_LEVEL, range, &mut unmap) };
        self.shares.set(self.shares.get() - unmap.shares);
        self.large.set(self.large.get() - unmap.large);
        self.huge.set(self.huge.get() - unmap.huge);
        Ok(pages)
    }

    /// Adds and removes flags on all mapped pages of a range. `WRITE` is not added to a page that is `COPY_ON_WRITE`:
    /// its next write fault decides.
    ///
    /// # Errors
    /// `OutOfMemory`: as [`prepare_protect`](Self::prepare_protect); nothing has changed.
    pub fn protect_range(
        &mut self,
        range: Range<usize>,
        set: PageFlags,
        clear: PageFlags,
        flush: &mut TlbFlush,
    ) -> Result<(), Error> {
        self.prepare_protect(range.clone(), set, clear)?;
        let set = set.difference(PageFlags::GLOBAL);
        flush.begin(&self.space);
        let change = |old: Entry| {
            let mut flags = old.flags().difference(clear) | set;
            if flags.contains(PageFlags::COPY_ON_WRITE) {
                flags.remove(PageFlags::WRITE);
            }
            old.with_flags(flags)
        };
        self.for_each_entry(range, |directory, at, pages| {
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            let Some(leaf) = (unsafe { directory.child(at) }) else {
                let old = directory.update(at, change);
                if change(old) != old {
                    flush.everything();
                }
                return;
            };
            let slots = slots(&pages);
            for i in leaf.used(slots.clone()) {
                let old = leaf.update(i, change);
                if change(old) != old {
                    flush.page(pages.start + (i - slots.start) * PAGE_SIZE, old);
                }
            }
        });
        Ok(())
    }

    /// Copies the mappings of a range into another table, in which it must be unmapped: both sides keep the frames,
    /// read-only and `COPY_ON_WRITE`, whatever they allowed before. Calls `copied` with the flags of each page.
    ///
    /// # Errors
    /// `OutOfMemory`, `AlreadyMapped`: the child has a part of the mappings; those of `self` are as after success.
    pub fn fork_range(
        &mut self,
        child: &mut PageTable,
        range: Range<usize>,
        flush: &mut TlbFlush,
        mut copied: impl FnMut(PageFlags),
    ) -> Result<(), Error> {
        self.split_range(range.clone())?;
        flush.begin(&self.space);
        let mut result = Ok(());
        self.for_each_entry(range, |directory, at, pages| {
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            if let (Ok(()), Some(leaf)) = (result, unsafe { directory.child(at) }) {
                result = fork_leaf(leaf, child, &pages, flush, &mut copied);
            }
        });
        result
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
        self.separate_range(old.clone())?;
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
        self.unmap_range(old, flush)?;
        Ok(())
    }

    /// Calls `visit` with every mapped page of a range, ascending. A page of 1 GiB that cannot be split, for want of a
    /// frame, is left out.
    pub fn for_each(&self, range: Range<usize>, mut visit: impl FnMut(usize, FrameNumber, PageFlags)) {
        let _ = self.split_huge(range.clone(), |_| true);
        self.for_each_entry(range, |directory, at, pages| {
            let above = directory.load(at);
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            let Some(leaf) = (unsafe { directory.child(at) }) else {
                for page in pages.step_by(PAGE_SIZE) {
                    visit(page, above.single(page, 1).frame(), above.flags());
                }
                return;
            };
            let slots = slots(&pages);
            for i in leaf.used(slots.clone()) {
                let entry = leaf.load(i).below(above);
                visit(pages.start + (i - slots.start) * PAGE_SIZE, entry.frame(), entry.flags());
            }
        });
    }

    /// Calls `visit` with every mapped page of a range, ascending, and the handles of its frame: a space that shares a
    /// table with others counts as often as there are such, a page of a large one has one.
    pub fn for_each_counted(
        &self,
        range: Range<usize>,
        mut visit: impl FnMut(usize, FrameNumber, PageFlags, u32),
    ) {
        let _ = self.split_huge(range.clone(), |_| true);
        self.for_each_entry(range, |directory, at, pages| {
            let above = directory.load(at);
            // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
            let Some(leaf) = (unsafe { directory.child(at) }) else {
                for page in pages.step_by(PAGE_SIZE) {
                    visit(page, above.single(page, 1).frame(), above.flags(), 1);
                }
                return;
            };
            let others = leaf.other_owners();
            let slots = slots(&pages);
            for i in leaf.used(slots.clone()) {
                let entry = leaf.load(i).below(above);
                let handles = handles_of_owned(entry.frame()).saturating_add(others);
                visit(pages.start + (i - slots.start) * PAGE_SIZE, entry.frame(), entry.flags(), handles);
            }
        });
    }

    /// Returns the number of tables below the root.
    pub fn table_count(&self) -> usize {
        let mut count = 0;
        let mut last = [usize::MAX; 2];
        self.for_each_entry(0..USER_END, |directory, at, pages| {
            count += usize::from(!directory.load(at).is_large());
            for (last, level) in last.iter_mut().zip([2, 3]) {
                let place = pages.start / span(level);
                count += usize::from(core::mem::replace(last, place) != place);
            }
        });
        count
    }

    /// Calls `visit` with each entry of level 1, below one that is no page, that is in use and meets the range: the table,
    /// the index, and the part of the range that it covers.
    pub(super) fn for_each_entry(
        &self,
        range: Range<usize>,
        mut visit: impl FnMut(Table<'_>, usize, Range<usize>),
    ) {
        let Some(range) = clamp(range) else { return };
        let mut page = range.start;
        while page < range.end {
            page = match self.directory(page) {
                Ok((directory, first)) => {
                    let end = ((page | (span(2) - 1)) + 1).min(range.end);
                    for i in directory.used(first..index(end - 1, 1) + 1) {
                        visit(directory, i, part(&(page..end), i, 1));
                    }
                    end
                }
                Err(end) => end,
            };
        }
    }
}

/// Returns the entries of level 0 for a range of pages in one table.
pub(super) fn slots(pages: &Range<usize>) -> Range<usize> {
    index(pages.start, 0)..index(pages.end - 1, 0) + 1
}

/// Rounds a range outwards to pages and cuts it at the end of user space.
pub(super) fn clamp(range: Range<usize>) -> Option<Range<usize>> {
    let start = crate::addr::page_floor(range.start);
    let end = crate::addr::page_ceil(range.end.min(USER_END))?;
    (start < end).then_some(start..end)
}

/// Copies some entries of a table to the child, copy-on-write on both sides. The table may be shared.
pub(super) fn fork_leaf(
    leaf: Table<'_>,
    child: &mut PageTable,
    pages: &Range<usize>,
    flush: &mut TlbFlush,
    visit: &mut impl FnMut(PageFlags),
) -> Result<(), Error> {
    let slots = slots(pages);
    let Some(first) = leaf.used(slots.clone()).next() else { return Ok(()) };
    let to = child.leaf_or_new(pages.start)?;
    let mut copied = 0;
    let mut result = Ok(());
    for i in leaf.used(first..slots.end) {
        if !to.load(i).is_absent() {
            result = Err(Error::AlreadyMapped);
            break;
        }
        let old = copy_entry(leaf, to, i);
        if old.flags().contains(PageFlags::WRITE) {
            flush.page(pages.start + (i - slots.start) * PAGE_SIZE, old);
        }
        copied += 1;
        visit(old.flags());
    }
    to.count_add(copied);
    result
}

/// Copies an entry that is in use to another table, copy-on-write in both; returns what it was.
pub(super) fn copy_entry(from: Table<'_>, to: Table<'_>, i: usize) -> Entry {
    let old = from.update(i, Entry::copied_on_write);
    let copy = old.copied_on_write();
    // SAFETY: the entry keeps its handle; the clone's goes to the copy.
    let frame = unsafe { Frame::borrow_raw(old.frame()) };
    (*frame).clone().into_raw();
    to.store(i, copy.with_flags(copy.flags().difference(PageFlags::DIRTY)));
    old
}

/// What a walk that unmaps takes along.
pub(super) struct Unmap<'a> {
    pub(super) flush: &'a mut TlbFlush,
    pub(super) removed: &'a mut dyn FnMut(usize, &Frame, PageFlags),
    /// Single pages with one of these flags stay.
    pub(super) spared: PageFlags,
    /// Shared tables that were given up.
    pub(super) shares: u32,
    /// Pages of 2 MiB, and of 1 GiB, that were unmapped.
    pub(super) large: u32,
    pub(super) huge: u32,
}

/// Unmaps a range below one table; tells nothing about whether the table is empty now, its count does. Of a shared table
/// everything lies in the range or nothing, of a large page everything.
///
/// # Safety
/// `table` is of this level, the caller may change it, and every address of the range lies in it.
unsafe fn unmap_level(table: Table<'_>, level: u32, range: Range<usize>, unmap: &mut Unmap<'_>) {
    let mut left = table.in_use();
    let mut gone = 0;
    for i in table.used(index(range.start, level)..index(range.end - 1, level) + 1) {
        let part = part(&range, i, level);
        if level == 0 {
            if !table.load(i).flags().intersects(unmap.spared) {
                let old = table.swap(i, Entry::ABSENT);
                gone += 1;
                // SAFETY: the entry owned this handle, and has been cleared.
                let frame = unsafe { Frame::from_raw(old.frame()) };
                (unmap.removed)(part.start, &frame, old.flags());
                unmap.flush.page(part.start, old);
                unmap.flush.frame(frame);
            }
        } else if table.load(i).is_large() {
            large::unmap(table, i, part.start, unmap);
            gone += 1;
        } else if level == 1 && table.load(i).is_write_protected() {
            gone += u32::from(share::unmap(table, i, part, unmap));
        // SAFETY: the caller's duty: tables below live until they are freed right here.
        } else if let Some(child) = unsafe { table.child(i) } {
            // SAFETY: the child is of the next level and covers this part of the range.
            unsafe { unmap_level(child, level - 1, part.clone(), unmap) };
            if child.in_use() == 0 {
                table.swap(i, Entry::ABSENT);
                gone += 1;
                // SAFETY: the entry owned this handle, and has been cleared.
                unmap.flush.table(part.start, unsafe { Frame::from_raw(child.number) });
            }
        }
        left -= 1;
        if left == 0 {
            break;
        }
    }
    table.count_sub(gone);
}

/// Returns which part of a range lies in entry `i` of a table of this level that the range lies in.
#[inline]
pub(super) fn part(range: &Range<usize>, i: usize, level: u32) -> Range<usize> {
    let base = range.start & !(span(level) * ENTRIES - 1);
    let start = base + i * span(level);
    start.max(range.start)..(start + span(level)).min(range.end)
}

const _: () = assert!(ENTRIES * PAGE_SIZE == span(1));
