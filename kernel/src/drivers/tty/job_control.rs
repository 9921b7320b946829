//! Who may use a terminal now: sessions, the foreground group, background reads and writes (termios(3), credentials(7)).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SIG_IGN, Signal};

use crate::process::signal::{send::send_kernel_signal, send_to_group};
use crate::process::tree::{self, ControllingTerminal};
use crate::process::{Pid, UserThread};
use crate::scheduler;

/// The session a terminal belongs to and its foreground process group.
#[derive(Default)]
pub struct JobControl {
    session: AtomicI32,
    foreground: AtomicI32,
}

impl JobControl {
    /// The session whose controlling terminal it is; 0 for none.
    pub fn session(&self) -> Pid {
        self.session.load(Ordering::Relaxed)
    }

    /// The foreground process group; 0 for none.
    pub fn foreground(&self) -> Pid {
        self.foreground.load(Ordering::Relaxed)
    }

    /// Gives the terminal to a session whose leader's group becomes the foreground group.
    fn give_to(&self, session: Pid, foreground: Pid) {
        self.session.store(session, Ordering::Relaxed);
        self.foreground.store(foreground, Ordering::Relaxed);
    }

    /// Takes the terminal from its session.
    pub fn release(&self) {
        self.give_to(0, 0);
    }

    /// Sends a signal to the foreground group.
    pub fn signal_foreground(&self, signal: Signal) {
        let foreground = self.foreground();
        if foreground > 0 {
            send_to_group(foreground, SigInfo::kernel(signal));
        }
    }

    /// Lets the caller go on when it is in the foreground, or its session is another; otherwise sends its group
    /// `signal` (SIGTTIN, SIGTTOU).
    ///
    /// # Errors
    /// - `EIO`: the signal would have no effect: for SIGTTIN when it is ignored or blocked, for both when the group is
    ///   orphaned.
    /// - `EINTR`: the signal has been sent; the call is made again when the process goes on.
    pub fn check_background(&self, signal: Signal) -> Result<(), Errno> {
        let current = scheduler::current();
        let Some(user) = current.user.as_ref() else { return Ok(()) };
        let process = &user.process;
        if process.session_id() != self.session() || self.session() == 0 {
            return Ok(());
        }
        let group = process.group_id();
        if group == self.foreground() || self.foreground() == 0 {
            return Ok(());
        }
        if is_blocked_or_ignored(user, signal) {
            return if signal == Signal::SIGTTIN { Err(Errno::EIO) } else { Ok(()) };
        }
        if tree::is_orphaned(group) {
            return Err(Errno::EIO);
        }
        send_to_group(group, SigInfo::kernel(signal));
        Err(Errno::EINTR)
    }
}

fn is_blocked_or_ignored(user: &UserThread, signal: Signal) -> bool {
    let shared = user.process.signals.lock();
    shared.actions.get(signal).handler == SIG_IGN || user.signals.lock().blocked.contains(signal)
}

/// Makes a terminal the controlling terminal of the calling process's session (`TIOCSCTTY`, open without `O_NOCTTY`).
///
/// # Errors
/// `EPERM`: the caller leads no session, its session has a terminal, or the terminal has a session.
pub fn acquire<T: ControllingTerminal + 'static>(
    terminal: &Arc<T>,
    jobs: &JobControl,
    steal: bool,
) -> Result<(), Errno> {
    let current = scheduler::current();
    let process = &current.user.as_ref().ok_or(Errno::EPERM)?.process;
    let session = process.session_id();
    if jobs.session() == session && process.is_session_leader() {
        return Ok(());
    }
    if !process.is_session_leader() {
        return Err(Errno::EPERM);
    }
    if tree::terminal_of_session(session).is_some() {
        return Err(Errno::EPERM);
    }
    if jobs.session() != 0 {
        if !steal {
            return Err(Errno::EPERM);
        }
        drop(tree::clear_terminal(jobs.session()));
    }
    tree::set_terminal(session, terminal.clone())?;
    jobs.give_to(session, process.group_id());
    Ok(())
}

/// Detaches the caller's session from a terminal (`TIOCNOTTY`): for a session leader, the foreground group is hung up
/// and the whole session loses it.
///
/// # Errors
/// `ENOTTY`: it is not the caller's controlling terminal.
pub fn detach(jobs: &JobControl) -> Result<(), Errno> {
    let current = scheduler::current();
    let process = &current.user.as_ref().ok_or(Errno::ENOTTY)?.process;
    if jobs.session() == 0 || jobs.session() != process.session_id() {
        return Err(Errno::ENOTTY);
    }
    if !process.is_session_leader() {
        return Ok(());
    }
    let foreground = jobs.foreground();
    drop(tree::clear_terminal(process.session_id()));
    jobs.release();
    for member in tree::members(foreground) {
        send_kernel_signal(&member, Signal::SIGHUP);
        send_kernel_signal(&member, Signal::SIGCONT);
    }
    Ok(())
}

/// The foreground group, as `TIOCGPGRP` tells it to the caller.
///
/// # Errors
/// `ENOTTY`: not the caller's controlling terminal; a pseudo-terminal's master may always ask.
pub fn foreground_for_caller(jobs: &JobControl, is_master: bool) -> Result<Pid, Errno> {
    if !is_master {
        check_controlling(jobs)?;
    }
    Ok(jobs.foreground())
}

/// Makes `group` the foreground group (`TIOCSPGRP`).
///
/// # Errors
/// - `ENOTTY`: not the caller's controlling terminal.
/// - `EINVAL`: a negative group. `ESRCH`: no such group. `EPERM`: a group of another session.
/// - `EINTR`, `EIO`: as [`JobControl::check_background`].
pub fn set_foreground(jobs: &JobControl, group: Pid, is_master: bool) -> Result<(), Errno> {
    let session = if is_master {
        jobs.session()
    } else {
        jobs.check_background(Signal::SIGTTOU)?;
        check_controlling(jobs)?;
        jobs.session()
    };
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let owner = tree::lock().session_of_group(group).ok_or(Errno::ESRCH)?;
    if owner != session {
        return Err(Errno::EPERM);
    }
    jobs.foreground.store(group, Ordering::Relaxed);
    Ok(())
}

fn check_controlling(jobs: &JobControl) -> Result<(), Errno> {
    let current = scheduler::current();
    let session = current.user.as_ref().map_or(0, |user| user.process.session_id());
    if session != 0 && session == jobs.session() { Ok(()) } else { Err(Errno::ENOTTY) }
}
