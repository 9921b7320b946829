//! setpgid(2), getpgid(2), getpgrp(2), setsid(2), getsid(2).

use linux_abi::errno::Errno;

use super::{Args, Context, SyscallError};
use crate::process::{Pid, autogroup, tree};

/// setpgid(2): moves the caller or a child of it into a process group of the session.
///
/// # Errors
/// Those of [`tree::Tree::set_group`].
pub(super) fn setpgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, group) = (args.int(0), args.int(1));
    tree::lock().set_group(cx.process(), pid, group)?;
    Ok(0)
}

/// getpgid(2): the process group of a process, of the caller for 0.
///
/// # Errors
/// `ESRCH`: no such process.
pub(super) fn getpgid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(process_or_caller(cx, args.int(0), |process| process.group_id())? as usize)
}

/// getpgrp(2): the process group of the caller.
pub(super) fn getpgrp(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.process().group_id() as usize)
}

/// getsid(2): the session of a process, of the caller for 0.
///
/// # Errors
/// `ESRCH`: no such process.
pub(super) fn getsid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(process_or_caller(cx, args.int(0), |process| process.session_id())? as usize)
}

/// setsid(2): makes the caller lead a new session.
///
/// # Errors
/// `EPERM`: it leads a process group.
pub(super) fn setsid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    let session = tree::lock().new_session(cx.process())?;
    autogroup::begin(cx.process());
    Ok(session as usize)
}

fn process_or_caller(
    cx: &Context,
    pid: Pid,
    get: impl FnOnce(&crate::process::Process) -> Pid,
) -> Result<Pid, Errno> {
    if pid == 0 {
        return Ok(get(cx.process()));
    }
    tree::find_process(pid).map(|process| get(&process)).ok_or(Errno::ESRCH)
}
