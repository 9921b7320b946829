//! The one-shot clock of each CPU, shared by timers, time slices and accounting.
//!
//! Whoever needs an interrupt at some time requests it; the hardware is programmed only when the request is earlier
//! than what it is set to. On the interrupt everybody says when it is needed next.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::timer;
use crate::scheduler::core::tick;

hal::per_cpu! {
    /// What the hardware of the CPU is set to; `u64::MAX` for nothing.
    static ARMED: AtomicU64 = AtomicU64::new(u64::MAX);
}

/// Makes sure that this CPU gets a clock interrupt at `at_ns` or before. Interrupts must be off.
pub(crate) fn request(at_ns: u64) {
    let armed = ARMED.get();
    if at_ns < armed.load(Relaxed) {
        armed.store(at_ns, Relaxed);
        hal::time::set_deadline(Some(at_ns));
    }
}

hal::per_cpu! {
    /// Clock interrupts.
    static COUNT: AtomicU64 = AtomicU64::new(0);
}

/// How often the clock has interrupted each CPU.
pub fn counts() -> impl Iterator<Item = u64> {
    COUNT.iter().map(|count| count.load(Relaxed))
}

/// Serves the clock interrupt of this CPU.
pub fn interrupt() {
    COUNT.get().fetch_add(1, Relaxed);
    ARMED.get().store(u64::MAX, Relaxed);
    let now_ns = hal::time::now_ns();
    let next_timer = timer::run_due(now_ns);
    let next_decision = tick::tick(now_ns);
    let next = next_timer.unwrap_or(u64::MAX).min(next_decision.unwrap_or(u64::MAX));
    if next != u64::MAX {
        hal::irq::disabled(|| request(next));
    }
}
