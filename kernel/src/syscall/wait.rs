//! wait4(2), waitid(2).

use linux_abi::errno::Errno;
use linux_abi::resource::Rusage;
use linux_abi::siginfo::SigInfo;
use linux_abi::wait::{P_ALL, P_PGID, P_PID, WaitOptions};

use super::getrusage::to_rusage;
use super::{Args, Context, SyscallError};
use crate::process::signal::send::code_and_status;
use crate::process::wait::{CloneFilter, Options, Which, wait_for_child};

/// wait4(2): waits for a child to change state.
///
/// # Errors
/// - `ECHILD`: no such child. `EINTR`: a signal came first.
/// - `EINVAL`: an unknown option. `ESRCH`: the one negative pid that has no positive counterpart.
/// - `EFAULT`: the status or the usage cannot be stored; the child is gone all the same, as on Linux.
pub(super) fn wait4(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (pid, status_out, flags) = (args.int(0), args.user_ptr::<i32>(1), wait_options(args.uint(2))?);
    let usage_out = args.user_ptr::<Rusage>(3);
    if !WaitOptions::WAIT4.contains(flags) {
        return Err(Errno::EINVAL);
    }
    let which = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Which::Any,
        0 => Which::Group(cx.process().group_id()),
        group if group < 0 => Which::Group(-group),
        pid => Which::Process(pid),
    };
    let options = Options {
        exited: true,
        stopped: flags.contains(WaitOptions::WUNTRACED),
        continued: flags.contains(WaitOptions::WCONTINUED),
        keep: false,
        poll: flags.contains(WaitOptions::WNOHANG),
        clones: clone_filter(flags),
    };

    let Some(news) = wait_for_child(cx.process(), which, options)? else { return Ok(0) };

    if !usage_out.is_null() {
        usage_out.write(&to_rusage(&news.times))?;
    }
    if !status_out.is_null() {
        status_out.write(&news.status)?;
    }
    Ok(news.pid as usize)
}

/// waitid(2): the same with finer choice and a `siginfo_t`.
///
/// # Errors
/// As wait4; `EINVAL` also for an unknown id type or no kind of news asked for.
pub(super) fn waitid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (kind, id, info_out, flags) =
        (args.int(0), args.int(1), args.user_ptr::<SigInfo>(2), wait_options(args.uint(3))?);
    let usage_out = args.user_ptr::<Rusage>(4);
    let news = WaitOptions::WEXITED | WaitOptions::WSTOPPED | WaitOptions::WCONTINUED;
    if !flags.intersects(news) {
        return Err(Errno::EINVAL);
    }
    let which = match kind {
        P_ALL => Which::Any,
        P_PID if id > 0 => Which::Process(id),
        P_PGID if id > 0 => Which::Group(id),
        P_PGID if id == 0 => Which::Group(cx.process().group_id()),
        _ => return Err(Errno::EINVAL),
    };
    let options = Options {
        exited: flags.contains(WaitOptions::WEXITED),
        stopped: flags.contains(WaitOptions::WSTOPPED),
        continued: flags.contains(WaitOptions::WCONTINUED),
        keep: flags.contains(WaitOptions::WNOWAIT),
        poll: flags.contains(WaitOptions::WNOHANG),
        clones: clone_filter(flags),
    };

    let news = wait_for_child(cx.process(), which, options)?;

    if let Some(news) = &news
        && !usage_out.is_null()
    {
        usage_out.write(&to_rusage(&news.times))?;
    }
    if !info_out.is_null() {
        let info = news.map_or_else(SigInfo::default, |news| {
            let (code, status) = code_and_status(news.status);
            SigInfo::child(code, news.pid, news.uid, status, 0, 0)
        });
        info_out.write(&info)?;
    }
    Ok(0)
}

fn wait_options(bits: u32) -> Result<WaitOptions, Errno> {
    WaitOptions::from_bits(bits).ok_or(Errno::EINVAL)
}

fn clone_filter(flags: WaitOptions) -> CloneFilter {
    if flags.contains(WaitOptions::__WALL) {
        CloneFilter::All
    } else if flags.contains(WaitOptions::__WCLONE) {
        CloneFilter::Clones
    } else {
        CloneFilter::Ordinary
    }
}
