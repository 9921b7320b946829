//! Sets up one CPU: control registers, SYSCALL, tables, floating point. The same for all.

use core::sync::atomic::Ordering;

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};

use super::area::CpuArea;
use super::asm::{self, address};
use super::features::{self, Below};
use super::tables::{self, IST_STACKS, KERNEL_CS, SYSRET_BASE};
use super::{fpu, paging, registers};

/// Flags that SYSCALL clears: all that means anything in the kernel.
const SYSCALL_MASK: u64 = 0x0025_7fd5;
/// Smallest copy worth a REP MOVSB.
const MOVSB_MIN: u64 = 512;

/// Turns on no-execute. Tables with that bit must not be loaded before.
///
/// # Errors
/// A message if the CPU cannot.
pub(super) fn enable_no_execute() -> Result<(), &'static str> {
    if !features::get().no_execute {
        return Err("this kernel needs a processor with no-execute pages");
    }
    // SAFETY: the CPU has the feature; no table has used the bit so far.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    Ok(())
}

/// Sets this CPU up for user programs. `ist` are the ends of its stacks for exceptions.
pub(super) fn cpu(area: &'static CpuArea, ist: [usize; IST_STACKS]) {
    let features = features::get();
    let mut cr4 = Cr4::read();
    cr4.insert(Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, features.smep);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, features.smap);
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, features.umip);
    cr4.set(Cr4Flags::FSGSBASE, features.fsgsbase);
    cr4.set(Cr4Flags::OSXSAVE, features.xsave);
    // SAFETY: each feature exists; the tables loaded suit them.
    unsafe { Cr4::write(cr4) };
    paging::enable_tags();
    let mut cr0 = Cr0::read();
    cr0.insert(Cr0Flags::WRITE_PROTECT | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR);
    cr0.insert(Cr0Flags::ALIGNMENT_MASK);
    cr0.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
    // SAFETY: paging stays as it is; the rest concerns user programs.
    unsafe { Cr0::write(cr0) };

    // SAFETY: SYSCALL gets its target below, before user mode runs.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
    tables::load(area, ist);
    // SAFETY: selectors of the table just loaded.
    unsafe { registers::write_msr(registers::STAR, SYSRET_BASE << 48 | KERNEL_CS << 32) };
    // SAFETY: the entry of system calls.
    unsafe { registers::write_msr(registers::LSTAR, address(&asm::hal_syscall_entry) as u64) };
    // SAFETY: interrupts off, direction forward, no access to user memory.
    unsafe { registers::write_msr(registers::SFMASK, SYSCALL_MASK) };
    // SAFETY: the user's GS base, until a user program has one.
    unsafe { registers::write_msr(registers::KERNEL_GS_BASE, 0) };
    fpu::init_cpu();
}

/// Decides how user copies are done.
pub(super) fn choose_copies() {
    let features = features::get();
    let min = match features.below {
        Below::Emulator => u64::MAX,
        _ if features.fast_short_rep_movsb => 0,
        _ if features.fast_rep_movsb => MOVSB_MIN,
        _ => u64::MAX,
    };
    asm::hal_movsb_min.store(min, Ordering::Relaxed);
}

/// An entry of `__ex_table`: an instruction, and where to go on when it faults; 0 marks a STAC or CLAC.
#[derive(Clone, Copy)]
#[repr(C)]
struct Fixup {
    instruction: usize,
    go_on: usize,
}

fn table() -> *mut [Fixup] {
    let (start, end) = (address(&asm::__ex_table_start), address(&asm::__ex_table_end));
    let first = core::ptr::with_exposed_provenance_mut::<Fixup>(start);
    core::ptr::slice_from_raw_parts_mut(first, (end - start) / size_of::<Fixup>())
}

/// Sorts the table, and turns every STAC and CLAC into a NOP if the CPU lacks them.
///
/// # Safety
/// The image is still writable through its own addresses, and no other CPU runs.
pub(super) unsafe fn patch_code() {
    const NOP: [u8; 3] = [0x0f, 0x1f, 0x00];
    // SAFETY: the linker script places the table, made of such entries, between the two symbols; nobody looks at it yet.
    let table = unsafe { &mut *table() };
    table.sort_unstable_by_key(|fixup| fixup.instruction);
    if features::get().smap {
        return;
    }
    for fixup in table.iter().filter(|fixup| fixup.go_on == 0) {
        let site = core::ptr::with_exposed_provenance_mut::<[u8; 3]>(fixup.instruction);
        // SAFETY: the site is a three-byte instruction in writable code that nobody executes now.
        unsafe { site.write(NOP) };
    }
}

/// Returns where to go on after a fault of an instruction that may fault.
pub(super) fn fixup(instruction: u64) -> Option<u64> {
    // SAFETY: sorted by `patch_code` before any exception can be handled, read-only since.
    let table = unsafe { &*table() };
    let i = table.binary_search_by_key(&(instruction as usize), |fixup| fixup.instruction).ok()?;
    (table[i].go_on != 0).then_some(table[i].go_on as u64)
}
