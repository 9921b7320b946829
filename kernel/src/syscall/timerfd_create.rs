//! timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::time::{
    Itimerspec, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET, Timespec,
};

use super::{Args, Context, SyscallError};
use crate::fs::timerfd::{Request, TimerFd};
use crate::fs::vfs::OpenFile;
use crate::fs::vfs::anonymous::AnonymousInode;
use crate::time::clock::Clock;
use crate::time::process_timers::Setting;

/// timerfd_create(2): makes a timer that is read through a descriptor.
///
/// # Errors
/// `EINVAL`: an unknown flag, or a clock that cannot have timers. `EMFILE`: no descriptor left.
pub(super) fn timerfd_create(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (clock, flags) = (args.int(0), args.uint(1));
    if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let timer = match Clock::from_id(clock)? {
        clock @ (Clock::Realtime | Clock::Monotonic | Clock::Boottime) => TimerFd::new(clock)?,
        _ => return Err(Errno::EINVAL),
    };
    let mut open_flags = OpenFlags::O_RDWR;
    open_flags.set(OpenFlags::O_NONBLOCK, flags & TFD_NONBLOCK != 0);
    let file = OpenFile::anonymous(timer, AnonymousInode::of("[timerfd]"), open_flags);
    let fd = cx.files().insert(file, flags & TFD_CLOEXEC != 0, cx.process().limit(RLIMIT_NOFILE))?;
    Ok(fd as usize)
}

/// timerfd_settime(2): arms or disarms the timer; stores what it was set to if the pointer is not null.
///
/// # Errors
/// `EBADF`: no descriptor. `EINVAL`: no timer, an unknown flag, not a valid time. `EFAULT`: a bad pointer.
/// `ECANCELED`: the clock has been set meanwhile. `ENOMEM`.
pub(super) fn timerfd_settime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (fd, flags) = (args.fd(0), args.uint(1));
    let (new_in, old_out) = (args.user_ptr::<Itimerspec>(2), args.user_ptr::<Itimerspec>(3));
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let new = new_in.read()?;
    let setting = Setting {
        left_ns: new.it_value.to_ns().ok_or(Errno::EINVAL)?,
        interval_ns: new.it_interval.to_ns().ok_or(Errno::EINVAL)?,
    };
    let is_absolute = flags & TFD_TIMER_ABSTIME != 0;
    let request = Request { setting, is_absolute, is_cancellable: flags & TFD_TIMER_CANCEL_ON_SET != 0 };
    let file = cx.open_file(fd)?;
    let old = file.file().as_timer().ok_or(Errno::EINVAL)?.set(&request)?;
    if !old_out.is_null() {
        old_out.write(&to_user(old))?;
    }
    Ok(0)
}

/// timerfd_gettime(2): stores what the timer is set to.
///
/// # Errors
/// `EBADF`: no descriptor. `EINVAL`: no timer. `EFAULT`: not writable.
pub(super) fn timerfd_gettime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (fd, out) = (args.fd(0), args.user_ptr::<Itimerspec>(1));
    let file = cx.open_file(fd)?;
    let setting = file.file().as_timer().ok_or(Errno::EINVAL)?.get();
    out.write(&to_user(setting))?;
    Ok(0)
}

fn to_user(setting: Setting) -> Itimerspec {
    Itimerspec {
        it_interval: Timespec::from_ns(setting.interval_ns),
        it_value: Timespec::from_ns(setting.left_ns),
    }
}
