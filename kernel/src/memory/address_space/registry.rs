//! All address spaces: for cutting files that are mapped, and for totals.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hal::paging::{PageFlags, TlbFlush};
use hal::sync::SpinLock;
use hal::{PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;

use super::AddressSpace;
use super::accounts::Usage;
use super::mm::Mm;
use super::vma::{ObjectKind, Vma};
use crate::lock_order;

#[derive(Default)]
struct Registry {
    spaces: Vec<Weak<AddressSpace>>,
    /// Address spaces whose last handle was a look at them. Dropping one closes files, which whoever looked must not do
    /// under its locks.
    deferred: Vec<AddressSpace>,
}

impl Registry {
    /// Drops a handle; if it is the last, what it leads to waits for [`drop_deferred`].
    fn let_go(&mut self, handle: Arc<AddressSpace>) {
        if let Some(space) = Arc::into_inner(handle) {
            self.deferred.push(space);
            HAS_DEFERRED.store(true, Relaxed);
        }
    }
}

hal::machine_static! {
    static SPACES: SpinLock<Registry> =
        SpinLock::new(lock_order::ADDRESS_SPACES, Registry { spaces: Vec::new(), deferred: Vec::new() });
    static HAS_DEFERRED: AtomicBool = AtomicBool::new(false);
}

pub(super) fn add(space: &Arc<AddressSpace>) {
    let mut registry = SPACES.lock();
    space.slot.store(registry.spaces.len(), Relaxed);
    registry.spaces.push(Arc::downgrade(space));
}

pub(super) fn remove(space: &AddressSpace) {
    let mut registry = SPACES.lock();
    let slot = space.slot.load(Relaxed);
    if slot >= registry.spaces.len() {
        return;
    }
    let gone = registry.spaces.swap_remove(slot);
    if let Some(moved) = registry.spaces.get(slot).and_then(Weak::upgrade) {
        moved.slot.store(slot, Relaxed);
        registry.let_go(moved);
    }
    drop(registry);
    drop(gone);
}

/// Drops what was left over. To be called where any file may be closed.
pub(super) fn drop_deferred() {
    if HAS_DEFERRED.load(Relaxed) {
        let deferred = {
            let mut registry = SPACES.lock();
            HAS_DEFERRED.store(false, Relaxed);
            core::mem::take(&mut registry.deferred)
        };
        drop(deferred);
    }
}

impl AddressSpace {
    /// Lets go of a handle that was got to look at an address space while locks are held. If it is the last one, what it
    /// leads to is dropped later, where files may be closed.
    pub fn let_go(handle: Arc<Self>) {
        SPACES.lock().let_go(handle);
    }
}

/// Calls `visit` with every address space, without the list's lock.
fn for_each(mut visit: impl FnMut(&AddressSpace)) {
    let spaces: Vec<Arc<AddressSpace>> = SPACES.lock().spaces.iter().filter_map(Weak::upgrade).collect();
    for space in &spaces {
        visit(space);
    }
    let mut registry = SPACES.lock();
    spaces.into_iter().for_each(|space| registry.let_go(space));
}

/// Returns the sum over all address spaces.
pub fn totals() -> Usage {
    let mut sum = Usage::default();
    for_each(|space| {
        let mm = space.mm.lock();
        let usage = &mm.usage;
        sum.large += mm.table.large_pages();
        sum.anonymous += usage.anonymous;
        sum.file += usage.file;
        sum.shared += usage.shared;
        sum.locked += usage.locked;
        sum.total += usage.total;
    });
    sum
}

/// Removes the pages of some contents (by [`content_id`](crate::memory::MemoryObject::content_id)) from all page tables;
/// private copies stay unless `with_copies`.
pub(in crate::memory) fn unmap_object(content_id: usize, pages: Range<u64>, with_copies: bool) {
    for_each(|space| {
        let mut mm = space.mm.lock();
        let shows = |vma: &Vma| vma.object.as_ref().is_some_and(|object| object.content_id() == content_id);
        let parts: Vec<(ObjectKind, bool, Range<usize>)> = mm
            .vmas
            .iter()
            .filter(|vma| shows(vma))
            .filter_map(|vma| {
                let first = pages.start.saturating_sub(vma.offset).min(vma.pages() as u64) as usize;
                let end = pages.end.saturating_sub(vma.offset).min(vma.pages() as u64) as usize;
                let range = vma.start + (first << PAGE_SHIFT)..vma.start + (end << PAGE_SHIFT);
                (first < end).then(|| (vma.kind(), with_copies || !vma.flags.is_private(), range))
            })
            .collect();
        let mut flush = TlbFlush::new();
        for (kind, all, range) in parts {
            // Needs no memory: objects are in no page table that is shared.
            let _ = if all {
                mm.zap(kind, range, &mut flush)
            } else {
                zap_file_pages(&mut mm, kind, range, &mut flush)
            };
        }
        flush.finish();
    });
}

fn zap_file_pages(
    mm: &mut Mm,
    kind: ObjectKind,
    range: Range<usize>,
    flush: &mut TlbFlush,
) -> Result<(), Errno> {
    let mut pages = Vec::new();
    mm.table.for_each(range, |page, _, flags| {
        if !flags.contains(PageFlags::ANONYMOUS) {
            pages.push(page);
        }
    });
    pages.into_iter().try_for_each(|page| mm.zap(kind, page..page + PAGE_SIZE, flush))
}
