//! Switching off, restarting, halting; what Ctrl-Alt-Del does.

use core::sync::atomic::{AtomicBool, Ordering};

use alloc::string::String;

static CTRL_ALT_DEL_RESTARTS: AtomicBool = AtomicBool::new(true);

/// Switches the machine off; halts it where the firmware offers no way.
pub fn power_off() -> ! {
    log::warn!("reboot: Power down");
    hal::cpu::power_off()
}

/// Restarts the machine.
pub fn restart(command: Option<&[u8]>) -> ! {
    match command {
        Some(command) => {
            log::warn!("reboot: Restarting system with command '{}'", String::from_utf8_lossy(command))
        }
        None => log::warn!("reboot: Restarting system"),
    }
    hal::cpu::reboot()
}

/// Stops every CPU for good.
pub fn halt() -> ! {
    log::warn!("reboot: System halted");
    hal::cpu::halt()
}

/// Whether Ctrl-Alt-Del restarts the machine at once, or signals process 1.
pub fn set_ctrl_alt_del(restarts: bool) {
    CTRL_ALT_DEL_RESTARTS.store(restarts, Ordering::Relaxed);
}

/// Whether Ctrl-Alt-Del restarts the machine at once.
pub fn ctrl_alt_del_restarts() -> bool {
    CTRL_ALT_DEL_RESTARTS.load(Ordering::Relaxed)
}
