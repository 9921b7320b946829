//! Physical memory of the simulated machine.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::machine::{NONE, machine};
use crate::addr::{FrameNumber, PhysAddr};
use crate::frame::FrameTable;

/// The machine's number: a frame of one machine used on another is a mistake of the test, and caught.
pub(crate) type MachineTag = u32;

#[inline]
pub(crate) fn machine_tag() -> MachineTag {
    machine().id
}

#[inline]
#[track_caller]
pub(crate) fn assert_current(tag: MachineTag) {
    assert!(tag == machine().id, "a frame of another simulated machine");
}

/// Counts a claim of frames against the limit that a test has set.
pub(crate) fn may_claim() -> bool {
    let machine = machine();
    let count = |left: u64| if left == NONE { Some(NONE) } else { left.checked_sub(1) };
    let may = machine.claims_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_ok();
    if !may && machine.fails_once.load(Ordering::SeqCst) {
        machine.claims_left.store(NONE, Ordering::SeqCst);
    }
    may
}

#[inline]
pub(crate) fn phys_ptr(addr: PhysAddr) -> *mut u8 {
    let memory = machine().memory;
    assert!(addr.get() < size_of_val(memory) as u64, "{addr:?} is no memory");
    memory.as_ptr().cast::<u8>().cast_mut().wrapping_add(addr.get() as usize)
}

#[inline]
pub(crate) fn frame_of_ptr(pointer: *mut u8) -> FrameNumber {
    let offset = (pointer as usize).wrapping_sub(machine().memory.as_ptr() as usize);
    assert!(offset < size_of_val(machine().memory), "no pointer into the machine's memory");
    FrameNumber::new((offset >> crate::PAGE_SHIFT) as u32)
}

/// A link in the machine's memory that leads elsewhere was written by a test's mistake, such as two threads as one CPU.
#[inline(always)]
pub(crate) fn assert_ram(pointer: *const u8) {
    let memory = machine().memory;
    let offset = (pointer as usize).wrapping_sub(memory.as_ptr() as usize);
    assert!(offset < size_of_val(memory) && offset.is_multiple_of(8), "no pointer into the machine's memory");
}

#[inline]
pub(crate) fn frame_table() -> &'static FrameTable {
    &machine().frames
}

/// One side of a copy: machine memory, which others may access at the same time, or a buffer that only the caller has.
#[derive(Clone, Copy)]
enum Side {
    Machine,
    Private,
}

impl Side {
    fn of(pointer: *const u8) -> Side {
        let offset = (pointer as usize).wrapping_sub(machine().memory.as_ptr() as usize);
        if offset < size_of_val(machine().memory) { Side::Machine } else { Side::Private }
    }

    /// # Safety
    /// `from` is valid for reads; in machine memory, as an atomic.
    unsafe fn load(self, from: *const u8) -> u8 {
        match self {
            // SAFETY: the caller's duty.
            Side::Machine => unsafe { &*from.cast::<AtomicU8>() }.load(Ordering::Relaxed),
            // SAFETY: the caller's duty.
            Side::Private => unsafe { from.read() },
        }
    }

    /// # Safety
    /// As [`load`](Self::load), and `from` is a multiple of 8.
    unsafe fn load_word(self, from: *const u8) -> u64 {
        match self {
            // SAFETY: the caller's duty.
            Side::Machine => unsafe { &*from.cast::<AtomicU64>() }.load(Ordering::Relaxed),
            // SAFETY: the caller's duty.
            Side::Private => unsafe { from.cast::<u64>().read() },
        }
    }

    /// # Safety
    /// `to` is valid for writes; in machine memory, as an atomic.
    unsafe fn store(self, to: *mut u8, value: u8) {
        match self {
            // SAFETY: the caller's duty.
            Side::Machine => unsafe { &*to.cast::<AtomicU8>() }.store(value, Ordering::Relaxed),
            // SAFETY: the caller's duty.
            Side::Private => unsafe { to.write(value) },
        }
    }

    /// # Safety
    /// As [`store`](Self::store), and `to` is a multiple of 8.
    unsafe fn store_word(self, to: *mut u8, value: u64) {
        match self {
            // SAFETY: the caller's duty.
            Side::Machine => unsafe { &*to.cast::<AtomicU64>() }.store(value, Ordering::Relaxed),
            // SAFETY: the caller's duty.
            Side::Private => unsafe { to.cast::<u64>().write(value) },
        }
    }
}

/// Copies as a CPU does: word by word, without a data race in the language's sense.
///
/// # Safety
/// Both ranges are valid; machine memory is accessed by others, if at all, as atomics.
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) {
    let (from, to) = (Side::of(src), Side::of(dst));
    let backwards = (dst as usize) > (src as usize) && (dst as usize) < src as usize + len;
    let byte = |i: usize| {
        // SAFETY: `i` is below `len`, within the source.
        let value = unsafe { from.load(src.wrapping_add(i)) };
        // SAFETY: within the destination.
        unsafe { to.store(dst.wrapping_add(i), value) };
    };
    if backwards {
        (0..len).rev().for_each(byte);
        return;
    }
    if !(dst as usize ^ src as usize).is_multiple_of(8) {
        (0..len).for_each(byte);
        return;
    }
    let head = (src as usize).wrapping_neg() % 8;
    let head = head.min(len);
    let tail = head + (len - head) / 8 * 8;
    (0..head).for_each(byte);
    for i in (head..tail).step_by(8) {
        // SAFETY: eight bytes within the source, aligned.
        let value = unsafe { from.load_word(src.wrapping_add(i)) };
        // SAFETY: eight bytes within the destination, aligned.
        unsafe { to.store_word(dst.wrapping_add(i), value) };
    }
    (tail..len).for_each(byte);
}

/// # Safety
/// As [`copy`].
pub(crate) unsafe fn zero(dst: *mut u8, len: usize) {
    let to = Side::of(dst);
    let head = ((dst as usize).wrapping_neg() % 8).min(len);
    let tail = head + (len - head) / 8 * 8;
    for i in (0..head).chain(tail..len) {
        // SAFETY: within the range.
        unsafe { to.store(dst.wrapping_add(i), 0) };
    }
    for i in (head..tail).step_by(8) {
        // SAFETY: eight bytes within the range, aligned.
        unsafe { to.store_word(dst.wrapping_add(i), 0) };
    }
}
