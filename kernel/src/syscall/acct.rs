//! acct(2), swapon(2), swapoff(2): calls whose subject this kernel does not have.

use linux_abi::cap::{CAP_SYS_ADMIN, CAP_SYS_PACCT};
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;

use super::place::{Acting, Start};
use super::{Args, Context, PathBuffer, SyscallError};
use crate::fs::vfs::OpenParameters;

/// acct(2): a null pointer ends process accounting, which is never on.
///
/// # Errors
/// `EPERM`: no `CAP_SYS_PACCT`. `EFAULT`, those of open(2). `EACCES`: no regular file. `ENOSYS`: it would be begun.
pub(super) fn acct(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_PACCT)?;
    if args.addr(0) == 0 {
        return Ok(0);
    }
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_APPEND;
    let parameters = OpenParameters { flags, ..OpenParameters::read_only() };
    let file = Acting::of(cx).caller().open(Start::WORKING.base(), path, &parameters)?;
    Err(if file.metadata().mode.is_regular() { Errno::ENOSYS } else { Errno::EACCES })
}

/// swapon(2): nothing here can hold pages of programs: there are no block devices, and files in memory cannot.
///
/// # Errors
/// `EPERM`: no `CAP_SYS_ADMIN`. `EINVAL`: an unknown flag, or whatever is named. `EFAULT`, those of open(2).
pub(super) fn swapon(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    /// `SWAP_FLAG_PREFER`, its priority, `SWAP_FLAG_DISCARD*`.
    const FLAGS: i32 = 0x7_ffff;

    if args.int(1) & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    cx.credentials().require(CAP_SYS_ADMIN)?;
    open_swap(cx, args)
}

/// swapoff(2).
///
/// # Errors
/// `EPERM`: no `CAP_SYS_ADMIN`. `EINVAL`: whatever is named, since nothing is swapped to. `EFAULT`, those of open(2).
pub(super) fn swapoff(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_ADMIN)?;
    open_swap(cx, args)
}

fn open_swap(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut buffer = PathBuffer::new();
    let path = args.path(0, &mut buffer)?;
    let parameters = OpenParameters { flags: OpenFlags::O_RDWR, ..OpenParameters::read_only() };
    Acting::of(cx).caller().open(Start::WORKING.base(), path, &parameters)?;
    Err(Errno::EINVAL)
}
