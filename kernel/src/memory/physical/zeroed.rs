//! Frames of zeroes, made while a CPU has nothing to do: a page fault that finds one need not clear it.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arrayvec::ArrayVec;
use hal::cpu::CpuId;
use hal::frame::Frame;
use hal::sync::CpuLocal;

use super::buddy_allocator::{alloc_user_frame, is_under_pressure, total_bytes};

/// Frames that a CPU keeps at most.
const CAPACITY: usize = 64;
/// Frames cleared at one go: a thread that wakes meanwhile waits so long.
const BATCH: usize = 8;
/// A CPU keeps at most this part of all memory.
const SHARE: usize = 2048 * hal::PAGE_SIZE;

hal::per_cpu! {
    /// Beside the frames, how many there are.
    static ZEROED: CpuLocal<ArrayVec<Frame, CAPACITY>, AtomicUsize> =
        CpuLocal::with_shared(ArrayVec::new_const(), AtomicUsize::new(0));
}

/// Takes a frame of zeroes.
#[inline]
pub(super) fn take() -> Option<Frame> {
    ZEROED.with(|frames, len| {
        let frame = frames.pop()?;
        len.store(frames.len(), Relaxed);
        Some(frame)
    })
}

/// Returns how many frames a CPU keeps.
pub(super) fn len(cpu: CpuId) -> usize {
    ZEROED.on(cpu).shared().load(Relaxed)
}

/// Clears some frames, unless there are enough or memory is short.
pub(in crate::memory) fn fill() {
    let limit = CAPACITY.min(total_bytes() / SHARE);
    for _ in 0..BATCH {
        if len(hal::cpu::id()) >= limit || is_under_pressure() {
            return;
        }
        let Ok(frame) = alloc_user_frame() else { return };
        frame.zero();
        let rest = ZEROED.with(|frames, len| {
            let rest = frames.try_push(frame);
            len.store(frames.len(), Relaxed);
            rest
        });
        // One that finds no room is freed, now that the list is not in use.
        drop(rest);
    }
}

/// Frees all.
pub(super) fn empty() {
    while let Some(frame) = take() {
        drop(frame);
    }
}
