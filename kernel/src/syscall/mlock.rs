//! mlock(2), mlock2(2), munlock(2), mlockall(2), munlockall(2).

use linux_abi::cap::CAP_IPC_LOCK;
use linux_abi::errno::Errno;
use linux_abi::mman::{MLOCK_ONFAULT, MlockallFlags};

use super::{Args, Context, SyscallError};

fn may_lock(cx: &Context) -> bool {
    cx.credentials().has(CAP_IPC_LOCK)
}

/// mlock(2): locks a range into memory.
///
/// # Errors
/// `EPERM`: no right to. `ENOMEM`: a hole, or the limit. `EAGAIN`: pages that cannot be had. `EINVAL`: the range wraps.
pub(super) fn mlock(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().mlock(args.addr(0), args.size(1), false, may_lock(cx))?;
    Ok(0)
}

/// mlock2(2): as mlock, or as pages are touched.
///
/// # Errors
/// As [`mlock`]; `EINVAL`: an unknown flag.
pub(super) fn mlock2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = args.uint(2);
    if flags & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    cx.address_space().mlock(args.addr(0), args.size(1), flags != 0, may_lock(cx))?;
    Ok(0)
}

/// munlock(2): unlocks a range.
///
/// # Errors
/// `ENOMEM`: a hole. `EINVAL`: the range wraps.
pub(super) fn munlock(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().munlock(args.addr(0), args.size(1))?;
    Ok(0)
}

/// mlockall(2): locks all mappings, present or future.
///
/// # Errors
/// `EINVAL`: flags that make no sense. `EPERM`: no right to. `ENOMEM`: the limit.
pub(super) fn mlockall(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let flags = MlockallFlags::from_bits(args.uint(0)).ok_or(Errno::EINVAL)?;
    if flags.is_empty() || flags == MlockallFlags::MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let has = |flag| flags.contains(flag);
    cx.address_space().mlockall(
        has(MlockallFlags::MCL_CURRENT),
        has(MlockallFlags::MCL_FUTURE),
        has(MlockallFlags::MCL_ONFAULT),
        may_lock(cx),
    )?;
    Ok(0)
}

/// munlockall(2): unlocks all mappings.
///
/// # Errors
/// `ENOMEM`: too many mappings.
pub(super) fn munlockall(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().mlockall(false, false, false, true)?;
    Ok(0)
}
