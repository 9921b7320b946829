//! What the scheduler knows of one thread.
//!
//! Every field is an atomic, accessed with relaxed ordering but for the accounts of time: the run queue's lock orders
//! the accesses that matter, and readers elsewhere (`/proc`) only want a recent value. What a switch asks for is stored
//! as it is asked for, and derived when attributes change.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::account::Account;
use super::policy::{Attributes, Heat, Policy, ema};

/// Scheduling state of a thread. Written under the lock of the run queue of the CPU the thread belongs to.
#[derive(Debug)]
pub struct Entity {
    policy: AtomicU8,
    nice: AtomicI8,
    real_time_priority: AtomicU8,
    /// The rank of the most urgent thread that waits for this one; 0 for none.
    inherited_rank: AtomicU8,
    /// Derived from the four: a [`Class`].
    class: AtomicU16,
    /// Derived: the length of a slice, or [`NO_SLICE`].
    slice_ns: AtomicU64,
    /// 2^32 / weight: turns real into virtual time by a multiplication.
    inverse_weight: AtomicU32,
    /// Virtual run time: nanoseconds as a thread of nice 0 would have needed for the same share.
    virtual_ns: AtomicU64,
    /// Moving average of run times before blocking.
    ema_ns: AtomicU64,
    /// Run time, and time spent in run queues.
    run: Account,
    wait: Account,
    /// Clock at which it last stopped running.
    last_ran_ns: AtomicU64,
    /// How often it went from one CPU to another.
    migrations: AtomicU64,
    /// Run time at which the thread last blocked, and at which its slice began.
    burst_from_ns: AtomicU64,
    slice_from_ns: AtomicU64,
    /// Bit n: may run on CPU n.
    affinity: AtomicU64,
    resets_on_fork: AtomicBool,
    /// As what a run queue is to count the thread: the slot of its group (0 for none) above its weight.
    share: AtomicU64,
    /// As what the run queue counts the thread; 0 for not at all.
    counted: AtomicU64,
    /// 2^32 / weight of the group.
    inverse_group_weight: AtomicU32,
    /// Where in a run queue the thread is; [`NOT_QUEUED`] for nowhere.
    place: AtomicU16,
}

/// The value of [`Entity::place`] for a thread in no run queue.
pub(super) const NOT_QUEUED: u16 = u16::MAX;

/// A slice without an end; far enough from the end of the numbers to be added to a clock.
pub(super) const NO_SLICE: u64 = u64::MAX >> 2;

/// How a thread stands to others, in one number: 0 for an ordinary thread with a share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Class(u16);

impl Class {
    /// A thread with a share that pre-empts when it wakes.
    pub(super) const ORDINARY: Self = Self(0);
    const IDLE_POLICY: u16 = 1 << 8;
    const BATCH_POLICY: u16 = 1 << 9;
    /// The idle thread of a CPU.
    pub(super) const IDLE_THREAD: Self = Self(1 << 10);

    #[inline]
    pub(super) const fn rank(self) -> u8 {
        self.0 as u8
    }

    #[inline]
    pub(super) const fn is_idle_policy(self) -> bool {
        self.0 & Self::IDLE_POLICY != 0
    }

    /// Whether a wake-up of the thread may pre-empt a thread with a share.
    #[inline]
    pub(super) const fn preempts_on_wake(self) -> bool {
        self.0 & (Self::IDLE_POLICY | Self::BATCH_POLICY) == 0
    }
}

impl Entity {
    /// Makes the entity of a new thread.
    pub fn new(attributes: Attributes, affinity: u64) -> Self {
        let entity = Self {
            policy: AtomicU8::new(0),
            nice: AtomicI8::new(0),
            real_time_priority: AtomicU8::new(0),
            inherited_rank: AtomicU8::new(0),
            class: AtomicU16::new(0),
            slice_ns: AtomicU64::new(NO_SLICE),
            inverse_weight: AtomicU32::new(0),
            virtual_ns: AtomicU64::new(0),
            ema_ns: AtomicU64::new(0),
            run: Account::new(),
            wait: Account::new(),
            last_ran_ns: AtomicU64::new(0),
            migrations: AtomicU64::new(0),
            burst_from_ns: AtomicU64::new(0),
            slice_from_ns: AtomicU64::new(0),
            affinity: AtomicU64::new(affinity),
            resets_on_fork: AtomicBool::new(false),
            share: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            inverse_group_weight: AtomicU32::new(0),
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
        let slot = self.share.load(Relaxed) >> 32;
        self.share.store(slot << 32 | u64::from(attributes.weight()), Relaxed);
        // A weight is at least 3, so the quotient fits.
        self.inverse_weight.store(((1_u64 << 32) / u64::from(attributes.weight())) as u32, Relaxed);
        self.derive();
    }

    /// Computes anew what is derived.
    fn derive(&self) {
        let attributes = self.attributes();
        let inherited = self.inherited_rank.load(Relaxed);
        let rank = attributes.real_time_priority.max(inherited);
        let flags = match attributes.policy {
            Policy::Idle => Class::IDLE_POLICY,
            Policy::Batch => Class::BATCH_POLICY,
            _ => 0,
        };
        self.class.store(flags | u16::from(rank), Relaxed);
        // What inherits a rank runs until it lets go of what others wait for.
        let is_endless = rank > 0 && !attributes.policy.is_real_time();
        let slice = attributes.slice_ns().filter(|_| !is_endless);
        self.slice_ns.store(slice.unwrap_or(NO_SLICE), Relaxed);
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
    #[inline]
    pub fn rank(&self) -> u8 {
        self.class().rank()
    }

    /// How the thread stands to others.
    #[inline]
    pub(super) fn class(&self) -> Class {
        Class(self.class.load(Relaxed))
    }

    /// Sets the rank that the thread inherits from those that wait for it. The thread must not be queued.
    pub fn set_inherited_rank(&self, rank: u8) {
        self.inherited_rank.store(rank, Relaxed);
        self.derive();
    }

    /// How long the thread may run, in nanoseconds, while an equal waits; [`NO_SLICE`] or more for without end.
    #[inline]
    pub(super) fn slice_ns(&self) -> u64 {
        self.slice_ns.load(Relaxed)
    }

    /// The queue the thread, which does not run, belongs to: by its moving average, or by its present run if that is
    /// longer already, so that a thread that never blocks gets cold too.
    #[inline]
    pub fn heat(&self) -> Heat {
        Heat::of(self.ema_ns().max(self.burst_ns()))
    }

    /// As [`Self::heat`], of a thread that may run.
    pub fn heat_by(&self, clock: impl Fn() -> u64) -> Heat {
        Heat::of(self.ema_ns().max(self.burst_ns_by(clock)))
    }

    /// Virtual run time.
    #[inline]
    pub fn virtual_ns(&self) -> u64 {
        self.virtual_ns.load(Relaxed)
    }

    /// Sets the virtual run time.
    #[inline]
    pub fn set_virtual_ns(&self, virtual_ns: u64) {
        self.virtual_ns.store(virtual_ns, Relaxed);
    }

    /// Moving average, in nanoseconds, of how long the thread runs before it blocks.
    #[inline]
    pub fn ema_ns(&self) -> u64 {
        self.ema_ns.load(Relaxed)
    }

    /// CPU time used up to now, which `clock` tells, the present run included. Never goes back from one call to the
    /// next.
    pub fn run_ns_by(&self, clock: impl Fn() -> u64) -> u64 {
        self.run.by(clock)
    }

    /// Time spent waiting in run queues up to now, which `clock` tells.
    pub fn wait_ns_by(&self, clock: impl Fn() -> u64) -> u64 {
        self.wait.by(clock)
    }

    /// Notes that the thread runs from now on.
    #[inline]
    pub fn start(&self, now_ns: u64) {
        self.run.start(now_ns);
    }

    /// Notes that the thread, which ran, does not run any more.
    #[inline]
    pub fn stop(&self, now_ns: u64) {
        self.run.stop(now_ns);
        self.last_ran_ns.store(now_ns, Relaxed);
    }

    /// Clock at which the thread last ran: now, which `clock` tells, if it runs.
    pub fn last_ran_ns_by(&self, clock: impl Fn() -> u64) -> u64 {
        if self.run.goes_on() { clock() } else { self.last_ran_ns.load(Relaxed) }
    }

    /// Notes that the thread goes from one CPU to another.
    pub(super) fn count_migration(&self) {
        self.migrations.store(self.migrations().wrapping_add(1), Relaxed);
    }

    /// How often the thread went from one CPU to another.
    pub fn migrations(&self) -> u64 {
        self.migrations.load(Relaxed)
    }

    /// The share at which the thread competes, relative to [`NICE_0_WEIGHT`](super::policy::NICE_0_WEIGHT).
    pub fn weight(&self) -> u32 {
        self.share() as u32
    }

    /// Whether the thread waits to run, in a run queue or on its way to another.
    pub(super) fn is_waiting(&self) -> bool {
        self.wait.goes_on()
    }

    /// Notes that the thread waits in a run queue from now on.
    #[inline]
    pub(super) fn start_waiting(&self, now_ns: u64) {
        self.wait.start(now_ns);
    }

    /// Notes that the thread, which waited, does not wait any more.
    #[inline]
    pub(super) fn stop_waiting(&self, now_ns: u64) {
        self.wait.stop(now_ns);
    }

    /// Run time within the present slice. The thread does not run.
    #[inline]
    pub(super) fn slice_used_ns(&self) -> u64 {
        self.run.total().wrapping_sub(self.slice_from_ns.load(Relaxed))
    }

    /// Starts a new slice. The thread does not run.
    #[inline]
    pub(super) fn renew_slice(&self) {
        self.slice_from_ns.store(self.run.total(), Relaxed);
    }

    /// The CPUs the thread may run on.
    #[inline]
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Relaxed)
    }

    /// Changes the CPUs the thread may run on.
    pub fn set_affinity(&self, mask: u64) {
        self.affinity.store(mask, Relaxed);
    }

    /// Whether the thread may run on `cpu`.
    #[inline]
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity() >> cpu & 1 != 0
    }

    /// Run time since the thread last blocked. The thread does not run.
    #[inline]
    pub(super) fn burst_ns(&self) -> u64 {
        self.run.total().wrapping_sub(self.burst_from_ns.load(Relaxed))
    }

    /// Run time since the thread last blocked, the present run included.
    pub fn burst_ns_by(&self, clock: impl Fn() -> u64) -> u64 {
        // The thread may block between the two looks.
        self.run_ns_by(clock).saturating_sub(self.burst_from_ns.load(Relaxed))
    }

    /// Whether the thread waits in a run queue.
    pub fn is_queued(&self) -> bool {
        self.place() != NOT_QUEUED
    }

    /// Where in a run queue the thread is.
    #[inline]
    pub(super) fn place(&self) -> u16 {
        self.place.load(Relaxed)
    }

    /// Notes where in a run queue the thread is.
    #[inline]
    pub(super) fn set_place(&self, place: u16) {
        self.place.store(place, Relaxed);
    }

    /// Virtual time that `run_ns` of real time amount to at the thread's weight.
    #[inline]
    pub fn to_virtual(&self, run_ns: u64) -> u64 {
        scale(run_ns, &self.inverse_weight)
    }

    /// Puts the thread into the group of a slot (0: into none), whose share is that of a thread of this nice value. Who
    /// changes it for a thread that runs or waits has the queue count it anew.
    pub fn set_group(&self, slot: u8, nice: i8) {
        let weight = Attributes { nice, ..Attributes::DEFAULT }.weight();
        let own_weight = self.share.load(Relaxed) as u32;
        self.share.store(u64::from(slot) << 32 | u64::from(own_weight), Relaxed);
        self.inverse_group_weight.store(((1_u64 << 32) / u64::from(weight)) as u32, Relaxed);
    }

    /// As what a run queue is to count the thread: the slot of its group above its weight.
    #[inline]
    pub(super) fn share(&self) -> u64 {
        self.share.load(Relaxed)
    }

    /// As what the run queue counts the thread.
    #[inline]
    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Relaxed)
    }

    #[inline]
    pub(super) fn set_counted(&self, share: u64) {
        self.counted.store(share, Relaxed);
    }

    /// As [`Self::to_virtual`], at the weight of the thread's group.
    #[inline]
    pub(super) fn to_group_virtual(&self, run_ns: u64) -> u64 {
        scale(run_ns, &self.inverse_group_weight)
    }

    /// Accounts for running that amounts to `virtual_ns` of virtual time.
    #[inline]
    pub(super) fn add_virtual(&self, virtual_ns: u64) {
        self.set_virtual_ns(self.virtual_ns().wrapping_add(virtual_ns));
    }

    /// Accounts for the end of a run: the thread blocks, and has been stopped.
    #[inline]
    pub fn note_block(&self) {
        let run_ns = self.run.total();
        let burst_ns = run_ns.wrapping_sub(self.burst_from_ns.load(Relaxed));
        self.ema_ns.store(ema(self.ema_ns(), burst_ns), Relaxed);
        self.burst_from_ns.store(run_ns, Relaxed);
        self.slice_from_ns.store(run_ns, Relaxed);
    }

    /// Takes over the history and the group of the thread that made this one.
    pub fn inherit(&self, parent: &Self) {
        self.ema_ns.store(parent.ema_ns(), Relaxed);
        let group = parent.share() >> 32 << 32;
        self.share.store(group | self.share() & u64::from(u32::MAX), Relaxed);
        self.inverse_group_weight.store(parent.inverse_group_weight.load(Relaxed), Relaxed);
    }
}

/// Real time as virtual time, by an inverse weight.
#[inline]
fn scale(run_ns: u64, inverse_weight: &AtomicU32) -> u64 {
    ((u128::from(run_ns) * u128::from(inverse_weight.load(Relaxed))) >> 22) as u64
}
