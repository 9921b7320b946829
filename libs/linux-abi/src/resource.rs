//! Resource limits, usage, priorities.

use crate::time::Timeval;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct rlimit64`; the same as `struct rlimit` on x86-64.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rlimit64 {
    /// Soft limit: what holds.
    pub rlim_cur: u64,
    /// Hard limit: how far the soft one can be raised.
    pub rlim_max: u64,
}

impl Rlimit64 {
    /// No limit.
    pub const UNLIMITED: Self = Self { rlim_cur: RLIM_INFINITY, rlim_max: RLIM_INFINITY };
}

/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

/// CPU time, seconds.
pub const RLIMIT_CPU: u32 = 0;
/// Size of a file, bytes.
pub const RLIMIT_FSIZE: u32 = 1;
/// Data segment, bytes.
pub const RLIMIT_DATA: u32 = 2;
/// Main stack, bytes.
pub const RLIMIT_STACK: u32 = 3;
/// Core file, bytes.
pub const RLIMIT_CORE: u32 = 4;
/// Resident memory, bytes (not enforced).
pub const RLIMIT_RSS: u32 = 5;
/// Processes of the user.
pub const RLIMIT_NPROC: u32 = 6;
/// Open files: one more than the highest descriptor.
pub const RLIMIT_NOFILE: u32 = 7;
/// Locked memory, bytes.
pub const RLIMIT_MEMLOCK: u32 = 8;
/// Address space, bytes.
pub const RLIMIT_AS: u32 = 9;
/// File locks (not enforced).
pub const RLIMIT_LOCKS: u32 = 10;
/// Queued signals of the user.
pub const RLIMIT_SIGPENDING: u32 = 11;
/// POSIX message queues, bytes.
pub const RLIMIT_MSGQUEUE: u32 = 12;
/// Ceiling of nice, as 20 minus nice.
pub const RLIMIT_NICE: u32 = 13;
/// Ceiling of the real-time priority.
pub const RLIMIT_RTPRIO: u32 = 14;
/// Real-time CPU use without a sleep, microseconds.
pub const RLIMIT_RTTIME: u32 = 15;
/// Number of limits.
pub const RLIM_NLIMITS: usize = 16;

/// `struct rusage`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rusage {
    /// User time.
    pub ru_utime: Timeval,
    /// System time.
    pub ru_stime: Timeval,
    /// Largest resident memory, KiB.
    pub ru_maxrss: i64,
    /// Zero.
    pub ru_ixrss: i64,
    /// Zero.
    pub ru_idrss: i64,
    /// Zero.
    pub ru_isrss: i64,
    /// Page faults without I/O.
    pub ru_minflt: i64,
    /// Page faults with I/O.
    pub ru_majflt: i64,
    /// Zero.
    pub ru_nswap: i64,
    /// Blocks read, of 512 bytes.
    pub ru_inblock: i64,
    /// Blocks written, of 512 bytes.
    pub ru_oublock: i64,
    /// Zero.
    pub ru_msgsnd: i64,
    /// Zero.
    pub ru_msgrcv: i64,
    /// Zero.
    pub ru_nsignals: i64,
    /// Switches because the thread waited.
    pub ru_nvcsw: i64,
    /// Switches because its time was over.
    pub ru_nivcsw: i64,
}

const _: () = assert!(size_of::<Rusage>() == 144);

/// The process.
pub const RUSAGE_SELF: i32 = 0;
/// Its waited-for children.
pub const RUSAGE_CHILDREN: i32 = -1;
/// Both; inside the kernel of Linux only (`wait4`).
pub const RUSAGE_BOTH: i32 = -2;
/// The thread.
pub const RUSAGE_THREAD: i32 = 1;

/// `getpriority`: a process.
pub const PRIO_PROCESS: i32 = 0;
/// `getpriority`: a process group.
pub const PRIO_PGRP: i32 = 1;
/// `getpriority`: a user.
pub const PRIO_USER: i32 = 2;
/// Lowest nice value: most favourable.
pub const NICE_MIN: i32 = -20;
/// Highest nice value.
pub const NICE_MAX: i32 = 19;

/// `ioprio`: a process.
pub const IOPRIO_WHO_PROCESS: i32 = 1;
/// `ioprio`: a process group.
pub const IOPRIO_WHO_PGRP: i32 = 2;
/// `ioprio`: a user.
pub const IOPRIO_WHO_USER: i32 = 3;
