//! The kernel heap, in three tiers that fall through to each other.
//!
//! | Tier | Sizes | Lies with |
//! | --- | --- | --- |
//! | [`thread_cache`] | 16 to 256 bytes | the CPU on which the thread runs; no lock, no atomic |
//! | [`cpu_slab`] | 384 bytes to 4 KiB | the CPU; no lock, no atomic |
//! | buddy | 8 KiB to 16 MiB | [`buddy_allocator`](super::physical::buddy_allocator) |
//!
//! Between two powers of two lies one more size, up to a page. The free slots of the first two tiers lie in the
//! [stock](hal::heap::stock) of each CPU, where taking and giving one are eight instructions each; how many may lie there is
//! decided here. Behind it lies one [store](central) per size, which cuts blocks into slots and gives whole blocks back. A
//! slot is freed wherever the thread that frees it happens to run.
//!
//! A kernel thread keeps its CPU until it blocks and interrupt handlers do not allocate, so what belongs to a CPU needs
//! no protection, and a cache of its own per thread would save nothing: this is where the thread cache lies.

mod central;
pub mod cpu_slab;
pub mod debug;
pub mod hybrid_allocator;
pub mod size_class;
pub mod statistics;
pub mod thread_cache;

pub(crate) use central::init;
