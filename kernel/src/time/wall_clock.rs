//! The wall clock: the monotonic clock plus an offset that setting it changes.

use alloc::sync::Weak;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::time::{NSEC_PER_SEC, Timespec};

use crate::lock_order;
use crate::memory::fallible;
use crate::scheduler::wait::WaitQueue;

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

/// Sets the wall clock, and tells whoever waits for a time on it.
///
/// # Errors
/// `EINVAL`: before the machine was switched on, which would make the monotonic clock negative on it.
pub fn set(wall_ns: u64) -> Result<(), Errno> {
    let new = wall_ns.checked_sub(hal::time::now_ns()).ok_or(Errno::EINVAL)?;
    offset().store(new, SeqCst);
    publish();
    tell_watchers();
    SETTINGS.wake_all();
    Ok(())
}

/// What has timers that are set to a time on the wall clock.
pub trait Watcher: Send + Sync {
    /// Takes note that the wall clock has been set. [`follow`] tells what that means for a timer.
    fn clock_was_set(&self);
}

hal::machine_static! {
    static WATCHERS: SpinLock<Vec<Weak<dyn Watcher>>> = SpinLock::new(lock_order::LEAF, Vec::new());
    static SETTINGS: WaitQueue = WaitQueue::new();
}

/// Tells `watcher` whenever the wall clock is set, as long as it lives. To be called once for each, before it looks at
/// [`offset_ns`].
///
/// # Errors
/// `ENOMEM`.
pub fn watch(watcher: Weak<dyn Watcher>) -> Result<(), Errno> {
    let mut watchers = WATCHERS.lock();
    if watchers.len() == watchers.capacity() {
        watchers.retain(|known| known.strong_count() != 0);
    }
    fallible::push(&mut watchers, watcher)
}

/// Backwards, and without the lock while one is told: what comes or goes meanwhile makes none be left out.
fn tell_watchers() {
    let mut index = WATCHERS.lock().len();
    while index > 0 {
        index -= 1;
        let watcher = WATCHERS.lock().get(index).and_then(Weak::upgrade);
        if let Some(watcher) = watcher {
            watcher.clock_was_set();
        }
    }
}

/// Moves a time on the monotonic clock, which stands for one on the wall clock by the offset `known_ns`, to where it is by
/// the offset of now; remembers that.
pub fn follow(at_ns: u64, known_ns: &mut u64) -> u64 {
    let wall_ns = at_ns.saturating_add(*known_ns);
    *known_ns = offset_ns();
    wall_ns.saturating_sub(*known_ns).max(1)
}

/// Sleeps until the wall clock shows `wall_ns`, however it is set meanwhile.
///
/// # Errors
/// `EINTR`: a signal.
pub fn sleep_until(wall_ns: u64) -> Result<(), Errno> {
    loop {
        let known = offset_ns();
        let deadline = wall_ns.saturating_sub(known);
        let is_set = || (offset_ns() != known).then_some(());
        if SETTINGS.wait_deadline(Some(deadline), is_set)?.is_none() {
            return Ok(());
        }
    }
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

#[inline]
fn offset() -> &'static AtomicU64 {
    WALL_OFFSET_NS.get_or_init(|| AtomicU64::new(hal::time::wall_clock_offset_ns()))
}

/// What to add to the monotonic clock to get the wall clock.
#[inline]
pub fn offset_ns() -> u64 {
    offset().load(Relaxed)
}
