//! The software page walk, with a TLB for each CPU.

use core::sync::atomic::Ordering;

use super::machine::{Inner, lock, machine};
use super::memory;
use super::paging::Tlb;
use crate::addr::{PAGE_SIZE, PhysAddr, page_floor};
use crate::paging::{Entry, PageFlags, Table, table_index};
use crate::upcall::{Access, PageFault, bound};

/// Faults on one access after which the kernel's handler is taken not to get anywhere.
const MAX_FAULTS: usize = 1000;

/// Why a walk ended without a translation.
struct Miss {
    present: bool,
}

/// Calls `act` with a pointer to `addr`, translated by the current CPU for this access. `act` must stay in the page. Faults
/// go to the kernel; `None` once it gives up. Interrupts are delivered after a fault.
pub(super) fn with_page<R>(
    addr: usize,
    access: Access,
    from_user: bool,
    act: impl FnOnce(*mut u8) -> R,
) -> Option<R> {
    let machine = machine();
    for _ in 0..MAX_FAULTS {
        // Looked up anew each time: the handler may sleep and wake on another CPU.
        let cpu = machine.cpu();
        let miss = {
            let mut tlb = lock(&cpu.tlb);
            match translate(machine, &mut tlb, cpu.root.load(Ordering::Relaxed), addr, access) {
                // Under the TLB lock: a shoot-down waits until the access is over.
                Ok(phys) => return Some(act(memory::phys_ptr(phys))),
                Err(miss) => miss,
            }
        };
        let fault = PageFault { address: addr, access, present: miss.present, from_user };
        bound::page_fault(&fault).ok()?;
    }
    panic!("page fault at {addr:#x} ({access:?}): the handler says it is resolved, the page table does not");
}

fn allows(entry: Entry, access: Access) -> bool {
    let flags = entry.flags();
    flags.contains(PageFlags::USER_ACCESS)
        && match access {
            Access::Read => true,
            Access::Write => flags.contains(PageFlags::WRITE),
            Access::Execute => !flags.contains(PageFlags::NO_EXECUTE),
        }
}

fn translate(
    machine: &Inner,
    tlb: &mut Tlb,
    root: u64,
    addr: usize,
    access: Access,
) -> Result<PhysAddr, Miss> {
    let page = page_floor(addr);
    let offset = (addr % PAGE_SIZE) as u64;
    let hit = tlb.get(page).map(Entry).filter(|&entry| {
        // A first write has to set the dirty bit in memory.
        allows(entry, access) && (access != Access::Write || entry.flags().contains(PageFlags::DIRTY))
    });
    let entry = match hit {
        Some(entry) => entry,
        None => {
            // As the hardware does, an access that faults forgets the cached entry and walks.
            tlb.forget(&[page]);
            let entry = walk(machine, root, addr, access)?;
            tlb.insert(page, entry.0);
            entry
        }
    };
    Ok(PhysAddr::new(entry.frame().phys().get() + offset))
}

fn walk(machine: &Inner, root: u64, addr: usize, access: Access) -> Result<Entry, Miss> {
    if root == 0 || addr >= crate::USER_END {
        return Err(Miss { present: false });
    }
    let mut number = PhysAddr::new(root).frame().unwrap_or_default();
    let mut above = None;
    for level in (0..4).rev() {
        debug_assert!(number.index() < machine.frames.len());
        // SAFETY: the CPU holds a reference of the space, and detached tables are freed only after a shoot-down, which
        // waits for the TLB lock that our caller holds.
        let table = unsafe { Table::at(number) };
        let slot = &table.entries[table_index(addr, level)];
        let mut entry = Entry(slot.load(Ordering::Acquire));
        if !entry.is_present() {
            return Err(Miss { present: false });
        }
        if level != 0 && !entry.is_large() {
            number = entry.frame();
            above = Some(entry);
            continue;
        }
        loop {
            let acts = |entry: Entry| above.map_or(entry, |above| entry.below(above));
            if !allows(acts(entry), access) {
                return Err(Miss { present: true });
            }
            let mut marks = PageFlags::ACCESSED;
            if access == Access::Write {
                marks |= PageFlags::DIRTY;
            }
            let marked = Entry(entry.0 | marks.bits());
            match slot.compare_exchange(entry.0, marked.0, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) if level != 0 => return Ok(marked.single(addr, level)),
                Ok(_) => return Ok(acts(marked)),
                Err(seen) => entry = Entry(seen),
            }
            if !entry.is_present() {
                return Err(Miss { present: false });
            }
        }
    }
    unreachable!("level 0 returns")
}
