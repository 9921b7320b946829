//! Memory: physical frames, the kernel heap, page caches, address spaces.
//!
//! From the bottom up: [`physical`] hands out frames, [`heap`] cuts them for the kernel's own data, [`page_cache`] keeps
//! the contents of files in them, [`address_space`] shows both to programs. [`reserve`], [`fallible`] and [`oom`] say what
//! happens when frames run out.

pub mod address_space;
pub mod audit;
pub mod commitment;
pub mod fallible;
pub mod heap;
pub mod oom;
pub mod page_cache;
pub mod physical;
pub mod policy;
pub mod reserve;
pub mod virtual_mem;

mod object;

pub use object::{MapLabel, MemoryObject};

use hal::PAGE_SIZE;

use self::physical::buddy_allocator;

/// Takes over the machine's memory: first the tables, then the frames. From here on there is a heap. Does nothing when
/// that has been done.
///
/// # Panics
/// If there is no room for the tables: the machine is too small to run anything.
pub fn init() {
    match heap::init().and_then(|()| buddy_allocator::init()) {
        Ok(()) | Err(hal::Error::InUse) => {}
        Err(error) => panic!("cannot start with the memory of this machine: {error}"),
    }
}

/// Uses the time of a CPU that has nothing to do: gives its caches back when memory is short, else clears frames ahead.
pub fn tend() {
    if !buddy_allocator::is_under_pressure() {
        physical::zeroed::fill();
    } else if buddy_allocator::cached_frames(hal::cpu::id()) != 0
        || heap::hybrid_allocator::has_cached_slots()
    {
        flush_this_cpu();
    }
}

/// Gives back all that this CPU has cached.
fn flush_this_cpu() {
    heap::hybrid_allocator::flush_this_cpu();
    buddy_allocator::flush_this_cpu();
}

/// Bytes of the machine's memory by use, for `/proc/meminfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStatistics {
    /// Managed by the frame allocator.
    pub total: usize,
    /// Free.
    pub free: usize,
    /// What programs can still get: nothing is reclaimed, so free memory but for the kernel's reserve.
    pub available: usize,
    /// In page caches.
    pub cached: usize,
    /// Private memory of programs.
    pub anonymous: usize,
    /// The part of it in large pages.
    pub large: usize,
    /// Pages of page caches that are mapped.
    pub mapped: usize,
    /// Shared memory and files that live in memory only.
    pub shared: usize,
    /// The kernel heap.
    pub heap: usize,
    /// Promised to programs.
    pub committed: usize,
    /// Locked by programs.
    pub locked: usize,
    /// Page tables and kernel stacks: what is in use and of no other kind.
    pub page_tables: usize,
    /// Not counted apart: contained in `page_tables`.
    pub kernel_stacks: usize,
}

/// Adds up how memory is used. Looks at every address space.
pub fn statistics() -> MemoryStatistics {
    let spaces = address_space::totals();
    let cached = page_cache::cached_bytes();
    let (total, free) = (buddy_allocator::total_bytes(), buddy_allocator::free_bytes());
    let heap = heap::statistics::statistics().used_bytes();
    let known = free + cached + spaces.anonymous * PAGE_SIZE + heap;
    MemoryStatistics {
        total,
        free,
        available: buddy_allocator::free_user_bytes(),
        cached,
        anonymous: spaces.anonymous * PAGE_SIZE,
        large: spaces.large * hal::paging::LARGE_PAGE_SIZE,
        mapped: (spaces.file + spaces.shared) * PAGE_SIZE,
        shared: cached,
        heap,
        committed: commitment::committed_bytes(),
        locked: spaces.locked * PAGE_SIZE,
        page_tables: total.saturating_sub(known),
        kernel_stacks: 0,
    }
}
