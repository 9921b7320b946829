//! seccomp(2).

use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::seccomp::*;
use zerocopy::IntoBytes;

use super::{Args, Context, SyscallError};
use crate::memory::fallible;
use crate::process::seccomp;

const KNOWN_FLAGS: u32 = SECCOMP_FILTER_FLAG_TSYNC
    | SECCOMP_FILTER_FLAG_LOG
    | SECCOMP_FILTER_FLAG_SPEC_ALLOW
    | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;

/// seccomp(2): confines the calling thread, or tells what can be done.
///
/// # Errors
/// - `EINVAL`: an unknown operation or flag, not a filter, or another mode is in force. `EFAULT`.
/// - `EACCES`: a filter by one who may gain rights and is not privileged. `ENOMEM`: too many filters.
/// - `EOPNOTSUPP`: an action that is not there. `ESRCH`: a thread cannot follow.
pub(super) fn seccomp(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    operate(cx, args.uint(0), args.uint(1), args.addr(2))
}

/// What `PR_SET_SECCOMP` asks for. Errors as seccomp.
pub(super) fn set_mode(cx: &Context, mode: u64, filter: usize) -> Result<usize, SyscallError> {
    match u32::try_from(mode) {
        // The filter is not looked at.
        Ok(SECCOMP_MODE_STRICT) => operate(cx, SECCOMP_SET_MODE_STRICT, 0, 0),
        Ok(SECCOMP_MODE_FILTER) => operate(cx, SECCOMP_SET_MODE_FILTER, 0, filter),
        _ => Err(Errno::EINVAL),
    }
}

fn operate(cx: &Context, operation: u32, flags: u32, addr: usize) -> Result<usize, SyscallError> {
    match operation {
        SECCOMP_SET_MODE_STRICT if flags == 0 && addr == 0 => {
            seccomp::confine_strictly(cx)?;
            Ok(0)
        }
        SECCOMP_SET_MODE_FILTER if flags & !KNOWN_FLAGS == 0 => add_filter(cx, flags, addr),
        SECCOMP_GET_ACTION_AVAIL if flags == 0 => match UserPtr::<u32>::new(addr).read()? {
            SECCOMP_RET_KILL_PROCESS
            | SECCOMP_RET_KILL_THREAD
            | SECCOMP_RET_TRAP
            | SECCOMP_RET_ERRNO
            | SECCOMP_RET_TRACE
            | SECCOMP_RET_LOG
            | SECCOMP_RET_ALLOW => Ok(0),
            _ => Err(Errno::EOPNOTSUPP),
        },
        _ => Err(Errno::EINVAL),
    }
}

fn add_filter(cx: &Context, flags: u32, addr: usize) -> Result<usize, SyscallError> {
    let description = UserPtr::<SockFprog>::new(addr).read()?;
    let len = usize::from(description.len);
    if len == 0 || len > BPF_MAXINSNS {
        return Err(Errno::EINVAL);
    }
    seccomp::check_may_filter(cx)?;
    let mut program: Vec<SockFilter> = fallible::zeroed(len)?;
    hal::user::copy_in(program.as_mut_bytes(), description.filter as usize)?;
    match seccomp::add_filter(cx, &program, flags)? {
        None => Ok(0),
        Some(_) if flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH != 0 => Err(Errno::ESRCH),
        Some(thread) => Ok(thread as usize),
    }
}
