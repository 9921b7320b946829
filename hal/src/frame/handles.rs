//! The count of handles in the word of a frame: bits 0 to 25, above which the word has something else.

use crate::sync::atomic::{AtomicU32, Ordering, fence};

pub(super) const COUNT_MASK: u32 = (1 << 26) - 1;
/// From here on a count is saturated.
const SATURATED: u32 = 1 << 25;
/// Where a saturated count is put back to: 2^24 concurrent operations away from either end.
const PINNED: u32 = SATURATED + (1 << 24);

/// Tells whether there is one handle. If that is the caller's, nobody else can make another one.
#[inline]
pub(super) fn is_unique(word: &AtomicU32) -> bool {
    // Acquire pairs with the release in `drop_one`: the former handles' accesses happened before.
    word.load(Ordering::Acquire) & COUNT_MASK == 1
}

/// Adds a handle to those of a block that somebody has one of.
#[inline]
pub(super) fn add(word: &AtomicU32) {
    // Relaxed: a new handle comes from an existing one, which keeps the block alive.
    if word.fetch_add(1, Ordering::Relaxed) & COUNT_MASK >= SATURATED {
        saturate(word);
    }
}

/// Takes a handle away; tells whether it was the last one, whose owner frees the block.
#[inline]
pub(super) fn drop_one(word: &AtomicU32) -> bool {
    // Alone: nobody can add a handle, so no read-modify-write is needed.
    if is_unique(word) {
        return true;
    }
    // Release: what this handle did happens before the block is freed.
    let old = word.fetch_sub(1, Ordering::Release) & COUNT_MASK;
    if old >= SATURATED {
        saturate(word);
        return false;
    }
    if old == 1 {
        fence(Ordering::Acquire);
    }
    old == 1
}

/// Changes a count that several know; `None` leaves it. Returns what `change` did. Acquire and release: what one did before
/// it gave its part up happened before the next one's use.
#[inline]
pub(super) fn update(word: &AtomicU32, change: impl Fn(u32) -> Option<u32>) -> bool {
    let new = |old: u32| change(old & COUNT_MASK).map(|count| (old & !COUNT_MASK) | count);
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, new).is_ok()
}

#[cold]
#[inline(never)]
fn saturate(word: &AtomicU32) {
    let pinned = |old: u32| Some((old & !COUNT_MASK) | PINNED);
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pinned);
}
