//! Clocks, times and timers.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;
/// Nanoseconds in a microsecond.
pub const NSEC_PER_USEC: u64 = 1_000;
/// Microseconds in a second.
pub const USEC_PER_SEC: u64 = 1_000_000;

/// Tells whether a time is a valid duration: not negative, and the fraction below the `per_second` units of a second.
const fn is_duration(seconds: i64, fraction: i64, per_second: u64) -> bool {
    seconds >= 0 && fraction >= 0 && (fraction as u64) < per_second
}

/// Returns the nanoseconds of a duration; `None` (for `EINVAL`) if it is not valid.
///
/// A value beyond `u64` saturates, as in Linux: centuries are as good as forever.
const fn duration_ns(seconds: i64, fraction: i64, per_second: u64) -> Option<u64> {
    if !is_duration(seconds, fraction, per_second) {
        return None;
    }
    let whole = (seconds as u64).saturating_mul(NSEC_PER_SEC);
    Some(whole.saturating_add(fraction as u64 * (NSEC_PER_SEC / per_second)))
}

/// `struct timespec`: seconds and nanoseconds.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct Timespec {
    /// Whole seconds; negative before 1970 when this is a date.
    pub tv_sec: i64,
    /// Nanoseconds, 0 to 999 999 999 in a valid value.
    pub tv_nsec: i64,
}

impl Timespec {
    /// Zero.
    pub const ZERO: Self = Self { tv_sec: 0, tv_nsec: 0 };

    /// Builds the time `ns` nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self { tv_sec: (ns / NSEC_PER_SEC) as i64, tv_nsec: (ns % NSEC_PER_SEC) as i64 }
    }

    /// Tells whether this is a valid duration or timeout: not negative, nanoseconds below one second.
    pub const fn is_valid(&self) -> bool {
        is_duration(self.tv_sec, self.tv_nsec, NSEC_PER_SEC)
    }

    /// Returns the nanoseconds, at most `u64::MAX`; `None` (for `EINVAL`) if not valid.
    pub const fn to_ns(&self) -> Option<u64> {
        duration_ns(self.tv_sec, self.tv_nsec, NSEC_PER_SEC)
    }
}

/// `struct timeval`: seconds and microseconds.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct Timeval {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Microseconds, 0 to 999 999 in a valid value.
    pub tv_usec: i64,
}

impl Timeval {
    /// Builds the time `ns` nanoseconds, rounded down to microseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self { tv_sec: (ns / NSEC_PER_SEC) as i64, tv_usec: (ns % NSEC_PER_SEC / NSEC_PER_USEC) as i64 }
    }

    /// Tells whether this is a valid duration: not negative, microseconds below one second.
    pub const fn is_valid(&self) -> bool {
        is_duration(self.tv_sec, self.tv_usec, USEC_PER_SEC)
    }

    /// Returns the nanoseconds, at most `u64::MAX`; `None` (for `EINVAL`) if not valid.
    pub const fn to_ns(&self) -> Option<u64> {
        duration_ns(self.tv_sec, self.tv_usec, USEC_PER_SEC)
    }
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimerspec {
    /// Period; zero: fires once.
    pub it_interval: Timespec,
    /// First expiry; zero: disarmed.
    pub it_value: Timespec,
}

/// `struct itimerval`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimerval {
    /// Period; zero: fires once.
    pub it_interval: Timeval,
    /// First expiry; zero: disarmed.
    pub it_value: Timeval,
}

/// `struct timezone` of `gettimeofday`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timezone {
    /// Minutes west of Greenwich.
    pub tz_minuteswest: i32,
    /// Kind of daylight saving.
    pub tz_dsttime: i32,
}

/// `struct tms` of `times`, in clock ticks of 10 ms.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tms {
    /// User time of the process.
    pub tms_utime: i64,
    /// System time of the process.
    pub tms_stime: i64,
    /// User time of its waited-for children.
    pub tms_cutime: i64,
    /// System time of its waited-for children.
    pub tms_cstime: i64,
}

/// `struct utimbuf` of `utime`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Utimbuf {
    /// Access time, seconds.
    pub actime: i64,
    /// Modification time, seconds.
    pub modtime: i64,
}

/// `utimensat`: as `tv_nsec`, set the current time.
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// `utimensat`: as `tv_nsec`, leave the time alone.
pub const UTIME_OMIT: i64 = 0x3fff_fffe;

/// Wall clock.
pub const CLOCK_REALTIME: i32 = 0;
/// Time since boot without suspension, never set.
pub const CLOCK_MONOTONIC: i32 = 1;
/// CPU time of the process.
pub const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
/// CPU time of the thread.
pub const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
/// As monotonic, but not slewed.
pub const CLOCK_MONOTONIC_RAW: i32 = 4;
/// Wall clock at the last tick.
pub const CLOCK_REALTIME_COARSE: i32 = 5;
/// Monotonic clock at the last tick.
pub const CLOCK_MONOTONIC_COARSE: i32 = 6;
/// Time since boot, suspension included.
pub const CLOCK_BOOTTIME: i32 = 7;
/// Wall clock, wakes a suspended system.
pub const CLOCK_REALTIME_ALARM: i32 = 8;
/// Boot time, wakes a suspended system.
pub const CLOCK_BOOTTIME_ALARM: i32 = 9;
/// International atomic time.
pub const CLOCK_TAI: i32 = 11;

/// What a negative clock id means: the CPU clock of some process or thread, or a clock behind a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DynamicClock {
    /// CPU time of the process with this id (0: the caller).
    Process(i32),
    /// CPU time of the thread with this id (0: the caller).
    Thread(i32),
    /// Time in user mode of the process with this id (0: the caller).
    ProcessUser(i32),
    /// Time in user mode of the thread with this id (0: the caller).
    ThreadUser(i32),
    /// The clock device behind this descriptor.
    Descriptor(i32),
}

impl DynamicClock {
    /// Decodes a negative clock id; `None` for a non-negative one.
    pub const fn decode(clock: i32) -> Option<Self> {
        if clock >= 0 {
            return None;
        }
        let id = !(clock >> 3);
        Some(match clock & 7 {
            3 | 7 => Self::Descriptor(id),
            1 => Self::ProcessUser(id),
            5 => Self::ThreadUser(id),
            kind if kind & 4 != 0 => Self::Thread(id),
            _ => Self::Process(id),
        })
    }
}

/// Interval timer over wall-clock time, `SIGALRM`.
pub const ITIMER_REAL: i32 = 0;
/// Interval timer over user time, `SIGVTALRM`.
pub const ITIMER_VIRTUAL: i32 = 1;
/// Interval timer over user and system time, `SIGPROF`.
pub const ITIMER_PROF: i32 = 2;

/// The given time is a point, not a duration.
pub const TIMER_ABSTIME: u32 = 1;

/// `timerfd_create`: close on exec.
pub const TFD_CLOEXEC: u32 = 0o2000000;
/// `timerfd_create`: do not wait.
pub const TFD_NONBLOCK: u32 = 0o4000;
/// `timerfd_settime`: the time is a point.
pub const TFD_TIMER_ABSTIME: u32 = 1;
/// `timerfd_settime`: report that the wall clock was set.
pub const TFD_TIMER_CANCEL_ON_SET: u32 = 2;

/// `sigevent`: send a signal to the process.
pub const SIGEV_SIGNAL: i32 = 0;
/// `sigevent`: do nothing.
pub const SIGEV_NONE: i32 = 1;
/// `sigevent`: run a function in a thread (libraries translate it).
pub const SIGEV_THREAD: i32 = 2;
/// `sigevent`, a bit: send the signal to one thread.
pub const SIGEV_THREAD_ID: i32 = 4;

/// `struct sigevent`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sigevent {
    /// Value that travels with the signal.
    pub sigev_value: u64,
    /// Signal number.
    pub sigev_signo: i32,
    /// `SIGEV_*`.
    pub sigev_notify: i32,
    /// Thread to signal with [`SIGEV_THREAD_ID`].
    pub sigev_notify_thread_id: i32,
    /// The rest of the union.
    pub _pad: [i32; 11],
}

const _: () = assert!(size_of::<Sigevent>() == 64);
