//! User memory: the copies of `asm/user_copy.s`.

use super::asm;
use crate::user::End;

/// Copies from user memory; returns how many bytes came.
///
/// # Safety
/// `src..src + len` lies in user space, and `dst` is writable for `len` bytes; so for the functions below.
#[inline(always)]
pub(crate) unsafe fn read(dst: *mut u8, src: usize, len: usize) -> usize {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    len - unsafe { asm::hal_user_copy(dst, core::ptr::without_provenance(src), len) }
}

/// Copies to user memory; returns how many bytes went.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn write(dst: usize, src: *const u8, len: usize) -> usize {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    len - unsafe { asm::hal_user_copy(core::ptr::without_provenance_mut(dst), src, len) }
}

/// Fills user memory with zeroes; returns how many bytes were reached.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn clear(dst: usize, len: usize) -> usize {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    len - unsafe { asm::hal_user_clear(dst, len) }
}

/// Copies 16-bit words, `stride` bytes apart on both sides, to user memory; returns how many went.
///
/// # Safety
/// As for [`read`], with the words at `src`.
#[inline(always)]
pub(crate) unsafe fn write_words(dst: usize, src: *const u8, stride: usize, count: usize) -> usize {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    count - unsafe { asm::hal_user_copy_words(dst, src, stride, count) }
}

/// Copies a string up to its NUL, or `len` bytes; returns how many bytes came before the NUL, and what ended it.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn read_cstr(dst: *mut u8, src: usize, len: usize) -> (usize, End) {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    let pair = unsafe { asm::hal_user_read_cstr(dst, src, len) };
    let end = match pair.fault {
        0 => End::Nul,
        1 => End::Length,
        _ => End::Fault,
    };
    (pair.value as usize, end)
}

/// Loads an aligned word.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn load_u32(addr: usize) -> Option<u32> {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    value(unsafe { asm::hal_user_load_u32(addr) })
}

/// Stores an aligned word.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn store_u32(addr: usize, word: u32) -> Option<()> {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    value(unsafe { asm::hal_user_store_u32(addr, word) }).map(|_| ())
}

/// Replaces an aligned word if it equals `old`; returns what it was.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn compare_exchange_u32(addr: usize, old: u32, new: u32) -> Option<u32> {
    // SAFETY: the caller's duty; an access that faults is resolved or given up.
    value(unsafe { asm::hal_user_compare_exchange_u32(addr, old, new) })
}

#[inline(always)]
fn value(pair: asm::Pair) -> Option<u32> {
    (pair.fault == 0).then_some(pair.value as u32)
}
