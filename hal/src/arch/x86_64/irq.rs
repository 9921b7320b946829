//! Interrupts: this CPU's flag, the dispatch of vectors, the routing of lines.

use core::arch::asm;
use core::sync::atomic::{AtomicU16, Ordering};

use super::{apic, area, io_apic, shootdown, time};
use crate::error::Error;
use crate::irq::{Irq, dispatch};
use crate::task::UserRegs;
use crate::upcall::bound;

/// Where the legacy controllers are moved to; all their lines are masked.
pub(super) const LEGACY_VECTORS: u8 = 0x20;
/// First vector of a device.
const FIRST_DEVICE: u8 = 0x30;
/// One more than the last.
const END_DEVICES: u8 = 0xf0;
pub(super) const TIMER_VECTOR: u8 = 0xf0;
pub(super) const SHOOTDOWN_VECTOR: u8 = 0xfc;
pub(super) const RESCHEDULE_VECTOR: u8 = 0xfd;
pub(super) const ERROR_VECTOR: u8 = 0xfe;
pub(super) const SPURIOUS_VECTOR: u8 = 0xff;

const NO_LINE: u16 = u16::MAX;

/// The line of each vector.
static LINES: [AtomicU16; 256] = [const { AtomicU16::new(NO_LINE) }; 256];

#[inline(always)]
pub(crate) fn enabled() -> bool {
    let flags: u64;
    // SAFETY: reads the flags.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(nomem, preserves_flags)) };
    flags & 0x200 != 0
}

#[inline(always)]
pub(crate) fn disable() -> bool {
    let was_enabled = enabled();
    // SAFETY: turning interrupts off is always sound. No `nomem`: what follows must not move before it.
    unsafe { asm!("cli", options(nostack, preserves_flags)) };
    was_enabled
}

#[inline(always)]
pub(crate) fn restore(enable: bool) {
    if enable {
        // SAFETY: the caller had interrupts on, or is the end of a boot function: the tables are loaded.
        unsafe { asm!("sti", options(nostack, preserves_flags)) };
    }
}

#[inline(always)]
pub(crate) fn in_interrupt() -> bool {
    area::this().interrupts.load(Ordering::Relaxed) != 0
}

/// Tells whether the interrupt being handled came from user mode.
pub(crate) fn interrupted_user() -> bool {
    area::this().interrupted_user.load(Ordering::Relaxed) != 0
}

/// Routes a line to this kernel and unmasks it.
///
/// # Errors
/// `Unsupported`: no controller has the line. `OutOfRange`: no vector is left.
pub(crate) fn unmask(irq: Irq) -> Result<(), Error> {
    let line = irq.index() as u16;
    let known = |vector: &u8| LINES[usize::from(*vector)].load(Ordering::Relaxed) == line;
    let free = |vector: &u8| {
        LINES[usize::from(*vector)]
            .compare_exchange(NO_LINE, line, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    };
    let mut vectors = FIRST_DEVICE..END_DEVICES;
    let vector = vectors.clone().find(known).or_else(|| vectors.find(free)).ok_or(Error::OutOfRange)?;
    io_apic::route(irq, vector)
}

/// Handles a vector from 32 on: called from entry.s, interrupts off.
#[unsafe(no_mangle)]
extern "C" fn hal_interrupt(vector: u32, regs: &UserRegs) {
    let area = area::this();
    let depth = &area.interrupts;
    area.interrupted_user.store((regs.cs & 3) as u32, Ordering::Relaxed);
    // Plain arithmetic: only this CPU changes it, and an interrupt in between has undone its change.
    depth.store(depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    // The interrupted code may be in the middle of taking a slot.
    let stock = area.stock.load(Ordering::Relaxed);
    area.stock.store((&raw const area::NO_SLOTS).expose_provenance(), Ordering::Relaxed);
    match vector as u8 {
        TIMER_VECTOR => {
            apic::end_of_interrupt();
            time::timer_interrupt();
        }
        RESCHEDULE_VECTOR => {
            apic::end_of_interrupt();
            bound::reschedule_interrupt();
        }
        SHOOTDOWN_VECTOR => {
            apic::end_of_interrupt();
            shootdown::serve();
        }
        ERROR_VECTOR => apic::error_interrupt(),
        // Neither is acknowledged (SDM 11.9; the legacy controllers are masked).
        SPURIOUS_VECTOR => {}
        vector if vector < FIRST_DEVICE => {}
        vector => {
            let line = LINES[usize::from(vector)].load(Ordering::Relaxed);
            if let Some(irq) = Irq::global(line.into()) {
                dispatch(irq);
            }
            apic::end_of_interrupt();
        }
    }
    area.stock.store(stock, Ordering::Relaxed);
    depth.store(depth.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
}
