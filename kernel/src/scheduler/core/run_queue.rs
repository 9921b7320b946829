//! The run queue of one CPU: which thread runs next, for how long, and whom a wake-up pre-empts. Pure decisions.
//!
//! # Order
//! 1. Real-time threads by priority 99 to 1, first in first out within one; together at most 95 % of a second while
//!    others wait ([`REAL_TIME_BUDGET_NS`]), so that a real-time loop cannot lock the machine up.
//! 2. All others by *virtual time*: run time divided by weight. They wait in three rings by [`Heat`]; the first of a
//!    hotter ring goes before the first of a colder one unless it is ahead of it in virtual time by more than the
//!    ring's advance. So interactive threads are served at once, and still nobody gets more than its share.
//!
//! Everything is found by bitmaps: picking costs the same at 10 and at 10,000 threads. A thread that waits alone, as most
//! do, is in no ring: it is picked without a search.
//!
//! # Bounded waiting
//! A waiting thread's virtual time stands still while that of whoever runs instead grows, so each competitor can
//! overtake it only until it is one slice, one bucket and one advance ahead: with total weight `W`, own weight `w`, no
//! wait is longer than `(slice + bucket + advance) * W / w`, plus a real-time window.

use alloc::sync::Arc;

use super::entity::{Class, Entity, NO_SLICE, NOT_QUEUED};
use super::groups::Groups;
use super::policy::{Heat, MS};
use super::ring::{End, NEVER, Ring};
pub use super::ring::{RunLink, Schedulable};
use crate::list::List;

/// Length of the window over which real-time run time is limited.
pub const REAL_TIME_WINDOW_NS: u64 = 1000 * MS;

/// Run time real-time threads may use per window while others wait.
pub const REAL_TIME_BUDGET_NS: u64 = 950 * MS;

/// How far behind the queue's virtual time a thread that slept may start.
const SLEEPER_CREDIT_NS: u64 = 3 * MS / 2;

/// By how much a woken thread must come before the running one to pre-empt it.
const WAKE_GRANULARITY_NS: u64 = MS;

/// Place codes: the high byte is the ring (by heat) or this, the low byte the slot or priority.
const REAL_TIME_RING: u16 = 3;

/// The place of the only thread that waits.
const ALONE: u16 = 4 << 8;

/// Why a thread that can run is put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requeue {
    /// Another thread is due.
    Preempted,
    /// It asked to let others go first.
    Yielded,
}

/// What the queue remembers of the thread its CPU runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    class: Class,
    /// Virtual time at the last charge.
    virtual_ns: u64,
    ema_ns: u64,
    /// Clock at which it would have begun its present run, had it not been interrupted.
    burst_since_ns: u64,
    /// Clock at the last charge.
    since_ns: u64,
    /// Clock at which its slice ends if others of its kind wait; [`NO_SLICE`] or more for never.
    slice_end_ns: u64,
}

/// The run queue of one CPU.
pub struct RunQueue<N: Schedulable> {
    real_time: [List<N, RunLink>; 100],
    /// Bit n: real-time priority n is not empty.
    ranks: u128,
    rings: [Ring<N>; 3],
    /// The thread that waits, if it is the only one and has a share.
    alone: Option<Arc<N>>,
    running: Running,
    groups: Groups,
    /// Virtual time of the queue: never goes back, never ahead of every thread.
    virtual_now_ns: u64,
    window_start_ns: u64,
    window_used_ns: u64,
    queued: usize,
    queued_real_time: usize,
    /// The time that threads waited here, less the clock for each that waits now.
    waiting_ns: u64,
}

impl<N: Schedulable> RunQueue<N> {
    /// Makes an empty queue of a CPU that is idle at `now_ns`.
    pub const fn new(now_ns: u64) -> Self {
        Self {
            real_time: [const { List::new() }; 100],
            ranks: 0,
            rings: [Ring::new(), Ring::new(), Ring::new()],
            alone: None,
            running: Running::idle(now_ns),
            groups: Groups::new(),
            virtual_now_ns: 0,
            window_start_ns: now_ns,
            window_used_ns: 0,
            queued: 0,
            queued_real_time: 0,
            waiting_ns: 0,
        }
    }

    /// Starts the queue's clock: the CPU, idle, begins to take part at `now_ns`.
    pub fn start(&mut self, now_ns: u64) {
        self.running = Running::idle(now_ns);
        self.window_start_ns = now_ns;
    }

    /// Says whether groups get equal shares, or all threads do.
    pub fn set_group_fairness(&mut self, is_on: bool) {
        self.groups.set_on(is_on);
    }

    /// Number of threads that wait for the CPU.
    #[inline]
    pub fn len(&self) -> usize {
        self.queued
    }

    /// The time that threads have waited here up to `now_ns`, all together.
    pub fn waiting_ns(&self, now_ns: u64) -> u64 {
        self.waiting_ns.wrapping_add(now_ns.wrapping_mul(self.queued as u64))
    }

    /// Whether no thread waits for the CPU.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Whether real-time threads wait.
    #[inline]
    pub fn has_real_time(&self) -> bool {
        self.queued_real_time != 0
    }

    /// The highest real-time priority of those that wait; 0 for none.
    pub fn waiting_rank(&self) -> u8 {
        if self.ranks == 0 { 0 } else { (127 - self.ranks.leading_zeros()) as u8 }
    }

    /// The real-time priority of the thread that runs; 0 for none.
    #[inline]
    pub fn running_rank(&self) -> u8 {
        self.running.class.rank()
    }

    /// The queue's virtual time.
    #[inline]
    pub fn virtual_now_ns(&self) -> u64 {
        self.virtual_now_ns
    }

    /// Whether the CPU runs its idle thread.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.running.class == Class::IDLE_THREAD
    }

    /// Queues a thread that slept; answers whether it should run at `now_ns` instead of the thread that runs. Its
    /// virtual time must be relative to this queue (see [`rebase`]).
    #[inline]
    pub fn enqueue_woken(&mut self, node: Arc<N>, now_ns: u64) -> bool {
        let entity = node.entity();
        let earliest = self.virtual_now_ns.saturating_sub(SLEEPER_CREDIT_NS);
        if entity.virtual_ns() < earliest {
            entity.set_virtual_ns(earliest);
        }
        entity.start_waiting(now_ns);
        let preempts = self.preempts(entity, now_ns);
        self.insert(node, End::Back, now_ns);
        preempts
    }

    /// Queues a thread that has never run; it starts where the queue stands, without credit. Answers as
    /// [`Self::enqueue_woken`].
    pub fn enqueue_new(&mut self, node: Arc<N>, now_ns: u64) -> bool {
        node.entity().set_virtual_ns(self.virtual_now_ns);
        self.enqueue_ready(node, now_ns)
    }

    /// Queues a thread that could run all the time: taken from another queue, or changed in its attributes. Answers as
    /// [`Self::enqueue_woken`].
    pub fn enqueue_ready(&mut self, node: Arc<N>, now_ns: u64) -> bool {
        let entity = node.entity();
        if !entity.is_waiting() {
            entity.start_waiting(now_ns);
        }
        let preempts = self.preempts(entity, now_ns);
        self.insert(node, End::Back, now_ns);
        preempts
    }

    /// Puts back the thread that ran and has been charged, which can go on.
    pub fn requeue(&mut self, node: Arc<N>, why: Requeue) {
        let entity = node.entity();
        let now_ns = self.running.since_ns;
        entity.stop(now_ns);
        entity.start_waiting(now_ns);
        let slice_is_over = entity.slice_used_ns() >= entity.slice_ns();
        if slice_is_over || why == Requeue::Yielded {
            entity.renew_slice();
        }
        if why == Requeue::Yielded && entity.rank() == 0 {
            // Behind the first of the others, so that a thread that waits in a loop does not get picked again before
            // whom it waits for.
            let oldest_ns = self.oldest_ns();
            if oldest_ns != NEVER && entity.virtual_ns() < oldest_ns {
                entity.set_virtual_ns(oldest_ns);
            }
        }
        let end = if why == Requeue::Preempted && !slice_is_over { End::Front } else { End::Back };
        self.insert(node, end, now_ns);
    }

    /// Puts back the thread that ran, has been charged and lets others go first, and takes the one to run: [`requeue`]
    /// and [`pick`] in one.
    ///
    /// [`requeue`]: Self::requeue
    /// [`pick`]: Self::pick
    #[inline]
    pub fn trade(&mut self, node: Arc<N>, why: Requeue) -> Option<Arc<N>> {
        let now_ns = self.running.since_ns;
        if why == Requeue::Yielded
            && self.running.class == Class::ORDINARY
            && let Some(other) = &mut self.alone
            && other.entity().class() == Class::ORDINARY
        {
            // The two change places.
            let entity = node.entity();
            entity.stop(now_ns);
            entity.renew_slice();
            entity.start_waiting(now_ns);
            entity.set_place(ALONE);
            let next = core::mem::replace(other, node);
            next.entity().set_place(NOT_QUEUED);
            next.entity().stop_waiting(now_ns);
            self.run(next.entity(), now_ns);
            return Some(next);
        }
        self.requeue(node, why);
        self.pick(now_ns)
    }

    /// Accounts for the time the running thread, whose entity is given, used up to `now_ns`; answers that time.
    #[inline]
    pub fn charge(&mut self, entity: &Entity, now_ns: u64) -> u64 {
        let run_ns = now_ns.saturating_sub(self.running.since_ns);
        self.running.since_ns = now_ns;
        if self.is_idle() {
            return run_ns;
        }
        entity.add_virtual(self.groups.to_virtual(entity, run_ns));
        if self.running.class.rank() > 0 {
            self.roll_window(now_ns);
            self.window_used_ns += run_ns;
            return run_ns;
        }
        self.running.virtual_ns = entity.virtual_ns();
        self.virtual_now_ns = self.virtual_now_ns.max(self.oldest_ns().min(self.running.virtual_ns));
        run_ns
    }

    /// Notes that the thread that ran, and has been charged, sleeps from now on.
    #[inline]
    pub fn note_block(&mut self, entity: &Entity) {
        entity.stop(self.running.since_ns);
        self.groups.leave(entity);
        entity.note_block();
    }

    /// Notes that the thread that ran, and has been charged, could go on but is put elsewhere.
    pub fn note_preemption(&mut self, entity: &Entity) {
        entity.stop(self.running.since_ns);
        self.groups.leave(entity);
    }

    /// Lets the thread that ran, and has been charged, go on with a new slice: nobody else is there.
    pub fn go_on(&mut self, entity: &Entity) {
        entity.stop(self.running.since_ns);
        entity.renew_slice();
        self.run(entity, self.running.since_ns);
    }

    /// Takes the thread to run from `now_ns` on; `None` for the idle thread. The one that ran must have been charged,
    /// and put back if it can go on.
    #[inline]
    pub fn pick(&mut self, now_ns: u64) -> Option<Arc<N>> {
        let next = match self.alone.take() {
            Some(node) => {
                self.virtual_now_ns = self.virtual_now_ns.max(node.entity().virtual_ns());
                node.entity().set_place(NOT_QUEUED);
                self.queued = 0;
                Some(node)
            }
            None => self.take_best(now_ns),
        };
        match &next {
            Some(node) => self.set_running(node.entity(), now_ns),
            None => self.running = Running::idle(now_ns),
        }
        next
    }

    /// Notes that the thread with this entity, which waited, runs from `now_ns` on.
    #[inline]
    fn set_running(&mut self, entity: &Entity, now_ns: u64) {
        entity.stop_waiting(now_ns);
        self.waiting_ns = self.waiting_ns.wrapping_add(now_ns);
        self.run(entity, now_ns);
    }

    /// Notes that the thread with this entity runs from `now_ns` on.
    #[inline]
    fn run(&mut self, entity: &Entity, now_ns: u64) {
        let left_ns = entity.slice_ns().saturating_sub(entity.slice_used_ns()).max(MS / 2);
        self.running = Running {
            class: entity.class(),
            virtual_ns: entity.virtual_ns(),
            ema_ns: entity.ema_ns(),
            burst_since_ns: now_ns.wrapping_sub(entity.burst_ns()),
            since_ns: now_ns,
            slice_end_ns: now_ns + left_ns,
        };
        entity.start(now_ns);
    }

    /// Whether `entity` should run at `now_ns` instead of the thread that runs.
    #[inline]
    fn preempts(&self, entity: &Entity, now_ns: u64) -> bool {
        let (running, class) = (&self.running, entity.class());
        if running.class != Class::ORDINARY || class != Class::ORDINARY {
            return self.preempts_by_class(entity, now_ns);
        }
        self.preempts_by_key(entity, now_ns)
    }

    #[inline]
    fn preempts_by_key(&self, entity: &Entity, now_ns: u64) -> bool {
        let running = &self.running;
        let ran_ns = now_ns.saturating_sub(running.since_ns);
        let heat = Heat::of(running.ema_ns.max(now_ns.saturating_sub(running.burst_since_ns)));
        let running_key = (running.virtual_ns + ran_ns + KEY_BIAS_NS) - heat.advance_ns();
        let woken_key = (entity.virtual_ns() + KEY_BIAS_NS) - entity.heat().advance_ns();
        woken_key + WAKE_GRANULARITY_NS < running_key
    }

    /// [`Self::preempts`], where it is not two ordinary threads that meet.
    #[inline(never)]
    fn preempts_by_class(&self, entity: &Entity, now_ns: u64) -> bool {
        if self.is_idle() {
            return true;
        }
        let (running, class) = (self.running.class, entity.class());
        if class.rank() > 0 || running.rank() > 0 {
            return class.rank() > running.rank() && !(running.rank() == 0 && self.is_throttled(now_ns));
        }
        if running.is_idle_policy() || class.is_idle_policy() {
            return !class.is_idle_policy();
        }
        class.preempts_on_wake() && self.preempts_by_key(entity, now_ns)
    }

    /// The clock at which the running thread may have to give way to one that waits; `None` while nothing can change
    /// without a wake-up.
    #[inline]
    pub fn next_decision_ns(&self) -> Option<u64> {
        if self.queued == 0 || self.is_idle() {
            return None;
        }
        let slice_end = self.running.slice_end_ns;
        let slice_end = (slice_end < NO_SLICE).then_some(slice_end);
        if self.running.class.rank() == 0 && self.queued_real_time == 0 {
            return slice_end;
        }
        self.next_real_time_decision_ns(slice_end)
    }

    /// [`Self::next_decision_ns`], where real-time threads wait or run.
    #[inline(never)]
    fn next_real_time_decision_ns(&self, slice_end: Option<u64>) -> Option<u64> {
        let window_end = self.window_start_ns + REAL_TIME_WINDOW_NS;
        let rank = self.running.class.rank();
        if rank == 0 {
            return Some(slice_end.unwrap_or(window_end).min(window_end));
        }
        let others_wait = self.queued > self.queued_real_time;
        let budget_end = others_wait
            .then(|| self.running.since_ns + REAL_TIME_BUDGET_NS.saturating_sub(self.window_used_ns))
            .map(|end| if end <= self.running.since_ns { window_end } else { end });
        let equals_wait = self.ranks >> rank & 1 != 0;
        let slice_end = if equals_wait { slice_end } else { None };
        match (budget_end, slice_end) {
            (Some(budget), Some(slice)) => Some(budget.min(slice)),
            (one, other) => one.or(other),
        }
    }

    /// Removes a waiting thread; answers whether it was in this queue. It goes on waiting, elsewhere.
    pub fn remove(&mut self, node: &Arc<N>, now_ns: u64) -> bool {
        let place = node.entity().place();
        if place == NOT_QUEUED {
            return false;
        }
        let (ring, slot) = (place >> 8, place as u8);
        let was_in = if place == ALONE {
            let is_it = self.alone.as_ref().is_some_and(|alone| Arc::ptr_eq(alone, node));
            if is_it {
                self.alone = None;
            }
            is_it
        } else if ring == REAL_TIME_RING {
            let list = &mut self.real_time[usize::from(slot)];
            let was_in = list.remove(node);
            if list.is_empty() {
                self.ranks &= !(1 << slot);
            }
            was_in
        } else {
            self.rings[usize::from(ring)].remove(node, slot)
        };
        if was_in {
            self.note_removed(node);
            self.waiting_ns = self.waiting_ns.wrapping_add(now_ns);
            self.groups.leave(node.entity());
        }
        was_in
    }

    /// Takes a thread for another CPU: real-time ones first, then the one that would wait longest here.
    /// `may_move` says which are allowed to.
    pub fn steal(&mut self, now_ns: u64, mut may_move: impl FnMut(&N) -> bool) -> Option<Arc<N>> {
        let alone = self.alone.clone().filter(|alone| may_move(alone));
        let node = alone.or_else(|| self.find_real_time(&mut may_move)).or_else(|| {
            // The coldest ring first: what computes gains most from a CPU of its own and has the least in its caches.
            self.rings.iter().rev().find_map(|ring| ring.find_newest(&mut may_move))
        })?;
        self.remove(&node, now_ns).then_some(node)
    }

    /// Takes the first real-time thread above `rank` that `may_move`, for another CPU.
    pub fn steal_urgent(
        &mut self,
        rank: u8,
        now_ns: u64,
        mut may_move: impl FnMut(&N) -> bool,
    ) -> Option<Arc<N>> {
        let node = self.find_real_time(&mut |node: &N| node.entity().rank() > rank && may_move(node))?;
        self.remove(&node, now_ns).then_some(node)
    }

    fn find_real_time(&self, may_move: &mut impl FnMut(&N) -> bool) -> Option<Arc<N>> {
        let mut left = self.ranks;
        while left != 0 {
            let rank = 127 - left.leading_zeros();
            left &= !(1 << rank);
            let mut found = None;
            self.real_time[rank as usize].for_each_while(|node| {
                if may_move(node) {
                    found = Some(node.clone());
                }
                found.is_none()
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    #[inline]
    fn insert(&mut self, node: Arc<N>, end: End, now_ns: u64) {
        let entity = node.entity();
        self.waiting_ns = self.waiting_ns.wrapping_sub(now_ns);
        self.groups.join(entity);
        self.queued += 1;
        if self.queued == 1 && entity.rank() == 0 {
            entity.set_place(ALONE);
            self.alone = Some(node);
        } else {
            self.insert_among(node, end);
        }
    }

    /// Puts a thread where it waits with others.
    #[inline(never)]
    fn insert_among(&mut self, node: Arc<N>, end: End) {
        if let Some(alone) = self.alone.take() {
            self.insert_by_rank(alone, End::Back);
        }
        self.insert_by_rank(node, end);
    }

    fn insert_by_rank(&mut self, node: Arc<N>, end: End) {
        let rank = node.entity().rank();
        if rank == 0 {
            let ring = node.entity().heat() as u16;
            return self.rings[usize::from(ring)].insert(node, end, |node, slot| {
                node.entity().set_place(ring << 8 | u16::from(slot));
            });
        }
        node.entity().set_place(REAL_TIME_RING << 8 | u16::from(rank));
        let list = &mut self.real_time[usize::from(rank)];
        match end {
            End::Front => list.push_front(node),
            End::Back => list.push_back(node),
        }
        self.ranks |= 1 << rank;
        self.queued_real_time += 1;
    }

    /// The least virtual time of those that wait, to within a bucket; [`NEVER`] if none with a share waits.
    #[inline]
    fn oldest_ns(&self) -> u64 {
        match &self.alone {
            Some(alone) => alone.entity().virtual_ns(),
            None => self.rings[0].first_ns().min(self.rings[1].first_ns()).min(self.rings[2].first_ns()),
        }
    }

    fn take_best(&mut self, now_ns: u64) -> Option<Arc<N>> {
        if self.queued == 0 {
            return None;
        }
        if self.ranks != 0
            && let Some(node) = self.take_real_time(now_ns)
        {
            return Some(node);
        }
        // Who is first comes from the rings' first threads, each as far ahead as its heat allows; the hotter of equals.
        let key = |heat: Heat| match self.rings[heat as usize].first_ns() {
            NEVER => NEVER,
            first_ns => first_ns + KEY_BIAS_NS - heat.advance_ns(),
        };
        let (mut least, mut best) = (key(Heat::Hot), Heat::Hot);
        for heat in [Heat::Normal, Heat::Cold] {
            if key(heat) < least {
                (least, best) = (key(heat), heat);
            }
        }
        if least == NEVER {
            return None;
        }
        self.virtual_now_ns = self.virtual_now_ns.max(self.oldest_ns());
        let ring_code = (best as u16) << 8;
        let node = self.rings[best as usize]
            .pop(|node, slot| node.entity().set_place(ring_code | u16::from(slot)))?;
        node.entity().set_place(NOT_QUEUED);
        self.queued -= 1;
        Some(node)
    }

    /// Takes the most urgent real-time thread, unless real-time threads have used up their time and others wait.
    fn take_real_time(&mut self, now_ns: u64) -> Option<Arc<N>> {
        let others_wait = self.queued > self.queued_real_time;
        if others_wait && self.window_is_used_up(now_ns) {
            return None;
        }
        let rank = 127 - self.ranks.leading_zeros();
        let list = &mut self.real_time[rank as usize];
        let node = list.pop_front()?;
        if list.is_empty() {
            self.ranks &= !(1 << rank);
        }
        self.note_removed(&node);
        Some(node)
    }

    fn note_removed(&mut self, node: &Arc<N>) {
        if node.entity().place() >> 8 == REAL_TIME_RING {
            self.queued_real_time -= 1;
        }
        node.entity().set_place(NOT_QUEUED);
        self.queued -= 1;
    }

    fn roll_window(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.window_start_ns) >= REAL_TIME_WINDOW_NS {
            self.window_start_ns = now_ns;
            self.window_used_ns = 0;
        }
    }

    fn window_is_used_up(&mut self, now_ns: u64) -> bool {
        self.roll_window(now_ns);
        self.window_used_ns >= REAL_TIME_BUDGET_NS
    }

    fn is_throttled(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.window_start_ns) < REAL_TIME_WINDOW_NS
            && self.window_used_ns >= REAL_TIME_BUDGET_NS
    }
}

/// Keeps keys positive when an advance is subtracted.
const KEY_BIAS_NS: u64 = Heat::Hot.advance_ns();

/// Makes the virtual time of a thread that moves from a queue at `from_ns` to one at `to_ns` mean the same there.
pub fn rebase(entity: &Entity, from_ns: u64, to_ns: u64) {
    let ahead = entity.virtual_ns().wrapping_sub(from_ns).cast_signed();
    // A thread that slept for long keeps no more than a slice of credit or debt to another CPU's clock.
    let ahead = ahead.clamp(-(3 * MS).cast_signed(), (64 * MS).cast_signed());
    entity.set_virtual_ns(to_ns.saturating_add_signed(ahead));
}

impl Running {
    const fn idle(now_ns: u64) -> Self {
        Self {
            class: Class::IDLE_THREAD,
            virtual_ns: 0,
            ema_ns: 0,
            burst_since_ns: now_ns,
            since_ns: now_ns,
            slice_end_ns: NO_SLICE,
        }
    }
}
