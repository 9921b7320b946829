//! semget(2), semop(2), semtimedop(2), semctl(2).

use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;
use linux_abi::time::Timespec;
use zerocopy::IntoBytes;

use super::{Args, Context, SyscallError};
use crate::ipc::sysv::sem::{self, Question};
use crate::memory::fallible;

/// semget(2): returns the id of the set with a key, or of a new one.
///
/// # Errors
/// As [`sem::get`].
pub(super) fn semget(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(sem::get(args.int(0), args.int(1), args.uint(2), &cx.credentials())? as usize)
}

/// semop(2). Errors as semtimedop.
pub(super) fn semop(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    operate(cx, args, None)
}

/// semtimedop(2): makes some operations together, when they can be made.
///
/// # Errors
/// - `E2BIG`: too many operations. `EINVAL`: none, or a bad time. `EFAULT`.
/// - As [`sem::operate`].
pub(super) fn semtimedop(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let timeout = args.user_ptr::<Timespec>(3);
    operate(cx, args, (!timeout.is_null()).then_some(timeout))
}

fn operate(cx: &Context, args: &Args, timeout: Option<UserPtr<Timespec>>) -> Result<usize, SyscallError> {
    let (id, addr, count) = (args.int(0), args.addr(1), args.uint(2) as usize);
    let timeout = timeout.map(|timeout| timeout.read()).transpose()?;
    if count > sem::MAX_OPERATIONS {
        return Err(Errno::E2BIG);
    }
    if count < 1 {
        return Err(Errno::EINVAL);
    }
    let mut operations: Vec<Sembuf> = fallible::zeroed(count)?;
    hal::user::copy_in(operations.as_mut_bytes(), addr)?;
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = match timeout {
        None => None,
        Some(time) => Some(hal::time::now_ns().saturating_add(time.to_ns().ok_or(Errno::EINVAL)?)),
    };
    sem::operate(id, operations.into_boxed_slice(), deadline, cx.process(), &cx.credentials())?;
    Ok(0)
}

/// semctl(2): describes, changes or removes a set, or answers and changes values.
///
/// # Errors
/// - `EINVAL`: no such set, semaphore or command. `EACCES`, `EPERM`: not for the caller.
/// - `ERANGE`: a value that none can have. `EFAULT`, `ENOMEM`.
pub(super) fn semctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (id, number, command, argument) = (args.int(0), args.int(1), args.uint(2), args.addr(3));
    let who = cx.credentials();
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_INFO | SEM_INFO => {
            let (last, sets, semaphores) = sem::totals();
            let is_limits = command == IPC_INFO;
            let info = Seminfo {
                semmap: sem::MAX_ALL as i32,
                semmni: sem::MAX_SETS as i32,
                semmns: sem::MAX_ALL as i32,
                semmnu: sem::MAX_ALL as i32,
                semmsl: sem::MAX_IN_SET as i32,
                semopm: sem::MAX_OPERATIONS as i32,
                semume: sem::MAX_OPERATIONS as i32,
                semusz: if is_limits { 20 } else { sets as i32 },
                semvmx: sem::MAX_VALUE,
                semaem: if is_limits { sem::MAX_VALUE } else { semaphores as i32 },
            };
            UserPtr::new(argument).write(&info)?;
            return Ok(last);
        }
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let (found, description) = sem::describe(id, command != IPC_STAT, command == SEM_STAT_ANY, &who)?;
            UserPtr::new(argument).write(&description)?;
            return Ok(if command == IPC_STAT { 0 } else { found as usize });
        }
        GETVAL => return sem::ask(id, number, Question::Value, &who),
        GETPID => return sem::ask(id, number, Question::Pid, &who),
        GETNCNT => return sem::ask(id, number, Question::Growing, &who),
        GETZCNT => return sem::ask(id, number, Question::Zero, &who),
        GETALL => {
            let values = sem::values(id, &who)?;
            hal::user::copy_out(argument, values.as_bytes())?;
        }
        SETALL => {
            let mut values: Vec<u16> = fallible::zeroed(sem::len_to_set(id, &who)?)?;
            hal::user::copy_in(values.as_mut_bytes(), argument)?;
            sem::set_values(id, None, &values, &who)?;
        }
        SETVAL => {
            let value = u16::try_from(argument as u32 as i32).map_err(|_| Errno::ERANGE)?;
            sem::set_values(id, Some(number), &[value], &who)?;
        }
        IPC_SET => {
            let new = UserPtr::<Semid64Ds>::new(argument).read()?;
            sem::set(id, &new.sem_perm, &who)?;
        }
        IPC_RMID => sem::remove(id, &who)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
