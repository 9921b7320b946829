//! The root of an address space, shared with the CPUs that have it loaded.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::addr::PhysAddr;
use crate::arch;
use crate::cpu::CpuId;
use crate::error::Error;
use crate::frame::Frame;

use super::entry::{ENTRIES, ROOT_LEVEL, Table};

/// A set of CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CpuMask(pub(crate) u64);

const _: () = assert!(crate::cpu::MAX_CPUS <= 64);

#[allow(dead_code, reason = "each back-end uses its own part")]
impl CpuMask {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, cpu: CpuId) -> bool {
        self.0 & (1 << cpu.index()) != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = CpuId> {
        (0..64).filter(move |i| self.0 & (1 << i) != 0).map(CpuId::new)
    }
}

/// A root table and everything below it.
#[derive(Debug)]
pub(crate) struct Space {
    root: Frame,
    /// CPUs whose MMU may use the root. A CPU adds itself before it loads the root and leaves after loading another.
    cpus: AtomicU64,
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
        Ok(SpaceRef(Arc::new(Space { root, cpus: AtomicU64::new(0) })))
    }

    pub(crate) fn root(&self) -> PhysAddr {
        self.0.root.phys()
    }

    pub(super) fn root_table(&self) -> Table<'_> {
        self.0.root_table()
    }

    /// Returns the CPUs that have the space loaded, without this one. Call it after the entries have been changed by
    /// sequentially consistent operations: then a CPU that is missing here will see the new entries.
    pub(crate) fn other_cpus(&self) -> CpuMask {
        CpuMask(self.0.cpus.load(Ordering::SeqCst) & !(1 << crate::cpu::id().index()))
    }

    /// Tells whether this CPU has the space loaded.
    pub(crate) fn is_loaded_here(&self) -> bool {
        LOADED.get().0.load(Ordering::Relaxed).cast_const() == Arc::as_ptr(&self.0)
    }
}

impl Space {
    fn root_table(&self) -> Table<'_> {
        // SAFETY: `root` is used as a table alone and lives as long as `self`.
        unsafe { Table::at(self.root.number()) }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let root = self.root_table();
        for index in 0..ENTRIES / 2 {
            // SAFETY: nobody refers to the space any more, in particular no CPU: each would hold a reference.
            unsafe { free_below(root, index, ROOT_LEVEL) };
        }
    }
}

/// Frees what an entry owns, without a flush.
///
/// # Safety
/// `table` is of this level, and no CPU has or can get a translation from the entry.
unsafe fn free_below(table: Table<'_>, index: usize, level: u32) {
    let entry = table.load(index);
    if entry.is_absent() {
        return;
    }
    if level != 0 {
        // SAFETY: above level 0 an entry owns a table; it is freed below, after its last use.
        let child = unsafe { Table::at(entry.frame()) };
        for child_index in 0..ENTRIES {
            // SAFETY: the caller's duty.
            unsafe { free_below(child, child_index, level - 1) };
        }
        // SAFETY: the entry's handle, still in place.
        unsafe { Frame::borrow_raw(entry.frame()) }.set_count(1);
    }
    // SAFETY: the entry owns the handle and is never looked at again.
    drop(unsafe { Frame::from_raw(entry.frame()) });
}

/// The space that a CPU has loaded; a reference counted in the `Arc`, or null before the first.
struct Loaded(AtomicPtr<Space>);

crate::per_cpu! {
    static LOADED: Loaded = Loaded(AtomicPtr::new(core::ptr::null_mut()));
}

/// Returns the space that this CPU has loaded. Valid as long as the thread does not block.
pub(crate) fn loaded() -> Option<SpaceRef> {
    let space = LOADED.get().0.load(Ordering::Relaxed).cast_const();
    if space.is_null() {
        return None;
    }
    // SAFETY: the slot owns a count of this `Arc`, and only this CPU changes the slot.
    unsafe { Arc::increment_strong_count(space) };
    // SAFETY: the count just added.
    Some(SpaceRef(unsafe { Arc::from_raw(space) }))
}

/// Loads a space on this CPU, unless it is loaded already. To be called with interrupts off.
pub(crate) fn activate(space: &SpaceRef) {
    let slot = &LOADED.get().0;
    let old = slot.load(Ordering::Relaxed).cast_const();
    if old == Arc::as_ptr(&space.0) {
        return;
    }
    let me = 1 << crate::cpu::id().index();
    // Sequentially consistent, before the load: whoever changes an entry later sees this CPU (`other_cpus`).
    space.0.cpus.fetch_or(me, Ordering::SeqCst);
    let new = Arc::into_raw(space.0.clone());
    // SAFETY: a root with the kernel half in place; the slot keeps it alive until another one is loaded.
    unsafe { arch::paging::load_root(space.root()) };
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
    let slot = &LOADED.get().0;
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
    slot.store(core::ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: the slot owned this count, and has been overwritten.
    let space = unsafe { Arc::from_raw(loaded) };
    space.cpus.fetch_and(!(1 << crate::cpu::id().index()), Ordering::SeqCst);
}
