//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::siginfo::{SI_TKILL, SigInfo};

use super::kill::signal_argument;
use super::{Args, Context, SyscallError};
use crate::fs::vfs::OpenFile;
use crate::process::inspect::{Identity, may_inspect};
use crate::process::pidfd::PidFd;
use crate::process::signal::{may_signal, send_to_process};
use crate::process::{Process, tree};

/// pidfd_open(2): makes a descriptor for a process, closed by execve.
///
/// # Errors
/// - `EINVAL`: an unknown flag, an id that is not positive, or that of a thread other than a process's first.
/// - `ESRCH`: no such process. `EMFILE`: no descriptor left. `ENOMEM`.
pub(super) fn pidfd_open(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, flags) = (args.int(0), OpenFlags::from_bits_retain(args.uint(1)));
    if !OpenFlags::O_NONBLOCK.contains(flags) || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = tree::find_process(pid)
        .ok_or_else(|| if tree::find_thread(pid).is_some() { Errno::EINVAL } else { Errno::ESRCH })?;
    let file = PidFd::open(process, flags)?;
    Ok(cx.files().insert(file, true, cx.process().limit(RLIMIT_NOFILE))? as usize)
}

/// pidfd_send_signal(2): signals the process behind a descriptor, with a `siginfo_t` of the caller's making or as kill.
///
/// # Errors
/// - `EBADF`: no descriptor of a process. `EINVAL`: a flag, no such signal, or another one in the `siginfo_t`.
/// - `EFAULT`: that cannot be read. `ESRCH`: the process is gone.
/// - `EPERM`: the caller may not signal it, or the `si_code` is the kernel's.
pub(super) fn pidfd_send_signal(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (info_in, flags) = (args.user_ptr::<SigInfo>(2), args.uint(3));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = cx.open_file(args.fd(0))?;
    let pidfd = of(&file)?;
    let target = pidfd.process();
    let info = if info_in.is_null() {
        None
    } else {
        let info = info_in.read()?;
        if info.si_signo != args.int(1) {
            return Err(Errno::EINVAL);
        }
        let is_own = target.as_ref().is_ok_and(|target| target.pid == cx.process().pid);
        if !is_own && (info.si_code >= 0 || info.si_code == SI_TKILL) {
            return Err(Errno::EPERM);
        }
        Some(info)
    };
    let target = target?;
    let signal = signal_argument(args.int(1))?;
    if !may_signal(target, signal) {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = signal {
        let as_kill = || SigInfo::kill(signal, cx.process().pid, cx.credentials().uid.real);
        send_to_process(target, info.unwrap_or_else(as_kill));
    }
    Ok(0)
}

/// pidfd_getfd(2): makes a descriptor for what a descriptor of another process stands for, closed by execve.
///
/// # Errors
/// - `EINVAL`: a flag. `EBADF`: no descriptor of a process, or that one has no such descriptor.
/// - `ESRCH`: the process has ended. `EPERM`: the caller may not look into it.
/// - `EMFILE`: no descriptor left. `ENOMEM`.
pub(super) fn pidfd_getfd(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if args.uint(2) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = cx.open_file(args.fd(0))?;
    let target = of(&file)?.process()?;
    if target.thread_count() == 0 {
        return Err(Errno::ESRCH);
    }
    if !may_inspect(cx.user(), target, Identity::Real) {
        return Err(Errno::EPERM);
    }
    let taken = file_of(target, args.fd(1))?;
    Ok(cx.files().insert(taken, true, cx.process().limit(RLIMIT_NOFILE))? as usize)
}

/// Returns a file as a process.
///
/// # Errors
/// `EBADF`: it is something else.
pub(super) fn of(file: &OpenFile) -> Result<&PidFd, Errno> {
    file.file().as_pidfd().ok_or(Errno::EBADF)
}

fn file_of(process: &Process, fd: i32) -> Result<Arc<OpenFile>, Errno> {
    let thread = process.leader().or_else(|| process.find_thread(|_| true)).ok_or(Errno::ESRCH)?;
    thread.user.as_ref().ok_or(Errno::ESRCH)?.files().get_any(fd)
}
