//! The root of an address space, shared with the CPUs that have it loaded.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use address_tags::{Forget, Request, Tags};

use crate::addr::{PhysAddr, USER_END};
use crate::arch;
use crate::cpu::CpuId;
use crate::error::Error;
use crate::frame::Frame;

use super::cpu_mask::CpuMask;
use super::entry::{ENTRIES, Entry, ROOT_LEVEL, Table, index};
use super::range::{clamp, part};
use super::share::Share;

/// A root table and everything below it.
#[derive(Debug)]
pub(crate) struct Space {
    root: Frame,
    /// CPUs whose MMU may use the root. A CPU adds itself before it loads the root and leaves after loading another.
    cpus: AtomicU64,
    /// No other space has or had this number.
    number: u64,
    /// How often CPUs have been asked to forget something.
    generation: AtomicU64,
}

/// A handle of an address space: cheap to clone, comparable, keeps the tables alive.
#[derive(Clone, Debug)]
pub struct SpaceRef(Arc<Space>);

impl PartialEq for SpaceRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SpaceRef {}

impl SpaceRef {
    /// Makes an empty user space below the shared kernel half.
    pub(super) fn new() -> Result<SpaceRef, Error> {
        let table = Table::allocate()?;
        // SAFETY: `allocate` leaves the handle to the caller.
        let root = unsafe { Frame::from_raw(table.number) };
        for index in ENTRIES / 2..ENTRIES {
            table.entries[index].store(arch::paging::kernel_root_entry(index), Ordering::Relaxed);
        }
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(SpaceRef(Arc::new(Space { root, cpus: AtomicU64::new(0), number, generation: AtomicU64::new(0) })))
    }

    pub(crate) fn root(&self) -> PhysAddr {
        self.0.root.phys()
    }

    pub(super) fn root_table(&self) -> Table<'_> {
        self.0.root_table()
    }

    /// Frees what is mapped in some ranges, if this is the only handle.
    pub(super) fn free_ranges(&mut self, ranges: impl Iterator<Item = Range<usize>>) {
        if let Some(space) = Arc::get_mut(&mut self.0) {
            ranges.filter_map(clamp).for_each(|range| space.free_range(range));
        }
    }

    /// Returns the CPUs that have the space loaded, without this one. Call it after the entries have been changed by
    /// sequentially consistent operations: then a CPU that is missing here will see the new entries.
    pub(crate) fn other_cpus(&self) -> CpuMask {
        CpuMask(self.0.cpus.load(Ordering::SeqCst) & !(1 << crate::cpu::id().index()))
    }

    /// Returns the other CPUs that have the space loaded, bit n for CPU n. A CPU that is missing passes a full memory
    /// barrier before it runs anything in the space.
    pub fn loaded_elsewhere(&self) -> u64 {
        self.other_cpus().0
    }

    /// Drops translations of the space on every CPU that has it loaded: of some pages, or of all if none is named. To be
    /// called after the entries have been changed, as [`other_cpus`](Self::other_cpus).
    pub(super) fn invalidate(&self, pages: &[usize]) {
        // Sequentially consistent, between the changes and the look at who has it loaded: as `activate` wants it.
        let generation = self.0.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let request = Request { space: self.0.number, generation };
        if self.is_loaded_here() {
            match LOADED.get().tags.obey(request) {
                Forget::Listed if !pages.is_empty() => {
                    pages.iter().for_each(|&page| arch::paging::invalidate_page(page));
                }
                Forget::Nothing => (),
                _ => arch::paging::invalidate_all(),
            }
        }
        let others = self.other_cpus();
        if !others.is_empty() {
            arch::paging::shootdown(others, request, pages);
        }
    }

    /// Tells whether this CPU has the space loaded.
    pub(crate) fn is_loaded_here(&self) -> bool {
        LOADED.get().space.load(Ordering::Relaxed).cast_const() == Arc::as_ptr(&self.0)
    }
}

impl Space {
    /// Frees what is mapped in a range.
    fn free_range(&mut self, range: Range<usize>) {
        // SAFETY: the exclusive reference: no task and no CPU refers to the space, each would hold a count.
        unsafe { free_range(self.root_table(), ROOT_LEVEL, range) };
    }

    fn root_table(&self) -> Table<'_> {
        // SAFETY: `root` is used as a table alone and lives as long as `self`.
        unsafe { Table::at(self.root.number()) }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.free_range(0..USER_END);
    }
}

/// Frees what the entries of a range own, without a flush; a shared table is given up whatever part of it lies in the
/// range.
///
/// # Safety
/// `table` is of this level, every address of the range lies in it, nobody else changes it, and no CPU has or can get a
/// translation from it.
pub(super) unsafe fn free_range(table: Table<'_>, level: u32, range: Range<usize>) {
    let mut left = table.in_use();
    let mut gone = 0;
    for i in table.used(index(range.start, level)..index(range.end - 1, level) + 1) {
        let entry = table.load(i);
        let is_gone = if level == 0 {
            // SAFETY: the entry owns the handle and is cleared below.
            drop(unsafe { Frame::from_raw(entry.frame()) });
            true
        } else if entry.is_large() {
            // SAFETY: the entry owns the block's handle and is cleared below.
            drop(unsafe { Frame::from_raw(entry.frame()) });
            true
        } else if level == 1 && entry.is_write_protected() {
            // SAFETY: the entry owns the share and is cleared below.
            drop(unsafe { Share::from_entry(entry) });
            true
        } else {
            // SAFETY: above level 0 an entry owns a table, of the next level and this part of the range.
            let child = unsafe { Table::at(entry.frame()) };
            // SAFETY: the same, and the caller's duty.
            unsafe { free_range(child, level - 1, part(&range, i, level)) };
            let is_empty = child.in_use() == 0;
            if is_empty {
                // SAFETY: the entry owns the table and is cleared below.
                drop(unsafe { Frame::from_raw(child.number) });
            }
            is_empty
        };
        if is_gone {
            table.store(i, Entry::ABSENT);
            gone += 1;
        }
        left -= 1;
        if left == 0 {
            break;
        }
    }
    table.count_sub(gone);
}

/// What a CPU knows about spaces.
struct Loaded {
    /// The one that is loaded; a reference counted in the `Arc`, or null before the first.
    space: AtomicPtr<Space>,
    /// What the TLB has of this one and others.
    tags: Tags,
}

crate::per_cpu! {
    static LOADED: Loaded =
        Loaded { space: AtomicPtr::new(core::ptr::null_mut()), tags: Tags::new() };
}

/// Tells what a CPU has to do about a request of another; to be called on that CPU with interrupts off, or as if so.
pub(crate) fn obey(cpu: CpuId, request: Request) -> Forget {
    LOADED.on(cpu).tags.obey(request)
}

/// Returns the space that this CPU has loaded. Valid as long as the thread does not block.
pub(crate) fn loaded() -> Option<SpaceRef> {
    let space = LOADED.get().space.load(Ordering::Relaxed).cast_const();
    if space.is_null() {
        return None;
    }
    // SAFETY: the slot owns a count of this `Arc`, and only this CPU changes the slot.
    unsafe { Arc::increment_strong_count(space) };
    // SAFETY: the count just added.
    Some(SpaceRef(unsafe { Arc::from_raw(space) }))
}

/// Loads a space on this CPU, unless it is loaded already. To be called with interrupts off.
#[inline]
pub(crate) fn activate(space: &SpaceRef) {
    if !space.is_loaded_here() {
        load(space);
    }
}

/// Loads a space that is not loaded.
#[inline(never)]
fn load(space: &SpaceRef) {
    let Loaded { space: slot, tags } = LOADED.get();
    let old = slot.load(Ordering::Relaxed).cast_const();
    let me = 1 << crate::cpu::id().index();
    // Sequentially consistent, before the load and the look at the generation: whoever changes an entry later sees this CPU
    // (`other_cpus`), or this CPU sees the new generation (`invalidate`).
    space.0.cpus.fetch_or(me, Ordering::SeqCst);
    let new = Arc::into_raw(space.0.clone());
    let choose = |count| tags.enter(count, space.0.number, space.0.generation.load(Ordering::SeqCst));
    // SAFETY: a root with the kernel half in place; the slot keeps it alive until another one is loaded. The tag is kept
    // only for this space, and only if no request has passed that this CPU has not obeyed.
    unsafe { arch::paging::load_root(space.root(), choose) };
    slot.store(new.cast_mut(), Ordering::Relaxed);
    if !old.is_null() {
        // SAFETY: the slot owned this count, and has been overwritten.
        let old = unsafe { Arc::from_raw(old) };
        old.cpus.fetch_and(!me, Ordering::SeqCst);
    }
}

/// Loads the kernel's own root on this CPU if it has the space of this root loaded and its task does not use it. To be
/// called with interrupts off, by somebody who keeps the space alive: what was loaded is not the last handle.
pub(crate) fn leave_unused(root: PhysAddr) {
    let Loaded { space: slot, tags } = LOADED.get();
    let loaded = slot.load(Ordering::Relaxed).cast_const();
    if loaded.is_null() {
        return;
    }
    // SAFETY: the slot owns a count of this `Arc`, and only this CPU changes the slot.
    let space = unsafe { &*loaded };
    if space.root.phys() != root || crate::task::current_uses(root) {
        return;
    }
    arch::paging::load_kernel_root();
    tags.leave();
    slot.store(core::ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: the slot owned this count, and has been overwritten.
    let space = unsafe { Arc::from_raw(loaded) };
    space.cpus.fetch_and(!(1 << crate::cpu::id().index()), Ordering::SeqCst);
}
