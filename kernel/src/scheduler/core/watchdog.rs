//! Notices CPUs that hang, and says so in the log: a thread that neither leaves the kernel nor its CPU (soft), and a CPU
//! that takes no interrupts (hard). Each clock sample of a CPU looks at the CPU itself and at the next one.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};

use super::policy::MS;

/// After this long in the kernel without a switch a thread is reported.
const SOFT_NS: u64 = 20_000 * MS;

/// After its clock sample is due for this long a CPU is reported.
const HARD_NS: u64 = 10_000 * MS;

/// What is known of one CPU.
pub(super) struct Watchdog {
    /// Switches at the last sign of life, and when that was.
    switches: AtomicU64,
    alive_ns: AtomicU64,
    has_reported_soft: AtomicBool,
    has_reported_hard: AtomicBool,
}

/// Something to report, with the seconds it has been so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Report {
    /// This CPU's thread does not leave the kernel.
    Soft(u64),
    /// The other CPU takes no interrupts.
    Hard(u64),
}

impl Watchdog {
    pub(super) const fn new() -> Self {
        Self {
            switches: AtomicU64::new(0),
            alive_ns: AtomicU64::new(0),
            has_reported_soft: AtomicBool::new(false),
            has_reported_hard: AtomicBool::new(false),
        }
    }

    /// Looks at the CPU whose sample this is; each hang is reported once.
    pub(super) fn look(&self, in_user_mode: bool, switches: u64, now_ns: u64) -> Option<Report> {
        self.has_reported_hard.store(false, Relaxed);
        if in_user_mode || switches != self.switches.load(Relaxed) {
            self.switches.store(switches, Relaxed);
            self.alive_ns.store(now_ns, Relaxed);
            self.has_reported_soft.store(false, Relaxed);
            return None;
        }
        let stuck_ns = now_ns.saturating_sub(self.alive_ns.load(Relaxed));
        let is_new = stuck_ns > SOFT_NS && !self.has_reported_soft.swap(true, Relaxed);
        is_new.then_some(Report::Soft(stuck_ns / (1_000 * MS)))
    }

    /// Looks at another CPU, which runs a thread and is due to take a sample at `due_ns`.
    pub(super) fn look_from_outside(&self, due_ns: u64, now_ns: u64) -> Option<Report> {
        let late_ns = now_ns.saturating_sub(due_ns);
        let is_new = late_ns > HARD_NS && !self.has_reported_hard.swap(true, Relaxed);
        is_new.then_some(Report::Hard(late_ns / (1_000 * MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_is_reported_once_until_there_is_life_again() {
        let dog = Watchdog::new();
        assert_eq!(dog.look(false, 7, 1_000 * MS), None);
        assert_eq!(dog.look(false, 7, 21_000 * MS), None);
        assert_eq!(dog.look(false, 7, 22_000 * MS), Some(Report::Soft(21)));
        assert_eq!(dog.look(false, 7, 60_000 * MS), None);
        assert_eq!(dog.look(true, 7, 61_000 * MS), None);
        assert_eq!(dog.look(false, 7, 82_000 * MS), Some(Report::Soft(21)));
        assert_eq!(dog.look(false, 8, 200_000 * MS), None);
    }

    #[test]
    fn a_cpu_that_takes_no_samples_is_reported_by_another() {
        let dog = Watchdog::new();
        assert_eq!(dog.look_from_outside(5_000 * MS, 15_000 * MS), None);
        assert_eq!(dog.look_from_outside(5_000 * MS, 16_000 * MS), Some(Report::Hard(11)));
        assert_eq!(dog.look_from_outside(5_000 * MS, 17_000 * MS), None);
        assert_eq!(dog.look(true, 1, 18_000 * MS), None);
        assert_eq!(dog.look_from_outside(5_000 * MS, 19_000 * MS), Some(Report::Hard(14)));
    }
}
