//! Pseudo-terminals (pty(7)): a terminal whose device is another open file, the master.
//!
//! What programs write to the slave waits in the master's buffer; what is written to the master is typed into the
//! slave. Closing the master hangs the slave up; when the last slave is closed, the master reads `EIO`.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use hal::sync::{Mutex, Once, SpinLock};
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ioctl::*;
use linux_abi::signal::Signal;
use linux_abi::termios::{
    B38400, CREAD, CS8, CSIZE, EXTPROC, IXON, PARENB, TCIFLUSH, TCIOFLUSH, TCOFLUSH, TIOCPKT_DOSTOP,
    TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_IOCTL, TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP,
    Termios, Termios2, VSTART, VSTOP,
};

use super::byte_queue::ByteQueue;
use super::file::TerminalFile;
use super::requests::request_of_either_end;
use super::terminal::{Driver, Opening, Terminal};
use crate::fs::vfs::{DeviceNumber, File, IoFlags, OpenFile, PollEvents};
use crate::lock_order;
use crate::memory::fallible;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::uio::{Sink, Source};

/// Major number of masters.
pub const MASTER_MAJOR: u32 = 128;
/// Major number of slaves.
pub const SLAVE_MAJOR: u32 = 136;
/// Most pseudo-terminals at one time (`/proc/sys/kernel/pty/max`).
pub const MAX: usize = 4096;
/// Bytes of output that wait for the master.
const CAPACITY: usize = 16 * 1024;
/// Of these, so many count as received by the master, though it has not read them: dropping output spares them.
const RECEIVED: usize = 4096;

/// Bytes typed that wait until the slave has room for them.
const INPUT_CAPACITY: usize = 64 * 1024;

/// The settings of a new pair.
const INITIAL_TERMIOS: Termios = Termios { c_cflag: B38400 | CS8 | CREAD, ..Termios::INITIAL };

/// What the two sides share.
struct Pair {
    index: usize,
    /// What waits for the master to read it.
    output: SpinLock<ByteQueue>,
    /// What was typed and waits for room.
    input: SpinLock<ByteQueue>,
    /// Who holds it hands what was typed to the slave.
    input_order: Mutex<()>,
    is_locked: AtomicBool,
    is_packet_mode: AtomicBool,
    packet_events: AtomicU8,
    /// Whether the slave was open, and is no more.
    has_lost_slave: AtomicBool,
    /// The master's own flag of exclusive use; nobody can open it again anyway.
    is_exclusive: AtomicBool,
    master_readers: WaitQueue,
    master_writers: WaitQueue,
    slave: Once<Weak<Terminal>>,
}

/// The slots of `/dev/pts`.
static PAIRS: SpinLock<Vec<Option<Arc<Master>>>> = SpinLock::new(lock_order::PTY_TABLE, Vec::new());

/// The master's side.
pub struct Master {
    pair: Arc<Pair>,
    slave: Arc<Terminal>,
}

/// An open master; dropping the last one ends the pair.
pub struct MasterFile(Arc<Master>);

/// Makes a pair (`open("/dev/ptmx")`); its slave is locked until `TIOCSPTLCK` unlocks it.
///
/// # Errors
/// `ENOSPC`: [`MAX`] pairs exist. `ENOMEM`.
pub fn open_master() -> Result<Arc<MasterFile>, Errno> {
    let mut pairs = PAIRS.lock();
    let index = pairs.iter().position(Option::is_none).unwrap_or(pairs.len());
    if index >= MAX {
        return Err(Errno::ENOSPC);
    }
    fallible::grow_to(&mut pairs, index + 1, || None)?;
    let pair = Arc::new(Pair {
        index,
        output: SpinLock::new(lock_order::PTY_OUTPUT, ByteQueue::new(CAPACITY)?),
        input: SpinLock::new(lock_order::PTY_OUTPUT, ByteQueue::new(INPUT_CAPACITY)?),
        input_order: Mutex::new(lock_order::PTY_INPUT_ORDER, ()),
        is_locked: AtomicBool::new(true),
        is_packet_mode: AtomicBool::new(false),
        packet_events: AtomicU8::new(0),
        has_lost_slave: AtomicBool::new(false),
        is_exclusive: AtomicBool::new(false),
        master_readers: WaitQueue::new(),
        master_writers: WaitQueue::new(),
        slave: Once::new(),
    });
    let device = DeviceNumber::new(SLAVE_MAJOR, index as u32);
    let slave = Terminal::new(device, pair.clone(), &INITIAL_TERMIOS)?;
    // The pair is new: nobody has set it.
    let _ = pair.slave.set(Arc::downgrade(&slave));
    let master = Arc::new(Master { pair, slave });
    pairs[index] = Some(master.clone());
    Ok(Arc::new(MasterFile(master)))
}

/// Opens slave `index` (`/dev/pts/N`).
///
/// # Errors
/// `EIO`: there is no such pair, it is locked, or its master has been closed. Those of [`Terminal::open`].
pub fn open_slave(index: usize, how: Opening) -> Result<Arc<TerminalFile>, Errno> {
    let master = find(index).ok_or(Errno::EIO)?;
    if master.pair.is_locked.load(Ordering::Acquire) {
        return Err(Errno::EIO);
    }
    master.slave.open(how)
}

/// The slave of pair `index`.
pub fn slave(index: usize) -> Option<Arc<Terminal>> {
    find(index).map(|master| master.slave.clone())
}

/// The number of the first pair from number `start` on.
pub fn next_index(start: usize) -> Option<usize> {
    let pairs = PAIRS.lock();
    pairs.iter().enumerate().skip(start).find_map(|(index, pair)| pair.as_ref().map(|_| index))
}

fn find(index: usize) -> Option<Arc<Master>> {
    PAIRS.lock().get(index)?.clone()
}

impl Pair {
    fn has_lost_slave(&self) -> bool {
        self.has_lost_slave.load(Ordering::Acquire)
    }

    fn input_room(&self) -> usize {
        self.input.lock().room()
    }

    /// Hands what was typed to the slave, as long as it has room.
    fn deliver(&self) {
        const PIECE: usize = 256;

        let Some(slave) = self.slave.get().and_then(Weak::upgrade) else { return };
        let _order = self.input_order.lock();
        loop {
            let mut piece = [0; PIECE];
            let room = slave.input_room().min(PIECE);
            let count = self.input.lock().take(&mut piece[..room]);
            if count == 0 {
                break;
            }
            slave.receive(&piece[..count]);
            crate::scheduler::cond_resched();
        }
        self.master_writers.wake_all();
    }

    /// Tells a master in packet mode that the events `new` have happened, which make `past` ones void.
    fn packet_event(&self, new: u8, past: u8) {
        if self.is_packet_mode.load(Ordering::Relaxed) {
            self.packet_events.fetch_and(!past, Ordering::AcqRel);
            self.packet_events.fetch_or(new, Ordering::AcqRel);
            self.master_readers.wake_all();
        }
    }

    /// Gets what the master reads next, up to `limit` bytes: a packet of events, or data behind a zero byte in packet mode,
    /// or data. `None`: nothing.
    fn next_for_master(&self, limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let is_packet_mode = self.is_packet_mode.load(Ordering::Relaxed);
        if is_packet_mode {
            let events = self.packet_events.swap(0, Ordering::AcqRel);
            if events != 0 {
                out.push(events);
                return Some(());
            }
        }
        let mut output = self.output.lock();
        if output.is_empty() {
            return None;
        }
        if is_packet_mode {
            out.push(0);
        }
        output.take_into(limit - out.len(), out);
        Some(())
    }
}

impl Driver for Pair {
    fn write(&self, bytes: &[u8]) -> usize {
        let count = self.output.lock().push(bytes);
        if count > 0 {
            self.master_readers.wake_all();
        }
        count
    }

    fn room(&self) -> usize {
        self.output.lock().room()
    }

    fn discard(&self) {
        self.output.lock().truncate(RECEIVED);
        self.packet_event(TIOCPKT_FLUSHWRITE, 0);
        if let Some(slave) = self.slave.get().and_then(Weak::upgrade) {
            slave.output_drained();
        }
    }

    fn adjust(&self, new: &mut Termios2, _old: &Termios2) {
        // There is no line that could be otherwise.
        new.c_cflag = new.c_cflag & !(CSIZE | PARENB) | CS8 | CREAD;
    }

    fn settings_changed(&self, new: &Termios2, old: &Termios2) {
        let stops_as_usual = |termios: &Termios2| {
            termios.c_iflag & IXON != 0 && termios.c_cc[VSTART] == 0x11 && termios.c_cc[VSTOP] == 0x13
        };
        let is_usual = stops_as_usual(new);
        let is_external = (old.c_lflag | new.c_lflag) & EXTPROC != 0;
        if is_usual != stops_as_usual(old) || is_external {
            let flow = if is_usual { TIOCPKT_DOSTOP } else { TIOCPKT_NOSTOP };
            let external = if is_external { TIOCPKT_IOCTL } else { 0 };
            self.packet_event(flow | external, TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
        }
    }

    fn input_drained(&self) {
        if !self.input.lock().is_empty() {
            self.deliver();
        }
    }

    fn input_flushed(&self) {
        self.packet_event(TIOCPKT_FLUSHREAD, 0);
    }

    fn opened(&self) {
        self.has_lost_slave.store(false, Ordering::Release);
    }

    fn closed(&self) {
        self.has_lost_slave.store(true, Ordering::Release);
        self.master_readers.wake_all();
        self.master_writers.wake_all();
    }

    fn is_line(&self) -> bool {
        false
    }

    fn flow_changed(&self, is_stopped: bool) {
        let (new, past) =
            if is_stopped { (TIOCPKT_STOP, TIOCPKT_START) } else { (TIOCPKT_START, TIOCPKT_STOP) };
        self.packet_event(new, past);
    }
}

impl MasterFile {
    /// The number of the pair: its slave is `/dev/pts/N`.
    pub fn index(&self) -> usize {
        self.0.pair.index
    }
}

impl Drop for MasterFile {
    fn drop(&mut self) {
        let gone = PAIRS.lock().get_mut(self.0.pair.index).and_then(Option::take);
        self.0.slave.remove();
        drop(gone);
    }
}

impl File for MasterFile {
    fn is_seekable(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let pair = &self.0.pair;
        let limit = sink.remaining().min(4096);
        if limit == 0 {
            return Ok(0);
        }
        let mut bytes = fallible::vec(limit)?;
        let mut take = || {
            if pair.next_for_master(limit, &mut bytes).is_some() {
                return Some(Ok(()));
            }
            pair.has_lost_slave().then_some(Err(Errno::EIO))
        };
        if flags.contains(IoFlags::NONBLOCK) {
            take().ok_or(Errno::EAGAIN)??
        } else {
            pair.master_readers.wait_interruptible(take)??
        }
        self.0.slave.output_drained();
        sink.put(&bytes)
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let pair = &self.0.pair;
        let mut done = 0;
        let mut chunk = [0; 256];
        while source.remaining() > 0 {
            let room = || match pair.input_room() {
                _ if pair.has_lost_slave() => Some(Err(Errno::EIO)),
                0 => None,
                room => Some(Ok(room)),
            };
            let outcome = if flags.contains(IoFlags::NONBLOCK) {
                room().ok_or(Errno::EAGAIN)
            } else {
                pair.master_writers.wait_interruptible(room)
            };
            let taken = outcome.flatten().and_then(|room| {
                let len = room.min(chunk.len()).min(source.remaining());
                source.take(&mut chunk[..len])
            });
            match taken {
                Ok(taken) => {
                    pair.input.lock().push(&chunk[..taken]);
                    pair.deliver();
                    done += taken;
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        let pair = &self.0.pair;
        if let Some(table) = table {
            table.register(&pair.master_readers);
            table.register(&pair.master_writers);
        }
        let mut events = PollEvents::empty();
        if !pair.output.lock().is_empty() {
            events |= PollEvents::READABLE;
        }
        if pair.packet_events.load(Ordering::Acquire) != 0 {
            events |= PollEvents::READABLE | PollEvents::PRI;
        }
        if pair.has_lost_slave() {
            events |= PollEvents::HUP;
        }
        if pair.input_room() > 0 {
            events |= PollEvents::WRITABLE;
        }
        events
    }

    fn ioctl(&self, open: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        let (pair, slave) = (&self.0.pair, &self.0.slave);
        // Settings and window are the slave's; they can be reached through both sides.
        if let Some(outcome) = request_of_either_end(slave, None, open, command, argument, true) {
            return outcome;
        }
        let flag_in = || Ok::<_, Errno>(UserPtr::<i32>::new(argument).read()? != 0);
        let put = |value: i32| Ok(UserPtr::<i32>::new(argument).write(&value).map(|()| 0)?);
        match command {
            TIOCGPTN => put(pair.index as i32),
            TIOCSPTLCK => {
                pair.is_locked.store(flag_in()?, Ordering::Release);
                Ok(0)
            }
            TIOCGPTLCK => put(pair.is_locked.load(Ordering::Acquire).into()),
            TIOCPKT => {
                pair.is_packet_mode.store(flag_in()?, Ordering::Release);
                pair.packet_events.store(0, Ordering::Release);
                Ok(0)
            }
            TIOCGPKT => put(pair.is_packet_mode.load(Ordering::Acquire).into()),
            TIOCSIG => {
                let signal = Signal::new(argument as u32).ok_or(Errno::EINVAL)?;
                if !matches!(signal, Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTSTP) {
                    return Err(Errno::EINVAL);
                }
                slave.jobs.signal_foreground(signal);
                Ok(0)
            }
            FIONREAD => put(pair.output.lock().len() as i32),
            // What the master writes is with the slave at once; the queues are seen from the other end.
            TIOCOUTQ => put(0),
            TCSBRK | TCSBRKP => Ok(0),
            TCFLSH => match argument as u32 {
                TCOFLUSH => Ok(0),
                TCIFLUSH | TCIOFLUSH => {
                    pair.output.lock().truncate(0);
                    slave.output_drained();
                    Ok(0)
                }
                _ => Err(Errno::EINVAL),
            },
            TIOCGETD => put(0),
            TIOCEXCL | TIOCNXCL => {
                pair.is_exclusive.store(command == TIOCEXCL, Ordering::Relaxed);
                Ok(0)
            }
            TIOCGEXCL => put(pair.is_exclusive.load(Ordering::Relaxed).into()),
            _ => Err(Errno::ENOTTY),
        }
    }
}
