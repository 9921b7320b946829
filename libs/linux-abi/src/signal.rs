//! Signals: numbers, sets, actions, alternate stacks.
//!
//! What travels with a signal is in [`siginfo`](crate::siginfo), the frame that a handler gets in
//! [`sigframe`](crate::sigframe).

use bitflags::bitflags;
use core::fmt;
use core::ops::{BitAnd, BitOr, Not};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Number of signals; the highest one.
pub const NSIG: u32 = 64;
/// First real-time signal as the kernel sees it (C libraries keep two or three for themselves).
pub const SIGRTMIN: u32 = 32;
/// Last real-time signal.
pub const SIGRTMAX: u32 = 64;

/// A signal, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        impl Signal {
            $(
                #[doc = $doc]
                pub const $name: Self = Self($number);
            )*

            /// Returns the symbol of a standard signal, `"SIGKILL"`; `None` for real-time signals.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

signals! {
    SIGHUP = 1, "The terminal hung up.";
    SIGINT = 2, "Interrupt from the keyboard.";
    SIGQUIT = 3, "Quit from the keyboard.";
    SIGILL = 4, "Illegal instruction.";
    SIGTRAP = 5, "Breakpoint or trace.";
    SIGABRT = 6, "Abort.";
    SIGBUS = 7, "Bad memory access: no such object behind the mapping, or alignment.";
    SIGFPE = 8, "Arithmetic fault.";
    SIGKILL = 9, "Kill; cannot be caught.";
    SIGUSR1 = 10, "For programs.";
    SIGSEGV = 11, "Bad memory access: not mapped, or not permitted.";
    SIGUSR2 = 12, "For programs.";
    SIGPIPE = 13, "Write to a pipe without readers.";
    SIGALRM = 14, "The real-time interval timer fired.";
    SIGTERM = 15, "Terminate.";
    SIGSTKFLT = 16, "Unused.";
    SIGCHLD = 17, "A child ended, stopped or continued.";
    SIGCONT = 18, "Continue if stopped.";
    SIGSTOP = 19, "Stop; cannot be caught.";
    SIGTSTP = 20, "Stop from the keyboard.";
    SIGTTIN = 21, "Terminal read from the background.";
    SIGTTOU = 22, "Terminal write from the background.";
    SIGURG = 23, "Urgent data on a socket.";
    SIGXCPU = 24, "CPU time limit.";
    SIGXFSZ = 25, "File size limit.";
    SIGVTALRM = 26, "The user-time interval timer fired.";
    SIGPROF = 27, "The profiling timer fired.";
    SIGWINCH = 28, "The terminal's window changed its size.";
    SIGIO = 29, "I/O is possible.";
    SIGPWR = 30, "Power failure.";
    SIGSYS = 31, "Bad system call.";
}

/// What happens to a process that has no handler for a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// It ends.
    Terminate,
    /// It ends and dumps core.
    CoreDump,
    /// Nothing.
    Ignore,
    /// It stops.
    Stop,
    /// It continues if stopped.
    Continue,
}

impl Signal {
    /// Returns signal `number` if there is one.
    pub const fn new(number: u32) -> Option<Self> {
        if number >= 1 && number <= NSIG { Some(Self(number as u8)) } else { None }
    }

    /// Returns the number, 1 to 64.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// Returns the number minus one: an index into a table of 64.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Tells whether this is a real-time signal: several are queued, in order.
    pub const fn is_realtime(self) -> bool {
        self.number() >= SIGRTMIN
    }

    /// Returns the action without a handler.
    pub const fn default_action(self) -> DefaultAction {
        match self {
            Self::SIGCHLD | Self::SIGURG | Self::SIGWINCH => DefaultAction::Ignore,
            Self::SIGCONT => DefaultAction::Continue,
            Self::SIGSTOP | Self::SIGTSTP | Self::SIGTTIN | Self::SIGTTOU => DefaultAction::Stop,
            Self::SIGQUIT
            | Self::SIGILL
            | Self::SIGTRAP
            | Self::SIGABRT
            | Self::SIGBUS
            | Self::SIGFPE
            | Self::SIGSEGV
            | Self::SIGXCPU
            | Self::SIGXFSZ
            | Self::SIGSYS => DefaultAction::CoreDump,
            _ => DefaultAction::Terminate,
        }
    }
}

/// Writes the symbol, or `SIGRT_n` for a real-time signal.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "SIGRT_{}", self.number() - SIGRTMIN),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The kernel's `sigset_t`: a set of signals, bit `number - 1`.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SigSet(pub u64);

/// Size of [`SigSet`]: the only `sigsetsize` that calls accept.
pub const SIGSET_SIZE: usize = 8;

impl SigSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// Every signal.
    pub const FULL: Self = Self(u64::MAX);
    /// What cannot be caught, blocked or ignored.
    pub const UNBLOCKABLE: Self = Self::of(&[Signal::SIGKILL, Signal::SIGSTOP]);
    /// Signals that an instruction of the thread itself causes; delivered before others.
    pub const SYNCHRONOUS: Self = Self::of(&[
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGFPE,
        Signal::SIGSYS,
    ]);
    /// Signals that stop a process by default.
    pub const STOP: Self = Self::of(&[Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);

    /// Builds the set of `signals`.
    pub const fn of(signals: &[Signal]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < signals.len() {
            bits |= 1 << signals[i].index();
            i += 1;
        }
        Self(bits)
    }

    /// Tells whether `signal` is in the set.
    #[inline]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 >> signal.index() & 1 != 0
    }

    /// Tells whether the set is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Puts `signal` in.
    #[inline]
    pub const fn insert(&mut self, signal: Signal) {
        self.0 |= 1 << signal.index();
    }

    /// Takes `signal` out.
    #[inline]
    pub const fn remove(&mut self, signal: Signal) {
        self.0 &= !(1 << signal.index());
    }

    /// Returns the signals of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the signals of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the signals of this set that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the lowest signal.
    pub const fn first(self) -> Option<Signal> {
        if self.0 == 0 { None } else { Some(Signal(self.0.trailing_zeros() as u8 + 1)) }
    }

    /// Iterates over the signals, ascending.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let signal = rest.first()?;
            rest.remove(signal);
            Some(signal)
        })
    }
}

impl BitOr for SigSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitAnd for SigSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl Not for SigSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Lists the signals.
impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Handler value: the default action.
pub const SIG_DFL: u64 = 0;
/// Handler value: ignore.
pub const SIG_IGN: u64 = 1;

/// `rt_sigprocmask`: add to the mask.
pub const SIG_BLOCK: u32 = 0;
/// `rt_sigprocmask`: take from the mask.
pub const SIG_UNBLOCK: u32 = 1;
/// `rt_sigprocmask`: replace the mask.
pub const SIG_SETMASK: u32 = 2;

bitflags! {
    /// Flags of a signal action.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct SaFlags: u64 {
        /// No `SIGCHLD` when a child stops.
        const SA_NOCLDSTOP = 0x1;
        /// Children leave no zombies.
        const SA_NOCLDWAIT = 0x2;
        /// The handler takes three arguments. (The frame is the same either way.)
        const SA_SIGINFO = 0x4;
        /// Asks whether the kernel clears unknown flags; itself never kept.
        const SA_UNSUPPORTED = 0x400;
        /// Keep address tag bits; no meaning on x86-64.
        const SA_EXPOSE_TAGBITS = 0x800;
        /// `restorer` is set: required on x86-64.
        const SA_RESTORER = 0x0400_0000;
        /// Run on the alternate stack.
        const SA_ONSTACK = 0x0800_0000;
        /// Restart interrupted calls.
        const SA_RESTART = 0x1000_0000;
        /// Do not block the signal while its handler runs.
        const SA_NODEFER = 0x4000_0000;
        /// Back to the default action when the handler starts.
        const SA_RESETHAND = 0x8000_0000;
    }
}

impl SaFlags {
    /// The flags that the kernel keeps; it drops the others silently (and answers `SA_UNSUPPORTED` so).
    pub const KNOWN: Self = Self::all().difference(Self::SA_UNSUPPORTED);
}

/// The kernel's `struct sigaction` (argument of `rt_sigaction`).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct KernelSigaction {
    /// `SIG_DFL`, `SIG_IGN` or the address of the handler.
    pub handler: u64,
    /// [`SaFlags`].
    pub flags: u64,
    /// Address of the code that calls `rt_sigreturn`.
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: SigSet,
}

const _: () = assert!(size_of::<KernelSigaction>() == 32);

/// `union sigval`: an `int` or a pointer in eight bytes.
pub type SigVal = u64;

/// `stack_t`: an alternate stack.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct StackT {
    /// Lowest address.
    pub ss_sp: u64,
    /// `SS_*`.
    pub ss_flags: u32,
    /// Zero.
    pub _pad: u32,
    /// Size in bytes.
    pub ss_size: u64,
}

const _: () = assert!(size_of::<StackT>() == 24);

/// `ss_flags`: the thread runs on it now.
pub const SS_ONSTACK: u32 = 1;
/// `ss_flags`: there is none.
pub const SS_DISABLE: u32 = 2;
/// `ss_flags`, a bit: disable while a handler runs on it.
pub const SS_AUTODISARM: u32 = 1 << 31;
/// Smallest alternate stack that `sigaltstack` accepts, bytes.
pub const MINSIGSTKSZ: u64 = 2048;
/// Good size of an alternate stack, bytes.
pub const SIGSTKSZ: u64 = 8192;

/// `signalfd4`: close on exec.
pub const SFD_CLOEXEC: u32 = 0o2000000;
/// `signalfd4`: do not wait.
pub const SFD_NONBLOCK: u32 = 0o4000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn only_1_to_64_are_signals() {
        assert_eq!(Signal::new(0), None);
        assert_eq!(Signal::new(65), None);
        assert_eq!(Signal::new(u32::MAX), None);
        assert_eq!(Signal::new(64).map(Signal::index), Some(63));
        assert_eq!(Signal::new(9), Some(Signal::SIGKILL));
    }

    #[test]
    fn sets_contain_what_was_inserted() {
        let mut set = SigSet::of(&[Signal::SIGHUP, Signal::SIGKILL]);
        set.insert(Signal::new(64).unwrap());
        assert_eq!(set.0, 1 | 1 << 8 | 1 << 63);
        assert_eq!(set.iter().map(Signal::number).collect::<Vec<_>>(), [1, 9, 64]);
        set.remove(Signal::SIGHUP);
        assert_eq!(set.first(), Some(Signal::SIGKILL));
        assert!(!set.contains(Signal::SIGHUP));
        assert_eq!(set.difference(SigSet::UNBLOCKABLE).iter().count(), 1);
        assert_eq!(SigSet::FULL.iter().count(), 64);
        assert_eq!((!set & set), SigSet::EMPTY);
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(Signal::SIGSYS.to_string(), "SIGSYS");
        assert_eq!(Signal::new(34).unwrap().to_string(), "SIGRT_2");
    }
}
