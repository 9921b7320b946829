//! One user address space's table: single pages.

use core::cell::Cell;
use core::ops::Range;
use core::slice;

use crate::addr::{PAGE_SIZE, PhysAddr, USER_END, is_page_aligned};
use crate::arch;
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{Entry, ROOT_LEVEL, Table, index, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::range::clamp;
use super::space::SpaceRef;

/// The right to change one address space's mappings. Dropping it leaves the mappings to the tasks that use the space;
/// CPUs that have it loaded only because nothing else was needed since give it up, so that its memory is free as soon
/// as no task uses it.
#[derive(Debug)]
pub struct PageTable {
    pub(super) space: SpaceRef,
    /// Entries of level 1 that forbid stores, because others may have the table.
    pub(super) shares: Cell<u32>,
    /// Pages of 2 MiB, and of 1 GiB.
    pub(super) large: Cell<u32>,
    pub(super) huge: Cell<u32>,
}

impl Drop for PageTable {
    fn drop(&mut self) {
        self.leave_cpus();
    }
}

impl PageTable {
    /// Makes an address space with an empty user half.
    ///
    /// # Errors
    /// `OutOfMemory`: no frame for the root.
    pub fn new() -> Result<Self, Error> {
        let zero = || Cell::new(0);
        Ok(Self { space: SpaceRef::new()?, shares: zero(), large: zero(), huge: zero() })
    }

    /// Returns the handle by which tasks and CPUs use the space.
    pub fn space(&self) -> SpaceRef {
        self.space.clone()
    }

    /// Frees what is mapped in these ranges, if no task uses the space any more: its end, which has to look for what is
    /// mapped, then finds nothing.
    pub fn free_ranges(&mut self, ranges: impl Iterator<Item = Range<usize>>) {
        self.leave_cpus();
        self.space.free_ranges(ranges);
    }

    fn leave_cpus(&self) {
        let root = self.space.root();
        crate::irq::disabled(|| super::leave_unused(root));
        let others = self.space.other_cpus();
        if !others.is_empty() {
            arch::paging::ask_to_leave(others, root);
        }
    }

    /// Maps an unmapped page; the entry takes the frame's handle. A block of 2 MiB, or of 1 GiB where the CPU can
    /// do that, becomes a large page, which wants access and no `COPY_ON_WRITE`. The frame is dropped on failure.
    ///
    /// # Errors
    /// - `Misaligned`, `OutOfRange`: `page` is not the address of such a page below `USER_END`.
    /// - `Unsupported`: flags that a user page cannot have (`GLOBAL`, or `WRITE` with `COPY_ON_WRITE`; others for a large
    ///   page), or a block of another size.
    /// - `InUse`: there are other handles of the block of a large page.
    /// - `AlreadyMapped`: there is a mapping, which stays.
    /// - `OutOfMemory`: no frame for a table.
    pub fn map(&mut self, page: usize, frame: Frame, flags: PageFlags) -> Result<(), Error> {
        if frame.order() != 0 {
            return self.map_large(page, frame, flags);
        }
        check_page(page)?;
        if !flags.fit_user() {
            return Err(Error::Unsupported);
        }
        let leaf = self.leaf_or_new(page)?;
        let i = index(page, 0);
        if !leaf.load(i).is_absent() {
            return Err(Error::AlreadyMapped);
        }
        leaf.store(i, Entry::leaf(frame.into_raw(), flags));
        leaf.count_add(1);
        Ok(())
    }

    /// Maps the pages of a range that are not mapped, as [`map`](Self::map) does, to the frames that `supply` has for them.
    /// Returns how many; where memory for tables runs out it ends.
    pub fn map_missing(
        &mut self,
        range: Range<usize>,
        flags: PageFlags,
        mut supply: impl FnMut(usize) -> Option<Frame>,
    ) -> usize {
        let Some(Range { start: mut page, end }) = clamp(range) else { return 0 };
        let mut mapped = 0;
        while page < end {
            let Ok(leaf) = self.leaf_or_new(page) else { break };
            let start = page & !(span(1) - 1);
            let mut added = 0;
            for i in index(page, 0)..(end - start).min(span(1)) / PAGE_SIZE {
                if leaf.load(i).is_absent()
                    && let Some(frame) = supply(start + i * PAGE_SIZE)
                    && check_leaf(&frame, flags).is_ok()
                {
                    leaf.store(i, Entry::leaf(frame.into_raw(), flags));
                    added += 1;
                }
            }
            leaf.count_add(added);
            mapped += added as usize;
            page = start + span(1);
        }
        mapped
    }

    /// Returns the frame and the flags of a page, another handle of the frame; `None` for a part of a large page too, of
    /// which there is one handle only ([`separate`](Self::separate) makes single pages of it).
    pub fn get(&self, page: usize) -> Option<(Frame, PageFlags)> {
        let (directory, i) = self.directory(page).ok()?;
        // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
        let entry = unsafe { directory.child(i) }?.load(index(page, 0)).below(directory.load(i));
        if entry.is_absent() {
            return None;
        }
        // SAFETY: the entry keeps its handle as long as `self` is borrowed.
        let frame = unsafe { Frame::borrow_raw(entry.frame()) };
        Some(((*frame).clone(), entry.flags()))
    }

    /// Returns the flags of a page.
    pub fn flags(&self, page: usize) -> Option<PageFlags> {
        self.entry(page).map(Entry::flags)
    }

    /// Returns the physical address behind a byte that user mode may read.
    pub fn translate(&self, addr: usize) -> Option<PhysAddr> {
        let entry = self.entry(addr).filter(|entry| entry.is_present())?;
        entry.frame().phys().checked_add((addr % PAGE_SIZE) as u64)
    }

    /// Maps a page to another frame, whether or not it is mapped; the former frame goes to `flush`.
    ///
    /// # Errors
    /// As [`map`](Self::map), without `AlreadyMapped`; `InUse` as [`separate`](Self::separate).
    pub fn replace(
        &mut self,
        page: usize,
        frame: Frame,
        flags: PageFlags,
        flush: &mut TlbFlush,
    ) -> Result<(), Error> {
        check_page(page)?;
        check_leaf(&frame, flags)?;
        self.separate(page)?;
        let leaf = self.leaf_or_new(page)?;
        let old = leaf.swap(index(page, 0), Entry::leaf(frame.into_raw(), flags));
        if old.is_absent() {
            leaf.count_add(1);
        } else {
            flush.begin(&self.space);
            flush.page(page, old);
            // SAFETY: the entry owned this handle, and has been overwritten.
            flush.frame(unsafe { Frame::from_raw(old.frame()) });
        }
        Ok(())
    }

    /// Gives a mapped page these flags; `ACCESSED` and `DIRTY` are added to what the entry has.
    ///
    /// # Errors
    /// `NotMapped`; `Unsupported`, `OutOfMemory` as in [`map`](Self::map).
    pub fn set_flags(&mut self, page: usize, flags: PageFlags, flush: &mut TlbFlush) -> Result<(), Error> {
        if !flags.fit_user() {
            return Err(Error::Unsupported);
        }
        let (leaf, i) = self.mapped(page)?;
        let kept = PageFlags::ACCESSED | PageFlags::DIRTY;
        let old = leaf.update(i, |old| old.with_flags(flags | (old.flags() & kept)));
        flush.begin(&self.space);
        flush.page(page, old);
        Ok(())
    }

    /// Makes a copy-on-write page writable in place, if nobody else has its frame; tells whether it did. A CPU that
    /// still has the read-only entry takes a spurious fault, no more, so nothing is flushed.
    pub fn cow_reuse(&mut self, page: usize) -> bool {
        let Ok((leaf, i)) = self.mapped(page) else { return false };
        let entry = leaf.load(i);
        // SAFETY: the entry keeps its handle: `self` is borrowed exclusively.
        let unique = unsafe { Frame::borrow_raw(entry.frame()) }.is_unique();
        if !entry.flags().contains(PageFlags::COPY_ON_WRITE) || !unique {
            return false;
        }
        leaf.update(i, |old| {
            old.with_flags(old.flags().difference(PageFlags::COPY_ON_WRITE) | PageFlags::WRITE)
        });
        true
    }

    /// Unmaps one page, flushes it everywhere and returns its frame: at the start of a large page all of it.
    ///
    /// # Errors
    /// `NotMapped`, `OutOfMemory`.
    pub fn unmap(&mut self, page: usize) -> Result<Frame, Error> {
        if !is_page_aligned(page) {
            return Err(Error::NotMapped);
        }
        let (table, i, level) = self.find_for_unmap(page)?;
        let old = table.load(i);
        if old.is_absent() {
            return Err(Error::NotMapped);
        }
        let old = table.swap(i, Entry::ABSENT);
        let is_empty = table.count_sub(1);
        if old.may_be_cached() {
            self.space.invalidate(if level == 0 { slice::from_ref(&page) } else { &[] });
        }
        match level {
            0 => (),
            1 => self.large.set(self.large.get() - 1),
            _ => self.huge.set(self.huge.get() - 1),
        }
        if is_empty {
            // Frees the tables; there is nothing else left that could fail.
            self.unmap_range(page..page + PAGE_SIZE, &mut TlbFlush::new())?;
        }
        // SAFETY: the entry owned this handle, has been cleared, and no CPU has it cached any more.
        Ok(unsafe { Frame::from_raw(old.frame()) })
    }

    /// Finds the entry of the largest page that starts at an address, and its level; what is larger, or shared, is
    /// separated first.
    #[inline]
    fn find_for_unmap(&mut self, page: usize) -> Result<(Table<'_>, usize, u32), Error> {
        let mut level = 0;
        if !self.is_plain() {
            let starts = |level: u32| {
                let found = self.table(page, level);
                page.is_multiple_of(span(level)) && found.is_ok_and(|(table, i)| table.load(i).is_large())
            };
            level = (1..=2).rev().find(|&level| starts(level)).unwrap_or(0);
            if level == 0 {
                self.separate(page)?;
            }
        }
        let (table, i) = self.table(page, level).map_err(|_| Error::NotMapped)?;
        Ok((table, i, level))
    }

    /// Returns the entry for an address, as it acts, unless it is absent.
    #[inline]
    fn entry(&self, addr: usize) -> Option<Entry> {
        let Ok((directory, i)) = self.directory(addr) else {
            let (table, i) = self.table(addr, 2).ok()?;
            return Some(table.load(i)).filter(|entry| entry.is_large()).map(|entry| entry.single(addr, 2));
        };
        let above = directory.load(i);
        if above.is_large() {
            return Some(above.single(addr, 1));
        }
        if !above.is_present() {
            return None;
        }
        // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
        let entry = unsafe { Table::at(above.frame()) }.load(index(addr, 0));
        (!entry.is_absent()).then(|| entry.below(above))
    }

    /// Returns the entry of a mapped page, in a table that is this space's alone.
    fn mapped(&mut self, page: usize) -> Result<(Table<'_>, usize), Error> {
        check_page(page)?;
        self.separate(page)?;
        let leaf = self.leaf(page).ok_or(Error::NotMapped)?;
        let i = index(page, 0);
        if leaf.load(i).is_absent() { Err(Error::NotMapped) } else { Ok((leaf, i)) }
    }

    /// Returns the table of level 0 for a user address, if there is one.
    #[inline]
    pub(super) fn leaf(&self, addr: usize) -> Option<Table<'_>> {
        let (directory, i) = self.directory(addr).ok()?;
        // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
        unsafe { directory.child(i) }
    }

    /// Returns the table of level 1 for a user address and the index in it; if there is none, the end of the hole, or of
    /// the page of 1 GiB.
    #[inline]
    pub(super) fn directory(&self, addr: usize) -> Result<(Table<'_>, usize), usize> {
        self.table(addr, 1)
    }

    /// Returns the table of this level for a user address, as [`directory`](Self::directory) does.
    #[inline(always)]
    fn table(&self, addr: usize, level: u32) -> Result<(Table<'_>, usize), usize> {
        if addr >= USER_END {
            return Err(USER_END);
        }
        let mut table = self.space.root_table();
        for above in (level + 1..=ROOT_LEVEL).rev() {
            // SAFETY: as in `leaf`.
            table = unsafe { table.child(index(addr, above)) }.ok_or((addr | (span(above) - 1)) + 1)?;
        }
        Ok((table, index(addr, level)))
    }

    /// Returns the table of level 0 for a user address (checked by the caller), making what is missing. It is this
    /// space's alone. `AlreadyMapped`: a large page.
    #[inline(always)]
    pub(super) fn leaf_or_new(&mut self, addr: usize) -> Result<Table<'_>, Error> {
        let (directory, i) = self.directory_or_new(addr)?;
        let entry = directory.load(i);
        if entry.is_own_table() {
            // SAFETY: as in `leaf`.
            return Ok(unsafe { Table::at(entry.frame()) });
        }
        self.make_leaf(addr, directory, i)
    }

    #[cold]
    fn make_leaf<'a>(&self, addr: usize, directory: Table<'a>, i: usize) -> Result<Table<'a>, Error> {
        if directory.load(i).is_write_protected() {
            self.stop_sharing(addr, directory, i)?;
        }
        child_or_new(directory, i)
    }

    /// Returns the table of level 1 for a user address (checked by the caller) and the index in it. `AlreadyMapped`: a
    /// page of 1 GiB.
    #[inline(always)]
    pub(super) fn directory_or_new(&self, addr: usize) -> Result<(Table<'_>, usize), Error> {
        self.table_or_new(addr, 1)
    }

    /// Returns the table of this level, as [`directory_or_new`](Self::directory_or_new) does.
    #[inline(always)]
    pub(super) fn table_or_new(&self, addr: usize, level: u32) -> Result<(Table<'_>, usize), Error> {
        let mut table = self.space.root_table();
        for above in (level + 1..=ROOT_LEVEL).rev() {
            table = child_or_new(table, index(addr, above))?;
        }
        Ok((table, index(addr, level)))
    }
}

/// Returns the table behind an entry above level 0, of a space that the caller may change; makes it if there is none.
#[inline]
fn child_or_new(table: Table<'_>, i: usize) -> Result<Table<'_>, Error> {
    // SAFETY: as in `PageTable::leaf`.
    if let Some(child) = unsafe { table.child(i) } {
        return Ok(child);
    }
    new_child(table, i)
}

#[cold]
fn new_child(table: Table<'_>, i: usize) -> Result<Table<'_>, Error> {
    if !table.load(i).is_absent() {
        return Err(Error::AlreadyMapped);
    }
    let child = Table::allocate()?;
    table.store(i, Entry::table(child.number));
    table.count_add(1);
    Ok(child)
}

fn check_page(page: usize) -> Result<(), Error> {
    if page >= USER_END {
        return Err(Error::OutOfRange);
    }
    if is_page_aligned(page) { Ok(()) } else { Err(Error::Misaligned) }
}

fn check_leaf(frame: &Frame, flags: PageFlags) -> Result<(), Error> {
    if flags.fit_user() && frame.order() == 0 { Ok(()) } else { Err(Error::Unsupported) }
}
