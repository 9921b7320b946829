//! `ptrace(2)`: requests, options, events, and the records it moves.

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

consts! { u32;
    PTRACE_TRACEME = 0, "The caller's parent traces the caller.";
    PTRACE_PEEKTEXT = 1, "Reads a word of memory.";
    PTRACE_PEEKDATA = 2, "Reads a word of memory.";
    PTRACE_PEEKUSER = 3, "Reads a word of the registers.";
    PTRACE_POKETEXT = 4, "Writes a word of memory.";
    PTRACE_POKEDATA = 5, "Writes a word of memory.";
    PTRACE_POKEUSER = 6, "Writes a word of the registers.";
    PTRACE_CONT = 7, "Lets it run on.";
    PTRACE_KILL = 8, "Ends it.";
    PTRACE_SINGLESTEP = 9, "Lets it run one instruction.";
    PTRACE_GETREGS = 12, "Reads the registers.";
    PTRACE_SETREGS = 13, "Writes the registers.";
    PTRACE_GETFPREGS = 14, "Reads the floating-point registers.";
    PTRACE_SETFPREGS = 15, "Writes the floating-point registers.";
    PTRACE_ATTACH = 16, "Begins to trace, with a stop.";
    PTRACE_DETACH = 17, "Ends tracing.";
    PTRACE_SYSCALL = 24, "Lets it run to the next system call's beginning or end.";
    PTRACE_SYSEMU = 31, "Lets it run to the next system call, which is not made.";
    PTRACE_SYSEMU_SINGLESTEP = 32, "As `PTRACE_SYSEMU`, one instruction at most.";
    PTRACE_SETOPTIONS = 0x4200, "Sets [`PtraceOptions`].";
    PTRACE_GETEVENTMSG = 0x4201, "Reads the number that belongs to the last event.";
    PTRACE_GETSIGINFO = 0x4202, "Reads what it stopped with.";
    PTRACE_SETSIGINFO = 0x4203, "Writes what it stopped with.";
    PTRACE_GETREGSET = 0x4204, "Reads a set of registers.";
    PTRACE_SETREGSET = 0x4205, "Writes a set of registers.";
    PTRACE_SEIZE = 0x4206, "Begins to trace, without a stop.";
    PTRACE_INTERRUPT = 0x4207, "Stops it.";
    PTRACE_LISTEN = 0x4208, "Leaves it stopped, and tells of what ends the stop.";
    PTRACE_PEEKSIGINFO = 0x4209, "Reads pending signals.";
    PTRACE_GETSIGMASK = 0x420a, "Reads the mask of blocked signals.";
    PTRACE_SETSIGMASK = 0x420b, "Writes the mask of blocked signals.";
    PTRACE_GET_SYSCALL_INFO = 0x420e, "Reads [`SyscallInfo`].";
}

consts! { u32;
    PTRACE_EVENT_FORK = 1, "It has called fork.";
    PTRACE_EVENT_VFORK = 2, "It has called vfork.";
    PTRACE_EVENT_CLONE = 3, "It has called clone.";
    PTRACE_EVENT_EXEC = 4, "It runs another program.";
    PTRACE_EVENT_VFORK_DONE = 5, "Its vfork child lets it go on.";
    PTRACE_EVENT_EXIT = 6, "It ends.";
    PTRACE_EVENT_SECCOMP = 7, "A filter says so.";
    PTRACE_EVENT_STOP = 128, "It stops for its tracer, or with its process.";
}

bitflags! {
    /// Options of a tracer.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct PtraceOptions: u32 {
        /// Stops at system calls differ from those at signals by bit 7.
        const PTRACE_O_TRACESYSGOOD = 1 << 0;
        /// Stop at fork, and trace the child.
        const PTRACE_O_TRACEFORK = 1 << PTRACE_EVENT_FORK;
        /// Stop at vfork, and trace the child.
        const PTRACE_O_TRACEVFORK = 1 << PTRACE_EVENT_VFORK;
        /// Stop at clone, and trace the child.
        const PTRACE_O_TRACECLONE = 1 << PTRACE_EVENT_CLONE;
        /// Stop at execve.
        const PTRACE_O_TRACEEXEC = 1 << PTRACE_EVENT_EXEC;
        /// Stop when vfork returns.
        const PTRACE_O_TRACEVFORKDONE = 1 << PTRACE_EVENT_VFORK_DONE;
        /// Stop at its end.
        const PTRACE_O_TRACEEXIT = 1 << PTRACE_EVENT_EXIT;
        /// Stop where a filter says so.
        const PTRACE_O_TRACESECCOMP = 1 << PTRACE_EVENT_SECCOMP;
        /// It ends with its tracer.
        const PTRACE_O_EXITKILL = 1 << 20;
        /// Filters do not count as long as it is traced.
        const PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
    }
}

consts! { u64;
    NT_PRSTATUS = 1, "Register set: general registers.";
    NT_PRFPREG = 2, "Register set: floating point.";
    NT_X86_XSTATE = 0x202, "Register set: extended state.";
}

consts! { u32;
    AUDIT_ARCH_X86_64 = 0xc000_003e, "The kind of system calls, in [`SyscallInfo`] and for filters.";
}

consts! { u8;
    PTRACE_SYSCALL_INFO_NONE = 0, "It does not stand at a call.";
    PTRACE_SYSCALL_INFO_ENTRY = 1, "It stands before a call.";
    PTRACE_SYSCALL_INFO_EXIT = 2, "It stands behind a call.";
}

/// `struct user_regs_struct`: the registers, 216 bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[allow(missing_docs, reason = "named after the registers")]
pub struct UserRegsStruct {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}

/// Bytes of `struct user`, within which `PTRACE_PEEKUSER` reads: registers first.
pub const USER_SIZE: u64 = 928;

/// `struct ptrace_syscall_info`, as long as at the beginning of a call; at its end there are only the value and whether it
/// is an error.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SyscallInfo {
    /// `PTRACE_SYSCALL_INFO_*`.
    pub op: u8,
    /// Zero.
    pub pad: [u8; 3],
    /// [`AUDIT_ARCH_X86_64`].
    pub arch: u32,
    /// Instruction pointer.
    pub instruction_pointer: u64,
    /// Stack pointer.
    pub stack_pointer: u64,
    /// The number of the call; at its end its answer.
    pub nr: u64,
    /// The arguments; at its end the lowest byte of the first is whether it is an error.
    pub args: [u64; 6],
}

const _: () = assert!(size_of::<UserRegsStruct>() == 216 && size_of::<SyscallInfo>() == 80);
