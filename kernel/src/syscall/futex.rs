//! futex(2), set_robust_list(2), get_robust_list(2).

use core::sync::atomic::Ordering::Relaxed;

use hal::time::now_ns;
use linux_abi::errno::Errno;
use linux_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMD_MASK, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
    RobustListHead, WakeOp,
};
use linux_abi::time::Timespec;

use super::{Args, Context, SyscallError};
use crate::ipc::futex::{self, Key};
use crate::process::tree;
use crate::time::clock::Clock;

/// futex(2): sleeps while a word holds a value, wakes who sleeps.
///
/// # Errors
/// - `EINVAL`: a misaligned word, a bitset of 0, a bad time, or a count below 0.
/// - `EAGAIN`: the word does not hold the value.
/// - `ETIMEDOUT`, `EINTR`: what ended the sleep.
/// - `EFAULT`: a bad pointer.
/// - `ENOSYS`: another operation (those with priority inheritance), or `FUTEX_CLOCK_REALTIME` where it means nothing.
pub(super) fn futex(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (addr, operation, value) = (args.addr(0), args.uint(1), args.uint(2));
    let is_shared = operation & FUTEX_PRIVATE_FLAG == 0;
    let command = operation & FUTEX_CMD_MASK;
    let is_wall_clock = operation & FUTEX_CLOCK_REALTIME != 0;
    if is_wall_clock && !matches!(command, FUTEX_WAIT | FUTEX_WAIT_BITSET) {
        return Err(Errno::ENOSYS);
    }
    let space = cx.address_space();
    let key = |addr: usize| Key::of(&space, addr, is_shared);
    match command {
        FUTEX_WAIT => {
            let deadline = relative_deadline(cx, args)?;
            wait(cx, key(addr)?, addr, value, FUTEX_BITSET_MATCH_ANY, deadline)
        }
        FUTEX_WAIT_BITSET => {
            let bits = bitset(args)?;
            let deadline = absolute_deadline(args, is_wall_clock)?;
            futex::wait(key(addr)?, addr, value, bits, deadline)?;
            Ok(0)
        }
        // As on Linux a count of 0 or less wakes one.
        FUTEX_WAKE => Ok(futex::wake(key(addr)?, wake_count(value), FUTEX_BITSET_MATCH_ANY)),
        FUTEX_WAKE_BITSET => Ok(futex::wake(key(addr)?, wake_count(value), bitset(args)?)),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let (wakes, moves) = (count(value)?, count(args.uint(3))?);
            let expected = (command == FUTEX_CMP_REQUEUE).then(|| (addr, args.uint(5)));
            let (woken, moved) = futex::requeue(key(addr)?, key(args.addr(4))?, wakes, moves, expected)?;
            Ok(if command == FUTEX_CMP_REQUEUE { woken + moved } else { woken })
        }
        FUTEX_WAKE_OP => {
            let op = WakeOp::decode(args.uint(5)).ok_or(Errno::ENOSYS)?;
            let (first, second) = (key(addr)?, key(args.addr(4))?);
            futex::wake_op(first, second, args.addr(4), wake_count(value), wake_count(args.uint(3)), op)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// Waits, keeping the deadline for when the call is made again.
fn wait(
    cx: &Context,
    key: Key,
    addr: usize,
    value: u32,
    bits: u32,
    deadline: Option<u64>,
) -> Result<usize, SyscallError> {
    let result = futex::wait(key, addr, value, bits, deadline);
    if let (Err(Errno::EINTR), Some(deadline)) = (result, deadline) {
        cx.user().restart_deadline.store(deadline, Relaxed);
    }
    result.map(|()| 0)
}

fn bitset(args: &Args) -> Result<u32, Errno> {
    match args.uint(5) {
        0 => Err(Errno::EINVAL),
        bits => Ok(bits),
    }
}

/// A number of threads to wake, which Linux takes as at least one.
fn wake_count(value: u32) -> usize {
    value.cast_signed().max(1).unsigned_abs() as usize
}

fn count(value: u32) -> Result<usize, Errno> {
    usize::try_from(value.cast_signed()).map_err(|_| Errno::EINVAL)
}

fn relative_deadline(cx: &Context, args: &Args) -> Result<Option<u64>, Errno> {
    let timeout_in = args.user_ptr::<Timespec>(3);
    if timeout_in.is_null() {
        return Ok(None);
    }
    let timeout = timeout_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    Ok(Some(cx.user().deadline_or(|| now_ns().saturating_add(timeout))))
}

fn absolute_deadline(args: &Args, is_wall_clock: bool) -> Result<Option<u64>, Errno> {
    let time_in = args.user_ptr::<Timespec>(3);
    if time_in.is_null() {
        return Ok(None);
    }
    let time = time_in.read()?.to_ns().ok_or(Errno::EINVAL)?;
    let clock = if is_wall_clock { Clock::Realtime } else { Clock::Monotonic };
    clock.to_monotonic_ns(time).map(Some)
}

/// set_robust_list(2): tells where the thread keeps the list of the locks it holds.
///
/// # Errors
/// `EINVAL`: not the size of the list's head.
pub(super) fn set_robust_list(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (head, len) = (args.addr(0), args.size(1));
    if len != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL);
    }
    cx.user().robust_list.store(head, Relaxed);
    Ok(0)
}

/// get_robust_list(2): stores where a thread keeps its list, and the size of the list's head.
///
/// # Errors
/// `ESRCH`: no such thread. `EPERM`: the caller may not look into it. `EFAULT`: not writable.
pub(super) fn get_robust_list(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (tid, head_out, len_out) = (args.int(0), args.user_ptr::<u64>(1), args.user_ptr::<u64>(2));
    let head = if tid == 0 {
        cx.user().robust_list.load(Relaxed)
    } else {
        let thread = tree::find_thread(tid).ok_or(Errno::ESRCH)?;
        let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
        if user.process.pid != cx.process().pid && !cx.credentials().may_inspect(&user.credentials()) {
            return Err(Errno::EPERM);
        }
        user.robust_list.load(Relaxed)
    };
    len_out.write(&(size_of::<RobustListHead>() as u64))?;
    head_out.write(&(head as u64))?;
    Ok(0)
}
