//! Loading a root and invalidating, on the simulated TLBs.

use core::sync::atomic::Ordering;

use super::api::TlbEvent;
use super::machine::{current_cpu, lock, machine};
use crate::addr::{PhysAddr, page_floor};
use crate::cpu::CpuId;
use crate::paging::CpuMask;

/// There is no kernel half.
pub(crate) fn kernel_root_entry(_index: usize) -> u64 {
    0
}

pub(crate) fn has_huge_pages() -> bool {
    true
}

/// # Safety
/// None here; the walk checks what it finds.
pub(crate) unsafe fn load_root(root: PhysAddr) {
    let cpu = machine().cpu();
    let mut tlb = lock(&cpu.tlb);
    cpu.root.store(root.get(), Ordering::Relaxed);
    tlb.clear();
}

/// Loads no root: every user access faults.
pub(crate) fn load_kernel_root() {
    // SAFETY: it has no duty here.
    unsafe { load_root(PhysAddr::new(0)) };
}

pub(crate) fn invalidate_page(page: usize) {
    forget(current_cpu(), &[page]);
    log(TlbEvent::Page { cpu: current_cpu(), page });
}

pub(crate) fn invalidate_all() {
    forget(current_cpu(), &[]);
    log(TlbEvent::All { cpu: current_cpu() });
}

/// Takes effect at once, whatever the other CPUs do; an access of theirs that is under way ends first.
pub(crate) fn shootdown(targets: CpuMask, pages: &[usize]) {
    for cpu in targets.iter() {
        forget(cpu, pages);
    }
    log(TlbEvent::Shootdown {
        from: current_cpu(),
        targets: targets.iter().collect(),
        pages: pages.to_vec(),
    });
}

/// Does nothing: a simulated CPU cannot be interrupted. It gives the space up when it loads the next one.
pub(crate) fn ask_to_leave(_targets: CpuMask, _root: PhysAddr) {}

fn forget(cpu: CpuId, pages: &[usize]) {
    let mut tlb = lock(&machine().cpus[cpu.index()].tlb);
    if pages.is_empty() {
        tlb.clear();
    }
    for &page in pages {
        tlb.remove(&page_floor(page));
    }
}

fn log(event: TlbEvent) {
    lock(&machine().tlb_log).push(event);
}
