//! gettimeofday(2), settimeofday(2), time(2).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hal::user::UserPtr;
use linux_abi::cap::CAP_SYS_TIME;
use linux_abi::errno::Errno;
use linux_abi::time::{NSEC_PER_SEC, Timeval, Timezone};

use super::{Args, Context, SyscallError};
use crate::time::wall_clock;

hal::machine_static! {
    /// The time zone programs left here for others: minutes west, kind of daylight saving.
    static TIME_ZONE: AtomicU64 = AtomicU64::new(0);
}

/// gettimeofday(2): stores the wall clock and the time zone; either pointer may be null.
///
/// # Errors
/// `EFAULT`: not writable.
pub(super) fn gettimeofday(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (time_out, zone_out) = (args.user_ptr::<Timeval>(0), args.user_ptr::<Timezone>(1));
    if !time_out.is_null() {
        time_out.write(&Timeval::from_ns(wall_clock::now_ns()))?;
    }
    if !zone_out.is_null() {
        let zone = TIME_ZONE.load(Relaxed);
        zone_out.write(&Timezone {
            tz_minuteswest: (zone >> 32) as u32 as i32,
            tz_dsttime: zone as u32 as i32,
        })?;
    }
    Ok(0)
}

/// settimeofday(2): sets the wall clock and the time zone; either pointer may be null.
///
/// # Errors
/// `EINVAL`: not a valid time or zone. `EPERM`: without `CAP_SYS_TIME`. `EFAULT`: not readable.
pub(super) fn settimeofday(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (time_in, zone_in) = (args.user_ptr::<Timeval>(0), args.user_ptr::<Timezone>(1));
    let read_time = |time_in: UserPtr<Timeval>| time_in.read()?.to_ns().ok_or(Errno::EINVAL);
    let time = if time_in.is_null() { None } else { Some(read_time(time_in)?) };
    let zone = if zone_in.is_null() { None } else { Some(zone_in.read()?) };
    cx.credentials().require(CAP_SYS_TIME)?;
    if zone.is_some_and(|zone| zone.tz_minuteswest.unsigned_abs() > 15 * 60) {
        return Err(Errno::EINVAL);
    }

    if let Some(zone) = zone {
        let bits =
            u64::from(zone.tz_minuteswest.cast_unsigned()) << 32 | u64::from(zone.tz_dsttime.cast_unsigned());
        TIME_ZONE.store(bits, Relaxed);
    }
    if let Some(time) = time {
        wall_clock::set(time)?;
    }
    Ok(0)
}

/// time(2): answers the seconds since 1970, and stores them if the pointer is not null.
///
/// # Errors
/// `EFAULT`: not writable.
pub(super) fn time(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let out = args.user_ptr::<i64>(0);
    let seconds = wall_clock::now_ns() / NSEC_PER_SEC;
    if !out.is_null() {
        out.write(&seconds.cast_signed())?;
    }
    Ok(seconds as usize)
}
