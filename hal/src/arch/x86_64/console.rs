//! A serial port, polled: the first one, until the kernel names another.

use core::sync::atomic::{AtomicU16, Ordering};

use super::io;

/// Where a PC has serial ports.
const PLACES: [u16; 4] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

static BASE: AtomicU16 = AtomicU16::new(PLACES[0]);

/// Registers, by offset from the base.
const DATA: u16 = 0;
const LINE_STATUS: u16 = 5;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Polls before a byte is given up: a port that is not there, or is stuck, must not stop the kernel.
const PATIENCE: u32 = 200_000;

fn write_register(register: u16, value: u8) {
    // SAFETY: registers of a serial port touch no memory.
    unsafe { io::write_u8(BASE.load(Ordering::Relaxed) + register, value) };
}

fn read_register(register: u16) -> u8 {
    // SAFETY: registers of a serial port touch no memory.
    unsafe { io::read_u8(BASE.load(Ordering::Relaxed) + register) }
}

/// Sets the port to 115200 baud, eight bits, no interrupts.
pub(super) fn init() {
    for (register, value) in [(1, 0x00), (3, 0x80), (0, 1), (1, 0), (3, 0x03), (2, 0xc7), (4, 0x0b)] {
        write_register(register, value);
    }
}

/// Goes on with the port at `base`, which its driver has set up.
pub(crate) fn use_port(base: u16) {
    if PLACES.contains(&base) {
        BASE.store(base, Ordering::Relaxed);
    }
}

/// Writes bytes and waits until the port has taken them.
pub(crate) fn write(bytes: &[u8]) {
    // No such port: all bits float high.
    if read_register(LINE_STATUS) == 0xff {
        return;
    }
    for &byte in bytes {
        let mut left = PATIENCE;
        while read_register(LINE_STATUS) & TRANSMITTER_EMPTY == 0 && left != 0 {
            left -= 1;
            core::hint::spin_loop();
        }
        write_register(DATA, byte);
    }
}
