//! Device drivers: the serial console and the terminals. Hardware is reached only through `hal::io`.

pub mod serial;
pub mod tty;

/// Finds the devices and makes the terminals; `consoles` are the `console=` words of the command line.
pub fn init(consoles: &[alloc::string::String]) {
    tty::console::init(consoles);
}
