//! wait4(2), waitid(2).

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::resource::Rusage;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::Signal;
use linux_abi::wait::{P_ALL, P_PGID, P_PID, P_PIDFD, WaitOptions};

use super::getrusage::to_rusage;
use super::{Args, Context, SyscallError, pidfd};
use crate::process::signal::send::code_and_status;
use crate::process::wait::{CloneFilter, News, Options, Which, wait_for_child};
use crate::uio::check_user_range;

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
/// As wait4; `EINVAL` also for an unknown id type or no kind of news asked for. With `P_PIDFD`, `EBADF`: the descriptor is
/// none of a process; `EAGAIN`: it is not to be waited for, and there is no news.
pub(super) fn waitid(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (kind, id, info_out, flags) =
        (args.int(0), args.int(1), args.user_ptr::<SigInfo>(2), wait_options(args.uint(3))?);
    let usage_out = args.user_ptr::<Rusage>(4);
    let news = WaitOptions::WEXITED | WaitOptions::WSTOPPED | WaitOptions::WCONTINUED;
    if !flags.intersects(news) {
        return Err(Errno::EINVAL);
    }
    let mut is_nonblocking = false;
    let which = match kind {
        P_PIDFD if id >= 0 => {
            let file = cx.open_file(id)?;
            is_nonblocking = file.is_nonblocking();
            let process = pidfd::of(&file)?.process().map_err(|_| Errno::ECHILD)?;
            Which::Started(process.pid, process.start_ns)
        }
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
        poll: flags.contains(WaitOptions::WNOHANG) || is_nonblocking,
        clones: clone_filter(flags),
    };

    let mut outcome = wait_for_child(cx.process(), which, options);
    if is_nonblocking && !flags.contains(WaitOptions::WNOHANG) && matches!(outcome, Ok(None)) {
        outcome = Err(Errno::EAGAIN);
    }

    let news = outcome.ok().flatten();
    if let Some(news) = &news
        && !usage_out.is_null()
    {
        usage_out.write(&to_rusage(&news.times))?;
    }
    if !info_out.is_null() {
        write_info(info_out, news.as_ref())?;
    }
    outcome.map(|_| 0)
}

/// Stores what Linux stores of the news: two groups of three words, whatever lies between them stays. Without news, be it
/// for an error, they are zero.
fn write_info(out: UserPtr<SigInfo>, news: Option<&News>) -> Result<(), Errno> {
    check_user_range(out.addr() as u64, size_of::<SigInfo>() as u64)?;
    let [about, whose] = news.map_or([[0; 3]; 2], |news| {
        let (code, status) = code_and_status(news.status);
        [[Signal::SIGCHLD.number() as i32, 0, code], [news.pid, news.uid.cast_signed(), status]]
    });
    UserPtr::<[i32; 3]>::new(out.addr()).write(&about)?;
    UserPtr::<[i32; 3]>::new(out.addr() + 16).write(&whose)?;
    Ok(())
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
