//! Loading a root and invalidating, on the simulated TLBs.

use core::sync::atomic::Ordering;
use std::collections::HashMap;

use address_tags::{Forget, Load, MAX_TAGS, Request};

use super::api::TlbEvent;
use super::machine::{current_cpu, lock, machine};
use crate::addr::{PhysAddr, page_floor};
use crate::paging::{CpuMask, Owned, obey};

/// There is no kernel half.
pub(crate) fn kernel_root_entry(_index: usize) -> u64 {
    0
}

pub(crate) fn has_huge_pages() -> bool {
    true
}

/// Nor do stacks have frames.
pub(crate) fn for_each_owned(_visit: &mut dyn FnMut(Owned)) {}

/// # Safety
/// None here; the walk checks what it finds.
pub(crate) unsafe fn load_root(root: PhysAddr, choose: impl FnOnce(usize) -> Load) {
    let cpu = machine().cpu();
    // Under the lock nobody asks this CPU to forget something: as with interrupts off.
    let mut tlb = lock(&cpu.tlb);
    let Load { tag, keep } = choose(MAX_TAGS);
    cpu.root.store(root.get(), Ordering::Relaxed);
    tlb.tag = tag;
    if !keep {
        tlb.forget_all();
    }
}

/// Loads no root: every user access faults.
pub(crate) fn load_kernel_root() {
    // SAFETY: it has no duty here.
    unsafe { load_root(PhysAddr::new(0), |_| Load { tag: 0, keep: false }) };
}

pub(crate) fn invalidate_page(page: usize) {
    lock(&machine().cpu().tlb).forget(&[page]);
    log(TlbEvent::Page { cpu: current_cpu(), page });
}

pub(crate) fn invalidate_all() {
    lock(&machine().cpu().tlb).forget(&[]);
    log(TlbEvent::All { cpu: current_cpu() });
}

/// Takes effect at once, whatever the other CPUs do; an access of theirs that is under way ends first.
pub(crate) fn shootdown(targets: CpuMask, request: Request, pages: &[usize]) {
    for cpu in targets.iter() {
        let mut tlb = lock(&machine().cpus[cpu.index()].tlb);
        match obey(cpu, request) {
            Forget::Nothing => (),
            Forget::Listed => tlb.forget(pages),
            Forget::All => tlb.forget_all(),
        }
    }
    log(TlbEvent::Shootdown {
        from: current_cpu(),
        targets: targets.iter().collect(),
        pages: pages.to_vec(),
    });
}

/// Does nothing: a simulated CPU cannot be interrupted. It gives the space up when it loads the next one.
pub(crate) fn ask_to_leave(_targets: CpuMask, _root: PhysAddr) {}

/// What a CPU remembers: leaf entries by tag and page.
#[derive(Default)]
pub(super) struct Tlb {
    tag: u16,
    entries: HashMap<(u16, usize), u64>,
}

impl Tlb {
    pub(super) fn get(&self, page: usize) -> Option<u64> {
        self.entries.get(&(self.tag, page)).copied()
    }

    pub(super) fn insert(&mut self, page: usize, entry: u64) {
        self.entries.insert((self.tag, page), entry);
    }

    /// Forgets some pages under the current tag; none is all.
    pub(super) fn forget(&mut self, pages: &[usize]) {
        if pages.is_empty() {
            self.forget_all();
        }
        for &page in pages {
            self.entries.remove(&(self.tag, page_floor(page)));
        }
    }

    fn forget_all(&mut self) {
        self.entries.retain(|&(tag, _), _| tag != self.tag);
    }
}

fn log(event: TlbEvent) {
    lock(&machine().tlb_log).push(event);
}
