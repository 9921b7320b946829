//! fork(2), vfork(2), clone(2), clone3(2).

use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::sched::{CSIGNAL, CloneArgs, CloneFlags};
use linux_abi::signal::Signal;
use zerocopy::{FromZeros, IntoBytes};

use super::{Args, Context, SyscallError};
use crate::process::fork::{Request, clone_current};

const SIGCHLD: i32 = Signal::SIGCHLD.number() as i32;

fn plain(flags: CloneFlags) -> Request {
    Request { flags, exit_signal: SIGCHLD, stack: 0, tls: 0, parent_tid: 0, child_tid: 0, pidfd: 0 }
}

/// fork(2): makes a child that is a copy of the caller.
///
/// # Errors
/// Those of [`clone_current`].
pub(super) fn fork(cx: &Context, _args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    Ok(clone_current(cx, &plain(CloneFlags::empty()), regs)? as usize)
}

/// vfork(2): makes a child in the caller's memory and sleeps until it has called execve or ended.
///
/// # Errors
/// Those of [`clone_current`].
pub(super) fn vfork(cx: &Context, _args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    Ok(clone_current(cx, &plain(CloneFlags::CLONE_VFORK | CloneFlags::CLONE_VM), regs)? as usize)
}

/// clone(2): makes a child or a thread that shares what the flags say.
///
/// # Errors
/// Those of [`clone_current`]; `EINVAL` also for unknown flags.
pub(super) fn clone(cx: &Context, args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    let word = args.u64(0) & 0xffff_ffff;
    let request = Request {
        flags: CloneFlags::from_bits(word & !CSIGNAL).ok_or(Errno::EINVAL)?,
        exit_signal: (word & CSIGNAL) as i32,
        stack: args.addr(1),
        parent_tid: args.addr(2),
        pidfd: args.addr(2),
        child_tid: args.addr(3),
        tls: args.addr(4),
    };
    Ok(clone_current(cx, &request, regs)? as usize)
}

/// clone3(2): clone with its arguments in a structure that can grow.
///
/// # Errors
/// Those of [`clone_current`]; `EINVAL`: a size below the first version's, bad flags, or a stack without a size;
/// `E2BIG`: non-zero bytes in fields this kernel does not know; `EFAULT`: not readable.
pub(super) fn clone3(cx: &Context, args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    const SIZE_VERSION_0: usize = 64;

    let size = args.size(1);
    if size < SIZE_VERSION_0 {
        return Err(Errno::EINVAL);
    }
    if size > hal::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let mut given = CloneArgs::new_zeroed();
    let known = size.min(size_of::<CloneArgs>());
    hal::user::copy_in(&mut given.as_mut_bytes()[..known], args.addr(0))?;
    super::args::check_zeroed_tail(args.addr(0), known, size)?;

    let flags = CloneFlags::from_bits(given.flags).ok_or(Errno::EINVAL)?;
    if flags.contains(CloneFlags::CLONE_DETACHED) {
        return Err(Errno::EINVAL);
    }
    if (given.stack == 0) != (given.stack_size == 0) || given.exit_signal > 64 {
        return Err(Errno::EINVAL);
    }
    if flags.intersects(CloneFlags::CLONE_THREAD | CloneFlags::CLONE_PARENT) && given.exit_signal != 0 {
        return Err(Errno::EINVAL);
    }
    if given.set_tid_size != 0 {
        return Err(Errno::EINVAL);
    }
    let request = Request {
        flags,
        exit_signal: given.exit_signal as i32,
        stack: given.stack.checked_add(given.stack_size).ok_or(Errno::EINVAL)? as usize,
        parent_tid: given.parent_tid as usize,
        pidfd: given.pidfd as usize,
        child_tid: given.child_tid as usize,
        tls: given.tls as usize,
    };
    Ok(clone_current(cx, &request, regs)? as usize)
}
