//! Memory at boot.

use core::ops::Range;
use core::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::machine::machine;
use super::memory;
use crate::addr::{FrameNumber, PAGE_SIZE};

pub(crate) fn memory_regions() -> impl Iterator<Item = Range<FrameNumber>> {
    core::iter::once(machine().usable())
}

pub(crate) fn frame_count() -> usize {
    machine().frames.len()
}

/// Takes frames from the top of what is left.
pub(crate) fn static_bytes(len: usize) -> Option<NonNull<u8>> {
    let machine = machine();
    let frames = u32::try_from(len.div_ceil(PAGE_SIZE)).ok()?;
    let top = machine.top.load(Ordering::Relaxed);
    let start = top.checked_sub(frames).filter(|&start| start > 1)?;
    let range = start as usize..top as usize;
    if !machine.frames.reserve_new(range) {
        return None;
    }
    machine.top.store(start, Ordering::Relaxed);
    let first = memory::phys_ptr(FrameNumber::new(start).phys());
    // SAFETY: RAM that was free and is reserved now.
    unsafe { memory::zero(first, frames as usize * PAGE_SIZE) };
    NonNull::new(first)
}
