//! The free slots that this CPU has at hand: a bounded stack for each size up to a page, without a lock, an atomic
//! operation, or interrupts off.
//!
//! Invariants:
//! 1. A stack owns `len` slots of its size, linked from `head` on. `room` is what it takes more, up to its limit.
//! 2. Only its own CPU changes a stock, and only in a thread's context: interrupt handlers find one
//!    in its place that has neither slots nor room. Nothing here calls out, so each operation ends before the next begins.
//!
//! The fields are atomics so that other CPUs can read them for statistics; every access is a plain move.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::list::Link;
use super::{Slot, SlotList, SlotSize};
use crate::arch;
use crate::cpu::CpuId;

/// The free slots of one CPU. Zeroes are an empty one.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Stock([Stack; SlotSize::SMALL]);

/// Free slots of one size.
#[derive(Debug)]
struct Stack {
    head: AtomicPtr<Link>,
    /// Slots that it would take.
    room: AtomicU32,
    /// Slots that it may have.
    limit: AtomicU32,
    /// Slots taken since boot.
    taken: AtomicU64,
    /// Slots that came in batches, less those that went in batches.
    moved: AtomicU64,
}

/// Numbers of one CPU and one size at some recent moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockNumbers {
    /// Slots [taken](take) since boot.
    pub taken: u64,
    /// Slots [given](give) since boot.
    pub given: u64,
    /// Slots that are there.
    pub len: usize,
}

impl Stock {
    pub(crate) const fn new() -> Self {
        Self([const { Stack::new() }; SlotSize::SMALL])
    }
}

impl Stack {
    const fn new() -> Self {
        Self {
            head: AtomicPtr::new(core::ptr::null_mut()),
            room: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            taken: AtomicU64::new(0),
            moved: AtomicU64::new(0),
        }
    }

    /// Returns the stack of this CPU.
    #[inline(always)]
    fn here(size: SlotSize) -> Option<&'static Stack> {
        arch::cpu::stock().0.get(size.index())
    }

    /// Returns the stack of this CPU, whose stock is to change by a batch.
    fn to_move(size: SlotSize) -> Option<&'static Stack> {
        assert!(!crate::irq::in_interrupt(), "the heap is not for interrupt handlers");
        Self::here(size)
    }

    fn len(&self) -> u32 {
        self.limit.load(Relaxed) - self.room.load(Relaxed)
    }

    #[inline(always)]
    fn pop(&self, size: SlotSize) -> Option<Slot> {
        let link = NonNull::new(self.head.load(Relaxed))?;
        // SAFETY: this CPU's stack, which owns the link; `push` made it of a slot of this size (invariants 1 and 2).
        let (slot, next) = unsafe { Link::take(link, size) };
        self.head.store(next, Relaxed);
        self.room.store(self.room.load(Relaxed) + 1, Relaxed);
        Some(slot)
    }

    #[inline(always)]
    fn push(&self, slot: Slot) -> Result<(), Slot> {
        let (room, is_full) = self.room.load(Relaxed).overflowing_sub(1);
        if is_full {
            return Err(slot);
        }
        self.room.store(room, Relaxed);
        self.head.store(Link::before(slot, self.head.load(Relaxed)), Relaxed);
        Ok(())
    }

    fn add_moved(&self, n: u64) {
        self.moved.store(self.moved.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

/// Takes the slot of this size that came last: the one most likely in the CPU's cache. `None` when there is none, for a
/// size above a page, and in an interrupt handler.
#[inline(always)]
pub fn take(size: SlotSize) -> Option<Slot> {
    let stack = Stack::here(size)?;
    let slot = stack.pop(size)?;
    stack.taken.store(stack.taken.load(Relaxed) + 1, Relaxed);
    Some(slot)
}

/// Keeps a slot, from whichever CPU it came.
///
/// # Errors
/// Returns it when there are as many as there may be, if it is larger than a page, and in an interrupt handler.
#[inline(always)]
pub fn give(slot: Slot) -> Result<(), Slot> {
    match Stack::here(slot.size()) {
        Some(stack) => stack.push(slot),
        None => Err(slot),
    }
}

/// Takes over what fits of a batch of slots, when there may be `limit` of this size.
///
/// # Panics
/// In an interrupt handler; so does [`shed`].
pub fn fill(size: SlotSize, limit: u32, batch: &mut SlotList) {
    let Some(stack) = Stack::to_move(size) else { return };
    let len = stack.len();
    let limit = limit.max(len);
    stack.limit.store(limit, Relaxed);
    stack.room.store(limit - len, Relaxed);
    while stack.room.load(Relaxed) != 0 {
        let Some(slot) = batch.pop() else { break };
        assert!(slot.size() == size, "slot of another size");
        // There is room.
        let Ok(()) = stack.push(slot) else { break };
        stack.add_moved(1);
    }
}

/// Gives up to `n` slots of a size. With all of them goes the limit: the next slot does not stay.
pub fn shed(size: SlotSize, n: usize) -> SlotList {
    let mut shed = SlotList::new();
    let Some(stack) = Stack::to_move(size) else { return shed };
    while shed.len() < n {
        let Some(slot) = stack.pop(size) else { break };
        shed.push(slot);
    }
    stack.add_moved((shed.len() as u64).wrapping_neg());
    if stack.len() == 0 {
        stack.limit.store(0, Relaxed);
        stack.room.store(0, Relaxed);
    }
    shed
}

/// Returns the number of slots of a size that this CPU has.
pub fn len(size: SlotSize) -> usize {
    Stack::here(size).map_or(0, |stack| stack.len() as usize)
}

/// Returns numbers of a CPU and a size up to a page.
///
/// # Panics
/// If there is no such CPU.
pub fn numbers(cpu: CpuId, size: SlotSize) -> StockNumbers {
    let Some(stack) = arch::cpu::stock_of(cpu).0.get(size.index()) else { return StockNumbers::default() };
    let (taken, moved) = (stack.taken.load(Relaxed), stack.moved.load(Relaxed));
    // The CPU may change both meanwhile.
    let len = stack.limit.load(Relaxed).saturating_sub(stack.room.load(Relaxed));
    StockNumbers { taken, given: (taken + u64::from(len)).wrapping_sub(moved), len: len as usize }
}
