//! Interrupts of the simulated machine: requested at any time, delivered where the CPU looks.

use core::sync::atomic::Ordering;

use super::machine::{Inner, lock, machine};
use crate::cpu::CpuId;
use crate::error::Error;
use crate::irq::Irq;
use crate::upcall::bound;

bitflags::bitflags! {
    /// Interrupts that wait for delivery.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct Pending: u32 {
        const TIMER = 1;
        const RESCHEDULE = 2;
        const LINE = 4;
    }
}

pub(crate) fn enabled() -> bool {
    machine().cpu().irq_enabled.load(Ordering::Relaxed)
}

pub(crate) fn in_interrupt() -> bool {
    machine().cpu().in_interrupt.load(Ordering::Relaxed)
}

/// Tells whether the interrupt being served came while a simulated program computed.
pub(crate) fn interrupted_user() -> bool {
    machine().cpu().in_user.load(Ordering::Relaxed)
}

pub(crate) fn disable() -> bool {
    machine().cpu().irq_enabled.swap(false, Ordering::Relaxed)
}

pub(crate) fn restore(enabled: bool) {
    machine().cpu().irq_enabled.store(enabled, Ordering::Relaxed);
    if enabled {
        deliver();
    }
}

pub(crate) fn unmask(irq: Irq) -> Result<(), Error> {
    machine().unmasked[irq.index() / 64].fetch_or(1 << (irq.index() % 64), Ordering::SeqCst);
    Ok(())
}

/// Asks a CPU to take an interrupt.
pub(super) fn request(machine: &Inner, cpu: CpuId, what: Pending) {
    machine.cpus[cpu.index()].pending.fetch_or(what.bits(), Ordering::SeqCst);
    // Under the lock: a CPU between its last look and its wait does not miss it.
    drop(lock(&machine.idle));
    machine.changed.notify_all();
}

/// Raises a device's line; CPU 0 takes it.
pub(super) fn raise_line(machine: &Inner, irq: Irq) {
    let bit = 1 << (irq.index() % 64);
    if machine.unmasked[irq.index() / 64].load(Ordering::SeqCst) & bit != 0 {
        machine.cpus[0].lines[irq.index() / 64].fetch_or(bit, Ordering::SeqCst);
        request(machine, CpuId::BOOT, Pending::LINE);
    }
}

/// Tells whether this CPU has an interrupt to take.
pub(super) fn is_pending() -> bool {
    machine().cpu().pending.load(Ordering::SeqCst) != 0
}

/// Takes all interrupts that wait, if they are on; tells whether there was one.
pub(super) fn deliver() -> bool {
    let machine = machine();
    let mut any = false;
    loop {
        let cpu = machine.cpu();
        if !cpu.irq_enabled.load(Ordering::Relaxed) || cpu.in_interrupt.load(Ordering::Relaxed) {
            return any;
        }
        let pending = Pending::from_bits_truncate(cpu.pending.swap(0, Ordering::SeqCst));
        if pending.is_empty() {
            return any;
        }
        any = true;
        cpu.irq_enabled.store(false, Ordering::Relaxed);
        cpu.in_interrupt.store(true, Ordering::Relaxed);
        if pending.contains(Pending::TIMER) {
            bound::timer_interrupt();
        }
        if pending.contains(Pending::RESCHEDULE) {
            bound::reschedule_interrupt();
        }
        if pending.contains(Pending::LINE) {
            for (i, lines) in cpu.lines.iter().enumerate() {
                let mut lines = lines.swap(0, Ordering::SeqCst);
                while lines != 0 {
                    let bit = lines.trailing_zeros();
                    lines &= lines - 1;
                    if let Some(irq) = Irq::global(i as u32 * 64 + bit) {
                        crate::irq::dispatch(irq);
                    }
                }
            }
        }
        cpu.in_interrupt.store(false, Ordering::Relaxed);
        cpu.irq_enabled.store(true, Ordering::Relaxed);
    }
}
