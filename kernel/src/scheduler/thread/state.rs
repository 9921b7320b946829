//! Whether a thread runs, and what may wake it.
//!
//! # Protocol
//! A thread that wants to sleep
//! 1. makes itself findable (joins a wait queue, arms a timer),
//! 2. stores a sleeping state, itself,
//! 3. looks at its condition once more, and, if it need not sleep, stores `RUNNABLE` again,
//! 4. calls `schedule()`, which under the lock of its CPU's run queue looks at the state: still sleeping, then the
//!    thread becomes *inactive* and another runs; else it goes on.
//!
//! A waker first makes the condition true, then, under the lock of the run queue of the CPU the thread belongs to, looks
//! at the state: if it is one the wake-up is for, it stores `RUNNABLE` and, if the thread is inactive, makes it active
//! and queues it. Because both looks are made under the same lock, a wake-up is either seen in step 4 or finds the
//! thread inactive: it cannot get lost, and no thread is queued twice or while it runs.
//! `scheduler::core::handover` explores every interleaving of the two.

use core::fmt;

/// A thread's state: one bit, or none for a thread that runs or can run. Several bits make a set of states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct State(u32);

impl State {
    /// Runs, or waits for a CPU only.
    pub const RUNNABLE: Self = Self(0);
    /// Sleeps until its condition comes true or a signal is there.
    pub const INTERRUPTIBLE: Self = Self(1);
    /// Sleeps until its condition comes true.
    pub const UNINTERRUPTIBLE: Self = Self(2);
    /// Sleeps until its condition comes true or it is to die.
    pub const KILLABLE: Self = Self(4);
    /// Stopped by a signal.
    pub const STOPPED: Self = Self(8);
    /// Has ended.
    pub const DEAD: Self = Self(16);
    /// Every state a condition coming true ends.
    pub const ANY_SLEEP: Self = Self(1 | 2 | 4);

    /// Whether the state is one of `set`.
    pub const fn is_in(self, set: Self) -> bool {
        self.0 & set.0 != 0
    }

    /// The states of both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// A state from its bits.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The letter that `/proc/PID/stat` shows.
    pub const fn letter(self) -> char {
        match self {
            Self::RUNNABLE => 'R',
            Self::INTERRUPTIBLE => 'S',
            Self::STOPPED => 'T',
            Self::DEAD => 'X',
            _ => 'D',
        }
    }

    /// The word that `/proc/PID/status` shows beside the letter.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RUNNABLE => "running",
            Self::INTERRUPTIBLE => "sleeping",
            Self::STOPPED => "stopped",
            Self::DEAD => "dead",
            _ => "disk sleep",
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
