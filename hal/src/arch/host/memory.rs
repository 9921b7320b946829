//! Physical memory of the simulated machine.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::machine::{NONE, machine};
use crate::addr::{FrameNumber, PhysAddr};
use crate::frame::FrameState;

/// The machine's number: a frame of one machine used on another is a mistake of the test, and caught.
pub(crate) type MachineTag = u32;

pub(crate) fn machine_tag() -> MachineTag {
    machine().id
}

#[track_caller]
pub(crate) fn assert_current(tag: MachineTag) {
    assert!(tag == machine().id, "a frame of another simulated machine");
}

/// Counts a claim of frames against the limit that a test has set.
pub(crate) fn may_claim() -> bool {
    let count = |left: u64| if left == NONE { Some(NONE) } else { left.checked_sub(1) };
    machine().claims_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_ok()
}

pub(crate) fn phys_ptr(addr: PhysAddr) -> *mut u8 {
    let memory = machine().memory;
    assert!(addr.get() < size_of_val(memory) as u64, "{addr:?} is no memory");
    memory.as_ptr().cast::<u8>().cast_mut().wrapping_add(addr.get() as usize)
}

pub(crate) fn frame_of_ptr(pointer: *mut u8) -> FrameNumber {
    let offset = (pointer as usize).wrapping_sub(machine().memory.as_ptr() as usize);
    assert!(offset < size_of_val(machine().memory), "no pointer into the machine's memory");
    FrameNumber::new((offset >> crate::PAGE_SHIFT) as u32)
}

pub(crate) fn frame_table() -> &'static [FrameState] {
    &machine().frames
}

/// Copies as a CPU does: word by word, without a data race in the language's sense.
///
/// # Safety
/// Both ranges are valid, and accessed by others, if at all, only through functions of this module or as atomics.
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) {
    let backwards = (dst as usize) > (src as usize) && (dst as usize) < src as usize + len;
    if (dst as usize ^ src as usize).is_multiple_of(8) && !backwards {
        let head = src.align_offset(8).min(len);
        let words = (len - head) / 8;
        for i in 0..head {
            // SAFETY: within the ranges.
            unsafe { copy_byte(dst.wrapping_add(i), src.wrapping_add(i)) };
        }
        for i in 0..words {
            // SAFETY: within the range, aligned.
            let from = unsafe { &*src.wrapping_add(head + i * 8).cast::<AtomicU64>() };
            // SAFETY: within the range, aligned.
            let to = unsafe { &*dst.wrapping_add(head + i * 8).cast::<AtomicU64>() };
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for i in head + words * 8..len {
            // SAFETY: within the ranges.
            unsafe { copy_byte(dst.wrapping_add(i), src.wrapping_add(i)) };
        }
        return;
    }
    for i in 0..len {
        let i = if backwards { len - 1 - i } else { i };
        // SAFETY: within the ranges.
        unsafe { copy_byte(dst.wrapping_add(i), src.wrapping_add(i)) };
    }
}

/// # Safety
/// As [`copy`].
unsafe fn copy_byte(dst: *mut u8, src: *const u8) {
    // SAFETY: the caller's duty. A shared reference to an atomic suffices for reading.
    let byte = unsafe { &*src.cast::<AtomicU8>() }.load(Ordering::Relaxed);
    // SAFETY: the caller's duty.
    unsafe { &*dst.cast::<AtomicU8>() }.store(byte, Ordering::Relaxed);
}

/// # Safety
/// As [`copy`].
pub(crate) unsafe fn zero(dst: *mut u8, len: usize) {
    let head = dst.align_offset(8).min(len);
    let words = (len - head) / 8;
    for i in (0..head).chain(head + words * 8..len) {
        // SAFETY: within the range.
        unsafe { &*dst.wrapping_add(i).cast::<AtomicU8>() }.store(0, Ordering::Relaxed);
    }
    for i in 0..words {
        // SAFETY: within the range, aligned.
        unsafe { &*dst.wrapping_add(head + i * 8).cast::<AtomicU64>() }.store(0, Ordering::Relaxed);
    }
}
