//! The interrupt controllers of devices.
//!
//! Source: Intel 82093AA data sheet; ACPI 6.5, 5.2.12.

use core::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use firmware::acpi::{Acpi, IoApicEntry, IsaWire, MAX_IO_APICS};

use super::mmio::Mmio;
use super::{area, boot};
use crate::cpu::CpuId;
use crate::error::Error;
use crate::irq::Irq;
use crate::sync::{LockRank, SpinLockIrq};

const SELECT: usize = 0x00;
const WINDOW: usize = 0x10;
const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;

const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;

struct IoApic {
    registers: Mmio,
    first_gsi: u32,
    pins: u32,
}

struct Controllers {
    list: ArrayVec<IoApic, MAX_IO_APICS>,
    overrides: ArrayVec<(u8, IsaWire), 16>,
}

const RANK: LockRank = LockRank::new(u16::MAX - 4, "hal I/O APICs");

static CONTROLLERS: SpinLockIrq<Controllers> =
    SpinLockIrq::new(RANK, Controllers { list: ArrayVec::new_const(), overrides: ArrayVec::new_const() });

impl IoApic {
    fn read(&self, register: u32) -> u32 {
        self.select(register);
        self.registers.read(WINDOW)
    }

    fn write(&self, register: u32, value: u32) {
        self.select(register);
        // SAFETY: `route` and `init` write redirections to proper vectors, or mask them.
        unsafe { self.registers.write(WINDOW, value) };
    }

    fn select(&self, register: u32) {
        // SAFETY: chooses what the window shows.
        unsafe { self.registers.write(SELECT, register) };
    }
}

/// Maps the controllers that ACPI lists, or the one that every PC has had, and masks all their lines.
pub(super) fn init(acpi: &Acpi) {
    const DEFAULT: IoApicEntry = IoApicEntry { addr: 0xfec0_0000, first_gsi: 0 };
    let default = [DEFAULT];
    let entries = if acpi.io_apics.is_empty() { &default[..] } else { &acpi.io_apics[..] };
    let mut controllers = CONTROLLERS.lock();
    controllers.overrides = acpi.overrides.clone();
    for entry in entries {
        // SAFETY: an I/O APIC is where the firmware says, or where it always was.
        let Ok(registers) = (unsafe { Mmio::map(entry.addr.into(), 0x20, &mut boot::early_table) }) else {
            continue;
        };
        let mut controller = IoApic { registers, first_gsi: entry.first_gsi, pins: 0 };
        let version = controller.read(VERSION);
        if version == u32::MAX {
            continue;
        }
        controller.pins = (version >> 16 & 0xff) + 1;
        for pin in 0..controller.pins {
            controller.write(REDIRECTION + 2 * pin, MASKED);
        }
        // As many as the list of entries holds.
        let _ = controllers.list.try_push(controller);
    }
}

/// Sends a line's interrupts to the boot CPU as this vector.
///
/// # Errors
/// `Unsupported`: no controller has the line.
pub(super) fn route(irq: Irq, vector: u8) -> Result<(), Error> {
    let line = irq.index() as u32;
    let controllers = CONTROLLERS.lock();
    let special =
        controllers.overrides.iter().find(|(isa, _)| u32::from(*isa) == line).map(|(_, wire)| *wire);
    // Legacy lines are edge triggered and active high, the others are PCI's: level triggered, active low.
    let wire = special.unwrap_or(IsaWire { gsi: line, active_low: line >= 16, level: line >= 16 });
    let controller = controllers
        .list
        .iter()
        .find(|controller| {
            wire.gsi.checked_sub(controller.first_gsi).is_some_and(|pin| pin < controller.pins)
        })
        .ok_or(Error::Unsupported)?;
    let register = REDIRECTION + 2 * (wire.gsi - controller.first_gsi);
    let flags = if wire.active_low { ACTIVE_LOW } else { 0 } | if wire.level { LEVEL } else { 0 };
    controller.write(register + 1, area::of(CpuId::BOOT).apic_id.load(Ordering::Relaxed) << 24);
    controller.write(register, u32::from(vector) | flags);
    Ok(())
}
