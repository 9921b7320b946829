//! getpriority(2), setpriority(2).

use alloc::sync::Arc;

use linux_abi::cap::CAP_SYS_NICE;
use linux_abi::errno::Errno;
use linux_abi::resource::{PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE};

use super::sched_setscheduler::nice_rank;
use super::{Args, Context, SyscallError};
use crate::process::tree;
use crate::scheduler::{Attributes, SCHEDULER, Thread};

/// getpriority(2): answers 20 minus the lowest nice value among the threads named.
///
/// # Errors
/// `EINVAL`: a bad kind. `ESRCH`: no such thread.
pub(super) fn getpriority(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let mut best = None;
    for_each_named(cx, args.int(0), args.int(1), |thread| {
        best = best.max(Some(nice_rank(thread.entity().attributes().nice)));
    })?;
    best.map(|rank| rank as usize).ok_or(Errno::ESRCH)
}

/// setpriority(2): sets the nice value of the threads named.
///
/// # Errors
/// `EINVAL`: a bad kind. `ESRCH`: no such thread. `EPERM`: another user's. `EACCES`: a larger share than before, and
/// neither `CAP_SYS_NICE` nor `RLIMIT_NICE` allow it.
pub(super) fn setpriority(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let nice = args.int(2).clamp(-20, 19) as i8;
    let mut result = Err(Errno::ESRCH);
    for_each_named(cx, args.int(0), args.int(1), |thread| match set_one(cx, thread, nice) {
        // As on Linux one success hides no earlier failure, and a failure hides earlier successes.
        Ok(()) if result == Err(Errno::ESRCH) => result = Ok(0),
        Ok(()) => {}
        Err(errno) => result = Err(errno),
    })?;
    result
}

fn set_one(cx: &Context, thread: &Arc<Thread>, nice: i8) -> Result<(), Errno> {
    let own = cx.credentials();
    let user = thread.user.as_ref().ok_or(Errno::EPERM)?;
    let is_privileged = own.has(CAP_SYS_NICE);
    let theirs = user.credentials();
    let is_owner = own.uid.effective == theirs.uid.effective || own.uid.effective == theirs.uid.real;
    if !is_owner && !is_privileged {
        return Err(Errno::EPERM);
    }
    let old = thread.entity().attributes();
    if nice < old.nice && !is_privileged && nice_rank(nice) > user.process.limit(RLIMIT_NICE) {
        return Err(Errno::EACCES);
    }
    SCHEDULER.set_attributes(thread, Attributes { nice, ..old });
    Ok(())
}

/// Calls `f` for the threads that a kind and an id name; 0 is the caller's own.
pub(super) fn for_each_named(
    cx: &Context,
    kind: i32,
    id: i32,
    mut f: impl FnMut(&Arc<Thread>),
) -> Result<(), Errno> {
    match kind {
        PRIO_PROCESS if id == 0 => f(&cx.thread_arc()),
        PRIO_PROCESS => tree::find_thread(id).iter().for_each(f),
        PRIO_PGRP => {
            let group = if id == 0 { cx.process().group_id() } else { id };
            tree::members(group).for_each(|process| process.for_each_thread(&mut f));
        }
        PRIO_USER => {
            let uid = if id == 0 { cx.credentials().uid.real } else { id.cast_unsigned() };
            let is_theirs = |thread: &Arc<Thread>| {
                thread.user.as_ref().is_some_and(|user| user.credentials().uid.real == uid)
            };
            for process in tree::processes() {
                process.for_each_thread(|thread| {
                    if is_theirs(thread) {
                        f(thread);
                    }
                });
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}
