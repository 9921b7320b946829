//! Device registers in memory: mapped uncached, accessed in words.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::kernel_map::{self, DEVICES_BASE, NewTable, ROOT_SPAN};
use crate::addr::PAGE_SIZE;
use crate::error::Error;

/// The next free address of the region.
static NEXT: AtomicUsize = AtomicUsize::new(DEVICES_BASE);

/// Registers of a device, mapped for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mmio {
    base: usize,
    len: usize,
}

impl Mmio {
    /// Maps `len` bytes of registers at a physical address.
    ///
    /// # Errors
    /// `OutOfRange`, `OutOfMemory`.
    ///
    /// # Safety
    /// They are registers of a device, no RAM, and reading them does not break memory safety.
    pub(super) unsafe fn map(phys: u64, len: usize, new_table: NewTable) -> Result<Mmio, Error> {
        let offset = phys as usize % PAGE_SIZE;
        let bytes = (offset + len).next_multiple_of(PAGE_SIZE);
        if phys.checked_add(bytes as u64).is_none_or(|end| end >= crate::addr::PhysAddr::LIMIT) {
            return Err(Error::OutOfRange);
        }
        let virt = NEXT.fetch_add(bytes, Ordering::Relaxed);
        if virt + bytes > DEVICES_BASE + ROOT_SPAN {
            return Err(Error::OutOfRange);
        }
        let first = phys - offset as u64;
        // SAFETY: the caller's duty; the address range is fresh.
        unsafe { kernel_map::map(virt, first, bytes, kernel_map::DEVICE, 0, new_table) }?;
        Ok(Mmio { base: virt + offset, len })
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= self.len && (self.base + offset).is_multiple_of(align_of::<T>()));
        core::ptr::with_exposed_provenance_mut(self.base + offset)
    }

    /// Reads a word of 32 bits.
    #[inline(always)]
    pub(super) fn read(&self, offset: usize) -> u32 {
        // SAFETY: mapped registers, in range and aligned.
        unsafe { self.at::<u32>(offset).read_volatile() }
    }

    /// Reads a word of 64 bits.
    #[inline(always)]
    pub(super) fn read_u64(&self, offset: usize) -> u64 {
        // SAFETY: mapped registers, in range and aligned.
        unsafe { self.at::<u64>(offset).read_volatile() }
    }

    /// Writes a word of 32 bits.
    ///
    /// # Safety
    /// What the device does then does not break memory safety.
    #[inline(always)]
    pub(super) unsafe fn write(&self, offset: usize, value: u32) {
        // SAFETY: mapped registers, in range and aligned; the effect is the caller's duty.
        unsafe { self.at::<u32>(offset).write_volatile(value) };
    }

    /// Writes a byte.
    ///
    /// # Safety
    /// As for [`write`](Self::write).
    pub(super) unsafe fn write_u8(&self, offset: usize, value: u8) {
        // SAFETY: mapped registers, in range; the effect is the caller's duty.
        unsafe { self.at::<u8>(offset).write_volatile(value) };
    }
}
