//! sched_setscheduler(2) and its kin: policy, priority, affinity, yielding.

use alloc::sync::Arc;

use linux_abi::cap::CAP_SYS_NICE;
use linux_abi::errno::Errno;
use linux_abi::resource::{RLIMIT_NICE, RLIMIT_RTPRIO};
use linux_abi::sched::{
    SCHED_ATTR_SIZE_VER0, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RESET_ON_FORK,
    SCHED_PRIORITY_MAX, SCHED_PRIORITY_MIN, SCHED_RESET_ON_FORK, SchedAttr, SchedParam,
};
use linux_abi::time::Timespec;
use zerocopy::{FromZeros, IntoBytes};

use super::{Args, Context, SyscallError};
use crate::ipc::futex::pi;
use crate::process::tree;
use crate::scheduler::{Attributes, Policy, SCHEDULER, Thread};

/// sched_yield(2): lets other threads go first.
pub(super) fn sched_yield(_cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    SCHEDULER.yield_now();
    Ok(0)
}

/// sched_setscheduler(2): sets policy and real-time priority of a thread.
///
/// # Errors
/// `EINVAL`: no such policy, or a priority that does not go with it. `ESRCH`: no such thread. `EPERM`: more than the
/// caller may. `EFAULT`: not readable.
pub(super) fn sched_setscheduler(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, policy, param_in) = (args.int(0), args.uint(1), args.user_ptr::<SchedParam>(2));
    if tid < 0 || param_in.is_null() {
        return Err(Errno::EINVAL);
    }
    let param = param_in.read()?;
    let resets = policy & SCHED_RESET_ON_FORK != 0;
    let policy = Policy::from_number(policy & !SCHED_RESET_ON_FORK).ok_or(Errno::EINVAL)?;
    let thread = find(cx, tid)?;
    let old = thread.entity().attributes();
    let new = with_priority(Attributes { policy, ..old }, param.sched_priority)?;
    apply(cx, &thread, new, resets)
}

/// sched_getscheduler(2): answers the policy of a thread.
///
/// # Errors
/// `EINVAL`: a negative id. `ESRCH`: no such thread.
pub(super) fn sched_getscheduler(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let entity_of = find_valid(cx, args.int(0))?;
    let entity = entity_of.entity();
    let flag = if entity.resets_on_fork() { SCHED_RESET_ON_FORK } else { 0 };
    Ok((entity.attributes().policy as u32 | flag) as usize)
}

/// sched_setparam(2): sets the real-time priority of a thread.
///
/// # Errors
/// As sched_setscheduler(2).
pub(super) fn sched_setparam(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, param_in) = (args.int(0), args.user_ptr::<SchedParam>(1));
    if tid < 0 || param_in.is_null() {
        return Err(Errno::EINVAL);
    }
    let param = param_in.read()?;
    let thread = find(cx, tid)?;
    let new = with_priority(thread.entity().attributes(), param.sched_priority)?;
    let resets = thread.entity().resets_on_fork();
    apply(cx, &thread, new, resets)
}

/// sched_getparam(2): stores the real-time priority of a thread.
///
/// # Errors
/// `EINVAL`: a negative id or a null pointer. `ESRCH`: no such thread. `EFAULT`: not writable.
pub(super) fn sched_getparam(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let param_out = args.user_ptr::<SchedParam>(1);
    if param_out.is_null() {
        return Err(Errno::EINVAL);
    }
    let thread = find_valid(cx, args.int(0))?;
    let priority = i32::from(thread.entity().attributes().real_time_priority);
    param_out.write(&SchedParam { sched_priority: priority })?;
    Ok(0)
}

/// sched_setattr(2): sets all scheduling attributes of a thread.
///
/// # Errors
/// - `EINVAL`: no such policy or flag, a priority that does not go with the policy.
/// - `E2BIG`: a structure with more than we know, not zero. `EOPNOTSUPP`: utilisation clamps.
/// - `ESRCH`, `EPERM`, `EFAULT`: as sched_setscheduler(2).
pub(super) fn sched_setattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, attr_in, flags) = (args.int(0), args.user_ptr::<u32>(1), args.uint(2));
    if tid < 0 || attr_in.is_null() || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let attr = read_attr(args.addr(1))?;
    let supported = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS;
    if attr.sched_flags & !0x7f != 0 {
        return Err(Errno::EINVAL);
    }
    if attr.sched_flags & !supported != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let thread = find(cx, tid)?;
    let old = thread.entity().attributes();
    let (policy, resets) = if attr.sched_flags & SCHED_FLAG_KEEP_POLICY != 0 {
        (old.policy, thread.entity().resets_on_fork())
    } else {
        let policy = Policy::from_number(attr.sched_policy).ok_or(Errno::EINVAL)?;
        (policy, attr.sched_flags & SCHED_FLAG_RESET_ON_FORK != 0)
    };
    let keeps = attr.sched_flags & SCHED_FLAG_KEEP_PARAMS != 0;
    let priority = if keeps && old.policy.is_real_time() {
        i32::from(old.real_time_priority)
    } else {
        i32::try_from(attr.sched_priority).map_err(|_| Errno::EINVAL)?
    };
    let mut new = with_priority(Attributes { policy, ..old }, priority)?;
    if !policy.is_real_time() && (!keeps || old.policy.is_real_time()) {
        new.nice = attr.sched_nice.clamp(-20, 19) as i8;
    }
    apply(cx, &thread, new, resets)
}

/// sched_getattr(2): stores all scheduling attributes of a thread, as many bytes as the caller has room for.
///
/// # Errors
/// `EINVAL`: too little room, a flag, a null pointer or a negative id. `ESRCH`: no such thread. `EFAULT`: not writable.
pub(super) fn sched_getattr(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, out, room, flags) = (args.int(0), args.addr(1), args.uint(2) as usize, args.uint(3));
    if out == 0 || tid < 0 || !(SCHED_ATTR_SIZE_VER0..=hal::PAGE_SIZE).contains(&room) || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let thread = find(cx, tid)?;
    let attributes = thread.entity().attributes();
    let size = room.min(size_of::<SchedAttr>());
    let attr = SchedAttr {
        size: size as u32,
        sched_policy: attributes.policy as u32,
        sched_flags: if thread.entity().resets_on_fork() { SCHED_FLAG_RESET_ON_FORK } else { 0 },
        sched_nice: if attributes.policy.is_real_time() { 0 } else { i32::from(attributes.nice) },
        sched_priority: u32::from(attributes.real_time_priority),
        sched_util_max: 1024,
        ..SchedAttr::default()
    };
    hal::user::copy_out(out, &attr.as_bytes()[..size])?;
    Ok(0)
}

/// Copies a `struct sched_attr` of any size; what an older program does not know is zero. To one that knows more than we,
/// and uses it, tells our size.
fn read_attr(addr: usize) -> Result<SchedAttr, Errno> {
    let size_ptr = hal::user::UserPtr::<u32>::new(addr);
    let result = read_attr_of(addr, size_ptr.read()? as usize);
    if result == Err(Errno::E2BIG) {
        size_ptr.write(&(size_of::<SchedAttr>() as u32))?;
    }
    result
}

fn read_attr_of(addr: usize, size: usize) -> Result<SchedAttr, Errno> {
    let size = if size == 0 { SCHED_ATTR_SIZE_VER0 } else { size };
    if !(SCHED_ATTR_SIZE_VER0..=hal::PAGE_SIZE).contains(&size) {
        return Err(Errno::E2BIG);
    }
    let mut attr = SchedAttr::new_zeroed();
    let known = size.min(size_of::<SchedAttr>());
    hal::user::copy_in(&mut attr.as_mut_bytes()[..known], addr)?;
    super::args::check_zeroed_tail(addr, known, size)?;
    Ok(attr)
}

/// sched_get_priority_max(2): answers the highest real-time priority of a policy.
///
/// # Errors
/// `EINVAL`: no such policy.
pub(super) fn sched_get_priority_max(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let policy = Policy::from_number(args.uint(0)).ok_or(Errno::EINVAL)?;
    Ok(if policy.is_real_time() { SCHED_PRIORITY_MAX as usize } else { 0 })
}

/// sched_get_priority_min(2): answers the lowest real-time priority of a policy.
///
/// # Errors
/// `EINVAL`: no such policy.
pub(super) fn sched_get_priority_min(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let policy = Policy::from_number(args.uint(0)).ok_or(Errno::EINVAL)?;
    Ok(if policy.is_real_time() { SCHED_PRIORITY_MIN as usize } else { 0 })
}

/// sched_rr_get_interval(2): stores the time slice of a thread, 0 for SCHED_FIFO.
///
/// # Errors
/// `EINVAL`: a negative id. `ESRCH`: no such thread. `EFAULT`: not writable.
pub(super) fn sched_rr_get_interval(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let out = args.user_ptr::<Timespec>(1);
    let thread = find_valid(cx, args.int(0))?;
    let slice = thread.entity().attributes().slice_ns().unwrap_or(0);
    out.write(&Timespec::from_ns(slice))?;
    Ok(0)
}

/// sched_setaffinity(2): sets the CPUs a thread may run on.
///
/// # Errors
/// `EINVAL`: none of them exists. `ESRCH`: no such thread. `EPERM`: another user's. `EFAULT`: not readable.
pub(super) fn sched_setaffinity(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, len, mask_in) = (args.int(0), args.size(1), args.addr(2));
    let mut mask = [0; 8];
    let len = len.min(mask.len());
    hal::user::copy_in(&mut mask[..len], mask_in)?;
    let thread = find(cx, tid)?;
    check_owner(cx, &thread)?;
    let allowed = u64::from_le_bytes(mask) & SCHEDULER.online_cpus();
    if allowed == 0 {
        return Err(Errno::EINVAL);
    }
    SCHEDULER.set_affinity(&thread, allowed);
    Ok(0)
}

/// sched_getaffinity(2): stores the CPUs a thread may run on; answers the bytes stored.
///
/// # Errors
/// `EINVAL`: too little room, or not whole words. `ESRCH`: no such thread. `EFAULT`: not writable.
pub(super) fn sched_getaffinity(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, len, mask_out) = (args.int(0), args.size(1), args.addr(2));
    if len < 8 || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let thread = find(cx, tid)?;
    let mask = thread.entity().affinity() & SCHEDULER.online_cpus();
    hal::user::copy_out(mask_out, &mask.to_le_bytes())?;
    Ok(8)
}

fn find_valid(cx: &Context, tid: i32) -> Result<Arc<Thread>, Errno> {
    if tid < 0 { Err(Errno::EINVAL) } else { find(cx, tid) }
}

/// The thread with this id, the caller for 0.
fn find(cx: &Context, tid: i32) -> Result<Arc<Thread>, Errno> {
    if tid == 0 { Ok(cx.thread_arc()) } else { tree::find_thread(tid).ok_or(Errno::ESRCH) }
}

fn with_priority(attributes: Attributes, priority: i32) -> Result<Attributes, Errno> {
    let is_valid =
        if attributes.policy.is_real_time() { (1..=99).contains(&priority) } else { priority == 0 };
    // In range by the check.
    let real_time_priority = u8::try_from(priority).map_err(|_| Errno::EINVAL)?;
    if is_valid { Ok(Attributes { real_time_priority, ..attributes }) } else { Err(Errno::EINVAL) }
}

fn check_owner(cx: &Context, thread: &Thread) -> Result<(), Errno> {
    let own = cx.credentials();
    let Some(user) = &thread.user else { return Err(Errno::EPERM) };
    let theirs = user.credentials();
    let is_owner = own.uid.effective == theirs.uid.effective || own.uid.effective == theirs.uid.real;
    if is_owner { Ok(()) } else { own.require(CAP_SYS_NICE) }
}

/// Sets attributes the caller may set: its own threads' down, up to the limits, and anything with `CAP_SYS_NICE`.
fn apply(cx: &Context, thread: &Arc<Thread>, new: Attributes, resets: bool) -> Result<usize, SyscallError> {
    let old = thread.entity().attributes();
    let credentials = cx.credentials();
    if !credentials.has(CAP_SYS_NICE) {
        check_owner(cx, thread)?;
        let process = thread.user.as_ref().map(|user| &user.process).ok_or(Errno::EPERM)?;
        if new.policy.is_real_time() {
            let limit = process.limit(RLIMIT_RTPRIO);
            if new.policy != old.policy && limit == 0 {
                return Err(Errno::EPERM);
            }
            let is_raised = new.real_time_priority > old.real_time_priority;
            if is_raised && u64::from(new.real_time_priority) > limit {
                return Err(Errno::EPERM);
            }
        } else if new.nice < old.nice && nice_rank(new.nice) > process.limit(RLIMIT_NICE) {
            return Err(Errno::EPERM);
        }
        if old.policy == Policy::Idle
            && new.policy != Policy::Idle
            && nice_rank(old.nice) > process.limit(RLIMIT_NICE)
        {
            return Err(Errno::EPERM);
        }
        if thread.entity().resets_on_fork() && !resets {
            return Err(Errno::EPERM);
        }
    }
    thread.entity().set_resets_on_fork(resets);
    SCHEDULER.set_attributes(thread, new);
    pi::note_priority(thread);
    Ok(0)
}

/// A nice value as `RLIMIT_NICE` counts: 20 - nice.
pub(super) fn nice_rank(nice: i8) -> u64 {
    u64::from((20 - i32::from(nice)).unsigned_abs())
}
