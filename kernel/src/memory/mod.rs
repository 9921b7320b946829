//! Memory: physical frames, the kernel heap, page caches, address spaces.
//!
//! From the bottom up: [`physical`] hands out frames, [`heap`] cuts them for the kernel's own data, page caches
//! keep the contents of files in them, address spaces show both to programs. [`reserve`] says what is left for the kernel
//! when frames run out.

pub mod heap;
pub mod physical;
pub mod reserve;

mod object;
pub mod virtual_mem;

pub use object::{MapLabel, MemoryObject};

/// Takes over the machine's memory: first the tables, then the frames. From here on there is a heap.
///
/// # Errors
/// `OutOfMemory`: no room for the tables. `InUse`: called before.
pub fn init() -> Result<(), hal::Error> {
    heap::init()?;
    physical::buddy_allocator::init()
}
