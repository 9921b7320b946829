//! Where freed slots wait, first in first out, so that a use after the free is found and not another's allocation hurt.

use hal::heap::Slot;
use hal::sync::SpinLock;

use crate::lock_order;
use crate::memory::physical::buddy_allocator::total_bytes;

/// Slots that wait at most.
const SLOTS: usize = 128;

hal::machine_static! {
    static WAITING: SpinLock<Waiting> = SpinLock::new(lock_order::HEAP, Waiting::new());
}

/// A ring. The slots are not linked through their memory, all of which is poisoned.
struct Waiting {
    slots: [Option<Slot>; SLOTS],
    /// Where the next one goes; the oldest lies there or is the first after it.
    next: usize,
    bytes: usize,
}

impl Waiting {
    const fn new() -> Self {
        Self { slots: [const { None }; SLOTS], next: 0, bytes: 0 }
    }

    /// Takes the oldest of all slots, or of those that exceed `limit` bytes.
    fn leave(&mut self, limit: usize) -> Option<Slot> {
        if self.bytes <= limit {
            return None;
        }
        let oldest = (self.next..SLOTS).chain(0..self.next).find_map(|at| self.slots[at].take())?;
        self.bytes -= oldest.size().bytes();
        Some(oldest)
    }
}

/// Lets a slot wait; calls `release` with those whose time is over, without a lock.
pub(super) fn enter(slot: Slot, release: impl Fn(Slot)) {
    let limit = total_bytes() / 64;
    let pushed_out = {
        let waiting = &mut *WAITING.lock();
        waiting.bytes += slot.size().bytes();
        let at = waiting.next;
        waiting.next = (at + 1) % SLOTS;
        let pushed_out = waiting.slots[at].replace(slot);
        if let Some(slot) = &pushed_out {
            waiting.bytes -= slot.size().bytes();
        }
        pushed_out
    };
    pushed_out.into_iter().for_each(&release);
    end_above(limit, release);
}

/// Calls `release` with every slot.
pub(super) fn end(release: impl Fn(Slot)) {
    end_above(0, release);
}

fn end_above(limit: usize, release: impl Fn(Slot)) {
    loop {
        // The lock goes before the slot is looked at.
        let Some(slot) = WAITING.lock().leave(limit) else { return };
        release(slot);
    }
}
