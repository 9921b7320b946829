//! The local interrupt controller of each CPU, as xAPIC (registers in memory) or x2APIC (model-specific registers).
//!
//! Source: Intel SDM volume 3, chapter 11.

use core::fmt::Write;
use core::sync::atomic::{AtomicU8, Ordering};

use firmware::acpi::Acpi;

use super::irq::{self, ERROR_VECTOR, RESCHEDULE_VECTOR, SHOOTDOWN_VECTOR, SPURIOUS_VECTOR, TIMER_VECTOR};
use super::mmio::Mmio;
use super::registers::{self, cpuid};
use super::{area, boot, features, io};
use crate::console::EarlyConsole;
use crate::sync::Once;

const DEFAULT_BASE: u64 = 0xfee0_0000;

// Offsets of the registers; the x2APIC number is 0x800 plus a sixteenth.
const ID: usize = 0x20;
const TASK_PRIORITY: usize = 0x80;
const EOI: usize = 0xb0;
const SPURIOUS: usize = 0xf0;
const ERROR_STATUS: usize = 0x280;
const COMMAND: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const TIMER: usize = 0x320;
const LINT0: usize = 0x350;
const LINT1: usize = 0x360;
const ERROR: usize = 0x370;
const INITIAL_COUNT: usize = 0x380;
const CURRENT_COUNT: usize = 0x390;
const DIVIDE: usize = 0x3e0;

const ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DELIVERY_NMI: u32 = 4 << 8;
const TIMER_DEADLINE: u32 = 2 << 17;
const DIVIDE_BY_1: u32 = 0xb;
const PENDING: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;
const LEVEL: u32 = 1 << 15;

/// Polls before a command that is not taken is given up.
const PATIENCE: u32 = 1_000_000;

const OFF: u8 = 0;
const XAPIC: u8 = 1;
const X2APIC: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(OFF);
static REGISTERS: Once<Mmio> = Once::new();

/// What one CPU tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Serve flush requests.
    Shootdown,
    /// Look for work.
    Reschedule,
    /// Stop: the kernel has panicked.
    Stop,
    /// Reset.
    Init,
    /// Start at a page below 1 MiB.
    Startup(u8),
}

fn read(register: usize) -> u32 {
    if MODE.load(Ordering::Relaxed) == X2APIC {
        // SAFETY: x2APIC mode is on, and the register exists; reading has no effect on memory.
        return unsafe { registers::read_msr(0x800 + register as u32 / 16) } as u32;
    }
    REGISTERS.get().map_or(0, |registers| registers.read(register))
}

#[inline]
fn write(register: usize, value: u32) {
    if MODE.load(Ordering::Relaxed) == X2APIC {
        // SAFETY: x2APIC mode is on; this module writes only what delivers interrupts to proper entries.
        unsafe { registers::write_msr(0x800 + register as u32 / 16, value.into()) };
    } else if let Some(registers) = REGISTERS.get() {
        // SAFETY: as above.
        unsafe { registers.write(register, value) };
    }
}

/// Returns this CPU's number as the hardware gave it.
pub(super) fn initial_id() -> u32 {
    if cpuid(0, 0)[0] >= 0xb {
        let [_, threads, _, id] = cpuid(0xb, 0);
        if threads != 0 {
            return id;
        }
    }
    cpuid(1, 0)[1] >> 24
}

/// Masks the legacy controllers, and sets the local one of the boot CPU up.
pub(super) fn init(acpi: &Acpi) {
    mask_legacy();
    if cpuid(1, 0)[3] & 1 << 9 == 0 {
        let _ = writeln!(EarlyConsole, "apic: this CPU has no local interrupt controller");
        return;
    }
    if features::get().x2apic {
        MODE.store(X2APIC, Ordering::Relaxed);
    } else {
        let base = acpi.local_apic.unwrap_or(DEFAULT_BASE);
        // SAFETY: the address that the firmware names, or the architecture's, holds the local APIC.
        match unsafe { Mmio::map(base, 0x400, &mut boot::early_table) } {
            // Nothing set it before.
            Ok(registers) => drop(REGISTERS.set(registers)),
            Err(error) => {
                let _ = writeln!(EarlyConsole, "apic: cannot map the local controller: {error}");
                return;
            }
        }
        MODE.store(XAPIC, Ordering::Relaxed);
    }
    init_cpu();
}

/// Sets this CPU's controller up.
pub(super) fn init_cpu() {
    let mode = MODE.load(Ordering::Relaxed);
    if mode == OFF {
        return;
    }
    // SAFETY: every CPU with a local APIC has this register.
    let base = unsafe { registers::read_msr(registers::APIC_BASE) };
    let wanted = base | 1 << 11 | if mode == X2APIC { 1 << 10 } else { 0 };
    if wanted != base {
        // SAFETY: enables the controller, in the mode that this module uses; the address stays.
        unsafe { registers::write_msr(registers::APIC_BASE, wanted) };
    }
    write(SPURIOUS, ENABLE | u32::from(SPURIOUS_VECTOR));
    write(TASK_PRIORITY, 0);
    write(LINT0, MASKED);
    write(LINT1, DELIVERY_NMI);
    write(ERROR, ERROR_VECTOR.into());
    write(DIVIDE, DIVIDE_BY_1);
    write(TIMER, u32::from(TIMER_VECTOR) | if features::get().tsc_deadline { TIMER_DEADLINE } else { 0 });
    write(ERROR_STATUS, 0);
    let id = read(ID);
    let id = if mode == X2APIC { id } else { id >> 24 };
    area::this().apic_id.store(id, Ordering::Relaxed);
    end_of_interrupt();
}

/// Moves the two legacy controllers out of the way of the exceptions and masks all their lines.
fn mask_legacy() {
    let vectors = irq::LEGACY_VECTORS;
    let commands = [
        (0x20, 0x11),
        (0xa0, 0x11),
        (0x21, vectors),
        (0xa1, vectors + 8),
        (0x21, 4),
        (0xa1, 2),
        (0x21, 1),
        (0xa1, 1),
        (0x21, 0xff),
        (0xa1, 0xff),
    ];
    for (port, value) in commands {
        // SAFETY: the legacy interrupt controllers; with all lines masked they do nothing.
        unsafe { io::write_u8(port, value) };
    }
}

/// Acknowledges the interrupt that is being handled.
#[inline]
pub(super) fn end_of_interrupt() {
    write(EOI, 0);
}

/// Sends a message to the CPU with this APIC number.
pub(super) fn send(apic_id: u32, message: Message) {
    let command = match message {
        Message::Shootdown => u32::from(SHOOTDOWN_VECTOR) | ASSERT,
        Message::Reschedule => u32::from(RESCHEDULE_VECTOR) | ASSERT,
        Message::Stop => DELIVERY_NMI | ASSERT,
        Message::Init => 5 << 8 | ASSERT | LEVEL,
        Message::Startup(page) => 6 << 8 | ASSERT | u32::from(page),
    };
    if MODE.load(Ordering::Relaxed) == X2APIC {
        // What this CPU has written before must be visible to the other: a WRMSR does not wait for it (SDM 11.12.3).
        core::sync::atomic::fence(Ordering::SeqCst);
        let number = 0x800 + COMMAND as u32 / 16;
        // SAFETY: x2APIC mode is on; the vectors lead to proper entries.
        unsafe { registers::write_msr(number, u64::from(apic_id) << 32 | u64::from(command)) };
        return;
    }
    // Hazard 14.
    crate::irq::disabled(|| {
        wait_until_sent();
        write(COMMAND_HIGH, apic_id << 24);
        write(COMMAND, command);
    });
}

fn wait_until_sent() {
    let mut left = PATIENCE;
    while read(COMMAND) & PENDING != 0 && left != 0 {
        left -= 1;
        core::hint::spin_loop();
    }
}

/// Handles the controller's own complaint.
pub(super) fn error_interrupt() {
    write(ERROR_STATUS, 0);
    let status = read(ERROR_STATUS);
    end_of_interrupt();
    let _ = writeln!(EarlyConsole, "cpu {}: local interrupt controller reports {status:#x}", area::id());
}

/// Starts the one-shot timer with this many ticks; 0 stops it.
#[inline]
pub(super) fn start_timer(ticks: u32) {
    write(INITIAL_COUNT, ticks);
}

/// Returns the ticks that are left.
pub(super) fn timer_count() -> u32 {
    read(CURRENT_COUNT)
}
