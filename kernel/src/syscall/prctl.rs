//! prctl(2): the operations programs use; the others are `EINVAL`, as for a kernel built without them.

use core::sync::atomic::Ordering;

use linux_abi::cap::{CAP_LAST_CAP, CAP_SETPCAP};
use linux_abi::errno::Errno;
use linux_abi::prctl::*;

use super::{Args, Context, SyscallError, seccomp};
use crate::process::credentials::{CapSet, Credentials, securebits};
use crate::process::signal::send::signal_from;

/// Length of a thread's name with its NUL (`TASK_COMM_LEN`).
const COMM_LEN: usize = 16;

/// prctl(2). Errors as the manual gives them per operation; `EINVAL` for one we do not have.
pub(super) fn prctl(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let process = cx.process();
    let rest_is_zero = |from: usize| (from..5).all(|index| args.u64(index) == 0);
    match args.uint(0) {
        PR_SET_NAME => {
            let mut name = [0u8; COMM_LEN];
            let len = match hal::user::read_cstr(args.addr(1), &mut name[..COMM_LEN - 1])? {
                Some(len) => len,
                None => COMM_LEN - 1,
            };
            cx.thread().set_name(&name[..len]);
            Ok(0)
        }
        PR_GET_NAME => {
            let mut name = [0u8; COMM_LEN];
            let current = cx.thread().name();
            let current = current.as_bytes();
            let len = current.len().min(COMM_LEN - 1);
            name[..len].copy_from_slice(&current[..len]);
            hal::user::copy_out(args.addr(1), &name)?;
            Ok(0)
        }
        PR_SET_PDEATHSIG => {
            let signal = args.int(1);
            if signal != 0 && signal_from(signal).is_none() {
                return Err(Errno::EINVAL);
            }
            process.parent_death_signal.store(signal, Ordering::Relaxed);
            Ok(0)
        }
        PR_GET_PDEATHSIG => {
            args.user_ptr::<i32>(1).write(&process.parent_death_signal.load(Ordering::Relaxed))?;
            Ok(0)
        }
        PR_SET_DUMPABLE => match args.u64(1) {
            value @ (0 | 1) => {
                process.is_dumpable.store(value == 1, Ordering::Relaxed);
                Ok(0)
            }
            _ => Err(Errno::EINVAL),
        },
        PR_GET_DUMPABLE => Ok(usize::from(process.is_dumpable.load(Ordering::Relaxed))),
        PR_SET_CHILD_SUBREAPER => {
            process.is_subreaper.store(args.u64(1) != 0, Ordering::Relaxed);
            Ok(0)
        }
        PR_GET_CHILD_SUBREAPER => {
            args.user_ptr::<i32>(1).write(&i32::from(process.is_subreaper.load(Ordering::Relaxed)))?;
            Ok(0)
        }
        PR_SET_NO_NEW_PRIVS if args.u64(1) == 1 && rest_is_zero(2) => {
            change(cx, |credentials| credentials.no_new_privs = true);
            Ok(0)
        }
        PR_GET_NO_NEW_PRIVS if rest_is_zero(1) => Ok(usize::from(cx.credentials().no_new_privs)),
        PR_GET_KEEPCAPS => Ok(usize::from(cx.credentials().securebits & securebits::KEEP_CAPS != 0)),
        PR_SET_KEEPCAPS if args.u64(1) <= 1 => {
            let keep = args.u64(1) == 1;
            change(cx, |credentials| {
                credentials.securebits &= !securebits::KEEP_CAPS;
                if keep {
                    credentials.securebits |= securebits::KEEP_CAPS;
                }
            });
            Ok(0)
        }
        PR_GET_SECUREBITS => Ok(cx.credentials().securebits as usize),
        PR_SET_SECUREBITS => {
            cx.credentials().require(CAP_SETPCAP)?;
            let bits = args.uint(1);
            if bits & !securebits::ALL != 0 {
                return Err(Errno::EPERM);
            }
            change(cx, |credentials| credentials.securebits = bits);
            Ok(0)
        }
        PR_CAPBSET_READ => Ok(usize::from(cx.credentials().bounding.contains(capability(args.u64(1))?))),
        PR_CAPBSET_DROP => {
            cx.credentials().require(CAP_SETPCAP)?;
            let dropped = capability(args.u64(1))?;
            change(cx, |credentials| credentials.bounding = without(credentials.bounding, dropped));
            Ok(0)
        }
        PR_CAP_AMBIENT => ambient(cx, args),
        PR_GET_SECCOMP => Ok(cx.user().confinement().mode as usize),
        PR_SET_SECCOMP => seccomp::set_mode(cx, args.u64(1), args.addr(2)),
        PR_GET_TID_ADDRESS => {
            args.user_ptr::<u64>(1).write(&(cx.user().clear_child_tid.load(Ordering::Relaxed) as u64))?;
            Ok(0)
        }
        PR_GET_TIMING => Ok(0),
        PR_SET_TIMING if args.u64(1) == 0 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn ambient(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let operation = args.u64(1);
    if operation == PR_CAP_AMBIENT_CLEAR_ALL {
        change(cx, |credentials| credentials.ambient = CapSet::EMPTY);
        return Ok(0);
    }
    let wanted = capability(args.u64(2))?;
    let credentials = cx.credentials();
    match operation {
        PR_CAP_AMBIENT_IS_SET => Ok(usize::from(credentials.ambient.contains(wanted))),
        PR_CAP_AMBIENT_LOWER => {
            change(cx, |credentials| credentials.ambient = without(credentials.ambient, wanted));
            Ok(0)
        }
        PR_CAP_AMBIENT_RAISE => {
            let allowed = credentials.permitted.contains(wanted)
                && credentials.inheritable.contains(wanted)
                && credentials.securebits & securebits::NO_CAP_AMBIENT_RAISE == 0;
            if !allowed {
                return Err(Errno::EPERM);
            }
            change(cx, |credentials| credentials.ambient.0 |= 1 << wanted);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn capability(number: u64) -> Result<u32, Errno> {
    u32::try_from(number).ok().filter(|&number| number <= CAP_LAST_CAP).ok_or(Errno::EINVAL)
}

fn without(set: CapSet, capability: u32) -> CapSet {
    CapSet(set.0 & !(1 << capability))
}

fn change(cx: &Context, change: impl FnOnce(&mut Credentials)) {
    let mut credentials = (*cx.credentials()).clone();
    change(&mut credentials);
    cx.user().set_credentials(credentials);
}
