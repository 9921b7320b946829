//! CPUs of the simulated machine.

use core::sync::atomic::Ordering;
use std::time::Duration;

use super::api::Outcome;
use super::irq::{self, Pending};
use super::machine::{self, NONE, current_cpu, lock, machine, park_for_ever};
use super::time;
use crate::cpu::{CpuId, CpuInfo};
use crate::heap::stock::Stock;
use crate::upcall::bound;

/// Real time after which a machine that waits for nothing is taken to hang.
const HANG: Duration = Duration::from_secs(20);

#[inline]
pub(crate) fn id() -> CpuId {
    current_cpu()
}

/// Interrupts come between operations only, so their handlers may find the CPU's own.
#[inline(always)]
pub(crate) fn stock() -> &'static Stock {
    &machine::cpu().slots
}

pub(crate) fn stock_of(cpu: CpuId) -> &'static Stock {
    &machine().cpus[cpu.index()].slots
}

pub(crate) fn count() -> usize {
    machine().cpus.len()
}

pub(crate) fn user_features() -> (u64, u64) {
    (0, 0)
}

pub(crate) fn info() -> CpuInfo {
    let text = |s: &str| arrayvec::ArrayString::from(s).unwrap_or_default();
    CpuInfo {
        vendor: text("GenuineIntel"),
        brand: arrayvec::ArrayString::from("Simulated CPU").unwrap_or_default(),
        family: 6,
        model: 1,
        stepping: 0,
        khz: 1_000_000,
        cache_kib: 1024,
        cache_line: 64,
        address_bits: (40, 48),
        features: std::vec![
            "fpu", "tsc", "msr", "pae", "cx8", "pge", "cmov", "fxsr", "sse", "sse2", "syscall", "nx", "lm"
        ],
    }
}

/// All of them, whatever the limit: how many the machine has is the test's choice.
pub(crate) fn start_secondaries(_limit: usize) -> usize {
    let machine = machine();
    lock(&machine.idle).online = machine.cpus.len();
    for i in 1..machine.cpus.len() {
        machine.cpus[i].irq_enabled.store(false, Ordering::Relaxed);
        machine::spawn(machine, CpuId::new(i), || bound::secondary_boot());
    }
    machine.cpus.len()
}

pub(crate) fn send_reschedule(cpu: CpuId) {
    irq::request(machine(), cpu, Pending::RESCHEDULE);
}

/// Waits until this CPU has an interrupt. When all CPUs wait, time jumps to the next deadline.
pub(crate) fn wait_for_interrupt() {
    let machine = machine();
    let cpu = machine.cpu();
    let mut idle = lock(&machine.idle);
    idle.waiting += 1;
    while !irq::is_pending() {
        if let Some(outcome) = &idle.outcome {
            let text = std::format!("the simulated machine has ended: {outcome:?}");
            idle.waiting -= 1;
            drop(idle);
            park_for_ever(&text);
        }
        let all = idle.waiting >= idle.online.max(1);
        let someone = machine.cpus.iter().any(|cpu| cpu.pending.load(Ordering::SeqCst) != 0);
        let next =
            machine.cpus.iter().map(|cpu| cpu.deadline_ns.load(Ordering::SeqCst)).min().unwrap_or(NONE);
        if all && !someone && next != NONE {
            let now = machine.clock_ns.load(Ordering::SeqCst);
            drop(idle);
            time::advance(machine, next.saturating_sub(now));
            idle = lock(&machine.idle);
            continue;
        }
        let (again, timeout) =
            machine.changed.wait_timeout(idle, HANG).unwrap_or_else(std::sync::PoisonError::into_inner);
        idle = again;
        if timeout.timed_out() && next == NONE && !irq::is_pending() && idle.waiting >= idle.online.max(1) {
            idle.waiting -= 1;
            drop(idle);
            panic!("the simulated machine hangs: every CPU waits and no deadline is set");
        }
    }
    idle.waiting -= 1;
    drop(idle);
    cpu.irq_enabled.store(true, Ordering::Relaxed);
    irq::deliver();
}

pub(crate) fn relax() {
    irq::deliver();
    std::thread::yield_now();
}

pub(crate) fn relax_irq_off() {
    std::thread::yield_now();
}

/// Reproducible: the same on every run, another at every call.
pub(crate) fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut z = machine().seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    seed
}

pub(crate) fn power_off() -> ! {
    machine().finish(Outcome::PowerOff);
    park_for_ever("the simulated machine has been switched off");
}

pub(crate) fn reboot() -> ! {
    machine().finish(Outcome::Reboot);
    park_for_ever("the simulated machine has been reset");
}

pub(crate) fn halt() -> ! {
    machine().finish(Outcome::Halt);
    park_for_ever("the simulated machine has been halted");
}
