//! Personalities (personality(2)): flags that change how a program is run.

/// Nothing in the address space lies at a random place.
pub const ADDR_NO_RANDOMIZE: u32 = 0x004_0000;
/// Page 0 is mapped, for programs of System V.
pub const MMAP_PAGE_ZERO: u32 = 0x010_0000;
/// Mappings are placed from below.
pub const ADDR_COMPAT_LAYOUT: u32 = 0x020_0000;
/// What may be read may be executed.
pub const READ_IMPLIES_EXEC: u32 = 0x040_0000;
/// What a program that gains other ids starts without.
pub const PER_CLEAR_ON_SETID: u32 =
    READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO;
