//! What programs have been promised, and how much of it may be more than there is (`vm.overcommit_memory`).

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;

use super::physical::buddy_allocator::total_bytes;

/// `vm.overcommit_memory`: everything may be promised.
const ALWAYS: u32 = 1;
/// `vm.overcommit_memory`: a share of the memory, in all.
const NEVER: u32 = 2;

hal::machine_static! {
    /// Pages that have been promised.
    static COMMITTED: AtomicUsize = AtomicUsize::new(0);
    /// `vm.overcommit_memory`: 0 refuses only what the machine could never supply at once; 1 nothing; 2 what exceeds
    /// [`limit_bytes`] in all.
    pub static OVERCOMMIT_MEMORY: AtomicU32 = AtomicU32::new(0);
    /// `vm.overcommit_ratio`: the share of the memory that may be promised with 2, in percent.
    pub static OVERCOMMIT_RATIO: AtomicU32 = AtomicU32::new(50);
}

/// Tells whether all promises count, `MAP_NORESERVE` or not.
pub(super) fn is_strict() -> bool {
    OVERCOMMIT_MEMORY.load(Relaxed) == NEVER
}

/// Charges `pages`.
///
/// # Errors
/// `ENOMEM`: more than may be promised.
pub(super) fn charge(pages: usize) -> Result<(), Errno> {
    let mode = OVERCOMMIT_MEMORY.load(Relaxed);
    if mode != ALWAYS && pages > total_bytes() / PAGE_SIZE {
        return Err(Errno::ENOMEM);
    }
    let before = COMMITTED.fetch_add(pages, Relaxed);
    if mode == NEVER && before.saturating_add(pages) > limit_bytes() / PAGE_SIZE {
        uncharge(pages);
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

pub(super) fn uncharge(pages: usize) {
    COMMITTED.fetch_sub(pages, Relaxed);
}

/// A promise that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Commitment(usize);

impl Commitment {
    /// Makes a promise of `pages`.
    ///
    /// # Errors
    /// As [`charge`].
    pub(super) fn new(pages: usize) -> Result<Self, Errno> {
        charge(pages).map(|()| Self(pages))
    }
}

impl Drop for Commitment {
    fn drop(&mut self) {
        uncharge(self.0);
    }
}

/// Returns the bytes that have been promised to programs (`Committed_AS`).
pub fn committed_bytes() -> usize {
    COMMITTED.load(Relaxed).saturating_mul(PAGE_SIZE)
}

/// Returns the bytes that may be promised when all promises count (`CommitLimit`).
pub fn limit_bytes() -> usize {
    (total_bytes() / 100).saturating_mul(OVERCOMMIT_RATIO.load(Relaxed) as usize)
}
