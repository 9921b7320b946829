//! The auxiliary vector: (key, value) pairs above the environment on a new program's stack.

consts! { u64;
    AT_NULL = 0, "End.";
    AT_IGNORE = 1, "Nothing.";
    AT_EXECFD = 2, "Descriptor of the program.";
    AT_PHDR = 3, "Address of the program headers.";
    AT_PHENT = 4, "Size of a program header, bytes.";
    AT_PHNUM = 5, "Number of program headers.";
    AT_PAGESZ = 6, "Size of a page, bytes.";
    AT_BASE = 7, "Address of the interpreter.";
    AT_FLAGS = 8, "Flags; 0.";
    AT_ENTRY = 9, "Entry point of the program.";
    AT_NOTELF = 10, "The program is not ELF.";
    AT_UID = 11, "Real user.";
    AT_EUID = 12, "Effective user.";
    AT_GID = 13, "Real group.";
    AT_EGID = 14, "Effective group.";
    AT_PLATFORM = 15, "Address of the platform's name.";
    AT_HWCAP = 16, "CPU features: CPUID leaf 1, EDX.";
    AT_CLKTCK = 17, "Clock ticks per second.";
    AT_SECURE = 23, "1: the program runs with more rights than its caller.";
    AT_BASE_PLATFORM = 24, "Address of the real platform's name.";
    AT_RANDOM = 25, "Address of 16 random bytes.";
    AT_HWCAP2 = 26, "More CPU features.";
    AT_RSEQ_FEATURE_SIZE = 27, "Size of the restartable sequence area that the kernel fills.";
    AT_RSEQ_ALIGN = 28, "Alignment of that area.";
    AT_EXECFN = 31, "Address of the program's path.";
    AT_SYSINFO_EHDR = 33, "Address of the vDSO.";
    AT_MINSIGSTKSZ = 51, "Smallest signal stack, bytes.";
}

consts! { u64;
    HWCAP2_RING3MWAIT = 1 << 0, "`AT_HWCAP2`: MONITOR and MWAIT work in user mode.";
    HWCAP2_FSGSBASE = 1 << 1, "`AT_HWCAP2`: RDFSBASE and its relatives work in user mode.";
}
