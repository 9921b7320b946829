//! All address spaces: for cutting files that are mapped, and for totals.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use hal::PAGE_SHIFT;
use hal::paging::{Owned, TlbFlush};
use hal::sync::SpinLock;

use super::Body;
use super::accounts::Usage;
use super::mm::Mm;
use super::vma::Vma;
use crate::list::{Linked, Links, List};
use crate::lock_order;

/// The kind of link by which an address space is in the list of all.
pub(super) struct RegistryLink;

/// An address space's place in the list. Changes under the list's lock.
#[derive(Default)]
pub(super) struct Entry {
    links: Links<Body>,
    /// Visits that stand here.
    visits: AtomicU32,
    /// Whether to leave the list with the last of them.
    is_over: AtomicBool,
}

impl Linked<RegistryLink> for Body {
    fn links(&self) -> &Links<Self> {
        &self.entry.links
    }
}

type Spaces = List<Body, RegistryLink>;

hal::machine_static! {
    static SPACES: SpinLock<Spaces> = SpinLock::new(lock_order::ADDRESS_SPACES, List::new());
}

pub(super) fn add(space: Arc<Body>) {
    SPACES.lock().push_back(space);
}

pub(super) fn remove(space: &Body) {
    let mut spaces = SPACES.lock();
    if space.entry.visits.load(Relaxed) == 0 {
        spaces.remove(space);
    } else {
        space.entry.is_over.store(true, Relaxed);
    }
}

/// Goes on in the list from `here`, where the caller's visit stands, or to its beginning; the visit stands at the answer
/// then.
fn step(here: Option<&Arc<Body>>) -> Option<Arc<Body>> {
    let mut spaces = SPACES.lock();
    let next = here.map_or_else(|| spaces.front().cloned(), Spaces::next_of);
    if let Some(next) = &next {
        next.entry.visits.fetch_add(1, Relaxed);
    }
    if let Some(here) = here
        && here.entry.visits.fetch_sub(1, Relaxed) == 1
        && here.entry.is_over.load(Relaxed)
    {
        spaces.remove(here);
    }
    next
}

/// Calls `visit` with every address space, without the list's lock; one that ends meanwhile is seen empty.
///
/// All are visited that are there from the beginning to the end, and children of forks that the visit of the parent has
/// met half done: new ones come at the end of the list, and the one where a visit stands stays in it.
pub(super) fn for_each(mut visit: impl FnMut(&Body)) {
    let mut here = step(None);
    while let Some(space) = here {
        visit(&space);
        here = step(Some(&space));
    }
}

/// Calls `visit` with everything that the page tables of all address spaces own.
pub(in crate::memory) fn for_each_owned(visit: &mut dyn FnMut(Owned) -> bool) {
    for_each(|space| space.mm.lock().table.for_each_owned(visit));
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
    for_each(|space| space.mm.lock().unmap_object(content_id, &pages, with_copies));
}

/// Returns the addresses at which a mapping shows pages of its object.
fn addresses(vma: &Vma, pages: &Range<u64>) -> Range<usize> {
    let address = |page: u64| {
        let page = page.saturating_sub(vma.offset).min(vma.pages() as u64) as usize;
        vma.start + (page << PAGE_SHIFT)
    };
    address(pages.start)..address(pages.end)
}

impl Mm {
    fn unmap_object(&mut self, content_id: usize, pages: &Range<u64>, with_copies: bool) {
        let mut flush = TlbFlush::new();
        let mut at = 0;
        loop {
            let shows =
                |vma: &&Vma| vma.object.as_ref().is_some_and(|object| object.content_id() == content_id);
            let Some(vma) = self.vmas.iter_from(at).find(shows) else { break };
            at = vma.end;
            let range = addresses(vma, pages);
            if !range.is_empty() {
                let (kind, all) = (vma.kind(), with_copies || !vma.flags.is_private());
                // Needs no memory: objects are in no page table that is shared.
                let _ = if all {
                    self.zap(kind, range, &mut flush)
                } else {
                    self.zap_objects(kind, range, &mut flush)
                };
            }
        }
    }
}
