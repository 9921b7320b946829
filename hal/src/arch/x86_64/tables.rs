//! Segments, task state and interrupt descriptors.
//!
//! Source: Intel SDM volume 3, 3.4.5, 7.7 and 6.14.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use x86_64::VirtAddr;
use x86_64::instructions::tables;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;

use super::area::CpuArea;
use super::asm;
use crate::task::{USER_CS, USER_SS};

/// Selector of kernel code; kernel data follows.
pub(super) const KERNEL_CS: u64 = 0x10;
const TSS_SELECTOR: u16 = 0x40;
/// Selector of a segment whose limit is the CPU's number: user mode can ask for it.
pub(super) const CPU_NUMBER_SELECTOR: u16 = 0x53;
/// Read-only data that user mode may look at, limit in bytes.
const CPU_NUMBER_SEGMENT: u64 = 0x0040_f100_0000_0000;

/// SYSRET takes SS from 8 and CS from 16 above this.
pub(super) const SYSRET_BASE: u64 = 0x23;
const _: () = assert!(SYSRET_BASE + 8 == USER_SS && SYSRET_BASE + 16 == USER_CS);

/// Segment descriptors: null, unused, kernel code and data, unused (32-bit user code), user data, user code, unused, TSS,
/// CPU number.
pub(super) type Gdt = [u64; 11];

const SEGMENTS: [u64; 7] =
    [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff];

/// Exceptions with a stack of their own: vector and IST number.
const OWN_STACKS: [(usize, usize); 4] = [(1, 1), (2, 2), (8, 3), (18, 4)];
/// Stacks that [`load`] wants.
pub(super) const IST_STACKS: usize = OWN_STACKS.len();

/// A task state segment, placed so that its words are aligned: it begins four bytes into the structure.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Tss {
    padding: AtomicU32,
    reserved0: AtomicU32,
    rsp: [AtomicUsize; 3],
    reserved1: AtomicUsize,
    ist: [AtomicUsize; 7],
    reserved2: AtomicUsize,
    io_map: AtomicU32,
}

/// Bytes of a TSS without an I/O map.
const TSS_LEN: u64 = 104;

impl Tss {
    /// Sets the stack of entries from user mode.
    #[inline(always)]
    pub(super) fn set_rsp0(&self, rsp: usize) {
        self.rsp[0].store(rsp, Ordering::Relaxed);
    }
}

/// Fills in this CPU's tables and loads them. `ist` are the ends of its stacks for exceptions.
pub(super) fn load(area: &'static CpuArea, ist: [usize; IST_STACKS]) {
    let tss = &area.tss;
    for ((_, number), end) in OWN_STACKS.into_iter().zip(ist) {
        // The top word says where the area is: see `PARANOID` in entry.s.
        let top = end - 16;
        // SAFETY: the top of a stack in kernel memory that nothing uses yet.
        unsafe { core::ptr::with_exposed_provenance_mut::<*const CpuArea>(top).write(area) };
        tss.ist[number - 1].store(top, Ordering::Relaxed);
    }
    tss.io_map.store((TSS_LEN as u32) << 16, Ordering::Relaxed); // beyond the limit: no ports
    let base = (&raw const tss.reserved0).expose_provenance() as u64;
    let low = (TSS_LEN - 1) | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
    // SAFETY: only this CPU uses its own descriptors, and they are not loaded yet.
    let gdt = unsafe { &mut *area.gdt.get() };
    gdt[..SEGMENTS.len()].copy_from_slice(&SEGMENTS);
    gdt[usize::from(TSS_SELECTOR) / 8] = low;
    gdt[usize::from(TSS_SELECTOR) / 8 + 1] = base >> 32;
    // At most 64 CPUs: the number fits into the low part of the limit.
    gdt[usize::from(CPU_NUMBER_SELECTOR) / 8] =
        CPU_NUMBER_SEGMENT | u64::from(area.id.load(Ordering::Relaxed) & 0xffff);

    let pointer = DescriptorTablePointer {
        limit: (size_of::<Gdt>() - 1) as u16,
        base: VirtAddr::from_ptr(area.gdt.get()),
    };
    // SAFETY: the table lives for ever, and its code segment at 0x10 is the one in use.
    unsafe { tables::lgdt(&pointer) };
    // SAFETY: a descriptor of an available TSS, which lives for ever.
    unsafe { tables::load_tss(SegmentSelector(TSS_SELECTOR)) };
    // After a reset there is a table at address 0, where programs may have memory: descriptors of their own making.
    // SAFETY: the null selector means that there is no local descriptor table; nothing here uses one.
    unsafe { core::arch::asm!("lldt {0:x}", in(reg) 0_u16, options(nomem, nostack, preserves_flags)) };
    load_idt();
}

struct Idt(UnsafeCell<[[u64; 2]; 256]>);

// SAFETY: written by `init_idt` alone, before another CPU runs.
unsafe impl Sync for Idt {}

static IDT: Idt = Idt(UnsafeCell::new([[0; 2]; 256]));

fn gate(target: usize, ist: usize, dpl: u64) -> [u64; 2] {
    let target = target as u64;
    let attributes = ist as u64 | 0x8e00 | dpl << 13;
    [target & 0xffff | KERNEL_CS << 16 | attributes << 32 | (target >> 16 & 0xffff) << 48, target >> 32]
}

/// Makes the table of all vectors, for all CPUs.
///
/// # Safety
/// Called once, before the table is loaded.
pub(super) unsafe fn init_idt() {
    // SAFETY: the caller's duty: nobody else looks at it yet.
    let idt = unsafe { &mut *IDT.0.get() };
    for (vector, entry) in asm::exception_entries() {
        let ist = OWN_STACKS.iter().find(|(own, _)| *own == vector).map_or(0, |(_, number)| *number);
        // INT3 and INTO are for user programs; any other INT n is a protection fault.
        let dpl = if matches!(vector, 3 | 4) { 3 } else { 0 };
        idt[vector] = gate(entry, ist, dpl);
    }
    let stubs = asm::address(&asm::hal_interrupt_stubs);
    for (i, slot) in idt[32..].iter_mut().enumerate() {
        *slot = gate(stubs + 16 * i, 0, 0);
    }
}

fn load_idt() {
    let pointer = DescriptorTablePointer { limit: 256 * 16 - 1, base: VirtAddr::from_ptr(IDT.0.get()) };
    // SAFETY: the table lives for ever, and every gate leads to a proper entry.
    unsafe { tables::lidt(&pointer) };
}
