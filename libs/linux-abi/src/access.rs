//! Modes of `access(2)`.

/// Does the file exist?
pub const F_OK: u32 = 0;
/// May it be executed?
pub const X_OK: u32 = 1;
/// May it be written?
pub const W_OK: u32 = 2;
/// May it be read?
pub const R_OK: u32 = 4;
