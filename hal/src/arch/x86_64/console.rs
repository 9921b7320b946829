//! The first serial port, polled.

use super::io;

const BASE: u16 = 0x3f8;
const LINE_STATUS: u16 = BASE + 5;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Polls before a byte is given up: a port that is not there, or is stuck, must not stop the kernel.
const PATIENCE: u32 = 200_000;

fn write_port(port: u16, value: u8) {
    // SAFETY: registers of the serial port touch no memory.
    unsafe { io::write_u8(port, value) };
}

fn read_port(port: u16) -> u8 {
    // SAFETY: registers of the serial port touch no memory.
    unsafe { io::read_u8(port) }
}

/// Sets the port to 115200 baud, eight bits, no interrupts.
pub(super) fn init() {
    for (offset, value) in [(1, 0x00), (3, 0x80), (0, 1), (1, 0), (3, 0x03), (2, 0xc7), (4, 0x0b)] {
        write_port(BASE + offset, value);
    }
}

/// Writes bytes and waits until the port has taken them.
pub(crate) fn write(bytes: &[u8]) {
    // No such port: all bits float high.
    if read_port(LINE_STATUS) == 0xff {
        return;
    }
    for &byte in bytes {
        let mut left = PATIENCE;
        while read_port(LINE_STATUS) & TRANSMITTER_EMPTY == 0 && left != 0 {
            left -= 1;
            core::hint::spin_loop();
        }
        write_port(BASE, byte);
    }
}
