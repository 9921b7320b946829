//! Kernel stacks: mapped in a region of their own, each above an unmapped guard.
//!
//! Invariants:
//! 1. Slot *n* of the region belongs to at most one [`Stack`], or to the cache, or to the list of empty slots.
//! 2. The pages at the top of a stack's slot are mapped to frames that nobody else has; the rest of the slot, at least a
//!    page, is not mapped.
//! 3. A frame goes back only after all CPUs have dropped its page (hazard 7).

use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;

use super::kernel_map::{self, ADDRESS, DATA, NewTable, PRESENT, STACKS_BASE};
use super::{paging, shootdown};
use crate::addr::{FrameNumber, PAGE_SHIFT, PAGE_SIZE};
use crate::error::Error;
use crate::frame::Frame;
use crate::sync::{LockRank, SpinLockIrq};
use crate::upcall::bound;

/// Address space of one stack with its guard.
const SLOT: usize = 64 << 10;
const MAX_SLOTS: usize = kernel_map::ROOT_SPAN / SLOT;
/// Pages of the largest stack: a guard page is left.
const MAX_PAGES: usize = SLOT / PAGE_SIZE - 1;
/// Unused stacks that stay mapped.
const CACHE: usize = 8;
/// Pages of the smallest of them.
const MIN_CACHED: usize = 4;

/// A kernel stack.
#[derive(Debug)]
pub(super) struct Stack {
    slot: u32,
    pages: u32,
}

struct Slots {
    /// Slots from here on have never been used.
    next: u32,
    /// First of the empty slots, plus one; each one's lowest entry, which is not present, holds the next in bits 1 to 32.
    empty: u32,
    cache: ArrayVec<Stack, CACHE>,
}

const RANK: LockRank = LockRank::new(u16::MAX - 2, "hal kernel stacks");

static SLOTS: SpinLockIrq<Slots> =
    SpinLockIrq::new(RANK, Slots { next: 0, empty: 0, cache: ArrayVec::new_const() });

fn slot_base(slot: u32) -> usize {
    STACKS_BASE + slot as usize * SLOT
}

impl Stack {
    /// Takes a stack of at least `bytes`.
    ///
    /// # Errors
    /// `OutOfMemory`; `OutOfRange` above 60 KiB.
    pub(super) fn new(bytes: usize) -> Result<Stack, Error> {
        let pages = bytes.div_ceil(PAGE_SIZE).max(1);
        if pages > MAX_PAGES {
            return Err(Error::OutOfRange);
        }
        let cached = {
            let cache = &mut SLOTS.lock().cache;
            cache.iter().rposition(|stack| stack.pages as usize == pages).map(|i| cache.remove(i))
        };
        match cached {
            Some(stack) => Ok(stack),
            None => Self::map(pages as u32, &mut kernel_map::table_from_kernel, &mut frame_from_kernel),
        }
    }

    /// Takes a stack from early memory: `frames` gives frames that are never given back.
    pub(super) fn early(bytes: usize, new_table: NewTable, frames: NewTable) -> Result<Stack, Error> {
        Self::map((bytes.div_ceil(PAGE_SIZE)) as u32, new_table, frames)
    }

    fn map(pages: u32, new_table: NewTable, frames: NewTable) -> Result<Stack, Error> {
        let slot = take_slot(new_table)?;
        let mut stack = Stack { slot, pages: 0 };
        // From the top: what is mapped is always the upper part of the slot, as `drop` expects.
        for _ in 0..pages {
            let page = stack.end() - PAGE_SIZE * (stack.pages as usize + 1);
            let phys = frames().ok_or(Error::OutOfMemory)?;
            leaf(page).store(phys | DATA, Ordering::Release);
            stack.pages += 1;
        }
        Ok(stack)
    }

    /// Keeps the stack for ever; returns the address behind its last byte.
    pub(super) fn into_end(self) -> usize {
        ManuallyDrop::new(self).end()
    }

    /// Returns the address behind the last byte.
    pub(super) fn end(&self) -> usize {
        slot_base(self.slot) + SLOT
    }
}

/// Returns the entry of a page in a slot whose tables exist.
fn leaf(page: usize) -> &'static AtomicU64 {
    kernel_map::leaf(page).unwrap_or_else(|| unreachable!("a stack's slot has its table"))
}

fn frame_from_kernel() -> Option<u64> {
    Some(bound::alloc_frames(0)?.into_raw().phys().get())
}

fn take_slot(new_table: NewTable) -> Result<u32, Error> {
    let mut slots = SLOTS.lock();
    if let Some(slot) = slots.empty.checked_sub(1) {
        slots.empty = (leaf(slot_base(slot)).swap(0, Ordering::Relaxed) >> 1) as u32;
        return Ok(slot);
    }
    let slot = slots.next;
    if slot as usize >= MAX_SLOTS {
        return Err(Error::OutOfMemory);
    }
    slots.next += 1;
    drop(slots);
    // A slot lies within one table: 2 MiB is a multiple of it.
    match kernel_map::leaf_or_new(slot_base(slot), new_table) {
        Ok(_) => Ok(slot),
        Err(error) => {
            // Two CPUs may have been here; only the last slot can be given back, any other is lost without a table.
            let mut slots = SLOTS.lock();
            if slots.next == slot + 1 {
                slots.next = slot;
            }
            Err(error)
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut stack = ManuallyDrop::new(Stack { slot: self.slot, pages: self.pages });
        // What is left of a stack that could not be completed is no use.
        if stack.pages as usize >= MIN_CACHED {
            match SLOTS.lock().cache.try_push(ManuallyDrop::into_inner(stack)) {
                Ok(()) => return,
                Err(full) => stack = ManuallyDrop::new(full.element()),
            }
        }
        let mut frames = ArrayVec::<Frame, MAX_PAGES>::new();
        let mut pages = ArrayVec::<usize, MAX_PAGES>::new();
        for i in 1..=stack.pages as usize {
            let page = stack.end() - i * PAGE_SIZE;
            let entry = leaf(page).swap(0, Ordering::SeqCst);
            paging::invalidate_page(page);
            pages.push(page);
            let number = FrameNumber::new(((entry & ADDRESS) >> PAGE_SHIFT) as u32);
            // SAFETY: `frame_from_kernel` left the handle in the entry, which is gone.
            frames.push(unsafe { Frame::from_raw(number) });
        }
        if !pages.is_empty() {
            shootdown::shootdown_kernel(&pages);
        }
        drop(frames);
        let mut slots = SLOTS.lock();
        leaf(slot_base(stack.slot)).store(u64::from(slots.empty) << 1, Ordering::Relaxed);
        slots.empty = stack.slot + 1;
    }
}

/// Returns the mapped part of the slot that an address lies in, for a backtrace; `None` outside of all stacks.
pub(super) fn bounds(addr: usize) -> Option<core::ops::Range<usize>> {
    if !(STACKS_BASE..STACKS_BASE + kernel_map::ROOT_SPAN).contains(&addr) {
        return None;
    }
    let base = addr & !(SLOT - 1);
    let is_mapped = |page: &usize| {
        kernel_map::leaf(*page).is_some_and(|entry| entry.load(Ordering::Relaxed) & PRESENT != 0)
    };
    let start = (base..base + SLOT).step_by(PAGE_SIZE).find(is_mapped)?;
    Some(start..base + SLOT)
}

/// Tells whether an address lies in the guard of a slot.
pub(super) fn is_guard(addr: usize) -> bool {
    (STACKS_BASE..STACKS_BASE + kernel_map::ROOT_SPAN).contains(&addr)
        && bounds(addr).is_none_or(|mapped| !mapped.contains(&addr))
}
