//! getpid(2), getppid(2), gettid(2).

use super::{Args, Context, SyscallError};

/// getpid(2): the id of the calling process.
pub(super) fn getpid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.process().pid as usize)
}

/// getppid(2): the id of its parent; 0 when there is none.
pub(super) fn getppid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.process().parent_pid() as usize)
}

/// gettid(2): the id of the calling thread.
pub(super) fn gettid(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.thread().tid() as usize)
}
