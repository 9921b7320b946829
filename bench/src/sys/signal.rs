//! Calls on signals.

use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, check_library, syscall2, syscall3, syscall4};

/// The size of the kernel's signal set.
const SET_BYTES: usize = 8;

/// How often the handler of [`count_signals`] has run.
static COUNTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn only_wake(_signal: i32) {}

/// Installs a handler.
fn install(signal: i32, handler: extern "C" fn(i32)) -> Result<()> {
    // SAFETY: all zeros is a structure without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: the handler only touches an atomic, which is safe at any moment.
    check_library("sigaction", unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })
        .map(|_| ())
}

/// Counts each `SIGUSR1` from now on.
pub(crate) fn count_signals() -> Result<()> {
    install(libc::SIGUSR1, count)
}

/// Returns how many were counted.
pub(crate) fn signals_counted() -> u64 {
    COUNTED.load(Ordering::Relaxed)
}

/// kill(2): sends `SIGUSR1` to this process, whose id is `pid`.
#[inline(always)]
pub(crate) fn send_to_self(pid: isize) -> isize {
    // SAFETY: the signal is one that this process handles or ignores.
    unsafe { syscall2(libc::SYS_kill, pid as usize, libc::SIGUSR1 as usize) }
}

/// rt_sigaction(2): gives `SIGUSR2` its default action.
#[inline(always)]
pub(crate) fn install_default() -> isize {
    // What the kernel's structure has: handler, flags, restorer, mask.
    let action = [libc::SIG_DFL; 4];
    let (signal, action) = (libc::SIGUSR2 as usize, action.as_ptr() as usize);
    // SAFETY: the kernel reads one structure, which is there; no handler is installed.
    unsafe { syscall4(libc::SYS_rt_sigaction, signal, action, 0, SET_BYTES) }
}

/// rt_sigprocmask(2): blocks `SIGUSR2` and reads the old mask.
#[inline(always)]
pub(crate) fn block_and_query_mask() -> isize {
    let set: u64 = 1 << (libc::SIGUSR2 - 1);
    let mut old = MaybeUninit::<u64>::uninit();
    let (new, old) = ((&raw const set) as usize, old.as_mut_ptr() as usize);
    // SAFETY: the kernel reads one set and writes one, which are there.
    unsafe { syscall4(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK as usize, new, old, SET_BYTES) }
}

/// setitimer(2), twice: sets an alarm far away and stops it.
#[inline(always)]
pub(crate) fn set_alarm_and_stop_it() -> isize {
    let set = set_interval_timer(100);
    if set < 0 { set } else { set_interval_timer(0) }
}

#[inline(always)]
fn set_interval_timer(seconds: i64) -> isize {
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let value =
        libc::itimerval { it_interval: never, it_value: libc::timeval { tv_sec: seconds, tv_usec: 0 } };
    let (which, new) = (libc::ITIMER_REAL as usize, (&raw const value) as usize);
    // SAFETY: the kernel reads one structure, which is there.
    unsafe { syscall3(libc::SYS_setitimer, which, new, 0) }
}

/// Interrupts whatever this process waits for in so many seconds; 0 stops that.
pub(crate) fn wake_after(seconds: u32) -> Result<()> {
    install(libc::SIGALRM, only_wake)?;
    super::check("setitimer", set_interval_timer(i64::from(seconds))).map(|_| ())
}
