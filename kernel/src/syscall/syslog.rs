//! syslog(2): the kernel log, for dmesg(1).

use linux_abi::cap::{CAP_SYS_ADMIN, CAP_SYSLOG};
use linux_abi::errno::Errno;
use linux_abi::syslog::*;

use super::{Args, Context, SyscallError};
use crate::klog;
use crate::uio::check_user_range;

/// syslog(2).
///
/// # Errors
/// `EPERM`: the operation needs `CAP_SYSLOG`. `EINVAL`: an unknown operation, a bad length or level. `EFAULT`: not
/// writable. `EINTR`: a signal came while waiting for messages.
pub(super) fn syslog(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (action, out, len) = (args.int(0), args.addr(1), args.int(2));
    if !matches!(action, SYSLOG_ACTION_READ_ALL | SYSLOG_ACTION_SIZE_BUFFER)
        && !cx.credentials().has(CAP_SYSLOG)
        && !cx.credentials().has(CAP_SYS_ADMIN)
    {
        return Err(Errno::EPERM);
    }
    match action {
        SYSLOG_ACTION_CLOSE | SYSLOG_ACTION_OPEN => Ok(0),
        SYSLOG_ACTION_READ => {
            let len = room(out, len)?;
            if len == 0 {
                return Ok(0);
            }
            let text = klog::read_unread(len)?;
            hal::user::copy_out(out, &text)?;
            Ok(text.len())
        }
        SYSLOG_ACTION_READ_ALL | SYSLOG_ACTION_READ_CLEAR => {
            let text = klog::tail(room(out, len)?)?;
            hal::user::copy_out(out, &text)?;
            if action == SYSLOG_ACTION_READ_CLEAR {
                klog::clear();
            }
            Ok(text.len())
        }
        SYSLOG_ACTION_CLEAR => {
            klog::clear();
            Ok(0)
        }
        SYSLOG_ACTION_CONSOLE_OFF => {
            klog::set_console_enabled(false);
            Ok(0)
        }
        SYSLOG_ACTION_CONSOLE_ON => {
            klog::set_console_enabled(true);
            Ok(0)
        }
        SYSLOG_ACTION_CONSOLE_LEVEL if (1..=8).contains(&len) => {
            klog::set_console_level(len as u8);
            Ok(0)
        }
        SYSLOG_ACTION_SIZE_UNREAD => Ok(klog::unread_len()),
        SYSLOG_ACTION_SIZE_BUFFER => Ok(klog::CAPACITY),
        _ => Err(Errno::EINVAL),
    }
}

/// The size of the reader's buffer, `len` bytes at `out`.
///
/// # Errors
/// `EINVAL`: no buffer, or a negative length. `EFAULT`: not in user space.
fn room(out: usize, len: i32) -> Result<usize, Errno> {
    if out == 0 {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    check_user_range(out as u64, len as u64)?;
    Ok(len)
}
