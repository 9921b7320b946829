//! fork(2): a copy of an address space that copies pages when they are written.

use alloc::sync::Arc;

use hal::USER_END;
use hal::paging::{PageFlags, PageTable, TlbFlush};
use linux_abi::errno::Errno;

use super::AddressSpace;
use super::accounts::{Limits, Usage};
use super::mm::{Hot, Mm};
use super::vma::{Lineage, ObjectKind, VmFlags, Vma};
use super::vma_map::VmaMap;
use crate::memory::commitment::{charge, uncharge};
use crate::memory::reserve;

impl AddressSpace {
    /// Makes a copy. Private pages are shared until one side writes; pages of objects come back by faults.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Self>, Errno> {
        let limits = Limits::new();
        limits.copy_from(&self.limits);
        let mut parent = self.mm.lock();
        reserve::check((parent.vmas.len() * 64).max(1 << 14))?;
        let mut child = Mm {
            vmas: VmaMap::new(),
            table: PageTable::new()?,
            usage: Usage::default(),
            layout: parent.layout.clone(),
            hot: Hot::default(),
            default_flags: VmFlags::empty(),
            next_lineage: parent.next_lineage,
            policies: parent.policies.clone(),
        };
        let mut charged = 0;
        let mut flush = TlbFlush::new();
        let copied = parent.copy_to(&mut child, &mut charged, &mut flush);
        flush.finish();
        if let Err(error) = copied {
            drop(parent);
            uncharge(charged);
            return Err(error);
        }
        // With the parent locked: whoever removes pages of a file everywhere meets it before the copy, or the child after.
        Ok(Self::publish(child, limits))
    }
}

/// Page tables with fewer pages are copied at once: as a rule both sides soon write to some of them.
const SHARED_TABLE_MIN_PAGES: u32 = 64;

/// Tells whether a child gets a mapping as it is and nothing in it comes from an object: its page tables may be shared.
fn is_shareable(vma: &Vma) -> bool {
    vma.object.is_none() && !vma.flags.intersects(VmFlags::DONTCOPY | VmFlags::WIPEONFORK)
}

/// Returns the private pages of a mapping that are in memory.
fn anonymous_pages(table: &PageTable, vma: &Vma) -> usize {
    let mut pages = 0;
    table.for_each(vma.range(), |_, _, flags| pages += usize::from(flags.contains(PageFlags::ANONYMOUS)));
    pages
}

impl Mm {
    fn copy_to(&mut self, child: &mut Mm, charged: &mut usize, flush: &mut TlbFlush) -> Result<(), Errno> {
        // Writable entries become copy-on-write below.
        let parent_hot = core::mem::take(&mut self.hot);
        child.usage.anonymous = self.usage.anonymous;
        // Between the last mapping that is not shareable and the next.
        let mut shareable = 0..0;
        let mut shared_to = 0;
        for vma in self.vmas.iter() {
            let is_inherited = !vma.flags.contains(VmFlags::DONTCOPY);
            let is_copied = vma.lineage != Lineage::NONE
                && !vma.flags.intersects(VmFlags::DONTCOPY | VmFlags::WIPEONFORK);
            if is_inherited {
                let lineage =
                    if is_copied { Lineage::inherited(child.fresh_lineage()) } else { Lineage::NONE };
                child.inherit(vma, lineage, charged)?;
            }
            if is_shareable(vma) {
                if shareable.end <= vma.start {
                    let barrier = self.vmas.iter_from(vma.end).find(|vma| !is_shareable(vma));
                    shareable.end = barrier.map_or(USER_END, |vma| vma.start);
                }
                let range = vma.start.max(shared_to)..vma.end;
                if !range.is_empty() {
                    let (to, min_pages) = (&mut child.table, SHARED_TABLE_MIN_PAGES);
                    shared_to = self.table.share_range(to, range, shareable.clone(), min_pages, flush)?;
                }
                continue;
            }
            shareable.start = vma.end;
            if is_copied {
                let mut other = 0;
                self.table.fork_range(&mut child.table, vma.range(), flush, |flags| {
                    other += usize::from(!flags.contains(PageFlags::ANONYMOUS));
                })?;
                child.count_object_pages(vma.kind() == ObjectKind::SharedMemory, other);
            } else if vma.lineage != Lineage::NONE {
                let left_out = anonymous_pages(&self.table, vma);
                child.usage.anonymous = child.usage.anonymous.saturating_sub(left_out);
            }
        }
        // New pages of the hot mapping are still the parent's own.
        self.hot = parent_hot;
        Ok(())
    }

    /// Adds a copy of a parent's mapping.
    fn inherit(&mut self, vma: &Vma, lineage: Lineage, charged: &mut usize) -> Result<(), Errno> {
        self.vmas.make_room(1)?;
        let mut copy = vma.clone();
        copy.flags.remove(VmFlags::LOCKED | VmFlags::LOCKONFAULT);
        copy.lineage = lineage;
        if copy.flags.contains(VmFlags::ACCOUNT) {
            charge(copy.pages())?;
            *charged += copy.pages();
        }
        self.usage.add(copy.flags, copy.pages() as isize);
        self.vmas.insert(copy);
        Ok(())
    }
}
