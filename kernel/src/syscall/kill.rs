//! kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2).

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::siginfo::{SI_TKILL, SigInfo};
use linux_abi::signal::Signal;

use super::{Args, Context, SyscallError};
use crate::process::signal::send::{queue_to_process, queue_to_thread, signal_from};
use crate::process::signal::{may_signal, send_to_process};
use crate::process::{Pid, Process, tree};
use crate::scheduler::Thread;

/// kill(2): signals a process, a group, or everything it may.
///
/// # Errors
/// - `EINVAL`: no such signal.
/// - `ESRCH`: no such process or group.
/// - `EPERM`: there is one, and the caller may signal none of them.
pub(super) fn kill(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, signal) = (args.int(0), signal_argument(args.int(1))?);
    match pid {
        i32::MIN => Err(Errno::ESRCH),
        -1 => {
            let is_meant = |process: &Arc<Process>| process.pid > 1 && process.pid != cx.process().pid;
            // Whom the caller may not signal does not count as a failure here, and there is always somebody: threads of
            // the kernel's own are processes to Linux.
            let _ = signal_each(cx, tree::processes().filter(is_meant), signal);
            Ok(0)
        }
        0 => signal_each(cx, tree::members(cx.process().group_id()), signal),
        group if group < 0 => signal_each(cx, tree::members(-group), signal),
        pid => signal_each(cx, tree::find_process(pid).or_else(|| process_of_thread(pid)), signal),
    }
}

/// Signals those of `targets` the caller may signal.
///
/// # Errors
/// `ESRCH`: there is no target. `EPERM`: the caller may signal none of them.
fn signal_each(
    cx: &Context,
    targets: impl IntoIterator<Item = Arc<Process>>,
    signal: Option<Signal>,
) -> Result<usize, Errno> {
    let info = signal.map(|signal| SigInfo::kill(signal, cx.process().pid, cx.credentials().uid.real));
    let mut outcome = Err(Errno::ESRCH);
    for target in targets {
        if may_signal(&target, signal) {
            outcome = Ok(0);
            if let Some(info) = info {
                send_to_process(&target, info);
            }
        } else if outcome.is_err() {
            outcome = Err(Errno::EPERM);
        }
    }
    outcome
}

/// The process of a thread: its id will do for the process's, as on Linux.
fn process_of_thread(tid: Pid) -> Option<Arc<Process>> {
    tree::find_thread(tid)?.user.as_ref().map(|user| user.process.clone())
}

/// tkill(2): signals a thread by its id alone.
///
/// # Errors
/// As [`tgkill`].
pub(super) fn tkill(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, signal) = (args.int(0), signal_argument(args.int(1))?);
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(cx, None, tid, signal.map(|signal| tkill_info(cx, signal)), signal)
}

/// tgkill(2): signals a thread of a given process.
///
/// # Errors
/// - `EINVAL`: a bad id or signal.
/// - `ESRCH`: no such thread in that process. `EPERM`: not allowed.
pub(super) fn tgkill(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, tid, signal) = (args.int(0), args.int(1), signal_argument(args.int(2))?);
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(cx, Some(pid), tid, signal.map(|signal| tkill_info(cx, signal)), signal)
}

/// rt_sigqueueinfo(2): signals a process with a `siginfo_t` of the caller's making.
///
/// # Errors
/// As kill; `EPERM` also for a `si_code` only the kernel may use towards another process. `EAGAIN`: the signal is a
/// real-time one, and too many are pending.
pub(super) fn rt_sigqueueinfo(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, signal) = (args.int(0), signal_argument(args.int(1))?);
    let info = given_info(cx, args, 2, pid, signal)?;
    let target = tree::find_process(pid).ok_or(Errno::ESRCH)?;
    check_permission(&target, signal)?;
    if signal.is_some() {
        queue_to_process(&target, info)?;
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2): the same for one thread.
///
/// # Errors
/// As tgkill and rt_sigqueueinfo.
pub(super) fn rt_tgsigqueueinfo(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, tid, signal) = (args.int(0), args.int(1), signal_argument(args.int(2))?);
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let info = given_info(cx, args, 3, pid, signal)?;
    signal_thread(cx, Some(pid), tid, signal.map(|_| info), signal)
}

/// Signal 0 asks whether the target exists and may be signalled.
pub(super) fn signal_argument(number: i32) -> Result<Option<Signal>, Errno> {
    match number {
        0 => Ok(None),
        number => signal_from(number).map(Some).ok_or(Errno::EINVAL),
    }
}

fn tkill_info(cx: &Context, signal: Signal) -> SigInfo {
    SigInfo::tkill(signal, cx.process().pid, cx.credentials().uid.real)
}

fn given_info(
    cx: &Context,
    args: &Args,
    index: usize,
    pid: Pid,
    signal: Option<Signal>,
) -> Result<SigInfo, Errno> {
    let mut info = args.user_ptr::<SigInfo>(index).read()?;
    info.si_signo = signal.map_or(0, |signal| signal.number() as i32);
    if (info.si_code >= 0 || info.si_code == SI_TKILL) && pid != cx.process().pid {
        return Err(Errno::EPERM);
    }
    Ok(info)
}

fn check_permission(target: &Process, signal: Option<Signal>) -> Result<(), Errno> {
    if may_signal(target, signal) { Ok(()) } else { Err(Errno::EPERM) }
}

fn signal_thread(
    _cx: &Context,
    pid: Option<Pid>,
    tid: Pid,
    info: Option<SigInfo>,
    signal: Option<Signal>,
) -> Result<usize, SyscallError> {
    let thread: Arc<Thread> = tree::find_thread(tid).ok_or(Errno::ESRCH)?;
    let process = &thread.user.as_ref().ok_or(Errno::ESRCH)?.process;
    if pid.is_some_and(|pid| process.pid != pid) {
        return Err(Errno::ESRCH);
    }
    check_permission(process, signal)?;
    if let Some(info) = info {
        queue_to_thread(&thread, info)?;
    }
    Ok(0)
}
