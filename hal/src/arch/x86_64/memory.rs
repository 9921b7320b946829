//! Physical memory as the kernel reaches it: the direct map and the table of frame states.

use core::arch::asm;
use core::cell::UnsafeCell;

use super::kernel_map::DIRECT_BASE;
use crate::addr::{FrameNumber, PAGE_SHIFT, PhysAddr};
use crate::frame::FrameTable;

/// Which machine a frame belongs to: there is one.
#[derive(Clone, Copy)]
pub(crate) struct MachineTag;

#[inline(always)]
pub(crate) fn machine_tag() -> MachineTag {
    MachineTag
}

#[inline(always)]
pub(crate) fn assert_current(_: MachineTag) {}

#[inline(always)]
pub(crate) fn may_claim() -> bool {
    true
}

#[inline(always)]
pub(crate) fn phys_ptr(phys: PhysAddr) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(DIRECT_BASE + phys.get() as usize)
}

#[inline(always)]
pub(crate) fn frame_of_ptr(ptr: *mut u8) -> FrameNumber {
    FrameNumber::new((ptr.addr().wrapping_sub(DIRECT_BASE) >> PAGE_SHIFT) as u32)
}

/// Nothing to check: who has a pointer to RAM got it rightly.
#[inline(always)]
pub(crate) fn assert_ram(_: *const u8) {}

struct Table(UnsafeCell<FrameTable>);

// SAFETY: written once, by `set_frame_table`, before anything else reads it.
unsafe impl Sync for Table {}

static FRAME_TABLE: Table = Table(UnsafeCell::new(FrameTable::new(&[], &[])));

/// Installs the table of frames.
///
/// # Safety
/// Called once, by the boot CPU, before the kernel and the other CPUs run.
pub(super) unsafe fn set_frame_table(table: FrameTable) {
    // SAFETY: the caller's duty: nobody reads it meanwhile.
    unsafe { *FRAME_TABLE.0.get() = table };
}

#[inline(always)]
pub(crate) fn frame_table() -> &'static FrameTable {
    // SAFETY: written once, before the first reader.
    unsafe { &*FRAME_TABLE.0.get() }
}

/// Copies bytes that others may be changing; the ranges may overlap.
///
/// # Safety
/// Both ranges are mapped, `dst` writable.
#[inline]
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) {
    if dst.addr().wrapping_sub(src.addr()) >= len {
        // SAFETY: the caller's duty. Forwards is right unless `dst` lies inside `src`; the words first, then the rest.
        unsafe {
            asm!("rep movsq", "mov ecx, {rest:e}", "rep movsb", rest = in(reg) len & 7,
                inout("rcx") len >> 3 => _, inout("rdi") dst => _, inout("rsi") src => _,
                options(nostack, preserves_flags));
        }
    } else {
        // SAFETY: the caller's duty. Backwards, from the last byte; the direction flag is put back.
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rcx") len => _, inout("rdi") dst.wrapping_add(len - 1) => _,
                inout("rsi") src.wrapping_add(len - 1) => _, options(nostack));
        }
    }
}

/// Fills bytes with zeroes.
///
/// # Safety
/// The range is mapped and writable.
#[inline]
pub(crate) unsafe fn zero(dst: *mut u8, len: usize) {
    // SAFETY: the caller's duty.
    unsafe {
        asm!("rep stosq", "mov ecx, {rest:e}", "rep stosb", rest = in(reg) len & 7, inout("rcx") len >> 3 => _,
            inout("rdi") dst => _, in("rax") 0, options(nostack, preserves_flags));
    }
}
