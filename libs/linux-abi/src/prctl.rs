//! `prctl(2)` and `arch_prctl(2)`.

consts! { u32;
    PR_SET_PDEATHSIG = 1, "Sets the signal sent when the parent ends.";
    PR_GET_PDEATHSIG = 2, "Returns the signal sent when the parent ends.";
    PR_GET_DUMPABLE = 3, "Returns whether core may be dumped.";
    PR_SET_DUMPABLE = 4, "Sets whether core may be dumped.";
    PR_GET_UNALIGN = 5, "Returns the treatment of unaligned accesses.";
    PR_SET_UNALIGN = 6, "Sets the treatment of unaligned accesses.";
    PR_GET_KEEPCAPS = 7, "Returns whether capabilities survive a change of user.";
    PR_SET_KEEPCAPS = 8, "Sets whether capabilities survive a change of user.";
    PR_GET_FPEMU = 9, "Returns the floating-point emulation.";
    PR_SET_FPEMU = 10, "Sets the floating-point emulation.";
    PR_GET_FPEXC = 11, "Returns the floating-point exception mode.";
    PR_SET_FPEXC = 12, "Sets the floating-point exception mode.";
    PR_GET_TIMING = 13, "Returns the process timing method.";
    PR_SET_TIMING = 14, "Sets the process timing method.";
    PR_SET_NAME = 15, "Sets the thread's name.";
    PR_GET_NAME = 16, "Returns the thread's name.";
    PR_GET_ENDIAN = 19, "Returns the byte order.";
    PR_SET_ENDIAN = 20, "Sets the byte order.";
    PR_GET_SECCOMP = 21, "Returns the seccomp mode.";
    PR_SET_SECCOMP = 22, "Sets the seccomp mode.";
    PR_CAPBSET_READ = 23, "Returns whether a capability is in the bounding set.";
    PR_CAPBSET_DROP = 24, "Drops a capability from the bounding set.";
    PR_GET_TSC = 25, "Returns whether RDTSC works.";
    PR_SET_TSC = 26, "Sets whether RDTSC works.";
    PR_GET_SECUREBITS = 27, "Returns the secure bits.";
    PR_SET_SECUREBITS = 28, "Sets the secure bits.";
    PR_SET_TIMERSLACK = 29, "Sets the timer slack, nanoseconds.";
    PR_GET_TIMERSLACK = 30, "Returns the timer slack, nanoseconds.";
    PR_TASK_PERF_EVENTS_DISABLE = 31, "Disables the process's performance events.";
    PR_TASK_PERF_EVENTS_ENABLE = 32, "Enables the process's performance events.";
    PR_MCE_KILL = 33, "Sets the treatment of memory errors.";
    PR_MCE_KILL_GET = 34, "Returns the treatment of memory errors.";
    PR_SET_MM = 35, "Sets fields of the address space's description.";
    PR_SET_CHILD_SUBREAPER = 36, "Becomes the parent of orphaned descendants.";
    PR_GET_CHILD_SUBREAPER = 37, "Returns whether orphaned descendants are adopted.";
    PR_SET_NO_NEW_PRIVS = 38, "Gives up gaining rights by executing.";
    PR_GET_NO_NEW_PRIVS = 39, "Returns whether rights can be gained by executing.";
    PR_GET_TID_ADDRESS = 40, "Returns the address set by `set_tid_address`.";
    PR_SET_THP_DISABLE = 41, "Sets whether huge pages are disabled.";
    PR_GET_THP_DISABLE = 42, "Returns whether huge pages are disabled.";
    PR_CAP_AMBIENT = 47, "Changes the ambient capabilities.";
    PR_GET_SPECULATION_CTRL = 52, "Returns the state of a speculation control.";
    PR_SET_SPECULATION_CTRL = 53, "Sets a speculation control.";
    PR_SET_IO_FLUSHER = 57, "Marks the process as part of the I/O path.";
    PR_GET_IO_FLUSHER = 58, "Returns whether the process is part of the I/O path.";
    PR_SET_SYSCALL_USER_DISPATCH = 59, "Hands system calls to the process itself.";
    PR_SCHED_CORE = 62, "Core scheduling.";
    PR_SET_MDWE = 65, "Refuses memory that is writable and executable.";
    PR_GET_MDWE = 66, "Returns whether such memory is refused.";
    PR_SET_VMA = 0x5356_4d41, "Sets attributes of a mapping.";
    PR_SET_PTRACER = 0x5961_6d61, "Sets who may trace the process.";
}

consts! { u64;
    PR_SET_VMA_ANON_NAME = 0, "`PR_SET_VMA`: sets the name of anonymous memory.";
    PR_CAP_AMBIENT_IS_SET = 1, "`PR_CAP_AMBIENT`: returns whether one is set.";
    PR_CAP_AMBIENT_RAISE = 2, "`PR_CAP_AMBIENT`: adds one.";
    PR_CAP_AMBIENT_LOWER = 3, "`PR_CAP_AMBIENT`: removes one.";
    PR_CAP_AMBIENT_CLEAR_ALL = 4, "`PR_CAP_AMBIENT`: removes all.";
    PR_TSC_ENABLE = 1, "`PR_SET_TSC`: RDTSC works.";
    PR_TSC_SIGSEGV = 2, "`PR_SET_TSC`: RDTSC is a fault.";
    PR_SET_MM_START_CODE = 1, "`PR_SET_MM`: start of the code.";
    PR_SET_MM_MAP = 14, "`PR_SET_MM`: all at once.";
    PR_SET_MM_MAP_SIZE = 15, "`PR_SET_MM`: size of the structure for all at once.";
    PR_MCE_KILL_DEFAULT = 2, "`PR_MCE_KILL`: as the system is set.";
}

consts! { u32;
    ARCH_SET_GS = 0x1001, "Sets the base of gs.";
    ARCH_SET_FS = 0x1002, "Sets the base of fs.";
    ARCH_GET_FS = 0x1003, "Returns the base of fs.";
    ARCH_GET_GS = 0x1004, "Returns the base of gs.";
    ARCH_GET_CPUID = 0x1011, "Returns whether CPUID works.";
    ARCH_SET_CPUID = 0x1012, "Sets whether CPUID works.";
    ARCH_GET_XCOMP_SUPP = 0x1021, "Returns the supported extended states.";
    ARCH_GET_XCOMP_PERM = 0x1022, "Returns the permitted extended states.";
    ARCH_REQ_XCOMP_PERM = 0x1023, "Asks for an extended state.";
    ARCH_MAP_VDSO_64 = 0x2003, "Maps the vDSO.";
    ARCH_CET_STATUS = 0x3001, "Shadow stack state in an early interface; programs probe for it.";
    ARCH_SHSTK_ENABLE = 0x5001, "Enables the shadow stack.";
    ARCH_SHSTK_DISABLE = 0x5002, "Disables the shadow stack.";
    ARCH_SHSTK_LOCK = 0x5003, "Locks the shadow stack settings.";
    ARCH_SHSTK_UNLOCK = 0x5004, "Unlocks the shadow stack settings; for tracers.";
    ARCH_SHSTK_STATUS = 0x5005, "Returns the shadow stack settings.";
}

/// Bytes of the name of a thread, the closing zero included.
pub const NAME_LEN: usize = crate::limits::TASK_COMM_LEN;
