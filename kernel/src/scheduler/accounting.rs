//! What CPUs did: time by kind, switches, load averages.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use alloc::vec::Vec;

use super::core::policy::MS;

/// Binary places of a load average.
pub const LOAD_SHIFT: u32 = 11;

/// Time between two updates of the load averages.
const LOAD_INTERVAL_NS: u64 = 5_000 * MS;

/// `exp(-interval / period)` for 1, 5 and 15 minutes, with [`LOAD_SHIFT`] binary places.
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// Intervals that a long idle time is caught up with at most: after them a load of 1,000 shows as 0 at 15 minutes.
const MAX_CATCH_UP: u64 = 2_000;

/// What one CPU did since boot, in nanoseconds.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct CpuUsage {
    /// Running programs of nice 0 and below.
    pub user_ns: u64,
    /// Running programs of nice above 0.
    pub nice_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
    /// Idle.
    pub idle_ns: u64,
    /// Switches between threads.
    pub context_switches: u64,
    /// What threads spent waiting in its run queue, all together.
    pub waiting_ns: u64,
}

/// What one CPU does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuState {
    /// Whether it runs a thread.
    pub is_busy: bool,
    /// Threads that wait for it.
    pub queued: usize,
    /// The real-time priority of the thread that runs, and the highest of those that wait; 0 for none.
    pub running_rank: u8,
    /// See `running_rank`.
    pub waiting_rank: u8,
    /// The virtual time of its run queue.
    pub virtual_ns: u64,
    /// Interrupts that other CPUs sent it for the scheduler's sake.
    pub interrupts: u64,
}

/// What the scheduler did since boot and does now.
#[derive(Clone, Default, Debug)]
pub struct Stats {
    /// Threads that run.
    pub running: usize,
    /// Threads that wait for a CPU.
    pub ready: usize,
    /// Threads started since boot.
    pub threads_started: u64,
    /// Switches between threads since boot.
    pub context_switches: u64,
    /// Each CPU's share.
    pub cpus: Vec<CpuUsage>,
}

/// The counters of one CPU. Written by that CPU only.
///
/// Only what begins and ends idling is counted at a switch: the rest of the time the CPU was busy. Which of the three
/// kinds of busy time it was is known of the moments of the clock samples only: a sample decides for all busy time since
/// the one before. So the sums never go back, and what no sample has decided yet shows nowhere.
pub(crate) struct CpuTimes {
    user_ns: AtomicU64,
    nice_ns: AtomicU64,
    system_ns: AtomicU64,
    /// Clock at which the CPU began to take part.
    start_ns: AtomicU64,
    /// Time idle, the present one not included.
    idle_ns: AtomicU64,
    /// Clock at which the CPU became idle or stopped being so; [`CHANGING`] while it and `idle_ns` are being changed.
    since_ns: AtomicU64,
    switches: AtomicU64,
}

const CHANGING: u64 = u64::MAX;

impl CpuTimes {
    pub(crate) const fn new() -> Self {
        Self {
            user_ns: AtomicU64::new(0),
            nice_ns: AtomicU64::new(0),
            system_ns: AtomicU64::new(0),
            start_ns: AtomicU64::new(0),
            idle_ns: AtomicU64::new(0),
            since_ns: AtomicU64::new(0),
            switches: AtomicU64::new(0),
        }
    }

    /// The CPU takes part from now on, and is idle.
    pub(crate) fn start(&self, now_ns: u64) {
        self.start_ns.store(now_ns, Relaxed);
        self.since_ns.store(now_ns, Relaxed);
    }

    /// The CPU has nothing to do from now on; to be called before others can see that it is idle.
    pub(crate) fn begin_idle(&self, now_ns: u64) {
        self.since_ns.store(now_ns, Release);
    }

    /// The CPU was idle up to now; to be called before others can see that it is busy.
    pub(crate) fn end_idle(&self, now_ns: u64) {
        let idle_ns = now_ns.saturating_sub(self.since_ns.load(Relaxed));
        self.since_ns.store(CHANGING, Relaxed);
        self.idle_ns.store(self.idle_ns.load(Relaxed).wrapping_add(idle_ns), Release);
        self.since_ns.store(now_ns, Release);
    }

    #[inline]
    pub(crate) fn count_switch(&self) {
        add(&self.switches, 1);
    }

    pub(crate) fn switches(&self) -> u64 {
        self.switches.load(Relaxed)
    }

    /// Decides what the busy time up to `now_ns` was that no sample has decided yet. The CPU is busy.
    pub(crate) fn count_sample(&self, in_user_mode: bool, is_nice: bool, now_ns: u64) {
        let kind = match (in_user_mode, is_nice) {
            (true, false) => &self.user_ns,
            (true, true) => &self.nice_ns,
            (false, _) => &self.system_ns,
        };
        let counted = [&self.start_ns, &self.idle_ns, &self.user_ns, &self.nice_ns, &self.system_ns];
        let counted: u64 = counted.iter().map(|time| time.load(Relaxed)).sum();
        add(kind, now_ns.saturating_sub(counted));
    }

    /// What the CPU did up to now, which `clock` tells; `is_idle` tells to whom the time since the last switch belongs.
    pub(crate) fn snapshot(&self, clock: impl Fn() -> u64, is_idle: impl Fn() -> bool) -> CpuUsage {
        let idle_ns = loop {
            let since_ns = self.since_ns.load(Acquire);
            let idle_ns = self.idle_ns.load(Acquire);
            let present = if is_idle() { clock().saturating_sub(since_ns) } else { 0 };
            if since_ns != CHANGING && self.since_ns.load(Acquire) == since_ns {
                break idle_ns + present;
            }
            hal::cpu::relax();
        };
        CpuUsage {
            user_ns: self.user_ns.load(Relaxed),
            nice_ns: self.nice_ns.load(Relaxed),
            system_ns: self.system_ns.load(Relaxed),
            idle_ns,
            context_switches: self.switches.load(Relaxed),
            waiting_ns: 0,
        }
    }
}

/// The load averages: exponentially decaying means of the number of threads that run or could.
pub(crate) struct Load {
    averages: [AtomicU64; 3],
    /// Clock up to which the averages are computed.
    updated_ns: AtomicU64,
}

impl Load {
    pub(crate) const fn new() -> Self {
        Self { averages: [const { AtomicU64::new(0) }; 3], updated_ns: AtomicU64::new(0) }
    }

    /// Takes the intervals that have passed up to `now_ns` into account, `active` threads being active.
    pub(crate) fn update(&self, now_ns: u64, active: usize) {
        let updated = self.updated_ns.load(Relaxed);
        let intervals = now_ns.saturating_sub(updated) / LOAD_INTERVAL_NS;
        if intervals == 0 {
            return;
        }
        let next = updated + intervals * LOAD_INTERVAL_NS;
        if self.updated_ns.compare_exchange(updated, next, AcqRel, Relaxed).is_err() {
            return; // Another CPU does it.
        }
        let active = (active as u64) << LOAD_SHIFT;
        for (average, decay) in self.averages.iter().zip(DECAY) {
            let mut load = average.load(Relaxed);
            for _ in 0..intervals.min(MAX_CATCH_UP) {
                // Rounded towards the target, so that it is reached.
                let round = if active >= load { (1 << LOAD_SHIFT) - 1 } else { 0 };
                load = (load * decay + active * ((1 << LOAD_SHIFT) - decay) + round) >> LOAD_SHIFT;
            }
            average.store(load, Relaxed);
        }
    }

    /// The averages over 1, 5 and 15 minutes.
    pub(crate) fn averages(&self, now_ns: u64, active: usize) -> [u64; 3] {
        self.update(now_ns, active);
        [0, 1, 2].map(|index: usize| self.averages[index].load(Relaxed))
    }
}

/// Adds without the cost of an atomic addition: only the CPU itself writes.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(load: &Load, from_s: u64, to_s: u64, active: usize) -> [f64; 3] {
        for second in from_s..=to_s {
            load.update(second * 1_000 * MS, active);
        }
        load.averages(to_s * 1_000 * MS, active).map(|load| load as f64 / 2048.0)
    }

    #[test]
    fn load_approaches_the_number_of_active_threads_and_decays() {
        let load = Load::new();
        let [one, five, fifteen] = after(&load, 0, 60, 4);
        assert!((2.4..2.7).contains(&one), "{one}");
        assert!((0.6..0.9).contains(&five) && fifteen < five);
        let all = after(&load, 60, 6_000, 4);
        assert!(all.iter().all(|&load| (3.9..=4.0).contains(&load)), "{all:?}");
        let [one, ..] = after(&load, 6_000, 6_600, 0);
        assert!(one < 0.01, "{one}");
    }

    #[test]
    fn a_long_idle_time_is_caught_up_with_at_once() {
        let load = Load::new();
        after(&load, 0, 100, 8);
        let averages = load.averages(100_000_000 * MS, 0);
        assert_eq!(averages, [0, 0, 0]);
    }

    #[test]
    fn a_sample_decides_what_the_time_since_the_last_one_was() {
        let times = CpuTimes::new();
        times.start(1_000);
        assert_eq!(times.snapshot(|| 1_400, || true).idle_ns, 400);
        times.end_idle(1_500);
        times.begin_idle(2_000);
        let usage = times.snapshot(|| 4_000, || true);
        assert_eq!((usage.user_ns, usage.system_ns, usage.idle_ns), (0, 0, 2_500));
        times.end_idle(4_000);
        times.count_sample(true, false, 4_100);
        times.count_sample(false, true, 4_300);
        times.count_sample(true, true, 4_400);
        let usage = times.snapshot(|| 9_000, || false);
        assert_eq!((usage.user_ns, usage.system_ns, usage.nice_ns, usage.idle_ns), (600, 200, 100, 2_500));
    }
}
