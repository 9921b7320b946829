//! vhangup(2).

use linux_abi::cap::CAP_SYS_TTY_CONFIG;

use super::{Args, Context, SyscallError};
use crate::process::tree;

/// vhangup(2): hangs up the caller's controlling terminal, if there is one.
///
/// # Errors
/// `EPERM`: no `CAP_SYS_TTY_CONFIG`.
pub(super) fn vhangup(cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_TTY_CONFIG)?;
    if let Some(terminal) = tree::terminal_of_session(cx.process().session_id()) {
        terminal.hang_up();
    }
    Ok(0)
}
