//! futex(2), futex_waitv(2), set_robust_list(2), get_robust_list(2).

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use hal::time::now_ns;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMD_MASK, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAITV_MAX, FUTEX_WAKE, FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP, FUTEX2_PRIVATE, FUTEX2_SIZE_U32, FutexWaitv, RobustListHead, WakeOp,
};
use linux_abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME, Timespec};

use super::{Args, Context, Restart, SyscallError};
use crate::ipc::futex::{self, Key, Word, pi};
use crate::memory::fallible;
use crate::process::inspect::{Identity, may_inspect};
use crate::process::tree;
use crate::time::clock::Clock;

/// futex(2): sleeps while a word holds a value, wakes who sleeps, locks with priority inheritance.
///
/// # Errors
/// - `EINVAL`: a misaligned word, a bitset of 0, a bad time, a count below 0, or a word used in two ways at once.
/// - `EAGAIN`: the word does not hold the value, or the lock is taken.
/// - `ETIMEDOUT`, `EINTR`: what ended the sleep.
/// - `EFAULT`: a bad pointer.
/// - `EDEADLK`, `EPERM`, `ESRCH`, `ENOMEM`: as [`pi::lock`] and [`pi::unlock`].
/// - `ENOSYS`: another operation, or `FUTEX_CLOCK_REALTIME` where it means nothing.
pub(super) fn futex(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (addr, operation, value) = (args.addr(0), args.uint(1), args.uint(2));
    let is_shared = operation & FUTEX_PRIVATE_FLAG == 0;
    let command = operation & FUTEX_CMD_MASK;
    let is_wall_clock = operation & FUTEX_CLOCK_REALTIME != 0;
    if is_wall_clock && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS);
    }
    match command {
        FUTEX_WAIT => {
            let deadline = relative_deadline(cx, args)?;
            let key = key_of(cx, addr, is_shared)?;
            let result = wait(cx, key, addr, value, FUTEX_BITSET_MATCH_ANY, deadline);
            if let (Err(Errno::EINTR), Some(deadline)) = (result, deadline) {
                cx.user().restart_deadline.store(deadline, Relaxed);
            }
            result
        }
        // As on Linux a count of 0 or less wakes one.
        FUTEX_WAKE => futex::wake(key_of(cx, addr, is_shared)?, wake_count(value), FUTEX_BITSET_MATCH_ANY),
        _ => rare_operation(cx, args, command, is_wall_clock),
    }
}

/// What is not a plain wait or wake-up.
#[inline(never)]
fn rare_operation(
    cx: &Context,
    args: &Args,
    command: u32,
    is_wall_clock: bool,
) -> Result<usize, SyscallError> {
    let (addr, value, other_addr) = (args.addr(0), args.uint(2), args.addr(4));
    let is_shared = args.uint(1) & FUTEX_PRIVATE_FLAG == 0;
    let key = || key_of(cx, addr, is_shared);
    let other = || key_of(cx, other_addr, is_shared);
    match command {
        FUTEX_WAIT_BITSET => {
            let deadline = absolute_deadline(args, is_wall_clock)?;
            wait(cx, key()?, addr, value, bitset(args)?, deadline)
        }
        FUTEX_WAKE_BITSET => futex::wake(key()?, wake_count(value), bitset(args)?),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let (wakes, moves) = (count(value)?, count(args.uint(3))?);
            let expected = (command == FUTEX_CMP_REQUEUE).then(|| (addr, args.uint(5)));
            let (woken, moved) = futex::requeue(key()?, other()?, wakes, moves, expected)?;
            Ok(woken + moved)
        }
        FUTEX_WAKE_OP => {
            let op = WakeOp::decode(args.uint(5)).ok_or(Errno::ENOSYS)?;
            futex::wake_op(key()?, other()?, other_addr, wake_count(value), wake_count(args.uint(3)), op)
        }
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            let deadline = absolute_deadline(args, is_wall_clock || command == FUTEX_LOCK_PI)?;
            restart_always(cx, pi::lock(key()?, addr, deadline, true))
        }
        FUTEX_TRYLOCK_PI => pi::lock(key()?, addr, None, false).map(|()| 0),
        FUTEX_UNLOCK_PI => pi::unlock(key()?, addr).map(|()| 0),
        FUTEX_WAIT_REQUEUE_PI => {
            let deadline = absolute_deadline(args, is_wall_clock)?;
            restart_always(cx, pi::wait_requeue(key()?, addr, value, deadline, other()?, other_addr))
        }
        FUTEX_CMP_REQUEUE_PI => {
            let (wakes, moves) = (count(value)?, count(args.uint(3))?);
            if wakes != 1 {
                return Err(Errno::EINVAL);
            }
            pi::requeue(key()?, other()?, other_addr, moves, (addr, args.uint(5)))
        }
        _ => Err(Errno::ENOSYS),
    }
}

#[inline]
fn key_of(cx: &Context, addr: usize, is_shared: bool) -> Result<Key, Errno> {
    if is_shared { Key::of(&cx.address_space(), addr, true) } else { Key::private(cx.process(), addr) }
}

/// futex_waitv(2): sleeps while each of several words holds a value; answers the one that was woken.
///
/// # Errors
/// - `EINVAL`: flags, too many words or none, a word that is misaligned or not of 32 bits, a bad time or clock.
/// - `EAGAIN`: a word does not hold its value.
/// - `ETIMEDOUT`, `EINTR`, `EFAULT`: as futex(2).
pub(super) fn futex_waitv(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (words_in, count, flags) = (args.user_ptr::<FutexWaitv>(0), args.uint(1) as usize, args.uint(2));
    let (time_in, clock) = (args.user_ptr::<Timespec>(3), args.int(4));
    if flags != 0 || words_in.is_null() || !(1..=FUTEX_WAITV_MAX).contains(&count) {
        return Err(Errno::EINVAL);
    }
    let is_wall_clock = clock == CLOCK_REALTIME;
    if !time_in.is_null() && !is_wall_clock && clock != CLOCK_MONOTONIC {
        return Err(Errno::EINVAL);
    }
    let deadline = deadline_at(time_in, is_wall_clock)?;
    let mut given: Vec<FutexWaitv> = fallible::vec(count)?;
    for index in 0..count {
        let word = words_in.add(index).read()?;
        let is_known = word.flags & !(FUTEX2_SIZE_U32 | FUTEX2_PRIVATE) == 0 && word.reserved == 0;
        if !is_known || word.flags & FUTEX2_SIZE_U32 == 0 {
            return Err(Errno::EINVAL);
        }
        given.push(word);
    }
    let mut words: Vec<Word> = fallible::vec(count)?;
    for word in &given {
        let addr = word.uaddr as usize;
        let key = key_of(cx, addr, word.flags & FUTEX2_PRIVATE == 0)?;
        words.push(Word { key, addr, expected: word.val as u32 });
    }
    futex::wait_many(&words, deadline)
}

/// Waits. A timed call that a signal interrupts is made again only when no handler runs.
fn wait(
    cx: &Context,
    key: Key,
    addr: usize,
    value: u32,
    bits: u32,
    deadline: Option<u64>,
) -> Result<usize, SyscallError> {
    let result = futex::wait(key, addr, value, bits, deadline);
    if result == Err(Errno::EINTR) && deadline.is_some() {
        cx.user().set_restart(Restart::IfNoHandler);
    }
    result.map(|()| 0)
}

/// Has a call that a signal interrupted made again in any case.
fn restart_always(cx: &Context, result: Result<(), Errno>) -> Result<usize, SyscallError> {
    if result == Err(Errno::EINTR) {
        cx.user().set_restart(Restart::Always);
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
    deadline_at(args.user_ptr(3), is_wall_clock)
}

/// The deadline that `time_in` holds, if it is not null.
fn deadline_at(time_in: UserPtr<Timespec>, is_wall_clock: bool) -> Result<Option<u64>, Errno> {
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
        if !may_inspect(cx.user(), &user.process, Identity::Real) {
            return Err(Errno::EPERM);
        }
        user.robust_list.load(Relaxed)
    };
    len_out.write(&(size_of::<RobustListHead>() as u64))?;
    head_out.write(&(head as u64))?;
    Ok(0)
}
