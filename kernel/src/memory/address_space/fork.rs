//! fork(2): a copy of an address space that copies pages when they are written.

use alloc::sync::Arc;

use hal::paging::{ForkMode, PageFlags, PageTable, TlbFlush};
use linux_abi::errno::Errno;

use super::AddressSpace;
use super::accounts::{Limits, Usage, charge, uncharge};
use super::mm::{Hot, Mm};
use super::registry;
use super::vma::{Lineage, VmFlags};
use super::vma_map::VmaMap;
use crate::memory::reserve;

impl AddressSpace {
    /// Makes a copy. Private pages are shared until one side writes; pages of objects come back by faults.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Self>, Errno> {
        registry::drop_deferred();
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
        };
        let mut charged = 0;
        let mut flush = TlbFlush::new();
        let copied = parent.copy_to(&mut child, &mut charged, &mut flush);
        flush.finish();
        drop(parent);
        if let Err(error) = copied {
            uncharge(charged);
            return Err(error);
        }
        Ok(Self::publish(child, limits))
    }
}

impl Mm {
    fn copy_to(&mut self, child: &mut Mm, charged: &mut usize, flush: &mut TlbFlush) -> Result<(), Errno> {
        // Writable entries become copy-on-write below.
        let parent_hot = core::mem::take(&mut self.hot);
        for vma in self.vmas.iter() {
            if vma.flags.contains(VmFlags::DONTCOPY) {
                continue;
            }
            let mut copy = vma.clone();
            copy.flags.remove(VmFlags::LOCKED | VmFlags::LOCKONFAULT);
            let wiped = vma.flags.contains(VmFlags::WIPEONFORK);
            let has_copies = vma.lineage != Lineage::NONE && !wiped;
            copy.lineage = if has_copies { Lineage::inherited(child.fresh_lineage()) } else { Lineage::NONE };
            if copy.flags.contains(VmFlags::ACCOUNT) {
                charge(copy.pages())?;
                *charged += copy.pages();
            }
            child.usage.add(copy.flags, copy.pages() as isize);
            let range = copy.range();
            let is_shared_memory = copy.object.as_ref().map(|object| object.is_shared_memory());
            child.vmas.insert(copy);
            if !has_copies {
                continue;
            }
            let (mut anonymous, mut other) = (0, 0);
            let result =
                self.table.fork_range_with(&mut child.table, range, ForkMode::CopyOnWrite, flush, |flags| {
                    if flags.contains(PageFlags::ANONYMOUS) {
                        anonymous += 1;
                    } else {
                        other += 1;
                    }
                });
            child.usage.anonymous += anonymous;
            if let Some(is_shared_memory) = is_shared_memory {
                child.count_object_pages(is_shared_memory, other);
            }
            result?;
        }
        // New pages of the hot mapping are still the parent's own.
        self.hot = parent_hot;
        Ok(())
    }
}
