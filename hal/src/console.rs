//! The polled console: works from the first instruction to the last panic, knows no locks.

use core::fmt;

use crate::arch;

/// Writes bytes to the console and waits until the device has taken them. Lines may mix with those of other CPUs.
pub fn write_early(bytes: &[u8]) {
    arch::console::write(bytes);
}

/// Makes the serial port at `base` the console. Ignored unless a PC has a serial port there.
pub fn use_port(base: u16) {
    arch::console::use_port(base);
}

/// [`write_early`] as a formatter's target; a line feed becomes carriage return and line feed.
#[derive(Debug, Default)]
pub struct EarlyConsole;

impl fmt::Write for EarlyConsole {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            if i != 0 {
                write_early(b"\r\n");
            }
            write_early(line.as_bytes());
        }
        Ok(())
    }
}
