//! clock_gettime(2), clock_settime(2), clock_getres(2).

use linux_abi::cap::CAP_SYS_TIME;
use linux_abi::errno::Errno;
use linux_abi::time::Timespec;

use super::{Args, Context, SyscallError};
use crate::time::clock::Clock;
use crate::time::wall_clock;

/// clock_gettime(2): stores what a clock shows.
///
/// # Errors
/// `EINVAL`: no such clock. `EFAULT`: not writable.
pub(super) fn clock_gettime(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, out) = (args.int(0), args.user_ptr::<Timespec>(1));
    let now = Clock::from_id(id)?.read_ns()?;
    out.write(&Timespec::from_ns(now))?;
    Ok(0)
}

/// clock_settime(2): sets the wall clock.
///
/// # Errors
/// `EINVAL`: another clock, or not a valid time. `EPERM`: without `CAP_SYS_TIME`. `EFAULT`: not readable.
pub(super) fn clock_settime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, time_in) = (args.int(0), args.user_ptr::<Timespec>(1));
    if Clock::from_id(id)? != Clock::Realtime {
        return Err(Errno::EINVAL);
    }
    let time = time_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    cx.credentials().require(CAP_SYS_TIME)?;
    wall_clock::set(time)?;
    Ok(0)
}

/// clock_getres(2): stores what a clock resolves, if the pointer is not null.
///
/// # Errors
/// `EINVAL`: no such clock. `EFAULT`: not writable.
pub(super) fn clock_getres(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, out) = (args.int(0), args.user_ptr::<Timespec>(1));
    let clock = Clock::from_id(id)?;
    clock.read_ns()?;
    if !out.is_null() {
        out.write(&Timespec::from_ns(clock.resolution_ns()))?;
    }
    Ok(0)
}
