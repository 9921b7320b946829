//! arch_prctl(2), set_tid_address(2), personality(2).

use core::sync::atomic::Ordering;

use linux_abi::errno::Errno;
use linux_abi::prctl::{ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS};

use super::{Args, Context, SyscallError};

/// arch_prctl(2): the thread's FS and GS base.
///
/// # Errors
/// `EINVAL`: an unknown operation. `EPERM`: a base outside user space. `EFAULT`: not writable.
pub(super) fn arch_prctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (operation, addr) = (args.uint(0), args.addr(1));
    let task = &cx.thread().task;
    match operation {
        ARCH_SET_FS => task.set_fs_base(addr).map_err(|_| Errno::EPERM)?,
        ARCH_SET_GS => task.set_gs_base(addr).map_err(|_| Errno::EPERM)?,
        ARCH_GET_FS => args.user_ptr::<u64>(1).write(&(task.fs_base() as u64))?,
        ARCH_GET_GS => args.user_ptr::<u64>(1).write(&(task.gs_base() as u64))?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// set_tid_address(2): where to store 0 when the thread ends; answers the thread's id.
pub(super) fn set_tid_address(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.user().clear_child_tid.store(args.addr(0), Ordering::Relaxed);
    Ok(cx.thread().tid() as usize)
}

/// personality(2): answers the old personality; 0xffffffff only asks.
pub(super) fn personality(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let personality = &cx.process().personality;
    let new = args.uint(0);
    let old = personality.load(Ordering::Relaxed);
    if new != u32::MAX {
        personality.store(u64::from(new), Ordering::Relaxed);
    }
    Ok(old as usize)
}
