//! System calls as the kernel sees them: bare instructions, so that no library's work is measured with them.
//!
//! Calls that are measured return what the kernel returned, an error as its negated number; what a row needs before it
//! measures returns a [`Result`]. Everything `unsafe` of this program is in this module.

mod event;
mod file;
mod memory;
mod process;
mod signal;
mod time;

use std::arch::asm;
use std::fmt;

use libc::c_long;

pub(crate) use event::{Epoll, PollSet, SelectSet, eventfd, futex_wait, futex_wake};
pub(crate) use file::{
    Directory, access, close, create, dup, dup_to, fstat, get_flags, getcwd, lseek, mkdir, open, pipe, pread,
    pwrite, read, readlink, rename, rmdir, socketpair, stat, truncate, unlink, write,
};
pub(crate) use memory::{Mapping, PAGE, grow_and_shrink_data};
pub(crate) use process::{
    Child, End, begin_again_at_fixed_addresses, exec_with_vfork, fork, fork_and_exit, getpid, getppid,
    kill_group, new_group, pause, raise_descriptor_limit, sched_yield, spawn,
};
pub(crate) use signal::{
    block_and_query_mask, count_signals, install_default, send_to_self, set_alarm_and_stop_it,
    signals_counted, wake_after,
};
pub(crate) use time::{clock_gettime_by_call, clock_gettime_by_library, free_memory, sleep_ms, wall_ns};

/// A call that a row cannot do without, and the error the kernel gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    /// The call's name.
    pub(crate) call: &'static str,
    /// The error's number.
    pub(crate) errno: i32,
}

/// The outcome of what a row needs.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Returns whether this is how a kernel says that it has no such call, or not this form of it.
    pub(crate) fn is_unsupported(self) -> bool {
        matches!(
            self.errno,
            libc::ENOSYS
                | libc::EOPNOTSUPP
                | libc::EAFNOSUPPORT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::ENODEV
                | libc::EINVAL
        )
    }

    /// Returns the name of the error, or its number.
    pub(crate) fn name(self) -> String {
        const NAMES: &[(i32, &str)] = &[
            (libc::EPERM, "EPERM"),
            (libc::ENOENT, "ENOENT"),
            (libc::EIO, "EIO"),
            (libc::EBADF, "EBADF"),
            (libc::EAGAIN, "EAGAIN"),
            (libc::ENOMEM, "ENOMEM"),
            (libc::EFAULT, "EFAULT"),
            (libc::EEXIST, "EEXIST"),
            (libc::ENODEV, "ENODEV"),
            (libc::EINVAL, "EINVAL"),
            (libc::EMFILE, "EMFILE"),
            (libc::ENOSPC, "ENOSPC"),
            (libc::ENOSYS, "ENOSYS"),
            (libc::ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"),
            (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
            (libc::EOPNOTSUPP, "EOPNOTSUPP"),
            (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        ];
        let name = NAMES.iter().find(|(errno, _)| *errno == self.errno);
        name.map_or_else(|| format!("errno {}", self.errno), |(_, name)| (*name).to_owned())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.call, self.name())
    }
}

/// Turns what the kernel returned into a result.
pub(crate) fn check(call: &'static str, returned: isize) -> Result<usize> {
    usize::try_from(returned)
        .map_err(|_| Error { call, errno: i32::try_from(-returned).unwrap_or(libc::EINVAL) })
}

/// Turns what a function of the C library returned into a result.
fn check_library(call: &'static str, returned: i32) -> Result<usize> {
    let errno = || std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
    usize::try_from(returned).map_err(|_| Error { call, errno: errno() })
}

macro_rules! define_syscall {
    ($name:ident $(, $arg:ident in $register:tt)*) => {
        /// Makes a system call.
        ///
        /// # Safety
        /// The kernel does what the call says, to this process's memory as well: the caller must hold whatever its
        /// arguments point at, as the call demands.
        #[inline(always)]
        unsafe fn $name(number: c_long $(, $arg: usize)*) -> isize {
            let returned: isize;
            // SAFETY: the instruction changes rax, rcx and r11 only, all named here, and uses no stack; what the
            // kernel does is the caller's to answer for.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") number as isize => returned,
                    $(in($register) $arg,)*
                    lateout("rcx") _,
                    lateout("r11") _,
                    options(nostack),
                );
            }
            returned
        }
    };
}

define_syscall!(syscall0);
define_syscall!(syscall1, a in "rdi");
define_syscall!(syscall2, a in "rdi", b in "rsi");
define_syscall!(syscall3, a in "rdi", b in "rsi", c in "rdx");
define_syscall!(syscall4, a in "rdi", b in "rsi", c in "rdx", d in "r10");
define_syscall!(syscall5, a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8");
define_syscall!(syscall6, a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8", f in "r9");

/// Returns the time stamp counter: the instructions executed so far, in an emulator that counts them.
#[inline(always)]
pub(crate) fn time_stamp() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Does nothing and returns 0, in a way the compiler cannot see: what a loop costs without anything in it.
#[inline(always)]
pub(crate) fn nothing() -> isize {
    let returned: isize;
    // SAFETY: no instruction beyond the one that sets the register.
    unsafe { asm!("", inlateout("rax") 0isize => returned, options(nomem, nostack)) };
    returned
}

/// Executes exactly `2 * rounds` instructions.
///
/// # Panics
/// If `rounds` is 0.
#[inline(never)]
pub(crate) fn known_loop(rounds: u64) {
    assert_ne!(rounds, 0, "the loop runs at least once");
    // SAFETY: it counts a register of its own down to zero.
    unsafe { asm!("2: dec {0}", "jnz 2b", inlateout(reg) rounds => _, options(nomem, nostack)) };
}

/// Tells a profiler that watches the machine that what it looks for begins; for the processor it is nothing.
#[inline(always)]
pub(crate) fn mark_begin() {
    // SAFETY: an instruction without effect. `cargo xtask profile` knows the displacement.
    unsafe { asm!("nop dword ptr [rax + 0x45584f31]", options(nomem, nostack, preserves_flags)) };
}

/// Tells a profiler that what it looks for has ended.
#[inline(always)]
pub(crate) fn mark_end() {
    // SAFETY: an instruction without effect. `cargo xtask profile` knows the displacement.
    unsafe { asm!("nop dword ptr [rax + 0x45584f30]", options(nomem, nostack, preserves_flags)) };
}
