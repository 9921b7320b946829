//! 16550 serial ports: ttyS0 to ttyS3 at their usual places, with interrupts in both directions.
//!
//! The interrupt handler moves bytes between the chip's FIFOs and two rings; a thread of the kernel's own hands what
//! came to the terminal, because the line discipline may send signals and allocate. Lines of the kernel's log do not
//! wait in the ring: they are sent at once, in one piece, under the lock of the port.

mod ring;
mod uart;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use hal::irq::{self, Irq};
use hal::sync::{Once, SpinLockIrq};
use linux_abi::termios::{B9600, CBAUD, CIBAUD, CLOCAL, CREAD, CRTSCTS, CS8, HUPCL, Termios, Termios2};

use self::ring::Ring;
use self::uart::{LineSettings, ON_RECEIVE, ON_TRANSMIT, Uart};
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
/// When so few bytes wait, who waits to write is woken.
const TX_LOW: usize = TX_CAPACITY / 2;
/// How often the handler of a line looks for more before it takes the chip for broken.
const PASSES: usize = 256;

/// The settings of a serial terminal that nobody has set: 9600 baud, 8 bits, no modem.
pub const INITIAL_TERMIOS: Termios =
    Termios { c_cflag: B9600 | CS8 | CREAD | HUPCL | CLOCAL, ..Termios::INITIAL };

struct Queues {
    received: Ring<RX_CAPACITY>,
    to_send: Ring<TX_CAPACITY>,
    interrupts_on: u8,
}

/// One serial port.
pub struct SerialPort {
    uart: Uart,
    queues: SpinLockIrq<Queues>,
    events: WaitQueue,
    has_drained: AtomicBool,
}

/// A port that was found, and the terminal on top of it.
struct Line {
    port: Arc<SerialPort>,
    terminal: Arc<Terminal>,
}

static LINES: [Once<Line>; PORT_COUNT] = [const { Once::new() }; PORT_COUNT];
/// The ports that show the kernel's log: one bit for each.
static CONSOLES: AtomicU8 = AtomicU8::new(0);

/// Looks for port `index` (0 is ttyS0) and makes its terminal. `None`: there is none.
pub fn probe(index: usize, termios: &Termios) -> Option<Arc<Terminal>> {
    let &(base, interrupt) = PLACES.get(index)?;
    if let Some(line) = LINES[index].get() {
        return Some(line.terminal.clone());
    }
    let uart = Uart::find(base)?;
    let port = Arc::new(SerialPort {
        uart,
        queues: SpinLockIrq::new(
            lock_order::SERIAL,
            Queues { received: Ring::new(), to_send: Ring::new(), interrupts_on: ON_RECEIVE },
        ),
        events: WaitQueue::new(),
        has_drained: AtomicBool::new(false),
    });
    let settings = [termios, &INITIAL_TERMIOS].map(|termios| (termios, Termios2::from_termios(*termios)));
    let (termios, line) =
        settings.iter().find_map(|(termios, both)| Some((**termios, LineSettings::new(both)?)))?;
    port.uart.start(line);
    let device = DeviceNumber::new(MAJOR, FIRST_MINOR + index as u32);
    let terminal = Terminal::new(device, port.clone(), &termios);
    let terminal = terminal.inspect_err(|error| log::error!("ttyS{index}: {error}")).ok()?;
    // Probing happens once, at boot, on one CPU: the slot is free.
    let _ = LINES[index].set(Line { port: port.clone(), terminal: terminal.clone() });
    // Ports share their interrupts: the second finds the handler installed, which serves all of them.
    let handler: fn() = if interrupt == 4 { || serve(4) } else { || serve(3) };
    if let Err(error) = irq::register(Irq::legacy(interrupt), handler)
        && error != hal::Error::InUse
    {
        log::warn!("ttyS{index}: no interrupt: {error:?}");
    }
    let receiver = terminal.clone();
    let spawned = SCHEDULER.spawn("serial", move || port.feed(&receiver), STACK_BYTES);
    if let Err(errno) = spawned {
        log::error!("ttyS{index}: cannot receive: {errno}");
    }
    log::info!("ttyS{index} at I/O {base:#x} (irq = {interrupt}) is a 16550A");
    Some(terminal)
}

/// The terminal of port `index`, if [`probe`] has found it.
pub fn terminal(index: usize) -> Option<Arc<Terminal>> {
    LINES.get(index)?.get().map(|line| line.terminal.clone())
}

/// Returns the ports, of those that [`probe`] has found, which share an interrupt line.
pub fn ports_on(line: Irq) -> impl Iterator<Item = usize> {
    found().map(|(index, _)| index).filter(move |&index| Irq::legacy(PLACES[index].1) == line)
}

/// Tells whether a port shows the kernel's log.
pub fn shows_log(index: usize) -> bool {
    CONSOLES.load(Ordering::Relaxed) & 1 << index != 0
}

/// Makes port `index`, which [`probe`] has found, show the kernel's log, and reports of a panic if it is the last to
/// be named.
pub fn show_log(index: usize) {
    let Some(&(base, _)) = PLACES.get(index) else { return };
    CONSOLES.fetch_or(1 << index, Ordering::Relaxed);
    hal::console::use_port(base);
}

/// Sends a piece of the kernel's log to every port that shows it, before what programs have written and the chip has
/// not got yet. Waits until the chip has taken it.
pub fn write_log(text: &[u8]) {
    let consoles = CONSOLES.load(Ordering::Relaxed);
    for (_, line) in found().filter(|(index, _)| consoles & 1 << index != 0) {
        let _queues = line.port.queues.lock();
        let mut bytes = text.iter().copied();
        line.port.uart.send_all(|| bytes.next());
    }
}

/// Waits until all that programs have written is on the lines, for a time at most: what comes next cuts them off.
pub fn drain() {
    for (_, line) in found() {
        line.port.send_rest(&mut line.port.queues.lock());
    }
}

/// As [`drain`], after a panic: leaves out a port whose lock somebody holds, who will not come back.
pub fn drain_in_panic() {
    for (_, line) in found() {
        if let Some(mut queues) = line.port.queues.try_lock() {
            line.port.send_rest(&mut queues);
        }
    }
}

/// The ports that were found, with their numbers.
fn found() -> impl Iterator<Item = (usize, &'static Line)> {
    LINES.iter().enumerate().filter_map(|(index, line)| Some((index, line.get()?)))
}

/// Interrupt handler of a legacy line. The line stays raised as long as one of its ports wants something, and tells
/// only when it rises: so the handler ends when none does.
fn serve(interrupt: u8) {
    for _ in 0..PASSES {
        let mut is_quiet = true;
        for (_, line) in found().filter(|&(index, _)| PLACES[index].1 == interrupt) {
            is_quiet &= !line.port.interrupt();
        }
        if is_quiet {
            break;
        }
    }
}

impl SerialPort {
    /// Serves the chip if it has interrupted; answers whether it had.
    fn interrupt(&self) -> bool {
        let mut queues = self.queues.lock();
        if !self.uart.take_interrupt() {
            return false;
        }
        let mut has_news = false;
        // Bounded: a broken chip that always has data must not hold the CPU.
        for byte in core::iter::from_fn(|| self.uart.receive()).take(RX_CAPACITY) {
            // A full ring drops the byte, as an overrun of the chip's FIFO would.
            has_news |= queues.received.push(byte);
        }
        has_news |= self.send_some(&mut queues);
        drop(queues);
        if has_news {
            self.events.wake_all();
        }
        true
    }

    /// Fills the chip's FIFO from the ring if it is empty, and asks for an interrupt when it has drained again. Answers
    /// whether those who wait for room, or for the ring to be empty, are to be told.
    fn send_some(&self, queues: &mut Queues) -> bool {
        let before = queues.to_send.len();
        self.uart.fill(|| queues.to_send.pop());
        let after = queues.to_send.len();
        let wanted = if queues.to_send.len() > 0 { ON_RECEIVE | ON_TRANSMIT } else { ON_RECEIVE };
        if wanted != queues.interrupts_on {
            queues.interrupts_on = wanted;
            self.uart.enable_interrupts(wanted);
        }
        let has_drained = before > 0 && after == 0 || before >= TX_LOW && after < TX_LOW;
        if has_drained {
            self.has_drained.store(true, Ordering::Relaxed);
        }
        has_drained
    }

    /// Sends what is in the ring and waits until it is on the line.
    fn send_rest(&self, queues: &mut Queues) {
        self.uart.send_all(|| queues.to_send.pop());
        self.uart.wait_until_sent();
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
            if terminal.termios().c_cflag & CREAD != 0 {
                terminal.receive(&chunk[..count]);
            }
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
        let mut has_news = false;
        while taken < bytes.len() {
            while taken < bytes.len() && queues.to_send.push(bytes[taken]) {
                taken += 1;
            }
            let before = queues.to_send.len();
            has_news |= self.send_some(&mut queues);
            if queues.to_send.len() == before {
                break;
            }
        }
        drop(queues);
        if has_news {
            self.events.wake_all();
        }
        taken
    }

    fn room(&self) -> usize {
        TX_CAPACITY - self.unsent()
    }

    fn unsent(&self) -> usize {
        self.queues.lock().to_send.len()
    }

    fn discard(&self) {
        self.queues.lock().to_send.clear();
        self.has_drained.store(true, Ordering::Relaxed);
        self.events.wake_all();
    }

    fn set_break(&self, on: bool) -> bool {
        let _queues = self.queues.lock();
        self.uart.set_break(on);
        true
    }

    fn adjust(&self, new: &mut Termios2, old: &Termios2) {
        // The handshake by RTS and CTS is not done, and does not look as if it were.
        new.c_cflag &= !CRTSCTS;
        if LineSettings::new(new).is_none() {
            new.c_cflag = new.c_cflag & !(CBAUD | CIBAUD) | old.c_cflag & (CBAUD | CIBAUD);
            (new.c_ispeed, new.c_ospeed) = (old.c_ispeed, old.c_ospeed);
        }
    }

    fn settings_changed(&self, new: &Termios2, old: &Termios2) {
        let line = LineSettings::new(new);
        if let Some(line) = line.filter(|_| line != LineSettings::new(old)) {
            let _queues = self.queues.lock();
            self.uart.set_line(line);
        }
    }
}
