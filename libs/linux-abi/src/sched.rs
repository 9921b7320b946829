//! `clone(2)`, scheduling policies, name spaces.

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of the flags of `clone` (not `clone3`) that hold the signal sent when the child ends.
pub const CSIGNAL: u64 = 0xff;

bitflags! {
    /// Flags of `clone`, `clone3`, `unshare`, `setns`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct CloneFlags: u64 {
        /// New time name space (`clone3`, `unshare`: in `clone` the bit belongs to the signal).
        const CLONE_NEWTIME = 0x80;
        /// Share the address space.
        const CLONE_VM = 0x100;
        /// Share root, working directory and umask.
        const CLONE_FS = 0x200;
        /// Share the descriptor table.
        const CLONE_FILES = 0x400;
        /// Share the signal handlers.
        const CLONE_SIGHAND = 0x800;
        /// Return a pidfd.
        const CLONE_PIDFD = 0x1000;
        /// Trace the child as the parent is traced.
        const CLONE_PTRACE = 0x2000;
        /// The parent waits until the child executes or ends.
        const CLONE_VFORK = 0x4000;
        /// The caller's parent is the parent.
        const CLONE_PARENT = 0x8000;
        /// A thread of the same process.
        const CLONE_THREAD = 0x1_0000;
        /// New mount name space.
        const CLONE_NEWNS = 0x2_0000;
        /// Share semaphore undo lists.
        const CLONE_SYSVSEM = 0x4_0000;
        /// Set the thread pointer.
        const CLONE_SETTLS = 0x8_0000;
        /// Store the id in the parent's memory.
        const CLONE_PARENT_SETTID = 0x10_0000;
        /// Clear the id in the child's memory, and wake a futex there, when the child ends.
        const CLONE_CHILD_CLEARTID = 0x20_0000;
        /// Ignored.
        const CLONE_DETACHED = 0x40_0000;
        /// A tracer cannot force tracing.
        const CLONE_UNTRACED = 0x80_0000;
        /// Store the id in the child's memory.
        const CLONE_CHILD_SETTID = 0x100_0000;
        /// New control group name space.
        const CLONE_NEWCGROUP = 0x200_0000;
        /// New host name name space.
        const CLONE_NEWUTS = 0x400_0000;
        /// New System V IPC name space.
        const CLONE_NEWIPC = 0x800_0000;
        /// New user name space.
        const CLONE_NEWUSER = 0x1000_0000;
        /// New process id name space.
        const CLONE_NEWPID = 0x2000_0000;
        /// New network name space.
        const CLONE_NEWNET = 0x4000_0000;
        /// Share the I/O context.
        const CLONE_IO = 0x8000_0000;
        /// `clone3`: reset handlers to default.
        const CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
        /// `clone3`: put the child into a control group.
        const CLONE_INTO_CGROUP = 0x2_0000_0000;
    }
}

impl CloneFlags {
    /// All flags that make a new name space.
    pub const NAMESPACES: Self = Self::CLONE_NEWTIME
        .union(Self::CLONE_NEWNS)
        .union(Self::CLONE_NEWCGROUP)
        .union(Self::CLONE_NEWUTS)
        .union(Self::CLONE_NEWIPC)
        .union(Self::CLONE_NEWUSER)
        .union(Self::CLONE_NEWPID)
        .union(Self::CLONE_NEWNET);
}

/// `struct clone_args` of `clone3`. Older programs pass a shorter one; the rest counts as zero.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CloneArgs {
    /// [`CloneFlags`].
    pub flags: u64,
    /// Where to store the pidfd (`int`).
    pub pidfd: u64,
    /// Where to store the id in the child.
    pub child_tid: u64,
    /// Where to store the id in the parent.
    pub parent_tid: u64,
    /// Signal sent when the child ends; 0: none.
    pub exit_signal: u64,
    /// Lowest address of the child's stack; 0: the caller's.
    pub stack: u64,
    /// Size of the stack, bytes.
    pub stack_size: u64,
    /// Thread pointer.
    pub tls: u64,
    /// Address of an array of ids to take.
    pub set_tid: u64,
    /// Ids in that array.
    pub set_tid_size: u64,
    /// Descriptor of a control group.
    pub cgroup: u64,
}

const _: () = assert!(size_of::<CloneArgs>() == CLONE_ARGS_SIZE_VER2);

consts! { usize;
    CLONE_ARGS_SIZE_VER0 = 64, "Size of the first [`CloneArgs`], the smallest accepted.";
    CLONE_ARGS_SIZE_VER1 = 80, "Size of [`CloneArgs`] up to `set_tid_size`.";
    CLONE_ARGS_SIZE_VER2 = 88, "Size of [`CloneArgs`] up to `cgroup`.";
}

consts! { u32;
    SCHED_NORMAL = 0, "Policy: time-sharing.";
    SCHED_FIFO = 1, "Policy: real-time, runs until it waits.";
    SCHED_RR = 2, "Policy: real-time, round robin.";
    SCHED_BATCH = 3, "Policy: time-sharing, never interactive.";
    SCHED_IDLE = 5, "Policy: only when nothing else runs.";
    SCHED_DEADLINE = 6, "Policy: earliest deadline first.";
    SCHED_RESET_ON_FORK = 0x4000_0000, "Bit beside the policy: children start with the normal one.";
}

consts! { u32;
    SCHED_PRIORITY_MIN = 1, "Lowest priority of the real-time policies.";
    SCHED_PRIORITY_MAX = 99, "Highest priority of the real-time policies.";
}

consts! { u64;
    SCHED_FLAG_RESET_ON_FORK = 0x01, "`sched_flags`: children start with the normal policy.";
    SCHED_FLAG_RECLAIM = 0x02, "`sched_flags`: use what others leave.";
    SCHED_FLAG_DL_OVERRUN = 0x04, "`sched_flags`: signal an overrun.";
    SCHED_FLAG_KEEP_POLICY = 0x08, "`sched_flags`: do not change the policy.";
    SCHED_FLAG_KEEP_PARAMS = 0x10, "`sched_flags`: do not change the parameters.";
    SCHED_FLAG_UTIL_CLAMP_MIN = 0x20, "`sched_flags`: `sched_util_min` is set.";
    SCHED_FLAG_UTIL_CLAMP_MAX = 0x40, "`sched_flags`: `sched_util_max` is set.";
}

/// `struct sched_param`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SchedParam {
    /// Real-time priority, 1 to 99; 0 for other policies.
    pub sched_priority: i32,
}

/// `struct sched_attr`. Older programs pass a shorter one.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SchedAttr {
    /// Size of this structure as its writer knows it.
    pub size: u32,
    /// `SCHED_*`.
    pub sched_policy: u32,
    /// `SCHED_FLAG_*`.
    pub sched_flags: u64,
    /// Nice value.
    pub sched_nice: i32,
    /// Real-time priority.
    pub sched_priority: u32,
    /// Deadline policy: runtime, nanoseconds.
    pub sched_runtime: u64,
    /// Deadline policy: deadline, nanoseconds.
    pub sched_deadline: u64,
    /// Deadline policy: period, nanoseconds.
    pub sched_period: u64,
    /// Lowest utilisation, 0 to 1024.
    pub sched_util_min: u32,
    /// Highest utilisation, 0 to 1024.
    pub sched_util_max: u32,
}

/// Size of the first [`SchedAttr`].
pub const SCHED_ATTR_SIZE_VER0: usize = 48;
const _: () = assert!(size_of::<SchedAttr>() == 56);
