//! ioprio_set(2), ioprio_get(2): priorities of input and output, which are kept and change nothing here.

use core::sync::atomic::Ordering::Relaxed;

use linux_abi::cap::{CAP_SYS_ADMIN, CAP_SYS_NICE};
use linux_abi::errno::Errno;
use linux_abi::resource::{IOPRIO_WHO_PGRP, IOPRIO_WHO_PROCESS, IOPRIO_WHO_USER};
use linux_abi::resource::{PRIO_PGRP, PRIO_PROCESS, PRIO_USER};

use super::getpriority::for_each_named;
use super::{Args, Context, SyscallError};
use crate::process::credentials::Credentials;
use crate::scheduler::{Policy, Thread};

/// Bits of a priority below its class.
const CLASS_SHIFT: u32 = 13;
const NONE: u16 = 0;
const REAL_TIME: u16 = 1;
const BEST_EFFORT: u16 = 2;
const IDLE: u16 = 3;
/// The level within a class; between the two lie hints, which are kept as well.
const LEVEL_MASK: u16 = 7;

/// ioprio_set(2): sets the priority of the threads named.
///
/// # Errors
/// `EINVAL`: a bad kind or class. `ESRCH`: no such thread. `EPERM`: another user's, or a class that takes
/// `CAP_SYS_NICE`.
pub(super) fn ioprio_set(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let priority = args.uint(2) as u16;
    let own = cx.credentials();
    match priority >> CLASS_SHIFT {
        REAL_TIME if !own.has(CAP_SYS_ADMIN) => own.require(CAP_SYS_NICE)?,
        REAL_TIME | BEST_EFFORT | IDLE => {}
        NONE if priority & LEVEL_MASK == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    let mut result = Err(Errno::ESRCH);
    for_each_named(cx, kind(args.int(0))?, args.int(1), |thread| {
        // The first failure ends it.
        if matches!(result, Ok(_) | Err(Errno::ESRCH)) {
            result = set_one(&own, thread, priority).map(|()| 0);
        }
    })?;
    result
}

fn set_one(own: &Credentials, thread: &Thread, priority: u16) -> Result<(), Errno> {
    let user = thread.user.as_ref().ok_or(Errno::EPERM)?;
    let target = user.credentials().uid.real;
    if target != own.uid.effective && target != own.uid.real {
        own.require(CAP_SYS_NICE)?;
    }
    user.io_priority.store(priority, Relaxed);
    Ok(())
}

/// ioprio_get(2): answers the priority of the thread named, or the best of several.
///
/// # Errors
/// `EINVAL`: a bad kind. `ESRCH`: no such thread.
pub(super) fn ioprio_get(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let is_one = args.int(0) == IOPRIO_WHO_PROCESS;
    let mut best = None;
    for_each_named(cx, kind(args.int(0))?, args.int(1), |thread| {
        let set = thread.user.as_ref().map_or(0, |user| user.io_priority.load(Relaxed));
        let priority = if is_one { set } else { effective(set, thread) };
        best = Some(best.map_or(priority, |best: u16| best.min(priority)));
    })?;
    best.map(usize::from).ok_or(Errno::ESRCH)
}

/// What a priority of no class amounts to: that of the thread's policy and nice value.
fn effective(priority: u16, thread: &Thread) -> u16 {
    if priority >> CLASS_SHIFT != NONE {
        return priority;
    }
    let attributes = thread.entity().attributes();
    let class = match attributes.policy {
        Policy::Fifo | Policy::RoundRobin => REAL_TIME,
        Policy::Idle => IDLE,
        Policy::Other | Policy::Batch => BEST_EFFORT,
    };
    class << CLASS_SHIFT | ((i16::from(attributes.nice) + 20) / 5).unsigned_abs()
}

/// The kind that getpriority(2) has for it.
fn kind(which: i32) -> Result<i32, Errno> {
    match which {
        IOPRIO_WHO_PROCESS => Ok(PRIO_PROCESS),
        IOPRIO_WHO_PGRP => Ok(PRIO_PGRP),
        IOPRIO_WHO_USER => Ok(PRIO_USER),
        _ => Err(Errno::EINVAL),
    }
}
