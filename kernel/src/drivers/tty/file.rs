//! An open terminal: reading and writing.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use linux_abi::errno::Errno;
use linux_abi::signal::Signal;
use linux_abi::termios::{TOSTOP, VMIN, VTIME};

use super::input_queue::CAPACITY;
use super::output::Output;
use super::terminal::Terminal;
use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::memory::fallible;
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// Bytes of a write handled between two looks at signals.
const CHUNK: usize = 512;

/// An open terminal. A hang-up ends the files there are, not those to come.
pub struct TerminalFile {
    pub(super) terminal: Arc<Terminal>,
    /// The hang-ups before it was opened; `None`: none ends it, and it is never in the background.
    pub(super) era: Option<u64>,
}

/// The turn to write to a terminal.
struct Turn<'a>(&'a Terminal);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.is_being_written.store(false, Ordering::Release);
        self.0.turns.wake_one();
    }
}

impl TerminalFile {
    /// The use is already counted.
    pub(super) fn new(terminal: Arc<Terminal>, era: Option<u64>) -> Self {
        Self { terminal, era }
    }

    /// Whether the terminal has been hung up since.
    pub(super) fn is_hung_up(&self) -> bool {
        self.terminal.is_over(self.era)
    }

    /// Sends `signal` to a background process that reads or writes; see
    /// [`JobControl::check_background`](super::job_control::JobControl::check_background).
    fn check_background(&self, signal: Signal) -> Result<(), Errno> {
        if self.era.is_none() { Ok(()) } else { self.terminal.jobs.check_background(signal) }
    }

    fn read_line(&self, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        let limit = sink.remaining().min(CAPACITY);
        let mut bytes = fallible::vec(limit)?;
        let mut take = || {
            if self.is_hung_up() {
                return Some(Ok(()));
            }
            let mut discipline = terminal.discipline.lock();
            if !discipline.is_canonical() {
                // The mode changed while we waited; the caller starts again.
                return Some(Err(Errno::EAGAIN));
            }
            discipline.has_input(1).then(|| {
                discipline.read(limit, &mut bytes);
                Ok(())
            })
        };
        if flags.contains(IoFlags::NONBLOCK) {
            take().ok_or(Errno::EAGAIN)??
        } else {
            terminal.readers.wait_interruptible(take)??
        }
        terminal.driver.input_drained();
        sink.put(&bytes)
    }

    /// A read outside canonical mode; `VMIN` and `VTIME` say when it returns (termios(3), "Canonical and
    /// noncanonical mode").
    fn read_raw(&self, sink: &mut Sink<'_>, flags: IoFlags, min: usize, time: u8) -> Result<usize, Errno> {
        const TENTH: u64 = 100_000_000;

        let terminal = &self.terminal;
        let tenths = u64::from(time) * TENTH;
        let wanted = min.min(sink.remaining());
        let start = hal::time::now_ns();
        let mut done = 0;
        let mut bytes = fallible::vec(sink.remaining().min(CAPACITY))?;
        loop {
            bytes.clear();
            let limit = sink.remaining().min(bytes.capacity());
            let deadline = match (min, time) {
                (_, 0) => None,
                (0, _) => Some(start + tenths),
                // The clock between bytes starts with the first byte.
                (_, _) if done > 0 => Some(terminal.last_input_ns() + tenths),
                _ => None,
            };
            let polls = flags.contains(IoFlags::NONBLOCK) || min == 0 && time == 0;
            let mut take = || {
                if self.is_hung_up() {
                    return Some(());
                }
                let mut discipline = terminal.discipline.lock();
                discipline.has_input(1).then(|| discipline.read(limit, &mut bytes))
            };
            let outcome = if polls { Ok(take()) } else { terminal.readers.wait_deadline(deadline, take) };
            match outcome {
                Ok(Some(())) => {}
                Ok(None) if flags.contains(IoFlags::NONBLOCK) && done == 0 && min > 0 => {
                    return Err(Errno::EAGAIN);
                }
                Ok(None) => return Ok(done),
                Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
            }
            if bytes.is_empty() {
                return Ok(done);
            }
            terminal.driver.input_drained();
            done += sink.put(&bytes)?;
            if done >= wanted || sink.remaining() == 0 {
                return Ok(done);
            }
        }
    }

    /// Waits for the turn to write, so that writes do not mix.
    fn take_turn(&self, flags: IoFlags) -> Result<Turn<'_>, Errno> {
        let terminal = &*self.terminal;
        let take = || (!terminal.is_being_written.swap(true, Ordering::Acquire)).then(|| Turn(terminal));
        if flags.contains(IoFlags::NONBLOCK) {
            take().ok_or(Errno::EAGAIN)
        } else {
            terminal.turns.wait_interruptible(take)
        }
    }

    /// Sends some of the bytes; answers how many, at least one.
    fn send(&self, bytes: &[u8], flags: IoFlags) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        // Room for the longest translation of one byte at least.
        let mut out = Output::with_room(bytes.len() + bytes.len() / 8 + 8)?;
        let mut push = || {
            if self.is_hung_up() {
                return Some(Err(Errno::EIO));
            }
            if terminal.is_output_stopped() {
                return None;
            }
            let mut discipline = terminal.discipline.lock();
            out.clear();
            // All of `out` is taken: only those who hold the lock send anything.
            let count = discipline.output(bytes, terminal.driver.room(), &mut out);
            terminal.driver.write(out.bytes());
            (count > 0).then_some(Ok(count))
        };
        if flags.contains(IoFlags::NONBLOCK) {
            push().ok_or(Errno::EAGAIN)?
        } else {
            terminal.writers.wait_interruptible(push)?
        }
    }

    fn send_all(&self, bytes: &[u8], flags: IoFlags, done: &mut usize) -> Result<(), Errno> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = self.send(rest, flags)?;
            *done += count;
            rest = &rest[count..];
        }
        Ok(())
    }
}

impl Drop for TerminalFile {
    fn drop(&mut self) {
        self.terminal.close();
    }
}

impl File for TerminalFile {
    fn is_seekable(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.remaining() == 0 || self.is_hung_up() {
            return Ok(0);
        }
        self.check_background(Signal::SIGTTIN)?;
        loop {
            let (is_canonical, min, time) = {
                let discipline = self.terminal.discipline.lock();
                let keys = &discipline.termios().c_cc;
                (discipline.is_canonical(), usize::from(keys[VMIN]), keys[VTIME])
            };
            if !is_canonical {
                return self.read_raw(sink, flags, min, time);
            }
            match self.read_line(sink, flags) {
                Err(Errno::EAGAIN) if !self.terminal.discipline.lock().is_canonical() => {}
                outcome => return outcome,
            }
        }
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if self.is_hung_up() {
            return Err(Errno::EIO);
        }
        if self.terminal.termios().c_lflag & TOSTOP != 0 {
            self.check_background(Signal::SIGTTOU)?;
        }
        let _turn = self.take_turn(flags)?;
        let mut done = 0;
        let mut chunk = [0; CHUNK];
        while source.remaining() > 0 {
            let len = source.remaining().min(CHUNK);
            let outcome = source
                .take(&mut chunk[..len])
                .and_then(|taken| self.send_all(&chunk[..taken], flags, &mut done));
            match outcome {
                Ok(()) => {}
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        let terminal = &self.terminal;
        if let Some(table) = table {
            table.register(&terminal.readers);
            table.register(&terminal.writers);
        }
        if self.is_hung_up() {
            return PollEvents::HUP | PollEvents::ERR | PollEvents::ALWAYS_READY;
        }
        let mut events = PollEvents::empty();
        let discipline = terminal.discipline.lock();
        let keys = &discipline.termios().c_cc;
        let min = if keys[VTIME] == 0 { usize::from(keys[VMIN]) } else { 1 };
        if discipline.has_input(min) {
            events |= PollEvents::READABLE;
        }
        drop(discipline);
        if terminal.driver.room() > 0 && !terminal.is_output_stopped() {
            events |= PollEvents::WRITABLE;
        }
        events
    }

    fn ioctl(&self, open: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        self.request(open, command, argument)
    }
}
