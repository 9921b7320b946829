//! nanosleep(2), clock_nanosleep(2).

use core::sync::atomic::Ordering::Relaxed;

use hal::time::now_ns;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::time::{CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME, Timespec};

use super::{Args, Context, SyscallError};
use crate::scheduler::wait;
use crate::time::clock::Clock;
use crate::time::cpu_clocks::CpuClock;
use crate::time::wall_clock;

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
/// `EINVAL`: not a valid time, no such clock, or the calling thread named by a clock of a thread's CPU time.
/// `EOPNOTSUPP`: a coarse or raw clock, or `CLOCK_THREAD_CPUTIME_ID`. `EFAULT`: a bad pointer. `EINTR`: a signal.
pub(super) fn clock_nanosleep(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, flags) = (args.int(0), args.uint(1));
    let (time_in, left_out) = (args.user_ptr::<Timespec>(2), args.user_ptr::<Timespec>(3));
    let is_absolute = flags & TIMER_ABSTIME != 0;
    let clock = Clock::from_id(id)?;
    let is_refused = matches!(clock, Clock::RealtimeCoarse | Clock::MonotonicCoarse | Clock::MonotonicRaw);
    if is_refused || id == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EOPNOTSUPP);
    }
    let time = time_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    match clock {
        // It would never wake up.
        Clock::Cpu(name) if name.is_caller() => Err(Errno::EINVAL),
        Clock::Cpu(name) => sleep_for_cpu_time(cx, &name.find()?, time, is_absolute, left_out),
        _ if is_absolute && clock.is_wall_clock() => {
            wall_clock::sleep_until(time)?;
            Ok(0)
        }
        _ if is_absolute => {
            wait::sleep_interruptible(Some(clock.to_monotonic_ns(time)?))?;
            Ok(0)
        }
        _ => sleep_for(cx, time, left_out),
    }
}

/// Sleeps for, or until, a time on a clock of CPU time.
fn sleep_for_cpu_time(
    cx: &Context,
    clock: &CpuClock,
    time: u64,
    is_absolute: bool,
    left_out: UserPtr<Timespec>,
) -> Result<usize, SyscallError> {
    let deadline =
        if is_absolute { time } else { cx.user().deadline_or(|| clock.read_ns().saturating_add(time)) };
    if clock.process.timers.cpu_watch.sleep(clock, deadline).is_ok() {
        return Ok(0);
    }
    if !is_absolute {
        cx.user().restart_deadline.store(deadline, Relaxed);
        store_left(left_out, deadline.saturating_sub(clock.read_ns()))?;
    }
    Err(Errno::EINTR)
}

/// Sleeps `duration` nanoseconds; a call that is made again after a signal sleeps what was left.
fn sleep_for(cx: &Context, duration: u64, left_out: UserPtr<Timespec>) -> Result<usize, SyscallError> {
    let deadline = cx.user().deadline_or(|| now_ns().saturating_add(duration));
    if wait::sleep_interruptible(Some(deadline)).is_ok() {
        return Ok(0);
    }
    cx.user().restart_deadline.store(deadline, Relaxed);
    store_left(left_out, deadline.saturating_sub(now_ns()))?;
    Err(Errno::EINTR)
}

fn store_left(left_out: UserPtr<Timespec>, left_ns: u64) -> Result<(), Errno> {
    if !left_out.is_null() {
        left_out.write(&Timespec::from_ns(left_ns))?;
    }
    Ok(())
}
