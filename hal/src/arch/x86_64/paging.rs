//! This CPU's translations: the root register and the TLB.

use core::sync::atomic::{AtomicUsize, Ordering};

use address_tags::{Load, MAX_TAGS};
use firmware::start_info;
use x86_64::VirtAddr;
use x86_64::instructions::tlb::{self, Pcid};
use x86_64::registers::control::{Cr3, Cr3Flags, Cr4, Cr4Flags};
use x86_64::structures::paging::PhysFrame;

use super::{boot, features, kernel_map};
use crate::addr::PhysAddr;

pub(crate) use super::kernel_map::for_each_owned;
pub(crate) use super::shootdown::{ask_to_leave, shootdown};

pub(crate) fn kernel_root_entry(index: usize) -> u64 {
    kernel_map::root_entry(index)
}

/// Tells whether the CPU has pages of 1 GiB.
pub(crate) fn has_huge_pages() -> bool {
    features::get().gigabyte_pages
}

/// How many spaces a TLB keeps apart.
static TAG_COUNT: AtomicUsize = AtomicUsize::new(1);

/// Lets this CPU's TLB keep spaces apart, if it can and the command line does not forbid it. To be called before it loads
/// the first.
pub(super) fn enable_tags() {
    if !features::get().pcid || start_info::has_word(boot::command_line(), b"nopcid") {
        return;
    }
    // SAFETY: the CPU has the feature, and the root that is loaded has tag 0.
    unsafe { Cr4::update(|cr4| cr4.insert(Cr4Flags::PCID)) };
    TAG_COUNT.store(MAX_TAGS, Ordering::Relaxed);
}

/// Loads a root under the tag that `choose` answers, of so many.
///
/// # Safety
/// It has the kernel half and lives until the next load. What the TLB has under a tag that is kept is true.
#[inline]
pub(crate) unsafe fn load_root(root: PhysAddr, choose: impl FnOnce(usize) -> Load) {
    let frame = PhysFrame::containing_address(::x86_64::PhysAddr::new_truncate(root.get()));
    let count = TAG_COUNT.load(Ordering::Relaxed);
    let load = choose(count);
    if count == 1 {
        // SAFETY: the caller's duty.
        return unsafe { Cr3::write(frame, Cr3Flags::empty()) };
    }
    let tag = Pcid::new(load.tag).unwrap_or_else(|_| unreachable!("tags are small"));
    if load.keep {
        // SAFETY: the caller's duty; the tags are enabled.
        unsafe { Cr3::write_pcid_no_flush(frame, tag) };
    } else {
        // SAFETY: as above.
        unsafe { Cr3::write_pcid(frame, tag) };
    }
}

/// Loads the kernel's own root, which has no user half.
pub(crate) fn load_kernel_root() {
    let root = ::x86_64::PhysAddr::new_truncate(kernel_map::root_phys());
    // SAFETY: it has the kernel half and lives for ever; tag 0 is for it alone.
    unsafe { Cr3::write(PhysFrame::containing_address(root), Cr3Flags::empty()) };
}

#[inline]
pub(crate) fn invalidate_page(page: usize) {
    tlb::flush(VirtAddr::new_truncate(page as u64));
}

/// Drops all translations under the current tag but the global ones, which are the kernel's.
#[inline]
pub(crate) fn invalidate_all() {
    let (root, tag) = Cr3::read_raw();
    // SAFETY: the root that is loaded.
    unsafe { Cr3::write_raw(root, tag) };
}
