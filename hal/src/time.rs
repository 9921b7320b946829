//! Clocks and the one-shot timer.

use crate::arch;

/// Returns the nanoseconds since some moment before boot; never goes back, on no CPU.
#[inline]
pub fn now_ns() -> u64 {
    arch::time::now_ns()
}

/// Returns the time stamp counter.
#[inline]
pub fn tsc() -> u64 {
    arch::time::tsc()
}

/// Returns the frequency of the time stamp counter in Hz.
pub fn tsc_hz() -> u64 {
    arch::time::tsc_hz()
}

/// Asks for a [`timer_interrupt`](crate::Kernel::timer_interrupt) on this CPU once [`now_ns`] reaches `deadline_ns`, soon
/// if it has; replaces the former request, `None` withdraws it.
#[inline]
pub fn set_deadline(deadline_ns: Option<u64>) {
    arch::time::set_deadline(deadline_ns);
}

/// Returns what to add to [`now_ns`] to get the nanoseconds since 1970 UTC, by the machine's clock at boot.
pub fn wall_clock_offset_ns() -> u64 {
    arch::time::wall_clock_offset_ns()
}

/// Spins for at least this many nanoseconds.
pub fn busy_wait_ns(ns: u64) {
    arch::time::busy_wait_ns(ns);
}
