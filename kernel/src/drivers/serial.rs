//! 16550 serial ports: ttyS0 to ttyS3 at their usual places, with interrupts in both directions.
//!
//! The interrupt handler moves bytes between the chip's FIFOs and two rings; a thread of the kernel's own hands what
//! came to the terminal, because the line discipline may send signals and allocate.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::io::Ports;
use hal::irq::{self, Irq};
use hal::sync::{Once, SpinLockIrq};

use super::tty::{Driver, Terminal};
use crate::fs::vfs::DeviceNumber;
use crate::lock_order;
use crate::scheduler::SCHEDULER;
use crate::scheduler::wait::WaitQueue;

/// Number of ports looked for.
pub const PORT_COUNT: usize = 4;

/// I/O base and legacy interrupt line of each port.
const PLACES: [(u16, u8); PORT_COUNT] = [(0x3f8, 4), (0x2f8, 3), (0x3e8, 4), (0x2e8, 3)];

/// Major number of serial terminals; minors start at 64.
const MAJOR: u32 = 4;
const FIRST_MINOR: u32 = 64;

/// Bytes of the stack of the thread that feeds the terminal.
const STACK_BYTES: usize = 16 * 1024;
const RX_CAPACITY: usize = 1024;
const TX_CAPACITY: usize = 4096;
const FIFO_LEN: usize = 16;

/// Registers, by offset from the base.
mod reg {
    pub(super) const DATA: u16 = 0;
    pub(super) const INTERRUPT_ENABLE: u16 = 1;
    pub(super) const FIFO_CONTROL: u16 = 2;
    pub(super) const LINE_CONTROL: u16 = 3;
    pub(super) const MODEM_CONTROL: u16 = 4;
    pub(super) const LINE_STATUS: u16 = 5;
    pub(super) const SCRATCH: u16 = 7;
}

/// Line status bits.
const DATA_READY: u8 = 1 << 0;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Interrupt enable bits.
const ON_RECEIVE: u8 = 1 << 0;
const ON_TRANSMIT: u8 = 1 << 1;

/// A ring of bytes that never allocates.
struct Ring<const N: usize> {
    bytes: [u8; N],
    start: usize,
    len: usize,
}

impl<const N: usize> Ring<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], start: 0, len: 0 }
    }

    fn push(&mut self, byte: u8) -> bool {
        if self.len == N {
            return false;
        }
        self.bytes[(self.start + self.len) % N] = byte;
        self.len += 1;
        true
    }

    fn pop(&mut self) -> Option<u8> {
        if self.len == 0 {
            return None;
        }
        let byte = self.bytes[self.start];
        self.start = (self.start + 1) % N;
        self.len -= 1;
        Some(byte)
    }
}

struct Queues {
    received: Ring<RX_CAPACITY>,
    to_send: Ring<TX_CAPACITY>,
    interrupts_on: u8,
}

/// One serial port.
pub struct SerialPort {
    ports: Ports,
    queues: SpinLockIrq<Queues>,
    events: WaitQueue,
    has_drained: AtomicBool,
}

static FOUND: [Once<Arc<SerialPort>>; PORT_COUNT] = [const { Once::new() }; PORT_COUNT];
static TERMINALS: [Once<Arc<Terminal>>; PORT_COUNT] = [const { Once::new() }; PORT_COUNT];

/// Looks for port `index` (0 is ttyS0) and makes its terminal. `None`: there is none.
pub fn probe(index: usize) -> Option<Arc<Terminal>> {
    let &(base, line) = PLACES.get(index)?;
    if let Some(terminal) = TERMINALS[index].get() {
        return Some(terminal.clone());
    }
    let ports = Ports::claim(base, 8).ok()?;
    if !answers(&ports) {
        return None;
    }
    let port = Arc::new(SerialPort {
        ports,
        queues: SpinLockIrq::new(
            lock_order::SERIAL,
            Queues { received: Ring::new(), to_send: Ring::new(), interrupts_on: ON_RECEIVE },
        ),
        events: WaitQueue::new(),
        has_drained: AtomicBool::new(false),
    });
    port.start();
    let terminal = Terminal::new(DeviceNumber::new(MAJOR, FIRST_MINOR + index as u32), port.clone());
    // Probing happens once, at boot, on one CPU: the slots are free.
    let _ = FOUND[index].set(port.clone());
    let _ = TERMINALS[index].set(terminal.clone());
    // Ports share their lines: the second finds the handler installed, which serves all of the line.
    let handler: fn() = if line == 4 { || serve(4) } else { || serve(3) };
    if let Err(error) = irq::register(Irq::legacy(line), handler)
        && error != hal::Error::InUse
    {
        log::warn!("ttyS{index}: no interrupt: {error:?}");
    }
    let receiver = terminal.clone();
    let spawned = SCHEDULER.spawn("serial", move || port.feed(&receiver), STACK_BYTES);
    if let Err(errno) = spawned {
        log::error!("ttyS{index}: cannot receive: {errno}");
    }
    log::info!("ttyS{index} at I/O {base:#x} (irq = {line}) is a 16550A");
    Some(terminal)
}

/// The terminal of port `index`, if [`probe`] has found it.
pub fn terminal(index: usize) -> Option<Arc<Terminal>> {
    TERMINALS.get(index)?.get().cloned()
}

/// Whether a UART sits there: its scratch register keeps what is written to it.
fn answers(ports: &Ports) -> bool {
    [0x5a, 0xa5].into_iter().all(|pattern| {
        ports.write_u8(reg::SCRATCH, pattern);
        ports.read_u8(reg::SCRATCH) == pattern
    })
}

/// Interrupt handler of a legacy line.
fn serve(line: u8) {
    for (place, port) in PLACES.iter().zip(&FOUND) {
        if place.1 == line
            && let Some(port) = port.get()
        {
            port.interrupt();
        }
    }
}

impl SerialPort {
    /// 115,200 baud, 8 bits, no parity, FIFOs on, interrupt on receive.
    fn start(&self) {
        const DIVISOR_LATCH: u8 = 0x80;
        const EIGHT_BITS: u8 = 0x03;
        const FIFO_ON_CLEAR: u8 = 0x07;
        const READY_AND_INTERRUPTS: u8 = 0x0b;

        let ports = &self.ports;
        ports.write_u8(reg::INTERRUPT_ENABLE, 0);
        ports.write_u8(reg::LINE_CONTROL, DIVISOR_LATCH);
        ports.write_u8(reg::DATA, 1);
        ports.write_u8(reg::INTERRUPT_ENABLE, 0);
        ports.write_u8(reg::LINE_CONTROL, EIGHT_BITS);
        ports.write_u8(reg::FIFO_CONTROL, FIFO_ON_CLEAR);
        ports.write_u8(reg::MODEM_CONTROL, READY_AND_INTERRUPTS);
        ports.write_u8(reg::INTERRUPT_ENABLE, ON_RECEIVE);
    }

    fn interrupt(&self) {
        let mut queues = self.queues.lock();
        let mut has_news = false;
        // Bounded: a broken chip that always has data must not hold the CPU.
        for _ in 0..RX_CAPACITY {
            if self.ports.read_u8(reg::LINE_STATUS) & DATA_READY == 0 {
                break;
            }
            let byte = self.ports.read_u8(reg::DATA);
            // A full ring drops the byte, as an overrun of the chip's FIFO would.
            has_news |= queues.received.push(byte);
        }
        if queues.to_send.len > 0 || queues.interrupts_on & ON_TRANSMIT != 0 {
            self.send_some(&mut queues);
            if queues.to_send.len < TX_CAPACITY / 2 && !self.has_drained.swap(true, Ordering::Relaxed) {
                has_news = true;
            }
        }
        drop(queues);
        if has_news {
            self.events.wake_all();
        }
    }

    /// Fills the chip's FIFO from the ring if it is empty, and asks for an interrupt when it has drained again.
    fn send_some(&self, queues: &mut Queues) {
        if self.ports.read_u8(reg::LINE_STATUS) & TRANSMITTER_EMPTY != 0 {
            for _ in 0..FIFO_LEN {
                let Some(byte) = queues.to_send.pop() else { break };
                self.ports.write_u8(reg::DATA, byte);
            }
        }
        let wanted = if queues.to_send.len > 0 { ON_RECEIVE | ON_TRANSMIT } else { ON_RECEIVE };
        if wanted != queues.interrupts_on {
            queues.interrupts_on = wanted;
            self.ports.write_u8(reg::INTERRUPT_ENABLE, wanted);
        }
    }

    /// Hands received bytes to the terminal, for ever.
    fn feed(&self, terminal: &Terminal) {
        let mut chunk = [0u8; 64];
        loop {
            let (count, has_drained) = self.events.wait(|| {
                let mut queues = self.queues.lock();
                let mut count = 0;
                // A serial line cannot make its sender wait; the discipline drops what does not fit.
                while count < chunk.len() {
                    let Some(byte) = queues.received.pop() else { break };
                    chunk[count] = byte;
                    count += 1;
                }
                let has_drained = self.has_drained.swap(false, Ordering::Relaxed);
                (count > 0 || has_drained).then_some((count, has_drained))
            });
            terminal.receive(&chunk[..count]);
            if has_drained {
                terminal.output_drained();
            }
        }
    }
}

impl Driver for SerialPort {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut queues = self.queues.lock();
        let mut taken = 0;
        while taken < bytes.len() {
            while taken < bytes.len() && queues.to_send.push(bytes[taken]) {
                taken += 1;
            }
            let before = queues.to_send.len;
            self.send_some(&mut queues);
            if queues.to_send.len == before {
                break;
            }
        }
        taken
    }

    fn has_room(&self) -> bool {
        self.queues.lock().to_send.len < TX_CAPACITY
    }

    fn unsent(&self) -> usize {
        self.queues.lock().to_send.len
    }

    fn discard(&self) {
        let mut queues = self.queues.lock();
        queues.to_send = Ring::new();
    }
}
