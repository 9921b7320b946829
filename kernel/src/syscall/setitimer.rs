//! getitimer(2), setitimer(2), alarm(2).

use linux_abi::errno::Errno;
use linux_abi::time::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Itimerval, NSEC_PER_SEC, Timeval};

use super::{Args, Context, SyscallError};
use crate::time::process_timers::{IntervalTimer, Setting};

/// getitimer(2): stores when an interval timer fires next and its period.
///
/// # Errors
/// `EINVAL`: no such timer. `EFAULT`: not writable.
pub(super) fn getitimer(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (which, out) = (timer(args.int(0))?, args.user_ptr::<Itimerval>(1));
    let setting = cx.process().timers.get(cx.process(), which);
    out.write(&to_user(setting))?;
    Ok(0)
}

/// setitimer(2): sets an interval timer; stores what it was set to if the pointer is not null.
///
/// # Errors
/// `EINVAL`: no such timer, or not a valid time. `EFAULT`: a bad pointer.
pub(super) fn setitimer(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (which, new_in, old_out) =
        (args.int(0), args.user_ptr::<Itimerval>(1), args.user_ptr::<Itimerval>(2));
    // A null pointer disarms the timer, as on Linux.
    let new = if new_in.is_null() { Itimerval::default() } else { new_in.read()? };
    let new = Setting {
        left_ns: new.it_value.to_ns().ok_or(Errno::EINVAL)?,
        interval_ns: new.it_interval.to_ns().ok_or(Errno::EINVAL)?,
    };
    let old = cx.process().timers.set(cx.process(), timer(which)?, new);
    if !old_out.is_null() {
        old_out.write(&to_user(old))?;
    }
    Ok(0)
}

/// alarm(2): arranges for SIGALRM in some seconds, or not at all for 0; answers the seconds that were left, rounded, but
/// never down to 0.
pub(super) fn alarm(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let seconds = u64::from(args.uint(0)).min(i32::MAX as u64);
    let new = Setting { left_ns: seconds * NSEC_PER_SEC, interval_ns: 0 };
    let old = cx.process().timers.set(cx.process(), IntervalTimer::Real, new);
    let left = (old.left_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
    Ok(if old.left_ns > 0 { left.max(1) as usize } else { 0 })
}

fn timer(which: i32) -> Result<IntervalTimer, Errno> {
    match which {
        ITIMER_REAL => Ok(IntervalTimer::Real),
        ITIMER_VIRTUAL => Ok(IntervalTimer::Virtual),
        ITIMER_PROF => Ok(IntervalTimer::Profile),
        _ => Err(Errno::EINVAL),
    }
}

fn to_user(setting: Setting) -> Itimerval {
    // An armed timer must not look disarmed because less than a microsecond is left.
    let left_ns = if setting.left_ns > 0 { setting.left_ns.max(1_000) } else { 0 };
    Itimerval { it_value: Timeval::from_ns(left_ns), it_interval: Timeval::from_ns(setting.interval_ns) }
}
