//! This CPU's translations: the root register and the TLB.

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use super::{features, kernel_map};
use crate::addr::PhysAddr;

pub(crate) use super::shootdown::{ask_to_leave, shootdown};

pub(crate) fn kernel_root_entry(index: usize) -> u64 {
    kernel_map::root_entry(index)
}

/// Tells whether the CPU has pages of 1 GiB.
pub(crate) fn has_huge_pages() -> bool {
    features::get().gigabyte_pages
}

/// Loads a root.
///
/// # Safety
/// It has the kernel half and lives until the next load.
#[inline]
pub(crate) unsafe fn load_root(root: PhysAddr) {
    let frame = PhysFrame::containing_address(::x86_64::PhysAddr::new_truncate(root.get()));
    // SAFETY: the caller's duty.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Loads the kernel's own root, which has no user half.
pub(crate) fn load_kernel_root() {
    // SAFETY: it has the kernel half and lives for ever.
    unsafe { load_root(PhysAddr::new(kernel_map::root_phys())) };
}

#[inline]
pub(crate) fn invalidate_page(page: usize) {
    tlb::flush(VirtAddr::new_truncate(page as u64));
}

/// Drops all translations but the global ones, which are the kernel's.
#[inline]
pub(crate) fn invalidate_all() {
    tlb::flush_all();
}
