//! Exceptions: page faults to the kernel's handler, the user's own mistakes to the user, ours to the panic.

use core::fmt::Write;

use x86_64::registers::control::Cr2;

use super::{area, irq, panic, setup, stack};
use crate::addr::USER_END;
use crate::console::EarlyConsole;
use crate::task::UserRegs;
use crate::upcall::{Access, PageFault, UserException, bound};

const DEBUG: u64 = 1;
const NMI: u64 = 2;
const DOUBLE_FAULT: u64 = 8;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: u64 = 18;

/// Bits of a page fault's error code.
const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const FETCH: u64 = 1 << 4;

const INTERRUPT_FLAG: u64 = 1 << 9;

const NAMES: [&str; 32] = [
    "divide error",
    "debug",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "no floating-point unit",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack segment fault",
    "general protection fault",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualisation",
    "control protection",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "hypervisor injection",
    "VMM communication",
    "security",
    "reserved",
];

fn is_user(regs: &UserRegs) -> bool {
    regs.cs & 3 != 0
}

/// Handles any exception but a page fault: called from entry.s, interrupts off.
#[unsafe(no_mangle)]
extern "C" fn hal_exception(regs: &mut UserRegs, error_code: u64, vector: u64) {
    if is_user(regs) {
        if vector == DEBUG {
            clear_debug_status();
        }
        irq::restore(true);
        raise(regs, vector, error_code, regs.rip as usize);
    } else if let Some(go_on) = setup::fixup(regs.rip) {
        regs.rip = go_on;
    } else {
        die(regs, vector, error_code, None);
    }
}

/// Has the kernel raise the signal. Interrupts on.
fn raise(regs: &mut UserRegs, vector: u64, error_code: u64, address: usize) {
    bound::user_exception(&UserException { vector: vector as u8, error_code, address }, regs);
    regs.sanitise();
}

/// Handles a page fault: called from entry.s, interrupts off.
#[unsafe(no_mangle)]
extern "C" fn hal_page_fault(regs: &mut UserRegs, error_code: u64) {
    // First of all: another fault overwrites it (hazard 11).
    let address = Cr2::read_raw() as usize;
    let access = match error_code {
        code if code & FETCH != 0 => Access::Execute,
        code if code & WRITE != 0 => Access::Write,
        _ => Access::Read,
    };
    let from_user = is_user(regs);
    let fault = PageFault { address, access, present: error_code & PRESENT != 0, from_user };
    if from_user {
        irq::restore(true);
        if address >= USER_END || bound::page_fault(&fault).is_err() {
            raise(regs, PAGE_FAULT, error_code, address);
        }
    } else if let Some(go_on) = setup::fixup(regs.rip) {
        // With interrupts off the kernel could not sleep: the copy fails, as for an address that nobody can supply.
        if address < USER_END && regs.rflags & INTERRUPT_FLAG != 0 {
            irq::restore(true);
            if bound::page_fault(&fault).is_ok() {
                return;
            }
        }
        regs.rip = go_on;
    } else {
        die(regs, PAGE_FAULT, error_code, Some(address));
    }
}

/// Handles an exception on a stack of its own that did not come from a user program's own doing: called from entry.s.
#[unsafe(no_mangle)]
extern "C" fn hal_paranoid(regs: &mut UserRegs, error_code: u64, vector: u64) {
    match vector {
        NMI => {
            if panic::is_stopping() {
                panic::stop();
            }
            // Errors are ignored: the early console has none.
            let _ = writeln!(EarlyConsole, "cpu {}: non-maskable interrupt at {:#x}", area::id(), regs.rip);
        }
        // Left over from before a task was switched to, or provoked by hazard 4: nothing of the kernel's.
        DEBUG => clear_debug_status(),
        MACHINE_CHECK => die(regs, vector, error_code, None),
        DOUBLE_FAULT => die(regs, vector, error_code, Some(Cr2::read_raw() as usize)),
        _ => die(regs, vector, error_code, None),
    }
}

fn clear_debug_status() {
    // SAFETY: the status register only reports; these are its reset values.
    unsafe {
        core::arch::asm!("mov dr6, {}", in(reg) 0xffff_0ff0u64, options(nomem, nostack, preserves_flags))
    };
}

fn die(regs: &UserRegs, vector: u64, error_code: u64, address: Option<usize>) -> ! {
    let name = NAMES.get(vector as usize).copied().unwrap_or("unknown exception");
    match address {
        Some(address) if stack::is_guard(address) || stack::is_guard(regs.rsp as usize) => {
            panic::die(regs, format_args!("kernel stack overflow: {name} at address {address:#x}"))
        }
        Some(address) => panic::die(
            regs,
            format_args!("{name} in the kernel at address {address:#x}, error code {error_code:#x}"),
        ),
        None => panic::die(regs, format_args!("{name} in the kernel, error code {error_code:#x}")),
    }
}
