//! What is the same for every terminal: reading, writing, settings, job control, hang-up.
//!
//! # Locks
//! `discipline` guards settings, input queue and cursor; it is held for the bytes of one call's chunk, never while
//! sleeping and never while a signal is sent. `write_order` (sleeping) keeps the output of one write in one piece.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hal::sync::{Mutex, SpinLock};
use hal::user::UserPtr;
use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::ioctl::*;
use linux_abi::signal::Signal;
use linux_abi::termios::{TOSTOP, Termios, Termios2, VMIN, VTIME, Winsize};

use super::job_control::{self, JobControl};
use super::line_discipline::LineDiscipline;
use crate::fs::vfs::{DeviceNumber, File, IoFlags, OpenFile, PollEvents};
use crate::lock_order;
use crate::process::Pid;
use crate::process::tree::ControllingTerminal;
use crate::scheduler;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::uio::{Sink, Source};

/// The device below a terminal.
pub trait Driver: Send + Sync {
    /// Sends bytes; answers how many were taken. Fewer than all means the device is full: it calls
    /// [`Terminal::output_drained`] when it has room again.
    fn write(&self, bytes: &[u8]) -> usize;
    /// Whether at least one byte would be taken.
    fn has_room(&self) -> bool;
    /// Bytes taken and not sent yet (`TIOCOUTQ`).
    fn unsent(&self) -> usize {
        0
    }
    /// Drops what was taken and not sent.
    fn discard(&self) {}
    /// Changes what is asked for to what the device can do; `old` is in force.
    fn adjust(&self, _new: &mut Termios2, _old: &Termios2) {}
    /// The settings have changed.
    fn settings_changed(&self, _new: &Termios2, _old: &Termios2) {}
    /// The window size changed through this side.
    fn window_changed(&self) {}
    /// Input has been read: a sender that waited for room may go on.
    fn input_drained(&self) {}
    /// Input has been dropped.
    fn input_flushed(&self) {}
    /// Output has been stopped or goes on.
    fn flow_changed(&self, _is_stopped: bool) {}
}

/// Bytes of a write handled between two looks at signals.
const CHUNK: usize = 512;

/// A terminal.
pub struct Terminal {
    device: DeviceNumber,
    this: Weak<Self>,
    driver: Arc<dyn Driver>,
    discipline: SpinLock<LineDiscipline>,
    window: SpinLock<Winsize>,
    /// Session and foreground group.
    pub jobs: JobControl,
    write_order: Mutex<()>,
    is_output_stopped: AtomicBool,
    is_hung_up: AtomicBool,
    /// Clock when the last byte came, for `VTIME` between bytes.
    last_input_ns: AtomicU64,
    readers: WaitQueue,
    writers: WaitQueue,
}

impl Terminal {
    /// Makes a terminal on top of a driver, with the settings it starts with. Opening it never makes it a controlling
    /// terminal by itself; see [`Self::opened`].
    pub fn new(device: DeviceNumber, driver: Arc<dyn Driver>, termios: &Termios) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            device,
            this: this.clone(),
            driver,
            discipline: SpinLock::new(lock_order::LINE_DISCIPLINE, LineDiscipline::new(termios)),
            window: SpinLock::new(lock_order::LEAF, Winsize::default()),
            jobs: JobControl::default(),
            write_order: Mutex::new(lock_order::TERMINAL_WRITE, ()),
            is_output_stopped: AtomicBool::new(false),
            is_hung_up: AtomicBool::new(false),
            last_input_ns: AtomicU64::new(0),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
        })
    }

    /// What open(2) does beyond making an open file: a session leader without a terminal gets this one, unless it
    /// said `O_NOCTTY`.
    pub fn opened(&self, without_controlling: bool) {
        if without_controlling || self.jobs.session() != 0 {
            return;
        }
        if let Some(this) = self.this.upgrade() {
            // Not being a session leader, or having a terminal already, is no error here.
            let _ = job_control::acquire(&this, &self.jobs, false);
        }
    }

    /// Takes bytes from the device: echo goes back, signals go out, readers wake.
    pub fn receive(&self, bytes: &[u8]) {
        let mut echo = Vec::new();
        let mut readable = false;
        for &byte in bytes {
            let effects = self.discipline.lock().receive(byte, &mut echo);
            readable |= effects.readable;
            if let Some(stop) = effects.flow {
                self.set_output_stopped(stop);
            }
            if effects.flushes {
                self.driver.discard();
                self.driver.input_flushed();
            }
            if let Some(signal) = effects.signal {
                self.send_echo(&mut echo);
                self.jobs.signal_foreground(signal);
                self.readers.wake_all();
            }
        }
        self.send_echo(&mut echo);
        self.last_input_ns.store(hal::time::now_ns(), Ordering::Relaxed);
        if readable {
            self.readers.wake_all();
        }
    }

    /// Room for received bytes.
    pub fn input_room(&self) -> usize {
        let discipline = self.discipline.lock();
        // A full unfinished line must not block the very newline that ends it.
        if discipline.is_canonical() && !discipline.has_input(1) {
            discipline.room().max(1)
        } else {
            discipline.room()
        }
    }

    /// The device has room again.
    pub fn output_drained(&self) {
        self.writers.wake_all();
    }

    /// Ends the terminal's use: readers see the end of the file, writers `EIO`, the session loses it and its
    /// foreground group gets SIGHUP and SIGCONT.
    pub fn hang_up(&self) {
        if self.is_hung_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let session = self.jobs.session();
        let foreground = self.jobs.foreground();
        if session != 0 {
            drop(crate::process::tree::clear_terminal(session));
            if let Some(leader) = crate::process::tree::find_process(session) {
                crate::process::signal::send::send_kernel_signal(&leader, Signal::SIGHUP);
                crate::process::signal::send::send_kernel_signal(&leader, Signal::SIGCONT);
            }
            if foreground != session {
                self.jobs.signal_foreground(Signal::SIGHUP);
                self.jobs.signal_foreground(Signal::SIGCONT);
            }
            self.jobs.release();
        }
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// Makes a hung-up terminal usable again, with fresh settings (a pseudo-terminal number is reused).
    pub fn is_hung_up(&self) -> bool {
        self.is_hung_up.load(Ordering::Acquire)
    }

    /// The window size.
    pub fn window(&self) -> Winsize {
        *self.window.lock()
    }

    /// Changes the window size; the foreground group gets SIGWINCH if it really changed.
    pub fn set_window(&self, new: Winsize) {
        let changed = {
            let mut window = self.window.lock();
            let changed = *window != new;
            *window = new;
            changed
        };
        if changed {
            self.jobs.signal_foreground(Signal::SIGWINCH);
        }
    }

    /// The settings.
    pub fn termios(&self) -> Termios2 {
        *self.discipline.lock().termios()
    }

    /// The queue woken when there is something to read, for the master's side and poll.
    pub fn readers(&self) -> &WaitQueue {
        &self.readers
    }

    fn send_echo(&self, echo: &mut Vec<u8>) {
        // Echo that finds the device full is lost, as on Linux when the echo buffer overruns.
        self.driver.write(echo);
        echo.clear();
    }

    fn set_output_stopped(&self, stopped: bool) {
        if self.is_output_stopped.swap(stopped, Ordering::AcqRel) != stopped {
            self.driver.flow_changed(stopped);
            self.writers.wake_all();
        }
    }

    fn read_line(&self, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let take = || {
            if self.is_hung_up() {
                return Some(Ok(Vec::new()));
            }
            if let Err(errno) = self.jobs.check_background(Signal::SIGTTIN) {
                return Some(Err(errno));
            }
            let mut discipline = self.discipline.lock();
            if !discipline.is_canonical() {
                // The mode changed while we waited; the caller starts again.
                return Some(Err(Errno::EAGAIN));
            }
            discipline.has_input(1).then(|| Ok(discipline.read(sink.remaining())))
        };
        let bytes = if flags.contains(IoFlags::NONBLOCK) {
            take().ok_or(Errno::EAGAIN)??
        } else {
            self.readers.wait_interruptible(take)??
        };
        self.driver.input_drained();
        sink.put(&bytes)
    }

    /// A read outside canonical mode; `VMIN` and `VTIME` say when it returns (termios(3), "Canonical and
    /// noncanonical mode").
    fn read_raw(&self, sink: &mut Sink<'_>, flags: IoFlags, min: usize, time: u8) -> Result<usize, Errno> {
        const TENTH: u64 = 100_000_000;

        let tenths = u64::from(time) * TENTH;
        let wanted = min.min(sink.remaining());
        let start = hal::time::now_ns();
        let mut done = 0;
        loop {
            let deadline = match (min, time) {
                (_, 0) => None,
                (0, _) => Some(start + tenths),
                // The clock between bytes starts with the first byte.
                (_, _) if done > 0 => Some(self.last_input_ns.load(Ordering::Relaxed) + tenths),
                _ => None,
            };
            let polls = flags.contains(IoFlags::NONBLOCK) || min == 0 && time == 0;
            let take = || {
                if self.is_hung_up() {
                    return Some(Ok(Vec::new()));
                }
                if let Err(errno) = self.jobs.check_background(Signal::SIGTTIN) {
                    return Some(Err(errno));
                }
                let mut discipline = self.discipline.lock();
                discipline.has_input(1).then(|| Ok(discipline.read(sink.remaining())))
            };
            let outcome = if polls { Ok(take()) } else { self.readers.wait_deadline(deadline, take) };
            let bytes = match outcome {
                Ok(Some(Ok(bytes))) => bytes,
                Ok(None) if flags.contains(IoFlags::NONBLOCK) && done == 0 && min > 0 => {
                    return Err(Errno::EAGAIN);
                }
                Ok(None) => return Ok(done),
                Ok(Some(Err(errno))) | Err(errno) => return if done > 0 { Ok(done) } else { Err(errno) },
            };
            if bytes.is_empty() {
                return Ok(done);
            }
            self.driver.input_drained();
            done += sink.put(&bytes)?;
            if done >= wanted || sink.remaining() == 0 {
                return Ok(done);
            }
        }
    }

    fn write_chunk(&self, chunk: &[u8], flags: IoFlags) -> Result<(), Errno> {
        let mut out = Vec::with_capacity(chunk.len() + chunk.len() / 8);
        self.discipline.lock().output(chunk, &mut out);
        let mut sent = 0;
        while sent < out.len() {
            let push = || {
                if self.is_hung_up() {
                    return Some(Err(Errno::EIO));
                }
                if self.is_output_stopped.load(Ordering::Acquire) {
                    return None;
                }
                let taken = self.driver.write(&out[sent..]);
                (taken > 0).then_some(Ok(taken))
            };
            sent += if flags.contains(IoFlags::NONBLOCK) {
                push().ok_or(Errno::EAGAIN)??
            } else {
                self.writers.wait_interruptible(push)??
            };
        }
        Ok(())
    }

    fn drain(&self) -> Result<(), Errno> {
        self.writers.wait_interruptible(|| (self.driver.unsent() == 0 || self.is_hung_up()).then_some(()))
    }

    fn set_termios(&self, new: &Termios2, drain: bool, flush: bool) -> Result<usize, Errno> {
        self.jobs.check_background(Signal::SIGTTOU)?;
        if drain {
            self.drain()?;
        }
        if flush {
            self.flush_input();
        }
        let mut new = *new;
        let old = {
            let mut discipline = self.discipline.lock();
            let old = *discipline.termios();
            self.driver.adjust(&mut new, &old);
            discipline.set_termios(new);
            old
        };
        self.driver.settings_changed(&new, &old);
        self.readers.wake_all();
        Ok(0)
    }

    fn flush_input(&self) {
        self.discipline.lock().flush_input();
        self.driver.input_flushed();
    }

    /// The requests that a pseudo-terminal's master shares with its slave. `None`: not one of them.
    pub fn common_ioctl(
        &self,
        command: u32,
        argument: usize,
        is_master: bool,
    ) -> Option<Result<usize, Errno>> {
        Some(match command {
            TIOCGWINSZ => {
                UserPtr::<Winsize>::new(argument).write(&self.window()).map(|()| 0).map_err(Errno::from)
            }
            TIOCSWINSZ => match UserPtr::<Winsize>::new(argument).read() {
                Ok(window) => {
                    self.set_window(window);
                    self.driver.window_changed();
                    Ok(0)
                }
                Err(fault) => Err(fault.into()),
            },
            TIOCGPGRP => job_control::foreground_for_caller(&self.jobs, is_master)
                .and_then(|group| Ok(UserPtr::<Pid>::new(argument).write(&group).map(|()| 0)?)),
            TIOCSPGRP => UserPtr::<Pid>::new(argument)
                .read()
                .map_err(Errno::from)
                .and_then(|group| job_control::set_foreground(&self.jobs, group, is_master).map(|()| 0)),
            TIOCGSID => match self.jobs.session() {
                0 => Err(Errno::ENOTTY),
                session => UserPtr::<Pid>::new(argument).write(&session).map(|()| 0).map_err(Errno::from),
            },
            TCGETS => {
                let termios = self.termios().to_termios();
                UserPtr::<Termios>::new(argument).write(&termios).map(|()| 0).map_err(Errno::from)
            }
            _ => return None,
        })
    }

    fn flush(&self, queue: usize) -> Result<usize, Errno> {
        const TCIFLUSH: usize = 0;
        const TCOFLUSH: usize = 1;
        const TCIOFLUSH: usize = 2;

        self.jobs.check_background(Signal::SIGTTOU)?;
        if !matches!(queue, TCIFLUSH | TCOFLUSH | TCIOFLUSH) {
            return Err(Errno::EINVAL);
        }
        if queue != TCOFLUSH {
            self.flush_input();
        }
        if queue != TCIFLUSH {
            self.driver.discard();
        }
        Ok(0)
    }

    fn flow(&self, action: usize) -> Result<usize, Errno> {
        self.jobs.check_background(Signal::SIGTTOU)?;
        match action {
            0 => self.set_output_stopped(true),
            1 => self.set_output_stopped(false),
            // Asking the other end to stop or go on: send it the key that does.
            2 | 3 => {
                let index = if action == 2 { linux_abi::termios::VSTOP } else { linux_abi::termios::VSTART };
                let key = self.termios().c_cc[index];
                if key != 0 {
                    self.driver.write(&[key]);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }

    fn push_input(&self, address: usize) -> Result<usize, Errno> {
        let current = scheduler::current();
        let user = current.user.as_ref().ok_or(Errno::EPERM)?;
        let is_own = self.jobs.session() != 0 && user.process.session_id() == self.jobs.session();
        if !is_own && !user.credentials().has(CAP_SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        let byte = UserPtr::<u8>::new(address).read()?;
        self.receive(&[byte]);
        Ok(0)
    }
}

impl ControllingTerminal for Terminal {
    fn device(&self) -> u64 {
        u64::from(self.device.0)
    }

    fn foreground_group(&self) -> Pid {
        self.jobs.foreground()
    }

    fn disconnect(&self) {
        self.jobs.release();
    }
}

impl File for Terminal {
    fn is_seekable(&self) -> bool {
        false
    }

    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.remaining() == 0 {
            return Ok(0);
        }
        loop {
            let (is_canonical, min, time) = {
                let discipline = self.discipline.lock();
                let keys = &discipline.termios().c_cc;
                (discipline.is_canonical(), usize::from(keys[VMIN]), keys[VTIME])
            };
            if !is_canonical {
                return self.read_raw(sink, flags, min, time);
            }
            match self.read_line(sink, flags) {
                Err(Errno::EAGAIN) if !self.discipline.lock().is_canonical() => {}
                outcome => return outcome,
            }
        }
    }

    fn write(&self, _position: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if self.termios().c_lflag & TOSTOP != 0 {
            self.jobs.check_background(Signal::SIGTTOU)?;
        }
        if self.is_hung_up() {
            return Err(Errno::EIO);
        }
        let _order = self.write_order.lock();
        let mut done = 0;
        let mut chunk = [0; CHUNK];
        while source.remaining() > 0 {
            let len = source.remaining().min(CHUNK);
            let outcome = source.take(&mut chunk[..len]).and_then(|taken| {
                self.write_chunk(&chunk[..taken], flags)?;
                Ok(taken)
            });
            match outcome {
                Ok(taken) => done += taken,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(&self.readers);
            table.register(&self.writers);
        }
        if self.is_hung_up() {
            return PollEvents::HUP | PollEvents::ERR | PollEvents::ALWAYS_READY;
        }
        let mut events = PollEvents::empty();
        let discipline = self.discipline.lock();
        let keys = &discipline.termios().c_cc;
        let min = if keys[VTIME] == 0 { usize::from(keys[VMIN]) } else { 1 };
        if discipline.has_input(min) {
            events |= PollEvents::READABLE;
        }
        drop(discipline);
        if self.driver.has_room() && !self.is_output_stopped.load(Ordering::Relaxed) {
            events |= PollEvents::WRITABLE;
        }
        events
    }

    fn ioctl(&self, _open: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        if self.is_hung_up() {
            return Err(if command == TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO });
        }
        if let Some(outcome) = self.common_ioctl(command, argument, false) {
            return outcome;
        }
        match command {
            TCSETS | TCSETSW | TCSETSF => {
                let new = UserPtr::<Termios>::new(argument).read()?;
                let new = self.termios().with(&new);
                self.set_termios(&new, command != TCSETS, command == TCSETSF)
            }
            TCGETS2 => {
                UserPtr::<Termios2>::new(argument).write(&self.termios())?;
                Ok(0)
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let new = UserPtr::<Termios2>::new(argument).read()?;
                let new = new.with(&new.to_termios());
                self.set_termios(&new, command != TCSETS2, command == TCSETSF2)
            }
            TCFLSH => self.flush(argument),
            TCXONC => self.flow(argument),
            TCSBRK | TCSBRKP => {
                self.jobs.check_background(Signal::SIGTTOU)?;
                self.drain()?;
                Ok(0)
            }
            FIONREAD => {
                let len = self.discipline.lock().readable_len() as i32;
                UserPtr::<i32>::new(argument).write(&len)?;
                Ok(0)
            }
            TIOCOUTQ => {
                UserPtr::<i32>::new(argument).write(&(self.driver.unsent() as i32))?;
                Ok(0)
            }
            TIOCSCTTY => {
                let this = self.this.upgrade().ok_or(Errno::EIO)?;
                let is_root = scheduler::current()
                    .user
                    .as_ref()
                    .is_some_and(|user| user.credentials().has(CAP_SYS_ADMIN));
                job_control::acquire(&this, &self.jobs, argument == 1 && is_root)?;
                Ok(0)
            }
            TIOCNOTTY => job_control::detach(&self.jobs).map(|()| 0),
            TIOCSTI => self.push_input(argument),
            TIOCGETD => {
                UserPtr::<i32>::new(argument).write(&0)?;
                Ok(0)
            }
            TIOCSETD => match UserPtr::<i32>::new(argument).read()? {
                0 => Ok(0),
                _ => Err(Errno::EINVAL),
            },
            _ => Err(Errno::ENOTTY),
        }
    }
}
