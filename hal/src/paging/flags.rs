//! What a mapping allows, in the bits of the entry itself.

bitflags::bitflags! {
    /// Attributes of a mapping. The bits are those of an x86-64 leaf entry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PageFlags: u64 {
        /// Stores are allowed.
        const WRITE = 1 << 1;
        /// User mode, and the kernel's user copies, may access the page. Without it a page of a user table is held:
        /// its frame stays, every access faults (`PROT_NONE`).
        const USER_ACCESS = 1 << 2;
        /// Stores go to memory at once.
        const WRITE_THROUGH = 1 << 3;
        /// Accesses are not cached.
        const NO_CACHE = 1 << 4;
        /// The page has been accessed since the flag was last cleared.
        const ACCESSED = 1 << 5;
        /// The page has been written since the flag was last cleared.
        const DIRTY = 1 << 6;
        /// The translation survives a change of the address space; kernel mappings only.
        const GLOBAL = 1 << 8;
        /// The next store gets a copy of the frame. Excludes `WRITE`. Software: the MMU sees a read-only page.
        const COPY_ON_WRITE = 1 << 9;
        /// The frame belongs to the mapping, not to a file. Software: for the kernel's accounts.
        const ANONYMOUS = 1 << 10;
        /// Instructions must not be fetched.
        const NO_EXECUTE = 1 << 63;

        /// Kernel data.
        const KERNEL = Self::WRITE.bits() | Self::GLOBAL.bits() | Self::NO_EXECUTE.bits();
        /// User data.
        const USER = Self::USER_ACCESS.bits() | Self::WRITE.bits() | Self::NO_EXECUTE.bits();
        /// User constants.
        const READONLY = Self::USER_ACCESS.bits() | Self::NO_EXECUTE.bits();
        /// Device registers.
        const DEVICE = Self::WRITE.bits() | Self::NO_CACHE.bits() | Self::NO_EXECUTE.bits();
    }
}

impl PageFlags {
    /// Tells whether a user table may hold these flags: neither global nor both writable and copy-on-write.
    pub(super) fn fit_user(self) -> bool {
        !self.contains(Self::GLOBAL) && !self.contains(Self::WRITE.union(Self::COPY_ON_WRITE))
    }
}
