//! What the scheduler knows of one thread.
//!
//! Every field is an atomic, accessed with relaxed ordering but for the CPU time: the run queue's lock orders the
//! accesses that matter, and readers elsewhere (`/proc`) only want a recent value.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::policy::{Attributes, Heat, Policy, ema};

/// Scheduling state of a thread. Written under the lock of the run queue of the CPU the thread belongs to.
#[derive(Debug)]
pub struct Entity {
    policy: AtomicU8,
    nice: AtomicI8,
    real_time_priority: AtomicU8,
    /// The rank of the most urgent thread that waits for this one; 0 for none.
    inherited_rank: AtomicU8,
    weight: AtomicU32,
    /// 2^32 / weight: turns real into virtual time by a multiplication.
    inverse_weight: AtomicU32,
    /// Virtual run time: nanoseconds as a thread of nice 0 would have needed for the same share.
    virtual_ns: AtomicU64,
    /// Moving average of run times before blocking.
    ema_ns: AtomicU64,
    /// Run time since the thread last blocked.
    burst_ns: AtomicU64,
    /// Run time since the thread last was given a slice.
    slice_used_ns: AtomicU64,
    /// All run time ever, up to the last charge.
    run_ns: AtomicU64,
    /// Run time for readers on other CPUs, in one word so that they never see half a charge: the run time while the
    /// thread does not run; [`RUNNING`] and run time minus clock, modulo 2^63, while it does.
    account: AtomicU64,
    /// Bit n: may run on CPU n.
    affinity: AtomicU64,
    resets_on_fork: AtomicBool,
    /// Slot of the thread's group; 0 for none.
    group: AtomicU8,
    /// 2^32 / weight of the group.
    inverse_group_weight: AtomicU32,
    /// As what the run queue counts the thread: slot in the upper half, weight in the lower; 0 for not at all.
    counted: AtomicU64,
    /// Where in a run queue the thread is; [`NOT_QUEUED`] for nowhere.
    place: AtomicU16,
}

/// The bit of [`Entity::account`] that says that the thread runs.
const RUNNING: u64 = 1 << 63;

/// The value of [`Entity::place`] for a thread in no run queue.
pub(super) const NOT_QUEUED: u16 = u16::MAX;

impl Entity {
    /// Makes the entity of a new thread.
    pub fn new(attributes: Attributes, affinity: u64) -> Self {
        let entity = Self {
            policy: AtomicU8::new(0),
            nice: AtomicI8::new(0),
            real_time_priority: AtomicU8::new(0),
            inherited_rank: AtomicU8::new(0),
            weight: AtomicU32::new(0),
            inverse_weight: AtomicU32::new(0),
            virtual_ns: AtomicU64::new(0),
            ema_ns: AtomicU64::new(0),
            burst_ns: AtomicU64::new(0),
            slice_used_ns: AtomicU64::new(0),
            run_ns: AtomicU64::new(0),
            account: AtomicU64::new(0),
            affinity: AtomicU64::new(affinity),
            resets_on_fork: AtomicBool::new(false),
            group: AtomicU8::new(0),
            inverse_group_weight: AtomicU32::new(0),
            counted: AtomicU64::new(0),
            place: AtomicU16::new(NOT_QUEUED),
        };
        entity.set_attributes(attributes);
        entity
    }

    /// Policy, nice and real-time priority.
    pub fn attributes(&self) -> Attributes {
        let policy = Policy::from_number(u32::from(self.policy.load(Relaxed))).unwrap_or(Policy::Other);
        let nice = self.nice.load(Relaxed);
        Attributes { policy, nice, real_time_priority: self.real_time_priority.load(Relaxed) }
    }

    /// Changes policy, nice and real-time priority. The thread must not be queued.
    pub fn set_attributes(&self, attributes: Attributes) {
        self.policy.store(attributes.policy as u8, Relaxed);
        self.nice.store(attributes.nice, Relaxed);
        self.real_time_priority.store(attributes.real_time_priority, Relaxed);
        self.weight.store(attributes.weight(), Relaxed);
        // A weight is at least 3, so the quotient fits.
        self.inverse_weight.store(((1_u64 << 32) / u64::from(attributes.weight())) as u32, Relaxed);
    }

    /// What a child starts with.
    pub fn attributes_for_child(&self) -> Attributes {
        let own = self.attributes();
        if !self.resets_on_fork() {
            own
        } else if own.policy.is_real_time() {
            Attributes::DEFAULT
        } else {
            Attributes { nice: own.nice.max(0), ..own }
        }
    }

    /// Whether children start with ordinary attributes (`SCHED_RESET_ON_FORK`).
    pub fn resets_on_fork(&self) -> bool {
        self.resets_on_fork.load(Relaxed)
    }

    /// Says whether children start with ordinary attributes.
    pub fn set_resets_on_fork(&self, resets: bool) {
        self.resets_on_fork.store(resets, Relaxed);
    }

    /// The real-time priority at which the thread runs: its own if it is a FIFO or RR thread, 1 to 99, or one that it
    /// inherits; 0 for a thread with a share.
    pub fn rank(&self) -> u8 {
        self.real_time_priority.load(Relaxed).max(self.inherited_rank.load(Relaxed))
    }

    /// Sets the rank that the thread inherits from those that wait for it. The thread must not be queued.
    pub fn set_inherited_rank(&self, rank: u8) {
        self.inherited_rank.store(rank, Relaxed);
    }

    /// How long the thread may run, in nanoseconds, while an equal waits; `None` for without end.
    pub fn slice_ns(&self) -> Option<u64> {
        let attributes = self.attributes();
        // What inherits a rank runs until it lets go of what others wait for.
        if self.rank() > 0 && !attributes.policy.is_real_time() { None } else { attributes.slice_ns() }
    }

    /// Whether the policy is SCHED_IDLE.
    pub fn is_idle_policy(&self) -> bool {
        self.policy.load(Relaxed) == Policy::Idle as u8
    }

    /// Whether a wake-up of the thread may pre-empt a thread with a share.
    pub fn preempts_on_wake(&self) -> bool {
        self.policy.load(Relaxed) == Policy::Other as u8
    }

    /// The queue the thread belongs to: by its moving average, or by its present run if that is longer already, so
    /// that a thread that never blocks gets cold too.
    pub fn heat(&self) -> Heat {
        Heat::of(self.ema_ns().max(self.burst_ns()))
    }

    /// Virtual run time.
    pub fn virtual_ns(&self) -> u64 {
        self.virtual_ns.load(Relaxed)
    }

    /// Sets the virtual run time.
    pub fn set_virtual_ns(&self, virtual_ns: u64) {
        self.virtual_ns.store(virtual_ns, Relaxed);
    }

    /// Moving average, in nanoseconds, of how long the thread runs before it blocks.
    pub fn ema_ns(&self) -> u64 {
        self.ema_ns.load(Relaxed)
    }

    /// CPU time used up to the last switch or charge.
    pub fn run_ns(&self) -> u64 {
        self.run_ns.load(Relaxed)
    }

    /// CPU time used up to now, which `clock` tells, the present run included. Never goes back from one call to the
    /// next.
    pub fn run_ns_by(&self, clock: impl Fn() -> u64) -> u64 {
        loop {
            let account = self.account.load(Acquire);
            if account & RUNNING == 0 {
                return account;
            }
            let now_ns = clock();
            // What the account says must have held when the clock was read, or the thread has stopped before that.
            if self.account.load(Acquire) == account {
                return account.wrapping_add(now_ns) & !RUNNING;
            }
        }
    }

    /// Notes that the thread runs and is charged up to `now_ns`, or that it stopped running.
    pub(super) fn set_running_since(&self, now_ns: Option<u64>) {
        let account = match now_ns {
            Some(now_ns) => self.run_ns().wrapping_sub(now_ns) | RUNNING,
            None => self.run_ns(),
        };
        // Pairs with the loads of a reader, whose clock must not be read before the first or after the second.
        self.account.store(account, Release);
    }

    /// Run time within the present slice.
    pub fn slice_used_ns(&self) -> u64 {
        self.slice_used_ns.load(Relaxed)
    }

    /// Starts a new slice.
    pub fn renew_slice(&self) {
        self.slice_used_ns.store(0, Relaxed);
    }

    /// The CPUs the thread may run on.
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Relaxed)
    }

    /// Changes the CPUs the thread may run on.
    pub fn set_affinity(&self, mask: u64) {
        self.affinity.store(mask, Relaxed);
    }

    /// Whether the thread may run on `cpu`.
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity() >> cpu & 1 != 0
    }

    /// Run time since the thread last blocked.
    pub fn burst_ns(&self) -> u64 {
        self.burst_ns.load(Relaxed)
    }

    /// Whether the thread waits in a run queue.
    pub fn is_queued(&self) -> bool {
        self.place() != NOT_QUEUED
    }

    /// Where in a run queue the thread is.
    pub(super) fn place(&self) -> u16 {
        self.place.load(Relaxed)
    }

    /// Notes where in a run queue the thread is.
    pub(super) fn set_place(&self, place: u16) {
        self.place.store(place, Relaxed);
    }

    /// Virtual time that `run_ns` of real time amount to at the thread's weight.
    pub fn to_virtual(&self, run_ns: u64) -> u64 {
        // The multiplication cannot overflow below 2^32 / 10 seconds of uninterrupted running at the smallest weight;
        // it saturates beyond.
        run_ns.saturating_mul(u64::from(self.inverse_weight.load(Relaxed))) >> 22
    }

    /// Puts the thread into the group of a slot (0: into none), whose share is that of a thread of this nice value. Who
    /// changes it for a thread that runs or waits has the queue count it anew.
    pub fn set_group(&self, slot: u8, nice: i8) {
        let weight = Attributes { nice, ..Attributes::DEFAULT }.weight();
        self.group.store(slot, Relaxed);
        self.inverse_group_weight.store(((1_u64 << 32) / u64::from(weight)) as u32, Relaxed);
    }

    /// The slot of the thread's group, and the thread's weight.
    #[inline]
    pub(super) fn group_and_weight(&self) -> (u8, u32) {
        (self.group.load(Relaxed), self.weight.load(Relaxed))
    }

    /// As what the run queue counts the thread.
    #[inline]
    pub(super) fn counted(&self) -> (u8, u32) {
        let counted = self.counted.load(Relaxed);
        ((counted >> 32) as u8, counted as u32)
    }

    #[inline]
    pub(super) fn set_counted(&self, (slot, weight): (u8, u32)) {
        self.counted.store(u64::from(slot) << 32 | u64::from(weight), Relaxed);
    }

    /// As [`Self::to_virtual`], at the weight of the thread's group.
    #[inline]
    pub(super) fn to_group_virtual(&self, run_ns: u64) -> u64 {
        run_ns.saturating_mul(u64::from(self.inverse_group_weight.load(Relaxed))) >> 22
    }

    /// Accounts for `run_ns` nanoseconds of running, which are `virtual_ns` of virtual time.
    pub fn charge(&self, run_ns: u64, virtual_ns: u64) {
        add(&self.run_ns, run_ns);
        add(&self.burst_ns, run_ns);
        add(&self.slice_used_ns, run_ns);
        add(&self.virtual_ns, virtual_ns);
    }

    /// Accounts for the end of a run: the thread blocks.
    pub fn note_block(&self) {
        let mean = ema(self.ema_ns(), self.burst_ns.load(Relaxed));
        self.ema_ns.store(mean, Relaxed);
        self.burst_ns.store(0, Relaxed);
        self.slice_used_ns.store(0, Relaxed);
    }

    /// Takes over the history and the group of the thread that made this one.
    pub fn inherit(&self, parent: &Self) {
        self.ema_ns.store(parent.ema_ns(), Relaxed);
        self.group.store(parent.group.load(Relaxed), Relaxed);
        self.inverse_group_weight.store(parent.inverse_group_weight.load(Relaxed), Relaxed);
    }
}

/// Adds without the cost of an atomic addition: only one CPU at a time writes.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    #[test]
    fn cpu_time_counts_the_present_run_and_stands_still_after_it() {
        let entity = Entity::new(Attributes::DEFAULT, 1);
        assert_eq!(entity.run_ns_by(|| 70), 0);
        entity.set_running_since(Some(100));
        assert_eq!(entity.run_ns_by(|| 130), 30);
        entity.charge(50, 50);
        entity.set_running_since(Some(150));
        assert_eq!(entity.run_ns_by(|| 160), 60);
        entity.charge(20, 20);
        entity.set_running_since(None);
        assert_eq!(entity.run_ns_by(|| 900), 70);
        entity.set_running_since(Some(1_000));
        assert_eq!(entity.run_ns_by(|| 1_001), 71);
    }

    #[test]
    fn a_reader_does_not_count_time_after_a_switch_it_missed() {
        let entity = Entity::new(Attributes::DEFAULT, 1);
        entity.set_running_since(Some(100));
        let looks = Cell::new(0);
        let clock = || {
            if looks.replace(1) == 0 {
                // The thread is switched away from between the look at its account and the one at the clock.
                entity.charge(10, 10);
                entity.set_running_since(None);
            }
            500
        };
        assert_eq!(entity.run_ns_by(clock), 10);
    }
}
