//! What firmware and boot loader leave in memory, read with suspicion: whatever lies there, there is a result, no access
//! goes beyond what [`PhysMemory`] gives, and loops are bounded.
//!
//! - [`start_info`]: what a PVH boot loader hands over, and the words of the command line that matter before there is a
//!   kernel to read it;
//! - [`acpi`]: the few things a kernel wants from ACPI's tables;
//! - [`memory_map`]: sets of physical memory, for what is RAM and what of it is free.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod acpi;
pub mod memory_map;
pub mod start_info;

/// Reads physical memory: `None` where nothing can be read.
pub trait PhysMemory {
    /// Returns `len` bytes from `addr` on.
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]>;
}

/// Reads a little-endian word of 32 bits; `None` beyond the end.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a little-endian word of 64 bits; `None` beyond the end.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
