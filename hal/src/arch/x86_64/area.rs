//! What a CPU keeps for itself: found through the GS base while the kernel runs.
//!
//! Invariants:
//! 1. From [`CpuArea::install`] on, the GS base of a CPU in kernel mode is the address of its area, which lives for ever.
//! 2. `entry_rsp` and the TSS's first stack belong to the current task's stack whenever user mode may run.
//!
//! Assembly reads some fields by offset; [`asm`](super::asm) passes the offsets.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::registers;
use super::tables::{Gdt, Tss};
use super::task::Context;
use crate::cpu::{CpuId, MAX_CPUS};
use crate::heap::stock::Stock;
use crate::task::Task;

/// One CPU's area.
#[repr(C, align(64))]
pub(super) struct CpuArea {
    this: AtomicUsize,
    /// Stack pointer of the SYSCALL entry: 128 below the frame top.
    pub(super) entry_rsp: AtomicUsize,
    /// Scratch of the SYSCALL entry.
    pub(super) user_rsp: AtomicUsize,
    /// The current task.
    pub(super) task: AtomicPtr<Task>,
    /// The current thread.
    pub(super) thread: AtomicPtr<()>,
    /// This CPU's copy of section `.percpu` minus the section.
    pub(super) local_offset: AtomicUsize,
    /// The free heap slots that code running now may use: `slots`, or `NO_SLOTS` in an interrupt handler.
    pub(super) stock: AtomicUsize,
    pub(super) id: AtomicU32,
    pub(super) apic_id: AtomicU32,
    /// Nesting of interrupt handlers.
    pub(super) interrupts: AtomicU32,
    /// Whether the interrupt being handled came from user mode.
    pub(super) interrupted_user: AtomicU32,
    /// Whether the CPU has reported for work, or will find that it came too late.
    pub(super) presence: AtomicU32,
    /// Whose floating-point state the registers hold.
    pub(super) fpu_owner: AtomicPtr<Context>,
    /// The deadline of the one-shot timer in nanoseconds, `u64::MAX` if there is none.
    pub(super) deadline_ns: AtomicU64,
    /// One bit for each CPU whose flush request this one has to serve.
    pub(super) shootdown_from: AtomicU64,
    /// The request of this CPU.
    pub(super) shootdown: super::shootdown::Asked,
    /// This CPU's free heap slots.
    pub(super) slots: Stock,
    /// The stack that the CPU started on.
    pub(super) boot_stack_top: AtomicUsize,
    pub(super) tss: Tss,
    pub(super) gdt: UnsafeCell<Gdt>,
}

// SAFETY: all fields are atomics except `gdt`, which only its own CPU writes, in `tables::load`, before anybody reads it.
unsafe impl Sync for CpuArea {}

/// Presence of a CPU: it has not come yet, or has stopped.
pub(super) const ABSENT: u32 = 0;
/// It works.
pub(super) const RUNNING: u32 = 1;
/// It was waited for in vain.
pub(super) const GIVEN_UP: u32 = 2;

/// What interrupt handlers find in place of a CPU's slots.
pub(super) static NO_SLOTS: Stock = Stock::new();

/// The areas by CPU number; null beyond the last.
static AREAS: [AtomicPtr<CpuArea>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];

impl CpuArea {
    /// Turns zeroed memory into a CPU's area and makes it known.
    ///
    /// # Safety
    /// `place` is aligned, zeroed, large enough, and nobody else's for ever.
    pub(super) unsafe fn create(place: *mut CpuArea, id: usize, local_offset: usize) -> &'static CpuArea {
        // SAFETY: zeroes are a valid area, and the memory is ours.
        let area = unsafe { &*place };
        area.this.store(place.expose_provenance(), Ordering::Relaxed);
        area.id.store(id as u32, Ordering::Relaxed);
        area.local_offset.store(local_offset, Ordering::Relaxed);
        area.deadline_ns.store(u64::MAX, Ordering::Relaxed);
        area.stock.store((&raw const area.slots).expose_provenance(), Ordering::Relaxed);
        // Release: whoever finds the area finds it complete.
        AREAS[id].store(place, Ordering::Release);
        area
    }

    /// Tells whether the CPU works.
    pub(super) fn is_running(&self) -> bool {
        // Acquire: what it did before it reported is visible.
        self.presence.load(Ordering::Acquire) == RUNNING
    }

    /// Changes the presence of a CPU that is absent; answers whether nobody has done so before.
    pub(super) fn decide(&self, presence: u32) -> bool {
        // Release: see `is_running`.
        self.presence.compare_exchange(ABSENT, presence, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Makes this the area of the CPU that runs this.
    pub(super) fn install(&'static self) {
        // SAFETY: in kernel mode the GS base serves to find this area and nothing else.
        unsafe { registers::write_msr(registers::GS_BASE, self.this.load(Ordering::Relaxed) as u64) };
    }
}

/// Reads a word of this CPU's area. Not `pure` across calls: the thread may move to another CPU where it blocks.
macro_rules! read_gs {
    ($field:ident) => {{
        let value: usize;
        // SAFETY: invariant 1: GS leads to a `CpuArea`, and the field is a word at this offset.
        unsafe {
            asm!("mov {}, gs:[{}]", out(reg) value, const offset_of!(CpuArea, $field),
                options(pure, readonly, nostack, preserves_flags));
        }
        value
    }};
}

/// Returns this CPU's area.
#[inline(always)]
pub(super) fn this() -> &'static CpuArea {
    let place = core::ptr::with_exposed_provenance::<CpuArea>(read_gs!(this));
    // SAFETY: invariant 1.
    unsafe { &*place }
}

/// Returns a CPU's area.
pub(super) fn of(cpu: CpuId) -> &'static CpuArea {
    let area = AREAS[cpu.index()].load(Ordering::Acquire);
    assert!(!area.is_null(), "no such CPU");
    // SAFETY: `create` stored it; it lives for ever.
    unsafe { &*area }
}

/// Returns the current task without going through the area's address.
#[inline(always)]
pub(super) fn task() -> *const Task {
    core::ptr::with_exposed_provenance(read_gs!(task))
}

/// Returns the current thread.
#[inline(always)]
pub(super) fn thread() -> *const () {
    core::ptr::with_exposed_provenance(read_gs!(thread))
}

/// Returns the free heap slots that the code which runs may use.
#[inline(always)]
pub(super) fn stock() -> &'static Stock {
    let place = core::ptr::with_exposed_provenance::<Stock>(read_gs!(stock));
    // SAFETY: `create` and interrupt entries store the addresses of such, which live for ever.
    unsafe { &*place }
}

/// Returns where this CPU's copy of `.percpu` is, relative to the section.
#[inline(always)]
pub(crate) fn local_offset() -> usize {
    read_gs!(local_offset)
}

/// Returns this CPU's number.
#[inline(always)]
pub(super) fn id() -> usize {
    let value: u32;
    // SAFETY: invariant 1: GS leads to a `CpuArea`, and `id` is 32 bits at this offset.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) value, const offset_of!(CpuArea, id),
            options(pure, readonly, nostack, preserves_flags));
    }
    value as usize
}
