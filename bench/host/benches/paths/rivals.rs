//! Other heaps, all of them called as global allocators: the only unsafe code here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;

use buddy_system_allocator::LockedHeap as BuddyHeap;
use linked_list_allocator::LockedHeap as ListHeap;
use spinning_top::RawSpinlock;
use talc::TalcLock;
use talc::source::Claim;

use crate::heaps::Heap;

/// Bytes of memory for heaps that are given theirs.
const ARENA: usize = 64 << 20;

/// A heap behind the allocator interface.
pub(crate) struct Rival<A>(A);

/// Memory from a [`Rival`]; made by `take` alone, used up by `give`.
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

impl<A: GlobalAlloc + Sync> Heap for Rival<A> {
    type Block = Block;

    #[inline]
    fn take(&self, layout: Layout) -> Option<Block> {
        // SAFETY: no layout measured here has the size zero.
        let start = unsafe { self.0.alloc(layout) };
        Some(Block { start: NonNull::new(start)?, layout })
    }

    #[inline]
    fn give(&self, block: Block) {
        // SAFETY: from `take` of this heap (the trait says so) with this layout, and not given back before, since the
        // block is used up here.
        unsafe { self.0.dealloc(block.start.as_ptr(), block.layout) };
    }
}

// SAFETY: a block is memory with one owner, and its heap may be called from any thread.
unsafe impl Send for Block {}

/// The host's own.
pub(crate) fn system() -> Rival<System> {
    Rival(System)
}

/// `mimalloc`, of Microsoft.
#[cfg(feature = "c-allocators")]
pub(crate) fn mimalloc() -> Rival<mimalloc::MiMalloc> {
    Rival(mimalloc::MiMalloc)
}

/// `jemalloc`, of FreeBSD.
#[cfg(feature = "c-allocators")]
pub(crate) fn jemalloc() -> Rival<tikv_jemallocator::Jemalloc> {
    Rival(tikv_jemallocator::Jemalloc)
}

/// `talc`: size classes and boundary tags.
pub(crate) fn talc() -> Rival<TalcLock<RawSpinlock, Claim>> {
    let arena = arena();
    // SAFETY: nothing else uses the arena.
    let source = unsafe { Claim::new(arena, ARENA) };
    Rival(TalcLock::new(source))
}

/// `buddy_system_allocator`: a free list for each power of two.
pub(crate) fn buddy_system() -> Rival<BuddyHeap<32>> {
    let heap = BuddyHeap::<32>::new();
    // SAFETY: nothing else uses the arena.
    unsafe { heap.lock().init(arena() as usize, ARENA) };
    Rival(heap)
}

/// `linked_list_allocator`: one list of holes, first fit.
pub(crate) fn linked_list() -> Rival<ListHeap> {
    let heap = ListHeap::empty();
    // SAFETY: nothing else uses the arena, which lives for ever.
    unsafe { heap.lock().init(arena(), ARENA) };
    Rival(heap)
}

/// Returns memory that is never freed.
fn arena() -> *mut u8 {
    vec![0_u64; ARENA / 8].leak().as_mut_ptr().cast()
}
