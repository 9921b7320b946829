//! Device drivers: the serial console and the terminals. Hardware is reached only through `hal::io`.

pub mod serial;
pub mod tty;

/// Finds the devices and makes the terminals; `consoles` are the `console=` words of the command line.
pub fn init(consoles: &[alloc::string::String]) {
    tty::console::init(consoles);
}

/// Waits, for a time at most, until what programs have written is with the devices: for the end of the machine.
pub fn drain() {
    serial::drain();
}

/// As [`drain`], after a panic: waits for no lock.
pub fn drain_in_panic() {
    serial::drain_in_panic();
}
