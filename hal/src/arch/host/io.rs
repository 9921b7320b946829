//! Ports of the simulated machine: a 16550 at 0x3f8, nothing elsewhere.

use core::ops::Range;
use std::collections::VecDeque;

use super::console;
use super::irq;
use super::machine::{Inner, lock, machine};
use crate::irq::Irq;

const BASE: u16 = 0x3f8;

/// The registers of the serial port that drivers rely on. Output is sent at once, so the transmitter is always empty.
#[derive(Default)]
pub(super) struct Uart {
    input: VecDeque<u8>,
    interrupt_enable: u8,
    line_control: u8,
    modem_control: u8,
    scratch: u8,
    divisor: [u8; 2],
    /// The "transmitter empty" interrupt waits to be reported.
    sent: bool,
}

impl Uart {
    fn latch(&self) -> bool {
        self.line_control & 0x80 != 0
    }

    /// Returns the interrupt identification register; reading it acknowledges "transmitter empty".
    fn identify(&mut self) -> u8 {
        if self.interrupt_enable & 1 != 0 && !self.input.is_empty() {
            0xc4
        } else if self.interrupt_enable & 2 != 0 && self.sent {
            self.sent = false;
            0xc2
        } else {
            0xc1
        }
    }

    fn read(&mut self, register: u16) -> u8 {
        match register {
            0 if self.latch() => self.divisor[0],
            0 => self.input.pop_front().unwrap_or(0),
            1 if self.latch() => self.divisor[1],
            1 => self.interrupt_enable,
            2 => self.identify(),
            3 => self.line_control,
            4 => self.modem_control,
            5 => 0x60 | u8::from(!self.input.is_empty()),
            6 => 0xb0,
            _ => self.scratch,
        }
    }

    /// Writes a register; returns a byte that goes out and whether to interrupt.
    fn write(&mut self, register: u16, value: u8) -> (Option<u8>, bool) {
        match register {
            0 if self.latch() => self.divisor[0] = value,
            0 if self.modem_control & 0x10 != 0 => self.input.push_back(value),
            0 => {
                self.sent = true;
                return (Some(value), self.interrupt_enable & 2 != 0);
            }
            1 if self.latch() => self.divisor[1] = value,
            1 => {
                self.sent |= value & 2 != 0 && self.interrupt_enable & 2 == 0;
                self.interrupt_enable = value & 0xf;
                return (None, value & 2 != 0 || (value & 1 != 0 && !self.input.is_empty()));
            }
            2 if value & 2 != 0 => self.input.clear(),
            3 => self.line_control = value,
            4 => self.modem_control = value,
            7 => self.scratch = value,
            _ => {}
        }
        (None, false)
    }
}

/// Lets bytes arrive at the serial port.
pub(super) fn receive(machine: &'static Inner, bytes: &[u8]) {
    let wanted = {
        let mut uart = lock(&machine.uart);
        uart.input.extend(bytes);
        uart.interrupt_enable & 1 != 0
    };
    if wanted {
        irq::raise_line(machine, Irq::SERIAL);
    }
}

/// Nothing here can break anything.
pub(crate) fn is_reserved(_range: &Range<u32>) -> bool {
    false
}

/// # Safety
/// None here; on the PC the port must be harmless to memory. So below.
pub(crate) unsafe fn read_u8(port: u16) -> u8 {
    match port.checked_sub(BASE) {
        Some(register @ 0..8) => lock(&machine().uart).read(register),
        // As an empty bus answers.
        _ => 0xff,
    }
}

/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn write_u8(port: u16, value: u8) {
    if let Some(register @ 0..8) = port.checked_sub(BASE) {
        let (byte, interrupt) = lock(&machine().uart).write(register, value);
        if let Some(byte) = byte {
            console::write(&[byte]);
        }
        if interrupt {
            irq::raise_line(machine(), Irq::SERIAL);
        }
    }
}

/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn read_u16(_port: u16) -> u16 {
    u16::MAX
}

/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn write_u16(_port: u16, _value: u16) {}

/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn read_u32(_port: u16) -> u32 {
    u32::MAX
}

/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn write_u32(_port: u16, _value: u32) {}
