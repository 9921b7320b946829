//! This CPU and the others, as the rest of the crate sees them.

use core::sync::atomic::{AtomicUsize, Ordering};

use x86_64::instructions::{hlt, interrupts};

use super::{apic, area, features, irq, power, registers, shootdown};
use crate::cpu::CpuId;
use crate::heap::stock::Stock;

pub(crate) use super::area::local_offset;
pub(crate) use super::cpu_info::info;
pub(crate) use super::smp::start_secondaries;

static COUNT: AtomicUsize = AtomicUsize::new(1);

pub(super) fn set_count(count: usize) {
    COUNT.store(count, Ordering::Relaxed);
}

#[inline(always)]
pub(crate) fn id() -> CpuId {
    CpuId::new(area::id())
}

pub(crate) fn user_features() -> (u64, u64) {
    let features = features::get();
    (features.basic_d.into(), u64::from(features.fsgsbase) << 1)
}

#[inline(always)]
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

#[inline(always)]
pub(crate) fn stock() -> &'static Stock {
    area::stock()
}

pub(crate) fn stock_of(cpu: CpuId) -> &'static Stock {
    &area::of(cpu).slots
}

pub(crate) fn local_offset_of(cpu: CpuId) -> usize {
    area::of(cpu).local_offset.load(Ordering::Relaxed)
}

pub(crate) fn send_reschedule(cpu: CpuId) {
    apic::send(area::of(cpu).apic_id.load(Ordering::Relaxed), apic::Message::Reschedule);
}

#[inline]
pub(crate) fn wait_for_interrupt() {
    interrupts::enable_and_hlt();
}

#[inline(always)]
pub(crate) fn relax() {
    core::hint::spin_loop();
    // Whoever spins may have interrupts off, under the lock of another `SpinLockIrq` (hazard 7).
    shootdown::serve();
}

#[inline(always)]
pub(crate) fn relax_irq_off() {
    relax();
}

/// Collects what the hardware offers; the time is in it in any case.
pub(crate) fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for (i, chunk) in seed.chunks_exact_mut(8).enumerate() {
        let word = random_word() ^ registers::tsc().rotate_left(17 * i as u32 + 1);
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    seed
}

fn random_word() -> u64 {
    let features = features::get();
    let mut value = 0u64;
    let mut is_valid: u8;
    // The manual's advice: ten tries.
    for _ in 0..10 {
        if features.rdseed {
            // SAFETY: the CPU has the instruction.
            unsafe {
                core::arch::asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) is_valid, options(nomem, nostack))
            };
        } else if features.rdrand {
            // SAFETY: the CPU has the instruction.
            unsafe {
                core::arch::asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) is_valid, options(nomem, nostack))
            };
        } else {
            return value;
        }
        if is_valid != 0 {
            break;
        }
    }
    value
}

pub(crate) fn power_off() -> ! {
    power::off()
}

pub(crate) fn reboot() -> ! {
    power::reset()
}

pub(crate) fn halt() -> ! {
    irq::disable();
    loop {
        hlt();
    }
}
