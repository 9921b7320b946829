//! What the lock of an address space guards: mappings, page table, accounts; and their consistent change.

use alloc::boxed::Box;
use core::ops::Range;

use hal::paging::{PageFlags, PageTable, TlbFlush};
use hal::{PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;
use linux_abi::limits::MAX_MAP_COUNT;

use super::accounts::{Limits, Usage};
use super::gone::Gone;
use super::large;
use super::layout::Layout;
use super::policies::Policies;
use super::vma::{Lineage, ObjectKind, VmFlags, Vma};
use super::vma_map::{Position, VmaMap};
use crate::memory::commitment::{charge, uncharge};

/// The mapping of the last write fault, if it is private anonymous memory: the next one is likely there too.
#[derive(Clone, Default)]
pub(super) struct Hot {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) writable: Option<PageFlags>,
    /// What of it may be in large pages.
    pub(super) large: Range<usize>,
}

impl Hot {
    /// Remembers a mapping that may be written to.
    pub(super) fn new(vma: &Vma, writable: PageFlags) -> Self {
        Self { start: vma.start, end: vma.end, writable: Some(writable), large: large::area(vma) }
    }
}

/// The locked part of an address space.
pub(super) struct Mm {
    pub(super) vmas: VmaMap,
    pub(super) table: PageTable,
    pub(super) usage: Usage,
    pub(super) layout: Layout,
    pub(super) hot: Hot,
    /// Flags of all future mappings (`mlockall`).
    pub(super) default_flags: VmFlags,
    pub(super) next_lineage: u32,
    /// What the policies of mappings are; none as long as no mapping has had one.
    pub(super) policies: Option<Box<Policies>>,
}

/// Returns how a page of a mapping may be accessed; `WRITE` is added where stores need no notice.
pub(super) fn page_flags(flags: VmFlags) -> PageFlags {
    let mut page = PageFlags::empty();
    if flags.intersects(VmFlags::ACCESS) {
        page |= PageFlags::USER_ACCESS;
    }
    if !flags.contains(VmFlags::EXEC) {
        page |= PageFlags::NO_EXECUTE;
    }
    page
}

impl Mm {
    pub(super) fn fresh_lineage(&mut self) -> u32 {
        self.next_lineage = self.next_lineage.wrapping_add(1);
        self.next_lineage
    }

    /// Tells whether `pages` more of a mapping with these flags fit the limits (`may_expand_vm`).
    pub(super) fn may_expand(&self, flags: VmFlags, pages: usize, limits: &Limits) -> bool {
        let bytes = |pages: usize| (pages as u64).saturating_mul(PAGE_SIZE as u64);
        if bytes(self.usage.total.saturating_add(pages)) > limits.address_space() {
            return false;
        }
        !Usage::is_data(flags) || bytes(self.usage.data.saturating_add(pages)) <= limits.data()
    }

    /// Returns the pages of a range that are mapped.
    pub(super) fn pages_in(&self, range: Range<usize>) -> usize {
        let parts = self.vmas.overlapping(range.clone());
        parts.map(|vma| (vma.end.min(range.end) - vma.start.max(range.start)) >> PAGE_SHIFT).sum()
    }

    /// Adds a new mapping at free addresses, joined with its neighbours where Linux joins them.
    pub(super) fn add(&mut self, vma: Vma) {
        self.usage.add(vma.flags, vma.pages() as isize);
        let start = vma.start;
        self.vmas.insert(vma);
        self.merge(start, true);
    }

    /// Joins the mapping at `start` with its neighbours (`vma_merge`; for new ones as in `mmap_region`).
    pub(super) fn merge(&mut self, start: usize, is_new: bool) {
        self.hot = Hot::default();
        let Some(at) = self.vmas.find(start) else { return };
        let this = self.vmas.get(at);
        let (previous, next) = (self.vmas.previous(at), self.vmas.next(at));
        let before = next.is_some_and(|next| self.vmas.get(next).accepts_before(this));
        let after = previous.is_some_and(|previous| {
            let previous = self.vmas.get(previous);
            match next.map(|next| self.vmas.get(next)) {
                Some(next) if is_new && before => previous.accepts_lineage(this, next.lineage),
                _ => previous.accepts_after(this),
            }
        });
        let both = before
            && after
            && match (previous, next) {
                (Some(previous), Some(next)) => self.vmas.get(previous).bridges_to(self.vmas.get(next)),
                _ => false,
            };
        if (both || (before && !after))
            && let Some(next) = next
        {
            self.join(at, next);
        }
        if after && let Some(previous) = previous {
            self.join(previous, at);
        }
    }

    /// Makes one mapping of two neighbours. The one that goes has not the last handle of the file: the other has one.
    fn join(&mut self, left: Position, right: Position) {
        let right = self.vmas.remove(right);
        self.vmas.update(left, |vma| {
            vma.end = right.end;
            vma.lineage = vma.lineage.union(right.lineage);
        });
    }

    /// Cuts the mappings so that one begins at `start` and one ends at `end`.
    ///
    /// # Errors
    /// `ENOMEM`: too many mappings, or no memory for them.
    pub(super) fn isolate(&mut self, range: Range<usize>) -> Result<(), Errno> {
        self.hot = Hot::default();
        self.vmas.make_room(2)?;
        for edge in [range.start, range.end] {
            let inside = self.vmas.containing(edge).is_some_and(|vma| vma.start < edge);
            if inside {
                if self.vmas.len() >= MAX_MAP_COUNT {
                    return Err(Errno::ENOMEM);
                }
                self.vmas.split(edge);
            }
        }
        Ok(())
    }

    /// Removes all mappings of a page-aligned range.
    ///
    /// # Errors
    /// `ENOMEM`: a mapping would be split and there are too many, or no memory for that or for a page table. Nothing has
    /// changed.
    pub(super) fn unmap(
        &mut self,
        range: Range<usize>,
        flush: &mut TlbFlush,
        gone: &mut Gone,
    ) -> Result<(), Errno> {
        let Some(first) = self.vmas.find(range.start).filter(|&at| self.vmas.get(at).start < range.end)
        else {
            return Ok(());
        };
        let first = self.vmas.get(first);
        let splits = first.start < range.start && first.end > range.end;
        if splits && self.vmas.len() >= MAX_MAP_COUNT {
            return Err(Errno::ENOMEM);
        }
        self.vmas.make_room(2)?;
        gone.make_room(self.vmas.overlapping(range.clone()))?;
        if !self.table.is_plain() {
            for vma in self.vmas.overlapping(range.clone()) {
                self.table.prepare_unmap(vma.start.max(range.start)..vma.end.min(range.end))?;
            }
        }
        self.hot = Hot::default();
        self.vmas.split(range.start);
        self.vmas.split(range.end);
        while let Some(at) = self.vmas.find(range.start).filter(|&at| self.vmas.get(at).start < range.end) {
            let vma = self.vmas.remove(at);
            self.usage.add(vma.flags, -(vma.pages() as isize));
            if vma.flags.contains(VmFlags::ACCOUNT) {
                uncharge(vma.pages());
            }
            let zapped = self.zap(vma.kind(), vma.range(), flush);
            gone.push(vma);
            zapped?;
        }
        Ok(())
    }

    /// Takes the pages of a part of a mapping out of the page table.
    ///
    /// # Errors
    /// `ENOMEM`: no memory to copy a page table that is shared with another address space, of which a part is concerned.
    /// Nothing has changed.
    pub(super) fn zap(
        &mut self,
        kind: ObjectKind,
        range: Range<usize>,
        flush: &mut TlbFlush,
    ) -> Result<(), Errno> {
        self.zap_but(PageFlags::empty(), kind, range, flush)
    }

    /// As [`zap`](Self::zap), but private copies stay.
    pub(super) fn zap_objects(
        &mut self,
        kind: ObjectKind,
        range: Range<usize>,
        flush: &mut TlbFlush,
    ) -> Result<(), Errno> {
        self.zap_but(PageFlags::ANONYMOUS, kind, range, flush)
    }

    fn zap_but(
        &mut self,
        spared: PageFlags,
        kind: ObjectKind,
        range: Range<usize>,
        flush: &mut TlbFlush,
    ) -> Result<(), Errno> {
        self.usage.note_peak();
        let (mut anonymous, mut file) = (0, 0);
        self.table.unmap_range_but(spared, range, flush, |_, frame, flags| {
            if flags.contains(PageFlags::ANONYMOUS) {
                anonymous += 1 << frame.order();
            } else {
                file += 1;
            }
        })?;
        self.usage.anonymous = self.usage.anonymous.saturating_sub(anonymous);
        self.uncount(kind, file);
        Ok(())
    }

    /// Counts pages of an object that left the page table.
    pub(super) fn uncount(&mut self, kind: ObjectKind, pages: usize) {
        match kind {
            ObjectKind::SharedMemory => self.usage.shared = self.usage.shared.saturating_sub(pages),
            ObjectKind::File => self.usage.file = self.usage.file.saturating_sub(pages),
            ObjectKind::Zeroes => {}
        }
    }

    /// Counts pages of a mapping that came into the page table and are not anonymous.
    pub(super) fn count_object_pages(&mut self, vma_is_shared_memory: bool, pages: usize) {
        if vma_is_shared_memory {
            self.usage.shared += pages;
        } else {
            self.usage.file += pages;
        }
    }

    /// Changes the flags of all mappings of a range that is mapped throughout, as `change` says, and joins them.
    ///
    /// # Errors
    /// `ENOMEM`: too many mappings.
    pub(super) fn change_flags(
        &mut self,
        range: Range<usize>,
        mut change: impl FnMut(&Vma) -> Result<VmFlags, Errno>,
    ) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let Some(position) = self.vmas.find(at).filter(|&p| self.vmas.get(p).start < range.end) else {
                break;
            };
            let vma = self.vmas.get(position);
            let part = vma.start.max(range.start)..vma.end.min(range.end);
            at = part.end;
            let flags = change(vma)?;
            if flags == vma.flags {
                continue;
            }
            self.isolate(part.clone())?;
            let Some(position) = self.vmas.find(part.start) else { break };
            let pages = (part.len() >> PAGE_SHIFT) as isize;
            let old = self.vmas.update(position, |vma| core::mem::replace(&mut vma.flags, flags));
            self.usage.add(old, -pages);
            self.usage.add(flags, pages);
            self.merge(part.start, false);
        }
        Ok(())
    }

    /// Charges committed memory for a mapping, if its kind is charged; returns the flags to use.
    ///
    /// # Errors
    /// `ENOMEM`: more than the machine has.
    pub(super) fn commit(flags: VmFlags, pages: usize) -> Result<VmFlags, Errno> {
        if !flags.is_accountable() {
            return Ok(flags);
        }
        charge(pages)?;
        Ok(flags | VmFlags::ACCOUNT)
    }

    /// Gives a mapping that is about to get its first private page a lineage (`anon_vma_prepare`).
    pub(super) fn prepare_lineage(&mut self, at: Position) {
        let vma = self.vmas.get(at);
        if vma.lineage != Lineage::NONE {
            return;
        }
        let next = self.vmas.next(at).map(|next| self.vmas.get(next));
        let previous = self.vmas.previous(at).map(|previous| self.vmas.get(previous));
        let lineage = match (next, previous) {
            (Some(next), _) if next.lineage.is_own() && Vma::shares_lineage_with(vma, next) => next.lineage,
            (_, Some(previous)) if previous.lineage.is_own() && Vma::shares_lineage_with(previous, vma) => {
                previous.lineage
            }
            _ => Lineage::own(self.fresh_lineage()),
        };
        self.vmas.update(at, |vma| vma.lineage = lineage);
    }
}
