//! Clocks, sleep, and the memory that is free.

use std::mem::MaybeUninit;

use super::{PAGE, Result, check, syscall1, syscall2};

/// clock_gettime(2) of the monotonic clock by the C library, which asks the vDSO if the kernel has one.
#[inline(always)]
pub(crate) fn clock_gettime_by_library() -> isize {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: writes one structure, which is there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) as isize }
}

/// clock_gettime(2) of the monotonic clock by the kernel.
#[inline(always)]
pub(crate) fn clock_gettime_by_call() -> isize {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: writes one structure, which is there.
    unsafe { syscall2(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC as usize, time.as_mut_ptr() as usize) }
}

/// Returns nanoseconds of the monotonic clock.
pub(crate) fn wall_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one structure, which is there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps.
pub(crate) fn sleep_ms(ms: u32) {
    std::thread::sleep(std::time::Duration::from_millis(u64::from(ms)));
}

/// Returns how many bytes of the machine's memory nobody uses.
///
/// Linux counts pages that wait for their next user beside a processor as used. Its `/proc/zoneinfo` says how many
/// those are; a kernel without that file is believed as it is.
pub(crate) fn free_memory() -> Result<u64> {
    // Makes Linux add up its processors' counts first; others have nothing to add up.
    let _ = std::fs::write("/proc/sys/vm/stat_refresh", "1");
    let zones = std::fs::read_to_string("/proc/zoneinfo").unwrap_or_default();
    let waiting: u64 =
        zones.lines().filter_map(|line| line.trim().strip_prefix("count:")?.trim().parse::<u64>().ok()).sum();
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the kernel fills one structure, which is there.
    check("sysinfo", unsafe { syscall1(libc::SYS_sysinfo, info.as_mut_ptr() as usize) })?;
    // SAFETY: numbers only, zero where the kernel wrote nothing.
    let info = unsafe { info.assume_init() };
    Ok(info.freeram * u64::from(info.mem_unit) + waiting * PAGE as u64)
}
