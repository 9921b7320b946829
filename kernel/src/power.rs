//! Switching off, restarting, halting; what Ctrl-Alt-Del does.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use alloc::string::String;

use crate::drivers;

static CTRL_ALT_DEL_RESTARTS: AtomicBool = AtomicBool::new(true);

/// Switches the machine off; halts it where the firmware offers no way.
pub fn power_off() -> ! {
    say_last(format_args!("Power down"));
    hal::cpu::power_off()
}

/// Restarts the machine.
pub fn restart(command: Option<&[u8]>) -> ! {
    match command.map(String::from_utf8_lossy) {
        Some(command) => say_last(format_args!("Restarting system with command '{command}'")),
        None => say_last(format_args!("Restarting system")),
    }
    hal::cpu::reboot()
}

/// Stops every CPU for good.
pub fn halt() -> ! {
    say_last(format_args!("System halted"));
    hal::cpu::halt()
}

/// Says what happens now, after everything that programs have written.
fn say_last(what: fmt::Arguments) {
    drivers::drain();
    log::warn!("reboot: {what}");
    // What other CPUs have written meanwhile; and the line above may still be in the chip.
    drivers::drain();
}

/// Whether Ctrl-Alt-Del restarts the machine at once, or signals process 1.
pub fn set_ctrl_alt_del(restarts: bool) {
    CTRL_ALT_DEL_RESTARTS.store(restarts, Ordering::Relaxed);
}

/// Whether Ctrl-Alt-Del restarts the machine at once.
pub fn ctrl_alt_del_restarts() -> bool {
    CTRL_ALT_DEL_RESTARTS.load(Ordering::Relaxed)
}
