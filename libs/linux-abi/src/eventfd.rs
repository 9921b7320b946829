//! `eventfd2(2)`.

/// Reads take one at a time.
pub const EFD_SEMAPHORE: u32 = 1;
/// Close on exec.
pub const EFD_CLOEXEC: u32 = 0o2000000;
/// Do not wait.
pub const EFD_NONBLOCK: u32 = 0o4000;
/// Largest value the counter holds.
pub const EVENTFD_MAX: u64 = u64::MAX - 1;
