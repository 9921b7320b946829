//! exit(2), exit_group(2).

use super::{Args, Context, SyscallError};
use crate::process::exit;

/// exit(2): ends the calling thread. It dies on its way back to user mode.
pub(super) fn exit(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    exit::exit_current(&cx.thread_arc(), cx.user(), (args.int(0) & 0xff) << 8);
    Ok(0)
}

/// exit_group(2): ends every thread of the calling process.
pub(super) fn exit_group(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    exit::begin_group_exit(cx.process(), (args.int(0) & 0xff) << 8);
    Ok(0)
}
