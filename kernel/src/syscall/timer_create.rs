//! timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).

use linux_abi::errno::Errno;
use linux_abi::signal::Signal;
use linux_abi::time::{
    Itimerspec, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, Sigevent, TIMER_ABSTIME, Timespec,
};

use super::{Args, Context, SyscallError};
use crate::memory::reserve;
use crate::process::tree;
use crate::time::clock::Clock;
use crate::time::posix_timers::Notification;
use crate::time::process_timers::Setting;

/// Memory that a timer takes of the kernel, roughly.
const TIMER_COST: usize = 512;

/// timer_create(2): makes a timer on a clock and stores its id.
///
/// # Errors
/// - `EINVAL`: no such clock, a bad notification.
/// - `EAGAIN`: too many timers. `ENOMEM`.
/// - `EFAULT`: a bad pointer; no timer has been made.
pub(super) fn timer_create(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (clock, event_in, id_out) = (args.int(0), args.user_ptr::<Sigevent>(1), args.user_ptr::<i32>(2));
    let clock = Clock::from_id(clock)?;
    let event = if event_in.is_null() { None } else { Some(event_in.read()?) };
    let fixed = event.map(|event| notification(cx, &event)).transpose()?;

    reserve::check(TIMER_COST)?;
    let timers = &cx.process().timers.posix;
    // Without an event: SIGALRM with the timer's id as its value.
    let default = |id: i32| Notification::Process(Signal::SIGALRM, u64::from(id.cast_unsigned()));
    let id = timers.create(cx.process(), clock, |id| fixed.unwrap_or_else(|| default(id)))?;
    if let Err(fault) = id_out.write(&id) {
        timers.delete(cx.process(), id)?;
        return Err(fault.into());
    }
    Ok(0)
}

fn notification(cx: &Context, event: &Sigevent) -> Result<Notification, Errno> {
    if event.sigev_notify == SIGEV_NONE {
        return Ok(Notification::None);
    }
    let number = u32::try_from(event.sigev_signo).map_err(|_| Errno::EINVAL)?;
    let signal = Signal::new(number).ok_or(Errno::EINVAL)?;
    match event.sigev_notify {
        SIGEV_SIGNAL | SIGEV_THREAD => Ok(Notification::Process(signal, event.sigev_value)),
        SIGEV_THREAD_ID => {
            let tid = event.sigev_notify_thread_id;
            let thread = tree::find_thread(tid).ok_or(Errno::EINVAL)?;
            let is_own = thread.user.as_ref().is_some_and(|user| user.process.pid == cx.process().pid);
            if is_own { Ok(Notification::Thread(tid, signal, event.sigev_value)) } else { Err(Errno::EINVAL) }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// timer_settime(2): arms or disarms a timer; stores what it was set to if the pointer is not null.
///
/// # Errors
/// `EINVAL`: no such timer, or not a valid time. `EFAULT`: a bad pointer. `ENOMEM`.
pub(super) fn timer_settime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, flags) = (args.int(0), args.uint(1));
    let (new_in, old_out) = (args.user_ptr::<Itimerspec>(2), args.user_ptr::<Itimerspec>(3));
    let new = from_user(&new_in.read()?)?;
    let old = cx.process().timers.posix.set(cx.process(), id, new, flags & TIMER_ABSTIME != 0)?;
    if !old_out.is_null() {
        old_out.write(&to_user(old))?;
    }
    Ok(0)
}

/// timer_gettime(2): stores when a timer fires next and its period.
///
/// # Errors
/// `EINVAL`: no such timer. `EFAULT`: not writable.
pub(super) fn timer_gettime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, out) = (args.int(0), args.user_ptr::<Itimerspec>(1));
    out.write(&to_user(cx.process().timers.posix.get(id)?))?;
    Ok(0)
}

/// timer_getoverrun(2): answers how many expiries the timer's last signal stood for beside its own.
///
/// # Errors
/// `EINVAL`: no such timer.
pub(super) fn timer_getoverrun(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let overrun = cx.process().timers.posix.overrun(args.int(0))?;
    Ok(overrun.unsigned_abs() as usize)
}

/// timer_delete(2): deletes a timer.
///
/// # Errors
/// `EINVAL`: no such timer.
pub(super) fn timer_delete(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.process().timers.posix.delete(cx.process(), args.int(0))?;
    Ok(0)
}

fn from_user(spec: &Itimerspec) -> Result<Setting, Errno> {
    Ok(Setting {
        left_ns: spec.it_value.to_ns().ok_or(Errno::EINVAL)?,
        interval_ns: spec.it_interval.to_ns().ok_or(Errno::EINVAL)?,
    })
}

fn to_user(setting: Setting) -> Itimerspec {
    Itimerspec {
        it_interval: Timespec::from_ns(setting.interval_ns),
        it_value: Timespec::from_ns(setting.left_ns),
    }
}
