//! User copies by software walk.

use core::sync::atomic::{AtomicU32, Ordering};

use super::memory;
use super::mmu::with_page;
use crate::addr::PAGE_SIZE;
use crate::upcall::Access;
use crate::user::End;

/// Calls `act(pointer, done, n)` page by page; returns the bytes done before a fault that stays.
fn by_page(addr: usize, len: usize, access: Access, mut act: impl FnMut(*mut u8, usize, usize)) -> usize {
    let mut done = 0;
    while done < len {
        let at = addr + done;
        let n = (PAGE_SIZE - at % PAGE_SIZE).min(len - done);
        if with_page(at, access, false, |pointer| act(pointer, done, n)).is_none() {
            break;
        }
        done += n;
    }
    done
}

/// # Safety
/// `dst` is valid for `len` bytes.
pub(crate) unsafe fn read(dst: *mut u8, src: usize, len: usize) -> usize {
    // SAFETY: the walk gives a pointer into a user page, and `n` bytes stay in it; `dst` by the caller's duty.
    by_page(src, len, Access::Read, |from, done, n| unsafe { memory::copy(dst.wrapping_add(done), from, n) })
}

/// # Safety
/// `src` is valid for `len` bytes.
pub(crate) unsafe fn write(dst: usize, src: *const u8, len: usize) -> usize {
    // SAFETY: as in `read`.
    by_page(dst, len, Access::Write, |to, done, n| unsafe { memory::copy(to, src.wrapping_add(done), n) })
}

/// # Safety
/// None here; on the PC the range must lie in user space.
pub(crate) unsafe fn clear(dst: usize, len: usize) -> usize {
    // SAFETY: as in `read`.
    by_page(dst, len, Access::Write, |to, _, n| unsafe { memory::zero(to, n) })
}

/// # Safety
/// The words at `src` are valid.
pub(crate) unsafe fn write_words(dst: usize, src: *const u8, stride: usize, count: usize) -> usize {
    let mut done = 0;
    // SAFETY: the caller's duty.
    while done < count && unsafe { write(dst + done * stride, src.wrapping_add(done * stride), 2) } == 2 {
        done += 1;
    }
    done
}

/// # Safety
/// `dst` is valid for `len` bytes.
pub(crate) unsafe fn read_cstr(dst: *mut u8, src: usize, len: usize) -> (usize, End) {
    for done in 0..len {
        let at = dst.wrapping_add(done);
        // SAFETY: the caller's duty.
        if unsafe { read(at, src + done, 1) } == 0 {
            return (done, End::Fault);
        }
        // SAFETY: just written.
        if unsafe { at.read() } == 0 {
            return (done, End::Nul);
        }
    }
    (len, End::Length)
}

fn word<R>(addr: usize, access: Access, act: impl FnOnce(&AtomicU32) -> R) -> Option<R> {
    with_page(addr, access, false, |pointer| {
        // SAFETY: the pointer is into a user page, aligned as `addr` is, and such memory is accessed by atomics only.
        act(unsafe { &*pointer.cast::<AtomicU32>() })
    })
}

/// # Safety
/// `addr` is a multiple of 4; so below.
pub(crate) unsafe fn load_u32(addr: usize) -> Option<u32> {
    word(addr, Access::Read, |word| word.load(Ordering::SeqCst))
}

/// # Safety
/// As [`load_u32`].
pub(crate) unsafe fn store_u32(addr: usize, value: u32) -> Option<()> {
    word(addr, Access::Write, |word| word.store(value, Ordering::SeqCst))
}

/// # Safety
/// As [`load_u32`].
pub(crate) unsafe fn compare_exchange_u32(addr: usize, old: u32, new: u32) -> Option<u32> {
    word(addr, Access::Write, |word| {
        word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).unwrap_or_else(|seen| seen)
    })
}
