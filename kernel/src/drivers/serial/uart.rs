//! The registers of a 16550, and what terminal settings mean to it.
//!
//! Source: National Semiconductor, PC16550D (1995).

use core::sync::atomic::{AtomicBool, Ordering};

use hal::io::Ports;
use linux_abi::termios::{B0, CBAUD, CMSPAR, CSIZE, CSTOPB, PARENB, PARODD, Termios2};

/// Registers, by offset from the base.
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
/// When read: why it interrupts.
const INTERRUPT_REASON: u16 = 2;
/// When written.
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;
const REGISTERS: u16 = 8;

/// The bit of the interrupt reason that says: none.
const NO_INTERRUPT: u8 = 1 << 0;
/// Line status: a byte has come; the FIFO for output is empty; so is the line.
const DATA_READY: u8 = 1 << 0;
const FIFO_EMPTY: u8 = 1 << 5;
const LINE_IDLE: u8 = 1 << 6;
/// Line control: the line is held down.
const BREAK: u8 = 1 << 6;
/// Line control: the first two registers hold the divisor.
const DIVISOR_LATCH: u8 = 1 << 7;
/// Modem control.
const TERMINAL_READY: u8 = 1 << 0;
const REQUEST_TO_SEND: u8 = 1 << 1;
const INTERRUPTS_REACH_BUS: u8 = 1 << 3;

/// Interrupt enable: a byte has come.
pub(super) const ON_RECEIVE: u8 = 1 << 0;
/// Interrupt enable: the FIFO for output is empty.
pub(super) const ON_TRANSMIT: u8 = 1 << 1;

/// Bytes the FIFO for output holds.
pub(super) const FIFO_LEN: usize = 16;
/// Bits per second at divisor 1.
const BASE_SPEED: u32 = 115_200;
/// Nanoseconds a port gets to send a full FIFO before it counts as stuck; enough from 600 bits per second on.
const PATIENCE_NS: u64 = 300_000_000;

/// How a line is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LineSettings {
    divisor: u16,
    format: u8,
    is_up: bool,
}

impl LineSettings {
    /// What terminal settings ask for; `None`: a speed the chip cannot have.
    pub(super) fn new(termios: &Termios2) -> Option<Self> {
        let flags = termios.c_cflag;
        let is_up = flags & CBAUD != B0;
        let speed = if is_up { termios.c_ospeed } else { 9600 };
        // The nearest divisor, as long as it is near.
        let divisor = BASE_SPEED.checked_add(speed / 2)?.checked_div(speed)?;
        let divisor = u16::try_from(divisor).ok().filter(|&divisor| divisor != 0)?;
        if speed > BASE_SPEED {
            return None;
        }
        let bit = |flag: u32, bit: u8| if flags & flag != 0 { bit } else { 0 };
        let format = (flags & CSIZE) as u8 >> 4
            | bit(CSTOPB, 1 << 2)
            | bit(PARENB, 1 << 3)
            | (bit(PARODD, 1 << 4) ^ 1 << 4)
            | bit(CMSPAR, 1 << 5);
        Some(Self { divisor, format, is_up })
    }
}

/// A 16550.
pub(super) struct Uart {
    ports: Ports,
    /// The last wait was in vain: the next one only looks.
    is_stuck: AtomicBool,
}

impl Uart {
    /// Claims the ports at `base` if a UART answers there: its scratch register keeps what is written to it.
    pub(super) fn find(base: u16) -> Option<Self> {
        let ports = Ports::claim(base, REGISTERS).ok()?;
        let keeps = |pattern| {
            ports.write_u8(SCRATCH, pattern);
            ports.read_u8(SCRATCH) == pattern
        };
        (keeps(0x5a) && keeps(0xa5)).then_some(Self { ports, is_stuck: AtomicBool::new(false) })
    }

    /// Empties the FIFOs, sets the line up and asks for interrupts when bytes come.
    pub(super) fn start(&self, line: LineSettings) {
        const FIFO_ON_CLEAR: u8 = 0x07;

        self.enable_interrupts(0);
        // What the early console has written goes out first.
        self.wait_until_sent();
        self.ports.write_u8(FIFO_CONTROL, FIFO_ON_CLEAR);
        self.set_line(line);
        self.enable_interrupts(ON_RECEIVE);
    }

    /// Changes speed and format, once what was written is on the line.
    pub(super) fn set_line(&self, line: LineSettings) {
        self.wait_until_sent();
        let [low, high] = line.divisor.to_le_bytes();
        let enabled = self.ports.read_u8(INTERRUPT_ENABLE);
        self.ports.write_u8(LINE_CONTROL, DIVISOR_LATCH);
        self.ports.write_u8(DATA, low);
        self.ports.write_u8(INTERRUPT_ENABLE, high);
        self.ports.write_u8(LINE_CONTROL, line.format);
        self.enable_interrupts(enabled);
        let up = if line.is_up { TERMINAL_READY | REQUEST_TO_SEND } else { 0 };
        self.ports.write_u8(MODEM_CONTROL, INTERRUPTS_REACH_BUS | up);
    }

    /// Begins or ends a break.
    pub(super) fn set_break(&self, on: bool) {
        let format = self.ports.read_u8(LINE_CONTROL) & !BREAK;
        self.ports.write_u8(LINE_CONTROL, if on { format | BREAK } else { format });
    }

    /// Chooses what interrupts.
    pub(super) fn enable_interrupts(&self, which: u8) {
        self.ports.write_u8(INTERRUPT_ENABLE, which);
    }

    /// Whether the port interrupts. Looking acknowledges "FIFO empty".
    pub(super) fn take_interrupt(&self) -> bool {
        self.ports.read_u8(INTERRUPT_REASON) & NO_INTERRUPT == 0
    }

    /// Takes a byte that has come.
    pub(super) fn receive(&self) -> Option<u8> {
        let is_there = self.ports.read_u8(LINE_STATUS) & DATA_READY != 0;
        is_there.then(|| self.ports.read_u8(DATA))
    }

    /// Fills the FIFO from `next` if it is empty.
    pub(super) fn fill(&self, mut next: impl FnMut() -> Option<u8>) {
        if self.ports.read_u8(LINE_STATUS) & FIFO_EMPTY != 0 {
            for byte in core::iter::from_fn(&mut next).take(FIFO_LEN) {
                self.ports.write_u8(DATA, byte);
            }
        }
    }

    /// Sends all that `next` has, waiting for the chip. A port that stands still loses the rest.
    pub(super) fn send_all(&self, next: impl FnMut() -> Option<u8>) {
        let mut next = core::iter::from_fn(next).peekable();
        while next.peek().is_some() {
            if !self.wait(FIFO_EMPTY) {
                return;
            }
            self.fill(|| next.next());
        }
    }

    /// Waits until all that was written is on the line.
    pub(super) fn wait_until_sent(&self) {
        self.wait(LINE_IDLE);
    }

    /// Waits for a bit of the line status; answers whether it came in time.
    fn wait(&self, bit: u8) -> bool {
        let is_set = || self.ports.read_u8(LINE_STATUS) & bit != 0;
        let start = hal::time::now_ns();
        while !is_set() {
            if self.is_stuck.load(Ordering::Relaxed) || hal::time::now_ns() - start > PATIENCE_NS {
                self.is_stuck.store(true, Ordering::Relaxed);
                return false;
            }
            hal::cpu::relax();
        }
        self.is_stuck.store(false, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_abi::termios::*;

    fn settings(flags: u32) -> Option<LineSettings> {
        LineSettings::new(&Termios2::from_termios(Termios { c_cflag: flags, ..Termios::INITIAL }))
    }

    #[test]
    fn settings_become_divisor_and_format() {
        let up = |divisor, format| Some(LineSettings { divisor, format, is_up: true });
        assert_eq!(settings(B9600 | CS8), up(12, 0b1_0011));
        assert_eq!(settings(B115200 | CS8 | PARENB), up(1, 0b1_1011));
        assert_eq!(settings(B9600 | CS7 | PARENB | PARODD | CSTOPB), up(12, 0b1110));
        assert!(!settings(B0 | CS8).unwrap().is_up);
    }

    #[test]
    fn speeds_beyond_the_chip_are_refused() {
        assert_eq!(settings(B230400 | CS8), None);
        let own = |speed| {
            let termios = Termios { c_cflag: BOTHER | CS8, ..Termios::INITIAL };
            LineSettings::new(&Termios2 { c_ospeed: speed, ..Termios2::from_termios(termios) })
        };
        assert_eq!(own(0), None);
        assert_eq!(own(1), None);
        assert_eq!(own(u32::MAX), None);
        assert_eq!(own(31_250).unwrap().divisor, 4);
    }
}
