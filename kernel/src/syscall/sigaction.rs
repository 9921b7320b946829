//! rt_sigaction(2), rt_sigprocmask(2), rt_sigpending(2), rt_sigsuspend(2), pause(2), rt_sigtimedwait(2).

use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{KernelSigaction, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SigSet, Signal};
use linux_abi::time::Timespec;

use super::{Args, Context, SyscallError};
use crate::process::signal::{delivery, send};

/// The one size of a signal set there is.
const SET_SIZE: usize = size_of::<SigSet>();

/// rt_sigaction(2): reads and replaces what the process does about a signal.
///
/// # Errors
/// `EINVAL`: no such signal, a new action for SIGKILL or SIGSTOP, or a wrong set size. `EFAULT`: bad pointers.
pub(super) fn rt_sigaction(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (new_in, old_out) = (args.user_ptr::<KernelSigaction>(1), args.user_ptr::<KernelSigaction>(2));
    if args.size(3) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let new = if new_in.is_null() { None } else { Some(new_in.read()?) };
    let signal = Signal::new(args.uint(0)).ok_or(Errno::EINVAL)?;
    if new.is_some() && SigSet::UNBLOCKABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }

    let old = {
        let mut shared = cx.process().signals.lock();
        match new {
            Some(new) => {
                let old = shared.actions.set(signal, new);
                if shared.actions.ignores(signal) {
                    // POSIX: setting a pending signal to "ignore" discards it.
                    send::remove_pending(cx.process(), &mut shared, SigSet::of(&[signal]));
                }
                old
            }
            None => *shared.actions.get(signal),
        }
    };
    if !old_out.is_null() {
        old_out.write(&old)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2): reads and changes which signals the thread does not take.
///
/// # Errors
/// `EINVAL`: an unknown operation or a wrong set size. `EFAULT`: bad pointers.
pub(super) fn rt_sigprocmask(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (how, set_in, old_out) = (args.uint(0), args.user_ptr::<SigSet>(1), args.user_ptr::<SigSet>(2));
    if args.size(3) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let old = if set_in.is_null() {
        cx.user().blocked()
    } else {
        let set = set_in.read()?;
        // What stays of the old mask, and what is added.
        let (kept, added) = match how {
            SIG_BLOCK => (SigSet(!0), set),
            SIG_UNBLOCK => (SigSet(!set.0), SigSet::EMPTY),
            SIG_SETMASK => (SigSet::EMPTY, set),
            _ => return Err(Errno::EINVAL),
        };
        delivery::change_blocked(cx.thread(), cx.user(), |old| old.intersection(kept).union(added))
    };
    if !old_out.is_null() {
        old_out.write(&old)?;
    }
    Ok(0)
}

/// rt_sigpending(2): the blocked signals that are pending for the thread or the process.
///
/// # Errors
/// `EINVAL`: a set size above the one there is. `EFAULT`: not writable.
pub(super) fn rt_sigpending(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (out, size) = (args.addr(0), args.size(1));
    if size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let pending = cx.user().pending_signals().intersection(cx.user().blocked());
    hal::user::copy_out(out, &pending.0.to_ne_bytes()[..size])?;
    Ok(0)
}

/// rt_sigsuspend(2): waits for a signal under another mask.
///
/// # Errors
/// `EINTR`, always, once a handler has run. `EINVAL`: a wrong set size. `EFAULT`: not readable.
pub(super) fn rt_sigsuspend(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if args.size(1) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let mask = args.user_ptr::<SigSet>(0).read()?;
    use_temporary_mask(cx, mask);
    wait_for_signal()
}

/// pause(2): waits for a signal.
///
/// # Errors
/// `EINTR`, always, once a handler has run.
pub(super) fn pause(_cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    wait_for_signal()
}

/// rt_sigtimedwait(2): takes a pending signal of a set, waiting for one if need be.
///
/// # Errors
/// `EAGAIN`: none came in time. `EINTR`: a signal outside the set came. `EINVAL`: a bad timeout or set size.
/// `EFAULT`: bad pointers.
pub(super) fn rt_sigtimedwait(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (set_in, info_out, timeout_in) =
        (args.user_ptr::<SigSet>(0), args.user_ptr::<SigInfo>(1), args.user_ptr::<Timespec>(2));
    if args.size(3) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let wanted = set_in.read()?.difference(SigSet::UNBLOCKABLE);
    let deadline = if timeout_in.is_null() {
        None
    } else {
        let timeout = timeout_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
        Some(hal::time::now_ns().saturating_add(timeout))
    };

    let found = wait_for_wanted(cx, wanted, deadline)?;

    let (signal, info) = found.ok_or(Errno::EAGAIN)?;
    if !info_out.is_null() {
        info_out.write(&info)?;
    }
    Ok(signal.number() as usize)
}

fn wait_for_wanted(
    cx: &Context,
    wanted: SigSet,
    deadline: Option<u64>,
) -> Result<Option<(Signal, SigInfo)>, Errno> {
    let take = || cx.user().take_signal(wanted);
    if let Some(found) = take() {
        delivery::recompute_work(cx.thread(), cx.user());
        return Ok(Some(found));
    }
    // While it waits, the wanted signals must wake the thread though the program blocks them.
    let saved = cx.user().blocked();
    cx.user().signals.lock().awaited = wanted;
    set_blocked(cx, saved.difference(wanted));
    let woken = crate::scheduler::wait::sleep_interruptible(deadline);
    let found = take();
    cx.user().signals.lock().awaited = SigSet::default();
    set_blocked(cx, saved);
    match (found, woken) {
        (Some(found), _) => Ok(Some(found)),
        (None, Err(errno)) => Err(errno),
        (None, Ok(())) => Ok(None),
    }
}

/// Replaces the thread's mask and looks again at what is pending.
pub(super) fn set_blocked(cx: &Context, blocked: SigSet) {
    delivery::change_blocked(cx.thread(), cx.user(), |_| blocked);
}

/// Puts a mask in force until the call is over and a handler, if one is due, has been set up under it; used by
/// rt_sigsuspend, ppoll, pselect and epoll_pwait.
pub(super) fn use_temporary_mask(cx: &Context, mask: SigSet) {
    {
        let mut own = cx.user().signals.lock();
        own.saved_blocked = Some(own.blocked);
    }
    set_blocked(cx, mask);
}

/// Puts the mask back after a call with a temporary one that was not interrupted. After `EINTR` the delivery code
/// does it, once the handler's frame has been built.
pub(super) fn end_temporary_mask(cx: &Context) {
    let saved = cx.user().signals.lock().saved_blocked.take();
    if let Some(saved) = saved {
        set_blocked(cx, saved);
    }
}

fn wait_for_signal() -> Result<usize, SyscallError> {
    loop {
        crate::scheduler::wait::sleep_interruptible(None)?;
    }
}
