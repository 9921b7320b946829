//! `seccomp(2)`, and the programs of its filters (classic BPF).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

consts! { u32;
    SECCOMP_MODE_DISABLED = 0, "Every call is served.";
    SECCOMP_MODE_STRICT = 1, "Four calls are served.";
    SECCOMP_MODE_FILTER = 2, "Filters decide.";
    SECCOMP_SET_MODE_STRICT = 0, "Goes to strict mode.";
    SECCOMP_SET_MODE_FILTER = 1, "Adds a filter.";
    SECCOMP_GET_ACTION_AVAIL = 2, "Tells whether an action is known.";
    SECCOMP_GET_NOTIF_SIZES = 3, "Returns the sizes of notifications.";
    SECCOMP_FILTER_FLAG_TSYNC = 1, "For all threads of the process.";
    SECCOMP_FILTER_FLAG_LOG = 2, "Notes what is not allowed in the kernel log.";
    SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4, "Without mitigations of speculation.";
    SECCOMP_FILTER_FLAG_NEW_LISTENER = 8, "Returns a descriptor for notifications.";
    SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 16, "A thread that cannot follow is `ESRCH`.";
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32, "Only a fatal signal ends a notification.";
    SECCOMP_RET_KILL_PROCESS = 0x8000_0000, "Ends the process.";
    SECCOMP_RET_KILL_THREAD = 0, "Ends the thread.";
    SECCOMP_RET_TRAP = 0x0003_0000, "Sends SIGSYS.";
    SECCOMP_RET_ERRNO = 0x0005_0000, "Answers an error.";
    SECCOMP_RET_USER_NOTIF = 0x7fc0_0000, "Asks a listener.";
    SECCOMP_RET_TRACE = 0x7ff0_0000, "Asks a tracer.";
    SECCOMP_RET_LOG = 0x7ffc_0000, "Serves the call and notes it.";
    SECCOMP_RET_ALLOW = 0x7fff_0000, "Serves the call.";
    SECCOMP_RET_ACTION_FULL = 0xffff_0000, "The action in an answer.";
    SECCOMP_RET_DATA = 0x0000_ffff, "The data in an answer.";
    AUDIT_ARCH_X86_64 = 0xc000_003e, "The architecture.";
}

/// Instructions of a filter at most.
pub const BPF_MAXINSNS: usize = 4096;

/// `struct sock_filter`: an instruction.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SockFilter {
    /// What to do.
    pub code: u16,
    /// Instructions to skip if true.
    pub jt: u8,
    /// Instructions to skip if false.
    pub jf: u8,
    /// A number.
    pub k: u32,
}

/// `struct sock_fprog`: a program.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SockFprog {
    /// Number of instructions.
    pub len: u16,
    /// Padding.
    pub _pad: [u16; 3],
    /// Their address.
    pub filter: u64,
}

/// `struct seccomp_data`: what a filter sees of a call.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SeccompData {
    /// Its number.
    pub nr: i32,
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// The address behind the instruction that made it.
    pub instruction_pointer: u64,
    /// Its arguments.
    pub args: [u64; 6],
}

const _: () = assert!(size_of::<SeccompData>() == 64 && size_of::<SockFprog>() == 16);
