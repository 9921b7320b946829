//! What ioctl(2) asks of a terminal (ioctl_tty(2)).

use alloc::sync::Arc;

use hal::user::UserPtr;
use linux_abi::cap::CAP_SYS_ADMIN;
use linux_abi::errno::Errno;
use linux_abi::ioctl::*;
use linux_abi::signal::Signal;
use linux_abi::termios::{
    TCIFLUSH, TCIOFF, TCIOFLUSH, TCION, TCOFLUSH, TCOOFF, TCOON, Termio, Termios, Termios2, VSTART, VSTOP,
    Winsize,
};

use super::file::TerminalFile;
use super::job_control;
use super::terminal::{Terminal, is_administrator};
use crate::fs::vfs::OpenFile;
use crate::process::Pid;
use crate::process::tree::ControllingTerminal;
use crate::scheduler;
use crate::scheduler::wait::WaitQueue;

/// Milliseconds of a break whose length is not given.
const BREAK_MS: u64 = 250;

/// How new settings are put into force.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    /// Once everything written has been sent.
    Drained,
    /// The same, and what was typed and not read is dropped.
    Flushed,
}

/// Stores the answer to a request at the address that came with it.
fn answer<T: zerocopy::IntoBytes + zerocopy::Immutable>(address: usize, value: &T) -> Result<usize, Errno> {
    UserPtr::<T>::new(address).write(value)?;
    Ok(0)
}

impl TerminalFile {
    /// Performs a request.
    ///
    /// # Errors
    /// - `EIO`: the terminal has been hung up. `ENOTTY`: no such request, or not the caller's controlling terminal.
    /// - `EINTR`, `EIO`: the caller is in the background. `EFAULT`, `EINVAL`: the argument is bad.
    /// - `EPERM`: not allowed.
    pub(super) fn request(&self, open: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        if self.is_hung_up() {
            return Err(if command == TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO });
        }
        if let Some(outcome) = request_of_either_end(terminal, self.era, open, command, argument, false) {
            return outcome;
        }
        match command {
            TCFLSH => self.flush(argument as u32),
            TCXONC => self.flow(argument as u32),
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => self.send_break(command, argument),
            FIONREAD => answer(argument, &(terminal.discipline.lock().readable_len() as i32)),
            TIOCOUTQ => answer(argument, &(terminal.driver.unsent() as i32)),
            TIOCNOTTY => job_control::detach(&terminal.jobs).map(|()| 0),
            TIOCSTI => self.push_input(argument),
            TIOCGETD => answer(argument, &0i32),
            TIOCSETD => match UserPtr::<i32>::new(argument).read()? {
                0 => Ok(0),
                _ => Err(Errno::EINVAL),
            },
            TIOCEXCL | TIOCNXCL => {
                terminal.set_exclusive(command == TIOCEXCL);
                Ok(0)
            }
            TIOCGEXCL => answer(argument, &i32::from(terminal.is_exclusive())),
            TIOCVHANGUP => {
                if !is_administrator() {
                    return Err(Errno::EPERM);
                }
                terminal.hang_up();
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn flush(&self, queue: u32) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        terminal.jobs.check_background(Signal::SIGTTOU)?;
        if !matches!(queue, TCIFLUSH | TCOFLUSH | TCIOFLUSH) {
            return Err(Errno::EINVAL);
        }
        if queue != TCOFLUSH {
            terminal.flush_input();
        }
        if queue != TCIFLUSH {
            terminal.driver.discard();
        }
        Ok(0)
    }

    fn flow(&self, action: u32) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        terminal.jobs.check_background(Signal::SIGTTOU)?;
        match action {
            TCOOFF => terminal.set_output_stopped(true),
            TCOON => terminal.set_output_stopped(false),
            // Asking the other end to stop or go on: send it the key that does.
            TCIOFF | TCION => {
                let discipline = terminal.discipline.lock();
                let key = discipline.termios().c_cc[if action == TCIOFF { VSTOP } else { VSTART }];
                if key != 0 {
                    terminal.driver.write(&[key]);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }

    /// Waits until everything has been sent, then sends a break: for `TCSBRK` if the argument is 0, for `TCSBRKP` of so
    /// many tenths of a second; begun and ended by `TIOCSBRK` and `TIOCCBRK`.
    fn send_break(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        terminal.jobs.check_background(Signal::SIGTTOU)?;
        if command != TIOCCBRK {
            terminal.drain(self.era)?;
        }
        let ms = match (command, argument) {
            (TIOCSBRK | TIOCCBRK, _) => {
                // Where there is no line, there is no break, and Linux does not mind.
                terminal.driver.set_break(command == TIOCSBRK);
                return Ok(0);
            }
            (TCSBRK, 1..) => return Ok(0),
            (TCSBRKP, 1..) => (argument as u64).saturating_mul(100),
            _ => BREAK_MS,
        };
        if terminal.driver.set_break(true) {
            let deadline = hal::time::now_ns().saturating_add(ms.saturating_mul(1_000_000));
            let outcome = WaitQueue::new().wait_deadline(Some(deadline), || self.is_hung_up().then_some(()));
            terminal.driver.set_break(false);
            outcome?;
        }
        Ok(0)
    }

    fn push_input(&self, address: usize) -> Result<usize, Errno> {
        let terminal = &self.terminal;
        let current = scheduler::current();
        let user = current.user.as_ref().ok_or(Errno::EPERM)?;
        let session = terminal.jobs.session();
        let is_own = session != 0 && user.process.session_id() == session;
        if !is_own && !user.credentials().has(CAP_SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        let byte = UserPtr::<u8>::new(address).read()?;
        terminal.receive(&[byte]);
        Ok(0)
    }
}

/// Performs a request of a file opened in `era` that a pseudo-terminal's master passes on to its slave. `None`: not one
/// of them.
pub(super) fn request_of_either_end(
    terminal: &Arc<Terminal>,
    era: Option<u64>,
    open: &OpenFile,
    command: u32,
    argument: usize,
    is_master: bool,
) -> Option<Result<usize, Errno>> {
    let jobs = &terminal.jobs;
    let set_termios = |when| set_termios(terminal, era, command, argument, when);
    Some(match command {
        TIOCGWINSZ => answer(argument, &terminal.window()),
        TIOCSWINSZ => set_window(terminal, argument),
        TIOCGPGRP => {
            job_control::foreground_for_caller(jobs, is_master).and_then(|group| answer(argument, &group))
        }
        TIOCSPGRP => set_foreground(terminal, argument, is_master),
        TIOCGSID => match jobs.session() {
            0 => Err(Errno::ENOTTY),
            session => answer(argument, &session),
        },
        TIOCSCTTY => take_control(terminal, open, argument),
        TCGETS => answer(argument, &terminal.termios().to_termios()),
        TCGETS2 => answer(argument, &terminal.termios()),
        TCGETA => answer(argument, &Termio::from_termios(&terminal.termios().to_termios())),
        TCSETS | TCSETS2 | TCSETA => set_termios(When::Now),
        TCSETSW | TCSETSW2 | TCSETAW => set_termios(When::Drained),
        TCSETSF | TCSETSF2 | TCSETAF => set_termios(When::Flushed),
        _ => return None,
    })
}

fn set_termios(
    terminal: &Terminal,
    era: Option<u64>,
    command: u32,
    argument: usize,
    when: When,
) -> Result<usize, Errno> {
    terminal.jobs.check_background(Signal::SIGTTOU)?;
    let old = terminal.termios();
    let new = match command {
        TCSETS | TCSETSW | TCSETSF => old.with(&UserPtr::<Termios>::new(argument).read()?),
        TCSETA | TCSETAW | TCSETAF => {
            let new = UserPtr::<Termio>::new(argument).read()?;
            old.with(&new.to_termios(&old.to_termios()))
        }
        _ => {
            let new = UserPtr::<Termios2>::new(argument).read()?;
            new.with(&new.to_termios())
        }
    };
    if when == When::Flushed {
        terminal.flush_input();
    }
    if when != When::Now {
        terminal.drain(era)?;
    }
    terminal.set_termios(&new);
    Ok(0)
}

fn set_window(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    terminal.set_window(UserPtr::<Winsize>::new(argument).read()?);
    Ok(0)
}

fn set_foreground(terminal: &Terminal, argument: usize, is_master: bool) -> Result<usize, Errno> {
    let group = UserPtr::<Pid>::new(argument).read()?;
    job_control::set_foreground(&terminal.jobs, group, is_master).map(|()| 0)
}

/// Makes the terminal the caller's controlling terminal; argument 1 takes it from another session.
fn take_control(terminal: &Arc<Terminal>, open: &OpenFile, argument: usize) -> Result<usize, Errno> {
    let may_steal = argument == 1 && is_administrator();
    if !open.is_readable() && !is_administrator() {
        return Err(Errno::EPERM);
    }
    job_control::acquire(terminal, &terminal.jobs, may_steal)?;
    Ok(0)
}
