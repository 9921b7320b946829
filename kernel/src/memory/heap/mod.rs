//! The kernel heap, in three tiers that fall through to each other.
//!
//! | Tier | Sizes | Lies with |
//! | --- | --- | --- |
//! | [`thread_cache`] | 16 to 256 bytes | the CPU on which the thread runs; no lock, no atomic |
//! | [`cpu_slab`] | 512 bytes to 4 KiB | the CPU; no lock, no atomic |
//! | buddy | 8 KiB to 16 MiB | [`buddy_allocator`](super::physical::buddy_allocator) |
//!
//! Behind the first two lies one [store](central) per size, which cuts frames into slots and gives whole frames back.
//! A slot is freed wherever the thread that frees it happens to run.
//!
//! A kernel thread keeps its CPU until it blocks and interrupt handlers do not allocate, so what belongs to a CPU needs
//! no protection, and a cache of its own per thread would save nothing: this is where the thread cache lies.

mod central;
pub mod cpu_slab;
pub mod debug;
pub mod hybrid_allocator;
mod magazine;
pub mod size_class;
pub mod statistics;
pub mod thread_cache;

pub(crate) use central::init;
