//! Lists of slots, linked inside their own memory.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::{MIN_SLOT, Slot, SlotSize};
use crate::arch;

/// The first word of a free slot.
#[repr(transparent)]
pub(super) struct Link(AtomicPtr<Link>);

const _: () = assert!(size_of::<Link>() <= MIN_SLOT && align_of::<Link>() <= MIN_SLOT / 2);

impl Link {
    /// Puts a slot in front of `next`; the list that owns `next` owns the result.
    #[inline(always)]
    pub(super) fn before(slot: Slot, next: *mut Link) -> *mut Link {
        let link = slot.start.cast::<Link>().as_ptr();
        // SAFETY: the slot owns at least MIN_SLOT bytes, aligned for `Link`; nothing else uses them (invariant 1), and any
        // bytes are a pointer that nobody follows.
        unsafe { &*link }.0.store(next, Relaxed);
        link
    }

    /// Takes a link for the slot that it was made of, and what follows it.
    ///
    /// # Safety
    /// `link` is owned, and was made by [`before`](Self::before) of a slot of this size.
    #[inline(always)]
    pub(super) unsafe fn take(link: NonNull<Link>, size: SlotSize) -> (Slot, *mut Link) {
        arch::memory::assert_ram(link.as_ptr().cast());
        // SAFETY: the caller's duty: a link lies there.
        let next = unsafe { link.as_ref() }.0.load(Relaxed);
        (Slot { start: link.cast(), size }, next)
    }
}

/// A last-in first-out list of slots of one size. Dropping a list leaks its slots.
pub struct SlotList {
    head: *mut Link,
    len: usize,
    /// The size of the slots; without any it says nothing.
    size: SlotSize,
}

// SAFETY: the list owns its slots, which are `Send`.
unsafe impl Send for SlotList {}
// SAFETY: a shared list gives no access to its slots.
unsafe impl Sync for SlotList {}

impl SlotList {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self { head: core::ptr::null_mut(), len: 0, size: SlotSize::PAGE }
    }

    /// Returns the number of slots.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether no slot is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Adds a slot at the front.
    ///
    /// # Panics
    /// If it has another size than those that are there.
    #[inline]
    pub fn push(&mut self, slot: Slot) {
        if self.is_empty() {
            self.size = slot.size;
        }
        assert!(slot.size == self.size, "slot of another size");
        self.head = Link::before(slot, self.head);
        self.len += 1;
    }

    /// Takes the front slot.
    #[inline]
    pub fn pop(&mut self) -> Option<Slot> {
        let link = NonNull::new(self.head)?;
        // SAFETY: `push` made the link of a slot of this size, which has been the list's since.
        let (slot, next) = unsafe { Link::take(link, self.size) };
        self.head = next;
        self.len -= 1;
        Some(slot)
    }

    /// Moves up to `n` slots from the front of `other` to the front of this list; returns how many.
    pub fn take_from(&mut self, other: &mut SlotList, n: usize) -> usize {
        let mut moved = 0;
        while moved < n {
            let Some(slot) = other.pop() else { break };
            self.push(slot);
            moved += 1;
        }
        moved
    }
}

impl Default for SlotList {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SlotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotList({} of {:?})", self.len, self.size)
    }
}
