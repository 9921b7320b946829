//! nanosleep(2), clock_nanosleep(2).

use hal::time::now_ns;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::time::{CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME, Timespec};

use super::{Args, Context, SyscallError};
use crate::scheduler::wait;
use crate::time::clock::Clock;

/// nanosleep(2): sleeps for the time at argument 0; stores what is left at argument 1 when a signal comes.
///
/// # Errors
/// `EINVAL`: not a valid duration. `EFAULT`: a bad pointer. `EINTR`: a signal.
pub(super) fn nanosleep(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (duration_in, left_out) = (args.user_ptr::<Timespec>(0), args.user_ptr::<Timespec>(1));
    let duration = duration_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    sleep_for(cx, duration, left_out)
}

/// clock_nanosleep(2): sleeps for a time, or until a time, on one of the clocks.
///
/// # Errors
/// `EINVAL`: not a valid time, no such clock, or the CPU time of the calling thread. `EOPNOTSUPP`: another clock of CPU
/// time. `EFAULT`: a bad pointer. `EINTR`: a signal.
pub(super) fn clock_nanosleep(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, flags) = (args.int(0), args.uint(1));
    let (time_in, left_out) = (args.user_ptr::<Timespec>(2), args.user_ptr::<Timespec>(3));
    if id == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL);
    }
    let clock = Clock::from_id(id)?;
    let time = time_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    if matches!(clock, Clock::ProcessCpu(_) | Clock::ThreadCpu(_)) {
        return Err(Errno::EOPNOTSUPP);
    }
    if matches!(clock, Clock::RealtimeCoarse | Clock::MonotonicCoarse | Clock::MonotonicRaw) {
        return Err(Errno::EOPNOTSUPP);
    }

    if flags & TIMER_ABSTIME == 0 {
        return sleep_for(cx, time, left_out);
    }
    wait::sleep_interruptible(Some(clock.to_monotonic_ns(time)?))?;
    Ok(0)
}

/// Sleeps `duration` nanoseconds; a call that is made again after a signal sleeps what was left.
fn sleep_for(cx: &Context, duration: u64, left_out: UserPtr<Timespec>) -> Result<usize, SyscallError> {
    use core::sync::atomic::Ordering::Relaxed;

    let deadline = cx.user().deadline_or(|| now_ns().saturating_add(duration));
    if wait::sleep_interruptible(Some(deadline)).is_ok() {
        return Ok(0);
    }
    cx.user().restart_deadline.store(deadline, Relaxed);
    if !left_out.is_null() {
        left_out.write(&Timespec::from_ns(deadline.saturating_sub(now_ns())))?;
    }
    Err(Errno::EINTR)
}
