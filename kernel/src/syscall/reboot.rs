//! reboot(2).

use linux_abi::cap::CAP_SYS_BOOT;
use linux_abi::errno::Errno;
use linux_abi::reboot::{
    LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_RESTART2, is_magic,
};

use super::{Args, Context, SyscallError};
use crate::power;

/// reboot(2): restarts, halts or switches the machine off, or says what Ctrl-Alt-Del does.
///
/// # Errors
/// `EPERM`: no `CAP_SYS_BOOT`. `EINVAL`: wrong magic numbers or an unknown command.
pub(super) fn reboot(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.credentials().require(CAP_SYS_BOOT)?;
    let (magic1, magic2, command) = (args.uint(0), args.uint(1), args.uint(2));
    if !is_magic(magic1, magic2) {
        return Err(Errno::EINVAL);
    }
    match command {
        LINUX_REBOOT_CMD_RESTART => power::restart(None),
        LINUX_REBOOT_CMD_RESTART2 => {
            let command = super::args::copy_path(args.addr(3))?;
            power::restart(Some(&command))
        }
        LINUX_REBOOT_CMD_HALT => power::halt(),
        LINUX_REBOOT_CMD_POWER_OFF => power::power_off(),
        LINUX_REBOOT_CMD_CAD_ON => power::set_ctrl_alt_del(true),
        LINUX_REBOOT_CMD_CAD_OFF => power::set_ctrl_alt_del(false),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
