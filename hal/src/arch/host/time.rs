//! The virtual clock. It moves a little at every reading, so that polling loops end, and to the next deadline when all
//! CPUs wait.

use core::sync::atomic::Ordering;

use super::irq::{self, Pending};
use super::machine::{Inner, NONE, machine};

/// How much a reading of the clock moves it.
const READING_NS: u64 = 50;

pub(crate) fn now_ns() -> u64 {
    advance(machine(), READING_NS)
}

pub(crate) fn tsc() -> u64 {
    now_ns()
}

/// One tick per nanosecond.
pub(crate) fn tsc_hz() -> u64 {
    1_000_000_000
}

pub(crate) fn set_deadline(deadline_ns: Option<u64>) {
    let machine = machine();
    machine.cpu().deadline_ns.store(deadline_ns.unwrap_or(NONE), Ordering::SeqCst);
    advance(machine, 0);
}

pub(crate) fn busy_wait_ns(ns: u64) {
    advance(machine(), ns);
    irq::deliver();
}

pub(crate) fn wall_clock_offset_ns() -> u64 {
    machine().wall_clock_ns
}

/// Moves the clock, and the timers that this passes; returns the new time.
pub(super) fn advance(machine: &Inner, ns: u64) -> u64 {
    let now = machine.clock_ns.fetch_add(ns, Ordering::SeqCst) + ns;
    for (i, cpu) in machine.cpus.iter().enumerate() {
        let deadline = cpu.deadline_ns.load(Ordering::SeqCst);
        let due = deadline <= now
            && cpu.deadline_ns.compare_exchange(deadline, NONE, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if due {
            irq::request(machine, crate::cpu::CpuId::new(i), Pending::TIMER);
        }
    }
    now
}
