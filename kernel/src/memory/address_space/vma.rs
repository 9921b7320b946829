//! One mapping: a range of pages with one kind of contents and one set of rights, and when two of them are one.
//!
//! Linux terms keep Linux names, because `/proc/PID/maps` shows their consequences: two neighbours merge exactly when
//! Linux 6.1 merges them (`mm/mmap.c`, `is_mergeable_vma` and `is_mergeable_anon_vma`).

use alloc::sync::Arc;
use core::ops::Range;

use hal::{PAGE_SHIFT, PAGE_SIZE};

use crate::memory::MemoryObject;

bitflags::bitflags! {
    /// Rights and properties of a mapping (`VM_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct VmFlags: u32 {
        /// Loads are allowed.
        const READ = 0x1;
        /// Stores are allowed.
        const WRITE = 0x2;
        /// Instruction fetches are allowed.
        const EXEC = 0x4;
        /// Stores reach the object and all who map it.
        const SHARED = 0x8;
        /// `mprotect` may allow loads.
        const MAYREAD = 0x10;
        /// `mprotect` may allow stores.
        const MAYWRITE = 0x20;
        /// `mprotect` may allow instruction fetches.
        const MAYEXEC = 0x40;
        /// Made with `MAP_SHARED`, whether or not stores are allowed.
        const MAYSHARE = 0x80;
        /// Grows towards lower addresses when touched below its start.
        const GROWSDOWN = 0x100;
        /// The number of the memory policy.
        const POLICY = 0x1e00;
        /// Stays in memory.
        const LOCKED = 0x2000;
        /// `MADV_SEQUENTIAL`.
        const SEQ_READ = 0x8000;
        /// `MADV_RANDOM`.
        const RAND_READ = 0x1_0000;
        /// Not inherited by a child.
        const DONTCOPY = 0x2_0000;
        /// Neither grown by `mremap` nor merged.
        const DONTEXPAND = 0x4_0000;
        /// Locked page by page, as they are touched.
        const LOCKONFAULT = 0x8_0000;
        /// Counted as committed memory.
        const ACCOUNT = 0x10_0000;
        /// Made with `MAP_NORESERVE`.
        const NORESERVE = 0x20_0000;
        /// A child sees zeroes.
        const WIPEONFORK = 0x200_0000;
        /// Left out of core dumps.
        const DONTDUMP = 0x400_0000;
        /// `MADV_HUGEPAGE`.
        const HUGEPAGE = 0x2000_0000;
        /// `MADV_NOHUGEPAGE`.
        const NOHUGEPAGE = 0x4000_0000;
        /// `MADV_MERGEABLE`.
        const MERGEABLE = 0x8000_0000;

        /// The rights in force.
        const ACCESS = Self::READ.bits() | Self::WRITE.bits() | Self::EXEC.bits();
        /// The rights `mprotect` may grant.
        const MAY = Self::MAYREAD.bits() | Self::MAYWRITE.bits() | Self::MAYEXEC.bits();
        /// What a heap page starts with (`VM_DATA_DEFAULT_FLAGS`).
        const DATA = Self::READ.bits() | Self::WRITE.bits() | Self::MAY.bits();
    }
}

impl VmFlags {
    /// Returns the rights of a mapping.
    pub fn access(reads: bool, writes: bool, executes: bool) -> Self {
        let pick = |wanted: bool, flag: Self| if wanted { flag } else { Self::empty() };
        pick(reads, Self::READ) | pick(writes, Self::WRITE) | pick(executes, Self::EXEC)
    }

    /// Returns the bits of Linux's `vm_flags` that smaps shows; whether pages have changed is never forgotten.
    pub fn shown(self) -> u32 {
        const SOFT_DIRTY: u32 = 0x800_0000;
        self.difference(Self::POLICY).bits() | SOFT_DIRTY
    }

    /// Tells whether a private writable mapping counts as committed memory (`accountable_mapping`).
    pub(super) fn is_accountable(self) -> bool {
        self & (Self::NORESERVE | Self::SHARED | Self::WRITE) == Self::WRITE
    }

    /// Tells whether stores reach the object, now or once mprotect(2) allows them.
    pub(super) fn shares_stores(self) -> bool {
        self.contains(Self::SHARED | Self::MAYWRITE)
    }

    /// Tells whether stores go to private copies.
    pub(super) fn is_private(self) -> bool {
        !self.contains(Self::SHARED) && !self.contains(Self::MAYSHARE)
    }
}

/// Which family of private pages a mapping belongs to (the part of Linux's `anon_vma` that decides merging): none as
/// long as no page has been written, else a number, and whether it was written before the fork that made this address
/// space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Lineage(u32);

impl Lineage {
    /// No page of the mapping has been written yet.
    pub(super) const NONE: Self = Self(0);
    const INHERITED: u32 = 1 << 31;

    /// Makes a lineage that begins in this address space. Numbers recur after 2^31; then unrelated mappings may merge,
    /// which does no harm.
    pub(super) fn own(number: u32) -> Self {
        Self((number & !Self::INHERITED).max(1))
    }

    /// Makes the lineage of a child's copy.
    pub(super) fn inherited(number: u32) -> Self {
        Self(Self::own(number).0 | Self::INHERITED)
    }

    /// Tells whether it began in this address space.
    pub(super) fn is_own(self) -> bool {
        self != Self::NONE && self.0 & Self::INHERITED == 0
    }

    /// Tells whether a mapping of lineage `added` may be joined to `neighbour` (`is_mergeable_anon_vma`). Not symmetric:
    /// a written mapping does not join one that has never been.
    fn joins(added: Self, neighbour: Self) -> bool {
        (added == Self::NONE && neighbour.is_own()) || added == neighbour
    }

    /// Returns the lineage of a union.
    pub(super) fn union(self, other: Self) -> Self {
        if self == Self::NONE { other } else { self }
    }
}

/// What kind of pages a mapping shows that are not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    /// The page of zeroes.
    Zeroes,
    /// Pages of a file.
    File,
    /// Pages of shared memory.
    SharedMemory,
}

/// A mapping. Its object knows how many there are.
pub(super) struct Vma {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) flags: VmFlags,
    pub(super) lineage: Lineage,
    /// Page of the object at `start`. Private anonymous memory counts from address 0, unless it was moved.
    pub(super) offset: u64,
    /// What is mapped; `None` is private anonymous memory.
    pub(super) object: Option<Arc<dyn MemoryObject>>,
}

impl Clone for Vma {
    fn clone(&self) -> Self {
        let Self { start, end, flags, lineage, offset, ref object } = *self;
        if let Some(object) = object {
            // Never refused for a mapping of a kind that exists.
            let _ = object.attach(flags.shares_stores());
        }
        Self { start, end, flags, lineage, offset, object: object.clone() }
    }
}

impl Drop for Vma {
    fn drop(&mut self) {
        if let Some(object) = &self.object {
            object.detach(self.flags.shares_stores());
        }
    }
}

impl Vma {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn pages(&self) -> usize {
        self.len() >> PAGE_SHIFT
    }

    pub(super) fn contains(&self, addr: usize) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Returns the page of the object that lies at `addr`.
    pub(super) fn offset_of(&self, addr: usize) -> u64 {
        self.offset.wrapping_add(((addr - self.start) >> PAGE_SHIFT) as u64)
    }

    pub(super) fn kind(&self) -> ObjectKind {
        match &self.object {
            None => ObjectKind::Zeroes,
            Some(object) if object.is_shared_memory() => ObjectKind::SharedMemory,
            Some(_) => ObjectKind::File,
        }
    }

    pub(super) fn is_accessible(&self) -> bool {
        self.flags.intersects(VmFlags::ACCESS)
    }

    /// Returns the lowest address that a new mapping below must leave free: the guard gap of a stack included.
    pub(super) fn start_with_gap(&self) -> usize {
        if self.flags.contains(VmFlags::GROWSDOWN) {
            self.start.saturating_sub(STACK_GUARD_GAP)
        } else {
            self.start
        }
    }

    /// Splits off the part from `addr`, which lies inside.
    pub(super) fn split_off(&mut self, addr: usize) -> Vma {
        let mut upper = self.clone();
        upper.offset = self.offset_of(addr);
        upper.start = addr;
        self.end = addr;
        upper
    }

    /// Tells whether the contents and flags of `right` continue those of `self` at its end.
    fn is_continued_by(&self, right: &Vma) -> bool {
        self.end == right.start
            && self.flags == right.flags
            && !self.flags.contains(VmFlags::DONTEXPAND)
            && same_object(self.object.as_ref(), right.object.as_ref())
            && self.offset_of(self.end) == right.offset
    }

    /// Tells whether `added`, which begins at the end of `self`, may become part of `self`.
    pub(super) fn accepts_after(&self, added: &Vma) -> bool {
        self.is_continued_by(added) && Lineage::joins(added.lineage, self.lineage)
    }

    /// Tells whether `added`, which begins at the end of `self` and has been found to join a mapping of `lineage` above,
    /// may become part of `self` as well.
    pub(super) fn accepts_lineage(&self, added: &Vma, lineage: Lineage) -> bool {
        self.is_continued_by(added) && Lineage::joins(lineage, self.lineage)
    }

    /// Tells whether `added`, which ends at the start of `self`, may become part of `self`.
    pub(super) fn accepts_before(&self, added: &Vma) -> bool {
        added.is_continued_by(self) && Lineage::joins(added.lineage, self.lineage)
    }

    /// Tells whether `self` and `right` may end up in one mapping when the gap between them closes.
    pub(super) fn bridges_to(&self, right: &Vma) -> bool {
        self.lineage == Lineage::NONE || right.lineage == Lineage::NONE || self.lineage == right.lineage
    }

    /// Tells whether a first store in `self` may join the lineage of its neighbour (`anon_vma_compatible`).
    pub(super) fn shares_lineage_with(left: &Vma, right: &Vma) -> bool {
        left.end == right.start
            && (left.flags ^ right.flags).difference(VmFlags::ACCESS).is_empty()
            && same_object(left.object.as_ref(), right.object.as_ref())
            && left.offset_of(left.end) == right.offset
    }
}

/// Pages kept free below a growing stack, in bytes (256 pages).
pub(super) const STACK_GUARD_GAP: usize = 256 * PAGE_SIZE;

/// Tells whether two mappings show the same open file, or both none.
pub(super) fn same_object(a: Option<&Arc<dyn MemoryObject>>, b: Option<&Arc<dyn MemoryObject>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.mapping_id() == b.mapping_id(),
        _ => false,
    }
}
