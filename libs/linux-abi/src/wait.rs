//! `wait4(2)` and `waitid(2)`: options, the status word.

use crate::signal::Signal;
use bitflags::bitflags;

bitflags! {
    /// Options of `wait4` and `waitid`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct WaitOptions: u32 {
        /// Do not wait.
        const WNOHANG = 0x1;
        /// Report stopped children; `waitid` calls it `WSTOPPED`.
        const WUNTRACED = 0x2;
        /// `waitid`: report stopped children.
        const WSTOPPED = 0x2;
        /// `waitid`: report ended children.
        const WEXITED = 0x4;
        /// Report continued children.
        const WCONTINUED = 0x8;
        /// `waitid`: leave the child to be waited for again.
        const WNOWAIT = 0x0100_0000;
        /// Only children of this thread.
        const __WNOTHREAD = 0x2000_0000;
        /// Children of every kind.
        const __WALL = 0x4000_0000;
        /// Only children that do not signal with `SIGCHLD`.
        const __WCLONE = 0x8000_0000;
    }
}

impl WaitOptions {
    /// What `wait4` accepts.
    pub const WAIT4: Self = Self::WNOHANG
        .union(Self::WUNTRACED)
        .union(Self::WCONTINUED)
        .union(Self::__WNOTHREAD)
        .union(Self::__WALL)
        .union(Self::__WCLONE);
}

/// `waitid`: any child.
pub const P_ALL: i32 = 0;
/// `waitid`: one process.
pub const P_PID: i32 = 1;
/// `waitid`: a process group.
pub const P_PGID: i32 = 2;
/// `waitid`: the process behind a pidfd.
pub const P_PIDFD: i32 = 3;

/// Status word of a process that exited with `code`: only the low 8 bits survive.
pub const fn status_exited(code: i32) -> i32 {
    (code & 0xff) << 8
}

/// Status word of a process that `signal` ended.
pub const fn status_killed(signal: Signal, core_dumped: bool) -> i32 {
    signal.number() as i32 | if core_dumped { 0x80 } else { 0 }
}

/// Status word of a process that `signal` stopped.
pub const fn status_stopped(signal: Signal) -> i32 {
    (signal.number() as i32) << 8 | 0x7f
}

/// Status word of a process that continued.
pub const STATUS_CONTINUED: i32 = 0xffff;

/// What a status word says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Exited with this code, 0 to 255.
    Exited(i32),
    /// Ended by this signal number.
    Killed {
        /// Number of the signal.
        signal: i32,
        /// Whether core was dumped.
        core_dumped: bool,
    },
    /// Stopped by this signal number.
    Stopped(i32),
    /// Continued.
    Continued,
}

/// Decodes a status word.
pub const fn decode(status: i32) -> Status {
    let low = status & 0x7f;
    if status == STATUS_CONTINUED {
        Status::Continued
    } else if status & 0xff == 0x7f {
        Status::Stopped(status >> 8 & 0xff)
    } else if low == 0 {
        Status::Exited(status >> 8 & 0xff)
    } else {
        Status::Killed { signal: low, core_dumped: status & 0x80 != 0 }
    }
}
