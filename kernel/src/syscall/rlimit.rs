//! getrlimit(2), setrlimit(2), prlimit(2).

use linux_abi::cap::CAP_SYS_RESOURCE;
use linux_abi::errno::Errno;
use linux_abi::resource::{RLIMIT_CPU, RLIMIT_RTTIME, Rlimit64};

use super::{Args, Context, SyscallError};
use crate::process::{Process, tree};

/// getrlimit(2). Errors: `EINVAL`, `EFAULT`.
pub(super) fn getrlimit(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let limit = cx.process().with_limits(|limits| limits.get(args.uint(0)))?;
    args.user_ptr::<Rlimit64>(1).write(&limit)?;
    Ok(0)
}

/// setrlimit(2). Errors: `EINVAL`, `EPERM`, `EFAULT`.
pub(super) fn setrlimit(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let new = args.user_ptr::<Rlimit64>(1).read()?;
    let may_raise = cx.credentials().has(CAP_SYS_RESOURCE);
    cx.process().with_limits(|limits| limits.set(args.uint(0), new, may_raise))?;
    watch_cpu_time(cx.process(), args.uint(0));
    Ok(0)
}

/// prlimit(2): reads and replaces a limit of any process the caller may control.
///
/// # Errors
/// `ESRCH`: no such process. `EPERM`: not the caller's to control. `EINVAL`, `EFAULT` as the other two.
pub(super) fn prlimit64(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, which) = (args.int(0), args.uint(1));
    let (new_in, old_out) = (args.user_ptr::<Rlimit64>(2), args.user_ptr::<Rlimit64>(3));
    let new = if new_in.is_null() { None } else { Some(new_in.read()?) };
    let credentials = cx.credentials();
    let process = if pid == 0 || pid == cx.process().pid {
        cx.process().clone()
    } else {
        let process = tree::find_process(pid).ok_or(Errno::ESRCH)?;
        let target = process.credentials().ok_or(Errno::ESRCH)?;
        let (me, it) = ((credentials.uid.real, credentials.gid.real), (&target.uid, &target.gid));
        let same = [it.0.real, it.0.effective, it.0.saved] == [me.0; 3]
            && [it.1.real, it.1.effective, it.1.saved] == [me.1; 3];
        if !same && !credentials.has(CAP_SYS_RESOURCE) {
            return Err(Errno::EPERM);
        }
        process
    };
    let may_raise = credentials.has(CAP_SYS_RESOURCE);
    let old = process.with_limits(|limits| {
        let old = limits.get(which)?;
        if let Some(new) = new {
            limits.set(which, new, may_raise)?;
        }
        Ok::<_, Errno>(old)
    })?;
    watch_cpu_time(&process, which);
    if !old_out.is_null() {
        old_out.write(&old)?;
    }
    Ok(0)
}

/// Lets the clock watch the CPU time of a process whose limit on it may have been set.
fn watch_cpu_time(process: &Process, which: u32) {
    if matches!(which, RLIMIT_CPU | RLIMIT_RTTIME) {
        process.timers.cpu_watch.start();
    }
}
