//! Address spaces of programs: mappings, page faults, fork (what Linux calls `mm`).
//!
//! Invariants:
//! 1. Every page in the page table lies in a mapping, and allows no more than it: a page of a private mapping is
//!    writable only if its frame is this mapping's alone. A page of a private mapping that is not `COPY_ON_WRITE` is its
//!    alone, writable or not.
//! 2. Mappings, page table and accounts change together under one sleeping lock; the page fault takes it too, so user
//!    memory is never touched by the holder. A mapping's object is asked for pages under it, and dropped without it.
//! 3. Pages leave through a `TlbFlush`, which ends before the lock is released.
//! 4. A last-level table that several address spaces share (fork) shows private anonymous memory alone, so what happens
//!    to objects never meets one. Whoever changes something makes the tables it concerns exclusive first, while it can
//!    still fail: that takes memory.
//!
//! Lock order: one address space at a time; then page caches, allocators.
//!
//! Files: [`vma`] what one mapping is and when two are one, [`vma_map`] all of them in order, `mm` their consistent
//! change; then one file for each operation.

mod accounts;
mod advise;
mod brk;
mod fault;
mod fork;
mod gone;
mod large;
mod layout;
mod locate;
mod lock_pages;
mod map;
mod maps;
mod mm;
mod page_map;
mod place;
mod policies;
mod protect;
mod registry;
mod remap;
mod remote;
mod vma;
mod vma_map;

pub use accounts::{Limits, Usage};
pub(super) use fault::zero_frame_number;
pub use fault::{FaultError, FaultKind};
pub use large::LargePages;
pub use map::MapRequest;
pub use maps::{MappingInfo, PageCounts};
pub use page_map::PAGE_COUNT;
pub use place::Place;
pub(super) use registry::for_each_owned;
pub use registry::totals;
pub use remote::RemoteMode;
pub use vma::VmFlags;

pub(super) use registry::unmap_object;

use alloc::sync::Arc;
use core::ops::{Deref, Range};

use hal::paging::{PageFlags, PageTable, SpaceRef, TlbFlush};
use hal::sync::Mutex;
use linux_abi::errno::Errno;

use self::layout::Layout;
use self::mm::{Hot, Mm};
use self::vma_map::VmaMap;
use crate::lock_order;

/// The memory of a process, shared by its threads. It ends when the last handle is dropped, which closes files: not to be
/// done under locks.
pub struct AddressSpace(Arc<Body>);

/// What an address space is to those who look at it, under whatever locks: after its end it is empty.
pub struct Body {
    mm: Mutex<Mm>,
    limits: Limits,
    entry: registry::Entry,
}

impl Deref for AddressSpace {
    type Target = Body;

    #[inline]
    fn deref(&self) -> &Body {
        &self.0
    }
}

impl AddressSpace {
    /// Makes an empty address space with a random layout.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>, Errno> {
        Self::with_layout(Layout::new(crate::random::bytes()))
    }

    /// Makes an empty address space in which nothing is random (`ADDR_NO_RANDOMIZE`).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new_fixed() -> Result<Arc<Self>, Errno> {
        Self::with_layout(Layout::fixed())
    }

    fn with_layout(layout: Layout) -> Result<Arc<Self>, Errno> {
        super::reserve::check(1 << 14)?;
        let table = PageTable::new()?;
        let mm = Mm {
            vmas: VmaMap::new(),
            usage: Usage::default(),
            layout,
            hot: Hot::default(),
            default_flags: VmFlags::empty(),
            next_lineage: 0,
            policies: None,
            table,
        };
        Ok(Self::publish(mm, Limits::new()))
    }

    fn publish(mm: Mm, limits: Limits) -> Arc<Self> {
        let mm = Mutex::new(lock_order::ADDRESS_SPACE, mm);
        let body = Arc::new(Body { mm, limits, entry: registry::Entry::default() });
        registry::add(body.clone());
        Arc::new(Self(body))
    }

    /// Returns what may be looked at under locks.
    pub fn body(&self) -> &Arc<Body> {
        &self.0
    }
}

impl Body {
    /// Returns the handle by which CPUs load the address space.
    pub fn space(&self) -> SpaceRef {
        self.mm.lock().table.space()
    }

    /// Returns the limits, which the process keeps up to date.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the sizes at this moment.
    pub fn usage(&self) -> Usage {
        let mm = self.mm.lock();
        let mut usage = mm.usage;
        usage.large = mm.table.large_pages();
        usage.note_peak();
        usage
    }

    /// Counts the frames of page tables below the root, which takes a walk over them.
    pub fn table_pages(&self) -> usize {
        self.mm.lock().table.table_count()
    }

    /// Forgets how large it has been in memory (`clear_refs`).
    pub fn reset_peak(&self) {
        let mut mm = self.mm.lock();
        mm.usage.peak_resident = mm.usage.resident();
    }

    /// Forgets which pages have been accessed: of `objects`, of the program's own, or both (`clear_refs`).
    ///
    /// # Errors
    /// `ENOMEM`: page tables that are shared with another address space must be copied first.
    pub fn forget_accesses(&self, own: bool, objects: bool) -> Result<(), Errno> {
        let mut guard = self.mm.lock();
        let mm = &mut *guard;
        let mut flush = TlbFlush::new();
        for vma in mm.vmas.iter().filter(|vma| if vma.object.is_some() { objects } else { own }) {
            mm.table.protect_range(vma.range(), PageFlags::empty(), PageFlags::ACCESSED, &mut flush)?;
        }
        Ok(())
    }

    /// Returns the pages in memory, for the choice of a victim; 0 when the address space is busy.
    pub fn resident_pages(&self) -> usize {
        self.mm.try_lock().map_or(0, |mm| mm.usage.resident())
    }

    /// Returns a free address for `len` bytes, aligned to `align` (a power of two), where mappings go.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn find_free(&self, len: usize, align: usize) -> Result<usize, Errno> {
        let align = align.max(hal::PAGE_SIZE);
        let padded = len.checked_add(align - hal::PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        let padded = hal::addr::page_ceil(padded).ok_or(Errno::ENOMEM)?;
        let start = self.mm.lock().place(Place::Hint(0), padded)?;
        start.checked_next_multiple_of(align).ok_or(Errno::ENOMEM)
    }

    /// Returns whether nothing is mapped in `range`.
    pub fn is_free(&self, range: Range<usize>) -> bool {
        self.mm.lock().vmas.is_free(range)
    }

    /// Returns a free address for `len` bytes, as a rule above the stack.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn find_above_stack(&self, len: usize) -> Result<usize, Errno> {
        let mut mm = self.mm.lock();
        let hint = (mm.layout.stack_top + mm.layout.above_stack).min(hal::USER_END.saturating_sub(len));
        mm.place(Place::Hint(hint), len)
    }

    /// Maps pages of a program to a fixed range, private, replacing what is there: an object from a byte offset on, or
    /// zeroes.
    ///
    /// # Errors
    /// As [`mmap`](Self::mmap).
    pub fn map_program(
        &self,
        range: Range<usize>,
        source: Option<(Arc<dyn super::MemoryObject>, u64)>,
        access: VmFlags,
    ) -> Result<(), Errno> {
        let len = range.end.checked_sub(range.start).ok_or(Errno::EINVAL)?;
        let place = Place::Fixed(range.start);
        let request = match source {
            Some((object, offset)) => MapRequest::private(place, len, access, object, offset),
            None => MapRequest::anonymous(place, len, access),
        };
        self.mmap(request).map(|_| ())
    }

    /// Tells whether nothing in it is random.
    pub fn is_fixed(&self) -> bool {
        self.mm.lock().layout.is_fixed
    }

    /// Returns the address at which a position-independent program is to be loaded.
    pub fn pie_base(&self) -> usize {
        self.mm.lock().layout.pie_base
    }

    /// Notes where the program's code and data lie, for `/proc`.
    pub fn set_code_range(&self, code: Range<usize>, data: Range<usize>) {
        let mut mm = self.mm.lock();
        mm.layout.code = code;
        mm.layout.data = data;
    }

    /// Returns where the program's code, data, heap and the start of its stack lie.
    pub fn image(&self) -> (Range<usize>, Range<usize>, Range<usize>, usize) {
        let mm = self.mm.lock();
        let layout = &mm.layout;
        (layout.code.clone(), layout.data.clone(), layout.start_brk..layout.brk, layout.start_stack)
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        registry::remove(self);
        let vmas = {
            let mut guard = self.mm.lock();
            let mm = &mut *guard;
            let charged = mm.vmas.iter().filter(|vma| vma.flags.contains(VmFlags::ACCOUNT));
            super::commitment::uncharge(charged.map(vma::Vma::pages).sum());
            mm.table.free_ranges(mm.vmas.iter().map(vma::Vma::range));
            mm.usage = Usage::default();
            core::mem::take(&mut mm.vmas)
        };
        drop(vmas);
    }
}

impl core::fmt::Debug for AddressSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AddressSpace").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
