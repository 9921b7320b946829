//! One user address space's table: single pages.

use core::cell::Cell;
use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, USER_END, is_page_aligned};
use crate::arch;
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{Entry, ROOT_LEVEL, Table, index, span};
use super::flags::PageFlags;
use super::flush::TlbFlush;
use super::space::SpaceRef;

/// The right to change one address space's mappings. Dropping it leaves the mappings to the tasks that use the space;
/// CPUs that have it loaded only because nothing else was needed since give it up, so that its memory is free as soon
/// as no task uses it.
#[derive(Debug)]
pub struct PageTable {
    pub(super) space: SpaceRef,
    /// Entries of level 1 that forbid stores, because others may have the table.
    pub(super) shares: Cell<u32>,
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
        Ok(Self { space: SpaceRef::new()?, shares: Cell::new(0) })
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

    /// Maps an unmapped page; the entry takes the frame's handle. The frame is dropped on failure.
    ///
    /// # Errors
    /// - `Misaligned`, `OutOfRange`: `page` is not the address of a page below `USER_END`.
    /// - `Unsupported`: flags that a user page cannot have (`GLOBAL`, or `WRITE` with `COPY_ON_WRITE`), or a block of
    ///   more than one frame.
    /// - `AlreadyMapped`: there is a mapping, which stays.
    /// - `OutOfMemory`: no frame for a table.
    pub fn map(&mut self, page: usize, frame: Frame, flags: PageFlags) -> Result<(), Error> {
        check_page(page)?;
        check_leaf(&frame, flags)?;
        let leaf = self.leaf_or_new(page)?;
        let i = index(page, 0);
        if !leaf.load(i).is_absent() {
            return Err(Error::AlreadyMapped);
        }
        leaf.store(i, Entry::leaf(frame.into_raw(), flags));
        leaf.count_add(1);
        Ok(())
    }

    /// Returns the frame and the flags of a page, another handle of the frame.
    pub fn get(&self, page: usize) -> Option<(Frame, PageFlags)> {
        let entry = self.entry(page)?;
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
    /// As [`map`](Self::map), without `AlreadyMapped`.
    pub fn replace(
        &mut self,
        page: usize,
        frame: Frame,
        flags: PageFlags,
        flush: &mut TlbFlush,
    ) -> Result<(), Error> {
        check_page(page)?;
        check_leaf(&frame, flags)?;
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

    /// Unmaps one page, flushes it everywhere and returns its frame.
    ///
    /// # Errors
    /// `NotMapped`, `OutOfMemory`.
    pub fn unmap(&mut self, page: usize) -> Result<Frame, Error> {
        let (frame, _) = self.get(page).filter(|_| is_page_aligned(page)).ok_or(Error::NotMapped)?;
        let mut flush = TlbFlush::new();
        self.unmap_range(page..page + PAGE_SIZE, &mut flush)?;
        flush.finish();
        Ok(frame)
    }

    /// Returns the entry for an address, as it acts, unless it is absent.
    fn entry(&self, addr: usize) -> Option<Entry> {
        let (directory, i) = self.directory(addr).ok()?;
        // SAFETY: tables below the root are freed under an exclusive borrow of `self` only.
        let entry = unsafe { directory.child(i) }?.load(index(addr, 0));
        (!entry.is_absent()).then(|| entry.below(directory.load(i)))
    }

    /// Returns the entry of a mapped page, in a table that is this space's alone.
    fn mapped(&mut self, page: usize) -> Result<(Table<'_>, usize), Error> {
        check_page(page)?;
        self.make_exclusive(page)?;
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

    /// Returns the table of level 1 for a user address and the index in it; if there is none, the end of the hole.
    #[inline]
    pub(super) fn directory(&self, addr: usize) -> Result<(Table<'_>, usize), usize> {
        if addr >= USER_END {
            return Err(USER_END);
        }
        let mut table = self.space.root_table();
        for level in (2..=ROOT_LEVEL).rev() {
            // SAFETY: as in `leaf`.
            table = unsafe { table.child(index(addr, level)) }.ok_or((addr | (span(level) - 1)) + 1)?;
        }
        Ok((table, index(addr, 1)))
    }

    /// Returns the table of level 0 for a user address (checked by the caller), making what is missing. It is this
    /// space's alone.
    #[inline]
    pub(super) fn leaf_or_new(&mut self, addr: usize) -> Result<Table<'_>, Error> {
        let (directory, i) = self.directory_or_new(addr)?;
        if directory.load(i).is_write_protected() {
            self.stop_sharing(addr, directory, i)?;
        }
        child_or_new(directory, i)
    }

    /// Returns the table of level 1 for a user address (checked by the caller) and the index in it.
    #[inline]
    pub(super) fn directory_or_new(&self, addr: usize) -> Result<(Table<'_>, usize), Error> {
        let mut table = self.space.root_table();
        for level in (2..=ROOT_LEVEL).rev() {
            table = child_or_new(table, index(addr, level))?;
        }
        Ok((table, index(addr, 1)))
    }
}

/// Returns the table behind an entry above level 0, of a space that the caller may change; makes it if there is none.
#[inline]
fn child_or_new(table: Table<'_>, i: usize) -> Result<Table<'_>, Error> {
    // SAFETY: as in `PageTable::leaf`.
    if let Some(child) = unsafe { table.child(i) } {
        return Ok(child);
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
