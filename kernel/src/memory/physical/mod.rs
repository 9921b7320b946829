//! Physical memory: the buddy system, and a cache of single frames per CPU in front of it.
//!
//! An allocation gives an owned [`Frame`](hal::frame::Frame); dropping its last handle brings it back here. What must
//! always hold is written at [`buddy_allocator`].

mod bits;
mod blocks;
pub mod buddy_allocator;
pub mod contiguous;
mod frame_cache;
mod index;
mod pool;
mod refill;
mod runs;
mod section;
pub mod statistics;
pub(super) mod zeroed;

pub use blocks::{Blocks, FreeError, ORDERS};
pub use index::Row;
pub use section::Section;
