//! How much an address space holds, and what it may hold.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use linux_abi::limits::STACK_LIMIT;

use super::vma::VmFlags;

/// Pages of an address space, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Mapped.
    pub total: usize,
    /// Mapped private and writable.
    pub data: usize,
    /// Mapped executable and not writable.
    pub exec: usize,
    /// Mapped as stack.
    pub stack: usize,
    /// Locked.
    pub locked: usize,
    /// In memory: private.
    pub anonymous: usize,
    /// In memory: of files.
    pub file: usize,
    /// In memory: of shared memory.
    pub shared: usize,
    /// Large pages in memory, each of 512 pages that are counted as private.
    pub large: usize,
    /// Most pages ever mapped.
    pub peak_total: usize,
    /// Most pages ever in memory.
    pub peak_resident: usize,
}

impl Usage {
    /// Returns the pages in memory.
    pub fn resident(&self) -> usize {
        self.anonymous + self.file + self.shared
    }

    pub(super) fn is_data(flags: VmFlags) -> bool {
        flags & (VmFlags::WRITE | VmFlags::SHARED | VmFlags::GROWSDOWN) == VmFlags::WRITE
    }

    /// Counts pages of a mapping; fewer, when negative.
    pub(super) fn add(&mut self, flags: VmFlags, pages: isize) {
        let count = |counter: &mut usize| *counter = counter.saturating_add_signed(pages);
        count(&mut self.total);
        if flags & (VmFlags::EXEC | VmFlags::WRITE | VmFlags::GROWSDOWN) == VmFlags::EXEC {
            count(&mut self.exec);
        } else if flags.contains(VmFlags::GROWSDOWN) {
            count(&mut self.stack);
        } else if Self::is_data(flags) {
            count(&mut self.data);
        }
        if flags.contains(VmFlags::LOCKED) {
            count(&mut self.locked);
        }
        self.peak_total = self.peak_total.max(self.total);
    }

    /// Remembers the present size before it shrinks.
    pub(super) fn note_peak(&mut self) {
        self.peak_resident = self.peak_resident.max(self.resident());
    }
}

/// The resource limits that concern memory, in bytes; `u64::MAX` is none.
#[derive(Debug)]
pub struct Limits {
    address_space: AtomicU64,
    data: AtomicU64,
    stack: AtomicU64,
    locked: AtomicU64,
}

impl Limits {
    pub(super) const fn new() -> Self {
        Self {
            address_space: AtomicU64::new(u64::MAX),
            data: AtomicU64::new(u64::MAX),
            stack: AtomicU64::new(STACK_LIMIT),
            locked: AtomicU64::new(8 << 20),
        }
    }

    pub(super) fn copy_from(&self, other: &Limits) {
        self.set(other.address_space(), other.data(), other.stack(), other.locked());
    }

    /// Sets `RLIMIT_AS`, `RLIMIT_DATA`, `RLIMIT_STACK` and `RLIMIT_MEMLOCK`.
    pub fn set(&self, address_space: u64, data: u64, stack: u64, locked: u64) {
        self.address_space.store(address_space, Relaxed);
        self.data.store(data, Relaxed);
        self.stack.store(stack, Relaxed);
        self.locked.store(locked, Relaxed);
    }

    pub(super) fn set_stack(&self, stack: u64) {
        self.stack.store(stack, Relaxed);
    }

    pub(super) fn address_space(&self) -> u64 {
        self.address_space.load(Relaxed)
    }

    pub(super) fn data(&self) -> u64 {
        self.data.load(Relaxed)
    }

    pub(super) fn stack(&self) -> u64 {
        self.stack.load(Relaxed)
    }

    pub(super) fn locked(&self) -> u64 {
        self.locked.load(Relaxed)
    }
}
