//! Origins of `lseek(2)`.

/// From the start.
pub const SEEK_SET: u32 = 0;
/// From the current position.
pub const SEEK_CUR: u32 = 1;
/// From the end.
pub const SEEK_END: u32 = 2;
/// To the next data.
pub const SEEK_DATA: u32 = 3;
/// To the next hole.
pub const SEEK_HOLE: u32 = 4;
