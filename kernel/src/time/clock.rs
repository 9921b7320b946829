//! The clocks programs read (clock_gettime(2)).
//!
//! All of them derive from the machine's monotonic clock: the wall clock by an offset that setting it changes, the
//! coarse clocks not at all. CPU-time clocks are in [`super::cpu_clocks`].

use hal::time::now_ns;
use linux_abi::errno::Errno;
use linux_abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, DynamicClock,
};

use super::cpu_clocks::CpuClockName;
use super::wall_clock;

/// What a coarse clock claims to resolve: a tick of Linux at 250 Hz.
const COARSE_RESOLUTION_NS: u64 = 4_000_000;

/// A clock of Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// Time since 1970; can be set.
    Realtime,
    /// As [`Self::Realtime`], read coarsely.
    RealtimeCoarse,
    /// International atomic time. Without a leap second table it equals the wall clock, as on Linux after boot.
    Tai,
    /// Time since boot.
    Monotonic,
    /// As [`Self::Monotonic`], which is never slewed here.
    MonotonicRaw,
    /// As [`Self::Monotonic`], read coarsely.
    MonotonicCoarse,
    /// Time since boot with suspensions, of which there are none.
    Boottime,
    /// CPU time of a process or thread.
    Cpu(CpuClockName),
}

impl Clock {
    /// The clock with this number.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn from_id(id: i32) -> Result<Self, Errno> {
        match id {
            CLOCK_REALTIME | CLOCK_REALTIME_ALARM => Ok(Self::Realtime),
            CLOCK_REALTIME_COARSE => Ok(Self::RealtimeCoarse),
            CLOCK_TAI => Ok(Self::Tai),
            CLOCK_MONOTONIC => Ok(Self::Monotonic),
            CLOCK_MONOTONIC_RAW => Ok(Self::MonotonicRaw),
            CLOCK_MONOTONIC_COARSE => Ok(Self::MonotonicCoarse),
            CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => Ok(Self::Boottime),
            CLOCK_PROCESS_CPUTIME_ID => Ok(Self::Cpu(CpuClockName::process(0))),
            CLOCK_THREAD_CPUTIME_ID => Ok(Self::Cpu(CpuClockName::thread(0))),
            _ => match DynamicClock::decode(id) {
                Some(DynamicClock::Process(pid)) => Ok(Self::Cpu(CpuClockName::process(pid))),
                Some(DynamicClock::Thread(tid)) => Ok(Self::Cpu(CpuClockName::thread(tid))),
                Some(DynamicClock::ProcessUser(pid)) => Ok(Self::Cpu(CpuClockName::process(pid).user_time())),
                Some(DynamicClock::ThreadUser(tid)) => Ok(Self::Cpu(CpuClockName::thread(tid).user_time())),
                _ => Err(Errno::EINVAL),
            },
        }
    }

    /// What the clock shows, in nanoseconds.
    ///
    /// # Errors
    /// `EINVAL`: the CPU clock of a process or thread that does not exist.
    pub fn read_ns(self) -> Result<u64, Errno> {
        match self {
            Self::Realtime | Self::RealtimeCoarse | Self::Tai => Ok(wall_clock::now_ns()),
            Self::Monotonic | Self::MonotonicRaw | Self::MonotonicCoarse | Self::Boottime => Ok(now_ns()),
            Self::Cpu(name) => Ok(name.find()?.read_ns()),
        }
    }

    /// What the clock resolves, in nanoseconds.
    pub const fn resolution_ns(self) -> u64 {
        match self {
            Self::RealtimeCoarse | Self::MonotonicCoarse => COARSE_RESOLUTION_NS,
            _ => 1,
        }
    }

    /// Whether setting the wall clock changes what the clock shows.
    pub const fn is_wall_clock(self) -> bool {
        matches!(self, Self::Realtime | Self::RealtimeCoarse | Self::Tai)
    }

    /// When the monotonic clock will show what it shows at the moment this clock shows `at_ns`; the past becomes 0.
    ///
    /// # Errors
    /// `EINVAL`: a clock of CPU time.
    pub fn to_monotonic_ns(self, at_ns: u64) -> Result<u64, Errno> {
        match self {
            Self::Cpu(_) => Err(Errno::EINVAL),
            _ if self.is_wall_clock() => Ok(at_ns.saturating_sub(wall_clock::offset_ns())),
            _ => Ok(at_ns),
        }
    }
}
