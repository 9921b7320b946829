//! `sysinfo(2)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct sysinfo`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sysinfo {
    /// Seconds since boot.
    pub uptime: i64,
    /// Load averages over 1, 5 and 15 minutes, times [`SI_LOAD_SCALE`].
    pub loads: [u64; 3],
    /// Memory in all, in units of `mem_unit`, as the others.
    pub totalram: u64,
    /// Memory free.
    pub freeram: u64,
    /// Shared memory.
    pub sharedram: u64,
    /// Buffers.
    pub bufferram: u64,
    /// Swap in all.
    pub totalswap: u64,
    /// Swap free.
    pub freeswap: u64,
    /// Threads.
    pub procs: u16,
    /// Zero.
    pub _pad0: u16,
    /// Zero.
    pub _pad1: u32,
    /// High memory in all; 0.
    pub totalhigh: u64,
    /// High memory free; 0.
    pub freehigh: u64,
    /// Unit of the sizes, bytes.
    pub mem_unit: u32,
    /// Zero.
    pub _pad2: u32,
}

const _: () = assert!(size_of::<Sysinfo>() == 112);

/// Load averages are multiplied by this.
pub const SI_LOAD_SCALE: u64 = 1 << 16;
