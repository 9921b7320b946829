//! Memory mappings.

use bitflags::bitflags;

bitflags! {
    /// Protection of a mapping.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Prot: u32 {
        /// May be read.
        const PROT_READ = 0x1;
        /// May be written.
        const PROT_WRITE = 0x2;
        /// May be executed.
        const PROT_EXEC = 0x4;
        /// For atomic operations; no meaning on x86-64.
        const PROT_SEM = 0x8;
        /// `mprotect`: extend to the start of a mapping that grows down.
        const PROT_GROWSDOWN = 0x0100_0000;
        /// `mprotect`: extend to the end of a mapping that grows up.
        const PROT_GROWSUP = 0x0200_0000;
    }
}

impl Prot {
    /// No access.
    pub const PROT_NONE: Self = Self::empty();
}

consts! { u32;
    MAP_TYPE = 0x0f, "Bits of the flags that hold the kind of sharing: a number, not a set.";
    MAP_SHARED = 0x01, "Kind: changes are shared.";
    MAP_PRIVATE = 0x02, "Kind: changes are private.";
    MAP_SHARED_VALIDATE = 0x03, "Kind: shared, unknown flags are `EOPNOTSUPP`.";
    MAP_DROPPABLE = 0x08, "Kind: private, pages vanish under memory pressure.";
}

bitflags! {
    /// Flags of `mmap` beside the kind of sharing ([`MAP_TYPE`], here as two bits).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MapFlags: u32 {
        /// Changes are shared.
        const MAP_SHARED = 0x01;
        /// Changes are private.
        const MAP_PRIVATE = 0x02;
        /// Exactly at the given address, replacing what is there.
        const MAP_FIXED = 0x10;
        /// Zeros, no file.
        const MAP_ANONYMOUS = 0x20;
        /// Below 2 GiB.
        const MAP_32BIT = 0x40;
        /// Grows down when touched below, like a stack.
        const MAP_GROWSDOWN = 0x100;
        /// Ignored.
        const MAP_DENYWRITE = 0x800;
        /// Ignored.
        const MAP_EXECUTABLE = 0x1000;
        /// Lock the pages.
        const MAP_LOCKED = 0x2000;
        /// Do not reserve memory.
        const MAP_NORESERVE = 0x4000;
        /// Map all pages now.
        const MAP_POPULATE = 0x8000;
        /// With `MAP_POPULATE`: do not read from files.
        const MAP_NONBLOCK = 0x1_0000;
        /// A hint: this will be a stack.
        const MAP_STACK = 0x2_0000;
        /// Huge pages.
        const MAP_HUGETLB = 0x4_0000;
        /// Synchronous page faults, for persistent memory.
        const MAP_SYNC = 0x8_0000;
        /// Exactly at the given address, `EEXIST` if something is there.
        const MAP_FIXED_NOREPLACE = 0x10_0000;
        /// Memory need not be cleared; ignored.
        const MAP_UNINITIALIZED = 0x400_0000;
    }
}

consts! { u32;
    MAP_HUGE_SHIFT = 26, "Position of the binary logarithm of the huge page size in the flags of `mmap` and `memfd_create`.";
    MAP_HUGE_MASK = 0x3f, "Mask of that logarithm after shifting.";
}

consts! { u32;
    MADV_NORMAL = 0, "No advice.";
    MADV_RANDOM = 1, "Random access.";
    MADV_SEQUENTIAL = 2, "Sequential access.";
    MADV_WILLNEED = 3, "Needed soon.";
    MADV_DONTNEED = 4, "Drop the pages now.";
    MADV_FREE = 8, "Drop the pages when memory is short.";
    MADV_REMOVE = 9, "Make a hole in the file behind.";
    MADV_DONTFORK = 10, "Children do not get this range.";
    MADV_DOFORK = 11, "Children get this range.";
    MADV_MERGEABLE = 12, "Equal pages may be merged.";
    MADV_UNMERGEABLE = 13, "Equal pages may not be merged.";
    MADV_HUGEPAGE = 14, "Use huge pages.";
    MADV_NOHUGEPAGE = 15, "Do not use huge pages.";
    MADV_DONTDUMP = 16, "Leave out of core dumps.";
    MADV_DODUMP = 17, "Include in core dumps.";
    MADV_WIPEONFORK = 18, "Children see zeros.";
    MADV_KEEPONFORK = 19, "Children see the contents.";
    MADV_COLD = 20, "Not needed soon.";
    MADV_PAGEOUT = 21, "Write out now.";
    MADV_POPULATE_READ = 22, "Map all pages for reading.";
    MADV_POPULATE_WRITE = 23, "Map all pages for writing.";
    MADV_DONTNEED_LOCKED = 24, "As `MADV_DONTNEED`, locked pages too.";
    MADV_COLLAPSE = 25, "Gather into huge pages now.";
    MADV_HWPOISON = 100, "Poison a page, for tests.";
    MADV_SOFT_OFFLINE = 101, "Take a page out of service, for tests.";
    MADV_GUARD_INSTALL = 102, "Make the range fault.";
    MADV_GUARD_REMOVE = 103, "Undo `MADV_GUARD_INSTALL`.";
}

bitflags! {
    /// Flags of `mremap`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MremapFlags: u32 {
        /// May move.
        const MREMAP_MAYMOVE = 1;
        /// Move to the given address.
        const MREMAP_FIXED = 2;
        /// Leave an empty mapping behind.
        const MREMAP_DONTUNMAP = 4;
    }
}

bitflags! {
    /// Flags of `msync`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MsyncFlags: u32 {
        /// Write soon.
        const MS_ASYNC = 1;
        /// Make other mappings see the file; fails on locked ones.
        const MS_INVALIDATE = 2;
        /// Write and wait.
        const MS_SYNC = 4;
    }
}

bitflags! {
    /// Flags of `mlockall`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MlockallFlags: u32 {
        /// All present mappings.
        const MCL_CURRENT = 1;
        /// All future mappings.
        const MCL_FUTURE = 2;
        /// Lock pages when they are touched.
        const MCL_ONFAULT = 4;
    }
}

consts! { u32;
    MLOCK_ONFAULT = 1, "`mlock2`: lock pages when they are touched.";
}

bitflags! {
    /// Flags of `memfd_create`. With `MFD_HUGETLB` the size is at [`MAP_HUGE_SHIFT`].
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MemfdFlags: u32 {
        /// Close on exec.
        const MFD_CLOEXEC = 0x1;
        /// Seals can be added.
        const MFD_ALLOW_SEALING = 0x2;
        /// Huge pages.
        const MFD_HUGETLB = 0x4;
        /// Never executable, sealed so.
        const MFD_NOEXEC_SEAL = 0x8;
        /// Executable.
        const MFD_EXEC = 0x10;
    }
}

bitflags! {
    /// Seals of a memory file.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Seals: u32 {
        /// No more seals.
        const F_SEAL_SEAL = 0x1;
        /// Cannot shrink.
        const F_SEAL_SHRINK = 0x2;
        /// Cannot grow.
        const F_SEAL_GROW = 0x4;
        /// Cannot be written.
        const F_SEAL_WRITE = 0x8;
        /// Cannot be written except through mappings that exist.
        const F_SEAL_FUTURE_WRITE = 0x10;
        /// The execute permission cannot change.
        const F_SEAL_EXEC = 0x20;
    }
}

consts! { u32;
    PKEY_DISABLE_ACCESS = 1, "Protection key: no access.";
    PKEY_DISABLE_WRITE = 2, "Protection key: no writing.";
}
