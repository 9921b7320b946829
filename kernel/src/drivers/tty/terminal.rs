//! What is the same for every terminal: who has it open, input, hang-up.
//!
//! # Locks
//! `uses` guards who has it open and is held while the driver is told. `discipline` guards settings, input queue and
//! cursor, and the order of what the device is sent: it is held while bytes are handed to the driver, never while
//! sleeping and never while a signal is sent. The turn to write (see [`super::file`]) keeps the output of one write in
//! one piece.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hal::sync::SpinLock;
use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::signal::Signal;
use linux_abi::termios::{Termios, Termios2, Winsize};

use super::file::TerminalFile;
use super::job_control::{self, JobControl};
use super::line_discipline::LineDiscipline;
use super::output::Output;
use crate::fs::vfs::DeviceNumber;
use crate::lock_order;
use crate::process::Pid;
use crate::process::signal::send::send_kernel_signal;
use crate::process::tree::{self, ControllingTerminal};
use crate::scheduler;
use crate::scheduler::wait::WaitQueue;

/// The device below a terminal.
pub trait Driver: Send + Sync {
    /// Sends bytes; answers how many were taken. Fewer than all means the device is full: it calls
    /// [`Terminal::output_drained`] when it has room again.
    fn write(&self, bytes: &[u8]) -> usize;
    /// How many bytes would be taken. Only a write makes it less.
    fn room(&self) -> usize;
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
    /// Input has been read: a sender that waited for room may go on.
    fn input_drained(&self) {}
    /// Input has been dropped.
    fn input_flushed(&self) {}
    /// Output has been stopped or goes on.
    fn flow_changed(&self, _is_stopped: bool) {}
    /// Begins or ends a break on the line; answers whether there is a line.
    fn set_break(&self, _on: bool) -> bool {
        false
    }
    /// The terminal is open now.
    fn opened(&self) {}
    /// Nobody has the terminal open any more.
    fn closed(&self) {}
    /// Whether it is the end of a line to somewhere: it is closed when nobody has it open, and the end of its session
    /// hangs it up. A pseudo-terminal lives as long as its master.
    fn is_line(&self) -> bool {
        true
    }
}

/// Who has a terminal open.
#[derive(Default)]
struct Uses {
    /// Open files, those that a hang-up has ended among them.
    files: usize,
    /// Whether only privileged processes may open it (`TIOCEXCL`).
    is_exclusive: bool,
    /// Whether it has been hung up, and not been opened since.
    is_down: bool,
    /// Whether it can be opened no more.
    is_gone: bool,
}

/// How a terminal is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// By its own name; it becomes the controlling terminal of a session leader that has none.
    Controlling,
    /// By its own name or as `/dev/tty`, and no more.
    Plain,
    /// As `/dev/console`: such files survive a hang-up and know no background.
    Console,
}

/// A terminal.
pub struct Terminal {
    device: DeviceNumber,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) discipline: SpinLock<LineDiscipline>,
    window: SpinLock<Winsize>,
    /// Session and foreground group.
    pub jobs: JobControl,
    uses: SpinLock<Uses>,
    /// The number of hang-ups: files that were open before are dead.
    era: AtomicU64,
    /// Whether somebody has the turn to write.
    pub(super) is_being_written: AtomicBool,
    /// Those who wait for the turn.
    pub(super) turns: WaitQueue,
    is_output_stopped: AtomicBool,
    /// Clock when the last byte came, for `VTIME` between bytes.
    last_input_ns: AtomicU64,
    pub(super) readers: WaitQueue,
    pub(super) writers: WaitQueue,
}

impl Terminal {
    /// Makes a terminal on top of a driver, with the settings it starts with.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(device: DeviceNumber, driver: Arc<dyn Driver>, termios: &Termios) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Self {
            device,
            driver,
            discipline: SpinLock::new(lock_order::LINE_DISCIPLINE, LineDiscipline::new(termios)?),
            window: SpinLock::new(lock_order::LEAF, Winsize::default()),
            jobs: JobControl::default(),
            uses: SpinLock::new(lock_order::TERMINAL_USES, Uses::default()),
            era: AtomicU64::new(0),
            is_being_written: AtomicBool::new(false),
            turns: WaitQueue::new(),
            is_output_stopped: AtomicBool::new(false),
            last_input_ns: AtomicU64::new(0),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
        }))
    }

    /// Opens the terminal.
    ///
    /// # Errors
    /// `EBUSY`: somebody uses it exclusively. `EIO`: its other end is gone.
    pub fn open(self: &Arc<Self>, how: Opening) -> Result<Arc<TerminalFile>, Errno> {
        let era = {
            let mut uses = self.uses.lock();
            if uses.is_gone {
                return Err(Errno::EIO);
            }
            if uses.is_exclusive && !is_administrator() {
                return Err(Errno::EBUSY);
            }
            uses.files += 1;
            uses.is_down = false;
            self.driver.opened();
            self.era.load(Ordering::Relaxed)
        };
        let file = TerminalFile::new(self.clone(), (how != Opening::Console).then_some(era));
        if how == Opening::Controlling && self.jobs.session() == 0 {
            // Not being a session leader, or having a terminal already, is no error here.
            let _ = job_control::acquire(self, &self.jobs, false);
        }
        Ok(Arc::new(file))
    }

    /// Ends the use by an open file.
    pub(super) fn close(&self) {
        let mut uses = self.uses.lock();
        uses.files -= 1;
        if uses.files > 0 {
            return;
        }
        uses.is_exclusive = false;
        self.driver.closed();
        drop(uses);
        if self.driver.is_line() {
            // Who opens it next finds nothing of this, but for the settings.
            self.discipline.lock().flush_input();
            *self.window.lock() = Winsize::default();
            self.set_output_stopped(false);
            self.leave_session();
        }
    }

    /// Whether a file that was opened in `era` has been hung up.
    pub(super) fn is_over(&self, era: Option<u64>) -> bool {
        era.is_some_and(|era| era != self.era.load(Ordering::Acquire))
    }

    /// Whether only privileged processes may open it.
    pub(super) fn is_exclusive(&self) -> bool {
        self.uses.lock().is_exclusive
    }

    /// Lets only privileged processes open it, or everybody again.
    pub(super) fn set_exclusive(&self, is_exclusive: bool) {
        self.uses.lock().is_exclusive = is_exclusive;
    }

    /// Whether what is typed is for anybody.
    fn listens(&self) -> bool {
        let uses = self.uses.lock();
        !uses.is_down && (uses.files > 0 || !self.driver.is_line())
    }

    /// Its device number.
    pub fn number(&self) -> DeviceNumber {
        self.device
    }

    /// Takes bytes from the device: echo goes back, signals go out, readers wake. What comes when nobody has a line open
    /// is lost.
    pub fn receive(&self, bytes: &[u8]) {
        if !self.listens() {
            return;
        }
        let mut echo = Output::echo();
        let mut readable = false;
        for &byte in bytes {
            let effects = {
                let mut discipline = self.discipline.lock();
                let effects = discipline.receive(byte, &mut echo);
                if effects.flushes {
                    self.driver.discard();
                }
                if effects.signal.is_some() {
                    self.send_echo(&mut echo);
                }
                effects
            };
            readable |= effects.readable;
            if effects.flushes {
                self.driver.input_flushed();
            }
            if let Some(stop) = effects.flow {
                self.set_output_stopped(stop);
            }
            if let Some(signal) = effects.signal {
                self.jobs.signal_foreground(signal);
                self.readers.wake_all();
            }
        }
        {
            let _discipline = self.discipline.lock();
            self.send_echo(&mut echo);
        }
        self.last_input_ns.store(hal::time::now_ns(), Ordering::Relaxed);
        if readable {
            self.readers.wake_all();
        }
    }

    /// Room for received bytes.
    pub fn input_room(&self) -> usize {
        if !self.listens() {
            return 0;
        }
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

    /// Sends echo; the caller holds `discipline`.
    fn send_echo(&self, echo: &mut Output) {
        // Echo that finds the device full is lost, as on Linux when the echo buffer overruns.
        self.driver.write(echo.bytes());
        echo.clear();
    }

    /// Ends the use of the terminal by those who have it open: they read the end of the file and cannot write. It can
    /// be opened again.
    fn end_files(&self, is_gone: bool) {
        {
            let mut uses = self.uses.lock();
            uses.is_gone |= is_gone;
            uses.is_down = true;
            self.era.fetch_add(1, Ordering::AcqRel);
        }
        self.discipline.lock().flush_input();
        self.set_output_stopped(false);
        self.readers.wake_all();
        self.writers.wake_all();
        self.turns.wake_all();
    }

    /// Takes the terminal from its session, without a signal.
    fn leave_session(&self) {
        let session = self.jobs.session();
        if session != 0 {
            drop(tree::clear_terminal(session));
            self.jobs.release();
        }
    }

    /// Hangs up for good: the other end is gone.
    pub fn remove(&self) {
        self.hang_up_files(true);
    }

    fn hang_up_files(&self, is_gone: bool) {
        self.end_files(is_gone);
        let (session, foreground) = (self.jobs.session(), self.jobs.foreground());
        if session != 0 {
            // The foreground group hears of it when the leader ends.
            drop(tree::lose_terminal(session, foreground));
            self.jobs.release();
            if let Some(leader) = tree::find_process(session) {
                send_kernel_signal(&leader, Signal::SIGHUP);
                send_kernel_signal(&leader, Signal::SIGCONT);
            }
        }
    }

    /// The window size.
    pub fn window(&self) -> Winsize {
        *self.window.lock()
    }

    /// Changes the window size; the foreground group gets SIGWINCH if it really changed.
    pub fn set_window(&self, new: Winsize) {
        let old = core::mem::replace(&mut *self.window.lock(), new);
        if old != new {
            self.jobs.signal_foreground(Signal::SIGWINCH);
        }
    }

    /// The settings.
    pub fn termios(&self) -> Termios2 {
        *self.discipline.lock().termios()
    }

    /// Replaces the settings by what the device can do of `new`.
    pub(super) fn set_termios(&self, new: &Termios2) {
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
    }

    /// Drops everything typed and not read.
    pub(super) fn flush_input(&self) {
        self.discipline.lock().flush_input();
        self.driver.input_flushed();
        self.driver.input_drained();
    }

    /// Waits until everything written has been sent, for a file opened in `era`.
    ///
    /// # Errors
    /// `EINTR`: a signal came first.
    pub(super) fn drain(&self, era: Option<u64>) -> Result<(), Errno> {
        self.writers.wait_interruptible(|| (self.driver.unsent() == 0 || self.is_over(era)).then_some(()))
    }

    /// Whether output is stopped, by a key or by a program.
    pub(super) fn is_output_stopped(&self) -> bool {
        self.is_output_stopped.load(Ordering::Acquire)
    }

    /// Stops output or lets it go on.
    pub(super) fn set_output_stopped(&self, stopped: bool) {
        if self.is_output_stopped.swap(stopped, Ordering::AcqRel) != stopped {
            self.driver.flow_changed(stopped);
            self.writers.wake_all();
        }
    }

    /// Clock when the last byte came, nanoseconds.
    pub(super) fn last_input_ns(&self) -> u64 {
        self.last_input_ns.load(Ordering::Relaxed)
    }
}

/// Whether the caller may do what takes `CAP_SYS_ADMIN`.
pub(super) fn is_administrator() -> bool {
    scheduler::current().user.as_ref().is_some_and(|user| user.credentials().has(CAP_SYS_ADMIN))
}

impl ControllingTerminal for Terminal {
    fn device(&self) -> u64 {
        u64::from(self.device.0)
    }

    fn foreground_group(&self) -> Pid {
        self.jobs.foreground()
    }

    fn disconnect(&self) {
        if self.driver.is_line() {
            self.end_files(false);
        }
        self.jobs.release();
    }

    fn hang_up(&self) {
        self.hang_up_files(false);
    }
}
