//! Asking other CPUs to drop translations, and serving such requests (hazard 7).
//!
//! A CPU has one request, in its area. It sets its bit in each target's `shootdown_from`, interrupts those whose word
//! was empty, and waits until all bits are clear. A CPU serves requests in the interrupt, and wherever it spins with
//! interrupts off. The kernel is not preempted, so a CPU never makes a second request while one is under way.

use address_tags::{Forget, Request};

use super::{apic, area, irq, paging};
use crate::addr::PhysAddr;
use crate::cpu::CpuId;
use crate::paging::{CpuMask, leave_unused};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Pages in one request; more are a request for all.
const MAX_PAGES: usize = 32;
/// A request for all pages.
const ALL: usize = usize::MAX;
/// A request to load another root unless the current task uses this one, which stands in place of the first page.
const LEAVE: usize = usize::MAX - 1;

/// In place of the number of a space: the pages are the kernel's, which all spaces have.
const KERNEL: u64 = 0;

/// What a CPU asks of the others.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Asked {
    space: AtomicU64,
    generation: AtomicU64,
    count: AtomicUsize,
    pages: [AtomicUsize; MAX_PAGES],
}

impl Asked {
    fn fill(&self, request: Request, pages: &[usize]) {
        self.space.store(request.space, Ordering::Relaxed);
        self.generation.store(request.generation, Ordering::Relaxed);
        if pages.is_empty() || pages.len() > MAX_PAGES {
            self.count.store(ALL, Ordering::Relaxed);
            return;
        }
        for (slot, page) in self.pages.iter().zip(pages) {
            slot.store(*page, Ordering::Relaxed);
        }
        self.count.store(pages.len(), Ordering::Relaxed);
    }

    fn obey(&self) {
        let count = self.count.load(Ordering::Relaxed);
        if count == LEAVE {
            return leave_unused(PhysAddr::new(self.pages[0].load(Ordering::Relaxed) as u64));
        }
        let [space, generation] = [&self.space, &self.generation].map(|word| word.load(Ordering::Relaxed));
        let forget = match space {
            KERNEL => Forget::Listed,
            _ => crate::paging::obey(crate::cpu::id(), Request { space, generation }),
        };
        match forget {
            Forget::Nothing => (),
            Forget::Listed if count != ALL => {
                let pages = self.pages[..count].iter();
                pages.for_each(|page| paging::invalidate_page(page.load(Ordering::Relaxed)));
            }
            _ => paging::invalidate_all(),
        }
    }
}

/// Drops translations of pages of a space on other CPUs; no pages means all. Returns when it is done.
pub(crate) fn shootdown(targets: CpuMask, request: Request, pages: &[usize]) {
    area::this().shootdown.fill(request, pages);
    ask(targets);
}

/// Asks other CPUs to load the kernel's root if they have this one loaded and their task does not use it. The caller
/// keeps the space alive. Returns when it is done.
pub(crate) fn ask_to_leave(targets: CpuMask, root: PhysAddr) {
    let request = &area::this().shootdown;
    request.pages[0].store(root.get() as usize, Ordering::Relaxed);
    request.count.store(LEAVE, Ordering::Relaxed);
    ask(targets);
}

/// Has other CPUs obey this CPU's request, and waits until they have.
fn ask(targets: CpuMask) {
    let bit = 1 << area::id();
    for target in targets.iter() {
        // Release: the request is complete. Pairs with the acquire in `serve`.
        if area::of(target).shootdown_from.fetch_or(bit, Ordering::AcqRel) == 0 {
            apic::send(area::of(target).apic_id.load(Ordering::Relaxed), apic::Message::Shootdown);
        }
    }
    for target in targets.iter() {
        // Acquire pairs with the release in `serve`: the translation is gone.
        while area::of(target).shootdown_from.load(Ordering::Acquire) & bit != 0 {
            super::cpu::relax();
        }
    }
}

/// Drops translations of kernel pages on all other running CPUs.
pub(super) fn shootdown_kernel(pages: &[usize]) {
    let me = area::id();
    let others = crate::cpu::all()
        .filter(|cpu| cpu.index() != me && area::of(*cpu).is_running())
        .fold(0, |mask, cpu: CpuId| mask | 1 << cpu.index());
    if others != 0 {
        shootdown(CpuMask(others), Request { space: KERNEL, generation: 0 }, pages);
    }
}

/// Does what other CPUs have asked of this one.
#[inline]
pub(super) fn serve() {
    let me = area::this();
    if me.shootdown_from.load(Ordering::Relaxed) == 0 {
        return;
    }
    // A request served twice at once, here and in the interrupt, would be acknowledged twice: the second time perhaps
    // for the next one.
    let was_enabled = irq::disable();
    loop {
        let from = CpuMask(me.shootdown_from.load(Ordering::Acquire));
        if from.is_empty() {
            break;
        }
        for cpu in from.iter() {
            area::of(cpu).shootdown.obey();
            me.shootdown_from.fetch_and(!(1 << cpu.index()), Ordering::Release);
        }
    }
    irq::restore(was_enabled);
}
