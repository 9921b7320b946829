//! The wall clock: the monotonic clock plus an offset that setting it changes.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::time::{NSEC_PER_SEC, Timespec};

use crate::lock_order;

hal::machine_static! {
    /// What to add to the monotonic clock to get the time since 1970. Set by the first use.
    static WALL_OFFSET_NS: Once<AtomicU64> = Once::new();
}

/// Nanoseconds since 1970 UTC.
pub fn now_ns() -> u64 {
    hal::time::now_ns().wrapping_add(offset_ns())
}

/// The time since 1970 UTC, for time stamps of files.
pub fn now() -> Timespec {
    Timespec::from_ns(now_ns())
}

/// The wall clock's reading at boot, in seconds since 1970 (`btime` in `/proc/stat`).
pub fn boot_time_s() -> u64 {
    offset_ns() / NSEC_PER_SEC
}

/// Sets the wall clock. Sleeps until a time on it keep the deadline they began with.
///
/// # Errors
/// `EINVAL`: before the machine was switched on, which would make the monotonic clock negative on it.
pub fn set(wall_ns: u64) -> Result<(), Errno> {
    let new = wall_ns.checked_sub(hal::time::now_ns()).ok_or(Errno::EINVAL)?;
    offset().store(new, SeqCst);
    publish();
    Ok(())
}

/// Tells the code that programs call instead of the kernel.
pub fn publish() {
    hal::machine_static! {
        static PUBLISHING: SpinLock<()> = SpinLock::new(lock_order::LEAF, ());
    }
    // Under the lock, so that of two settings the later one is the last that is told.
    let _publishing = PUBLISHING.lock();
    hal::vdso::set_wall_clock_offset_ns(offset_ns());
}

fn offset() -> &'static AtomicU64 {
    WALL_OFFSET_NS.get_or_init(|| AtomicU64::new(hal::time::wall_clock_offset_ns()))
}

/// What to add to the monotonic clock to get the wall clock.
pub(super) fn offset_ns() -> u64 {
    offset().load(Relaxed)
}
