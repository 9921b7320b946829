//! Simulation of the pure decisions: many CPUs and threads on a virtual clock, millions of seeded steps.
//!
//! The harness does what `scheduler.rs` does (charge, put back, pick, place, pre-empt, steal) without locks and without
//! a machine, and checks after every step that each thread is in exactly one place.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::entity::Entity;
use super::placement::Wakeup;
use super::policy::{Attributes, Heat, MS, Policy, Priority};
use super::run_queue::{Requeue, RunLink, RunQueue, Schedulable, rebase};
use crate::list::{Linked, Links};

struct Thread {
    id: usize,
    entity: Entity,
    links: Links<Thread>,
}

impl Linked<RunLink> for Thread {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Schedulable for Thread {
    fn entity(&self) -> &Entity {
        &self.entity
    }
}

/// Seeded random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What a thread does: runs for about this long, then sleeps for about that long; without end if it never sleeps.
#[derive(Clone, Copy)]
struct Behaviour {
    run_ns: u64,
    sleep_ns: u64,
}

const HOG: Behaviour = Behaviour { run_ns: u64::MAX / 4, sleep_ns: 0 };

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Sleeping,
    Queued { since: u64 },
    Running,
}

struct Simulated {
    thread: Arc<Thread>,
    behaviour: Behaviour,
    /// Run time until it sleeps.
    left_ns: u64,
    place: Place,
    cpu: usize,
    longest_wait: u64,
    waits: Vec<u64>,
}

struct Cpu {
    queue: RunQueue<Thread>,
    running: Option<usize>,
    /// Time at which the running thread was charged last.
    charged_at: u64,
}

struct World {
    now: u64,
    random: Random,
    cpus: Vec<Cpu>,
    threads: Vec<Simulated>,
    alarms: BinaryHeap<Reverse<(u64, usize)>>,
    steps: u64,
}

impl World {
    fn new(cpus: usize, seed: u64) -> Self {
        let cpus = (0..cpus).map(|_| Cpu { queue: RunQueue::new(0), running: None, charged_at: 0 }).collect();
        Self {
            now: 0,
            random: Random(seed | 1),
            cpus,
            threads: Vec::new(),
            alarms: BinaryHeap::new(),
            steps: 0,
        }
    }

    fn add(&mut self, attributes: Attributes, behaviour: Behaviour) -> usize {
        self.add_with_affinity(attributes, behaviour, u64::MAX)
    }

    fn add_with_affinity(&mut self, attributes: Attributes, behaviour: Behaviour, affinity: u64) -> usize {
        let id = self.threads.len();
        let thread = Arc::new(Thread { id, entity: Entity::new(attributes, affinity), links: Links::new() });
        let left_ns = self.about(behaviour.run_ns);
        let place = Place::Sleeping;
        let cpu = id % self.cpus.len();
        self.threads.push(Simulated {
            thread,
            behaviour,
            left_ns,
            place,
            cpu,
            longest_wait: 0,
            waits: Vec::new(),
        });
        self.wake(id, true);
        id
    }

    fn about(&mut self, ns: u64) -> u64 {
        if ns > 1 << 60 { ns } else { ns / 2 + self.random.below(ns.max(1)) + 1 }
    }

    fn mask(&self, mut holds: impl FnMut(&Cpu) -> bool) -> u64 {
        self.cpus.iter().enumerate().filter(|(_, cpu)| holds(cpu)).map(|(index, _)| 1 << index).sum()
    }

    fn wake(&mut self, id: usize, is_new: bool) {
        assert_eq!(self.threads[id].place, Place::Sleeping, "thread {id} woken twice");
        let thread = self.threads[id].thread.clone();
        let previous = self.threads[id].cpu;
        let wakeup = Wakeup {
            affinity: thread.entity.affinity(),
            online: self.mask(|_| true),
            idle: self.mask(|cpu| cpu.running.is_none() && cpu.queue.is_empty()),
            previous,
            waker: 0,
        };
        let target = wakeup.place();
        rebase(
            &thread.entity,
            self.cpus[previous].queue.virtual_now_ns(),
            self.cpus[target].queue.virtual_now_ns(),
        );
        self.threads[id].cpu = target;
        self.threads[id].place = Place::Queued { since: self.now };
        let cpu = &mut self.cpus[target];
        let preempts = if is_new {
            cpu.queue.enqueue_new(thread, self.now)
        } else {
            cpu.queue.enqueue_woken(thread, self.now)
        };
        if preempts {
            self.switch(target, Requeue::Preempted);
        }
    }

    fn charge(&mut self, index: usize) {
        let cpu = &mut self.cpus[index];
        if let Some(id) = cpu.running {
            let ran = cpu.queue.charge(&self.threads[id].thread.entity, self.now);
            assert_eq!(ran, self.now - cpu.charged_at);
            self.threads[id].left_ns = self.threads[id].left_ns.saturating_sub(ran);
        }
        cpu.charged_at = self.now;
    }

    /// Lets `index` choose anew.
    fn switch(&mut self, index: usize, why: Requeue) {
        self.charge(index);
        let mut next = None;
        if let Some(id) = self.cpus[index].running.take() {
            let thread = self.threads[id].thread.clone();
            if self.threads[id].left_ns == 0 {
                self.cpus[index].queue.note_block(&thread.entity);
                self.threads[id].place = Place::Sleeping;
                let behaviour = self.threads[id].behaviour;
                let at = self.now + self.about(behaviour.sleep_ns);
                self.alarms.push(Reverse((at, id)));
                self.threads[id].left_ns = self.about(behaviour.run_ns);
            } else {
                self.threads[id].place = Place::Queued { since: self.now };
                next = self.cpus[index].queue.trade(thread, why);
            }
        }
        let now = self.now;
        if next.is_none() {
            next = self.cpus[index].queue.pick(now);
        }
        if next.is_none() {
            next = self.steal(index);
        }
        if let Some(thread) = next {
            let id = thread.id;
            let Place::Queued { since } = self.threads[id].place else {
                panic!("thread {id} picked while {:?}", self.threads[id].place);
            };
            assert!(thread.entity.may_run_on(index), "thread {id} on a CPU it may not use");
            let wait = now - since;
            self.threads[id].longest_wait = self.threads[id].longest_wait.max(wait);
            self.threads[id].waits.push(wait);
            self.threads[id].place = Place::Running;
            self.cpus[index].running = Some(id);
        }
    }

    fn steal(&mut self, thief: usize) -> Option<Arc<Thread>> {
        for offset in 1..self.cpus.len() {
            let victim = (thief + offset) % self.cpus.len();
            let Some(thread) =
                self.cpus[victim].queue.steal(self.now, |thread| thread.entity.may_run_on(thief))
            else {
                continue;
            };
            let (from, to) =
                (self.cpus[victim].queue.virtual_now_ns(), self.cpus[thief].queue.virtual_now_ns());
            rebase(&thread.entity, from, to);
            self.threads[thread.id].cpu = thief;
            self.cpus[thief].queue.enqueue_ready(thread, self.now);
            return self.cpus[thief].queue.pick(self.now);
        }
        None
    }

    /// Goes to the next event and serves it.
    fn step(&mut self) {
        self.steps += 1;
        let mut at = self.alarms.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        let mut due = None;
        for (index, cpu) in self.cpus.iter().enumerate() {
            let Some(id) = cpu.running else { continue };
            let done = cpu.charged_at.saturating_add(self.threads[id].left_ns);
            let event = cpu.queue.next_decision_ns().unwrap_or(u64::MAX).min(done);
            if event < at {
                at = event;
                due = Some(index);
            }
        }
        self.now = self.now.max(at);
        match due {
            Some(index) => self.switch(index, Requeue::Preempted),
            None => {
                let Some(Reverse((_, id))) = self.alarms.pop() else { return };
                self.wake(id, false);
            }
        }
    }

    fn run_for(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.now < end {
            self.step();
            if self.steps.is_multiple_of(64) {
                self.check();
            }
        }
        for index in 0..self.cpus.len() {
            self.charge(index);
        }
        self.check();
    }

    /// No thread lost, none in two places, no idle CPU beside a thread it could run.
    fn check(&self) {
        let queued =
            self.threads.iter().filter(|thread| matches!(thread.place, Place::Queued { .. })).count();
        let in_queues: usize = self.cpus.iter().map(|cpu| cpu.queue.len()).sum();
        assert_eq!(queued, in_queues);
        let running = self.threads.iter().filter(|thread| thread.place == Place::Running).count();
        assert_eq!(running, self.cpus.iter().filter(|cpu| cpu.running.is_some()).count());
        for thread in &self.threads {
            assert_eq!(thread.thread.entity.is_queued(), matches!(thread.place, Place::Queued { .. }));
        }
    }

    fn run_ns(&self, id: usize) -> u64 {
        self.threads[id].thread.entity.run_ns_by(|| self.now)
    }

    /// The longest wait so far, of those that are over and the one that may be going on.
    fn longest_wait(&self, id: usize) -> u64 {
        match self.threads[id].place {
            Place::Queued { since } => self.threads[id].longest_wait.max(self.now - since),
            _ => self.threads[id].longest_wait,
        }
    }
}

fn nice(nice: i8) -> Attributes {
    Attributes { nice, ..Attributes::DEFAULT }
}

#[test]
fn equal_hogs_get_equal_shares_within_two_percent_of_a_second() {
    for hogs in [2, 3, 6, 20] {
        let mut world = World::new(1, 42);
        let ids: Vec<_> = (0..hogs).map(|_| world.add(nice(0), HOG)).collect();
        world.run_for(1000 * MS);
        let fair = 1000 * MS / hogs;
        for &id in &ids {
            let got = world.run_ns(id);
            let tolerance = if hogs <= 6 { fair / 50 } else { 4 * MS };
            assert!(got.abs_diff(fair) <= tolerance.max(3 * MS + 1), "{hogs} hogs: {got} of {fair}");
        }
    }
}

#[test]
fn shares_follow_nice() {
    for (low, high) in [(0, 5), (-5, 5), (0, 10), (10, 19), (-20, 0)] {
        let mut world = World::new(1, 7);
        let favoured = world.add(nice(low), HOG);
        let other = world.add(nice(high), HOG);
        world.run_for(120_000 * MS);
        let expected = f64::from(nice(low).weight()) / f64::from(nice(high).weight());
        let measured = world.run_ns(favoured) as f64 / world.run_ns(other) as f64;
        assert!(
            (measured / expected - 1.0).abs() < 0.1,
            "nice {low} against {high}: {measured}, not {expected}"
        );
    }
}

#[test]
fn groups_get_equal_shares_whatever_they_start() {
    let mut world = World::new(1, 37);
    let many: Vec<_> = (0..9).map(|_| world.add(nice(0), HOG)).collect();
    let worker = world.add(nice(0), HOG);
    let other = world.add(nice(0), HOG);
    for &id in &many {
        world.threads[id].thread.entity.set_group(1, 0);
    }
    world.threads[worker].thread.entity.set_group(2, 0);
    world.threads[other].thread.entity.set_group(3, 5);
    world.run_for(200 * MS);
    let before: Vec<_> = (0..11).map(|id| world.run_ns(id)).collect();
    world.run_for(20_000 * MS);
    let ran = |id: usize| (world.run_ns(id) - before[id]) as f64;
    let group: f64 = many.iter().map(|&id| ran(id)).sum();
    assert!((0.97..1.03).contains(&(group / ran(worker))), "{group} and {}", ran(worker));
    let expected = f64::from(nice(5).weight()) / 1024.0;
    assert!((0.95..1.05).contains(&(ran(other) / ran(worker) / expected)), "{}", ran(other));
}

#[test]
fn an_interactive_thread_pre_empts_hogs_at_once() {
    let mut world = World::new(1, 3);
    for _ in 0..6 {
        world.add(nice(0), HOG);
    }
    let editor = world.add(nice(0), Behaviour { run_ns: MS / 5, sleep_ns: 20 * MS });
    world.run_for(500 * MS);
    world.threads[editor].waits.clear();
    world.threads[editor].longest_wait = 0;
    world.run_for(10_000 * MS);
    assert!(world.threads[editor].waits.len() > 300);
    assert_eq!(world.longest_wait(editor), 0);
    assert_eq!(world.threads[editor].thread.entity.heat_by(|| world.now), Heat::Hot);
}

#[test]
fn the_moving_average_sorts_threads_into_the_three_queues() {
    let mut world = World::new(4, 9);
    let hot = world.add(nice(0), Behaviour { run_ns: MS / 4, sleep_ns: 2 * MS });
    let normal = world.add(nice(0), Behaviour { run_ns: 4 * MS, sleep_ns: 2 * MS });
    let cold = world.add(nice(0), Behaviour { run_ns: 40 * MS, sleep_ns: 2 * MS });
    let hog = world.add(nice(0), HOG);
    world.add(nice(0), HOG);
    world.run_for(2_000 * MS);
    let heat = |id: usize| world.threads[id].thread.entity.heat_by(|| world.now);
    assert_eq!(
        [heat(hot), heat(normal), heat(cold), heat(hog)],
        [Heat::Hot, Heat::Normal, Heat::Cold, Heat::Cold]
    );
}

#[test]
fn a_flood_of_interactive_threads_does_not_starve_a_hog() {
    let mut world = World::new(1, 11);
    let hog = world.add(nice(0), HOG);
    for _ in 0..40 {
        world.add(nice(0), Behaviour { run_ns: MS / 2, sleep_ns: MS });
    }
    world.run_for(20_000 * MS);
    let share = world.run_ns(hog) as f64 / world.now as f64;
    assert!(share > 0.7 / 41.0, "the hog got {share}");
    assert!(world.longest_wait(hog) < 41 * 14 * MS, "the hog waited {} ns", world.longest_wait(hog));
}

#[test]
fn real_time_goes_first_but_leaves_a_twentieth() {
    let fifo = Attributes { policy: Policy::Fifo, nice: 0, real_time_priority: 10 };
    let mut world = World::new(1, 13);
    let normal = world.add(nice(0), HOG);
    let loop_forever = world.add(fifo, HOG);
    world.run_for(10_000 * MS);
    let share = world.run_ns(loop_forever) as f64 / world.now as f64;
    assert!((0.94..0.96).contains(&share), "{share}");
    assert!(world.run_ns(normal) > 400 * MS);
    let urgent =
        world.add(Attributes { real_time_priority: 20, ..fifo }, Behaviour { run_ns: MS, sleep_ns: 9 * MS });
    world.run_for(900 * MS);
    assert!(world.longest_wait(urgent) <= 50 * MS + 1);
}

#[test]
fn round_robin_takes_turns_and_fifo_does_not() {
    for (policy, is_shared) in [(Policy::RoundRobin, true), (Policy::Fifo, false)] {
        let attributes = Attributes { policy, nice: 0, real_time_priority: 5 };
        let mut world = World::new(1, 17);
        let first = world.add(attributes, HOG);
        let second = world.add(attributes, HOG);
        world.run_for(1_000 * MS);
        assert_eq!(world.run_ns(second) > 0, is_shared, "{policy:?}");
        assert!(world.run_ns(first) >= 400 * MS);
    }
}

#[test]
fn the_idle_policy_gives_way() {
    let mut world = World::new(1, 19);
    let idle = world.add(Attributes::at(Priority::Idle), HOG);
    let worker = world.add(nice(0), Behaviour { run_ns: 5 * MS, sleep_ns: 5 * MS });
    world.run_for(5_000 * MS);
    // Waits only while the idle thread spends the little share it has of the worker's time.
    let mean = world.threads[worker].waits.iter().sum::<u64>() / world.threads[worker].waits.len() as u64;
    assert!(mean < MS / 10, "{mean}");
    assert!(world.run_ns(idle) > 1_000 * MS);
}

#[test]
fn idle_cpus_take_work_and_hogs_spread() {
    let mut world = World::new(8, 23);
    let ids: Vec<_> = (0..8).map(|_| world.add(nice(0), HOG)).collect();
    world.run_for(1_000 * MS);
    for id in ids {
        assert!(world.run_ns(id) >= 999 * MS);
    }
}

#[test]
fn every_wait_is_bounded_whatever_the_mix() {
    let mut steps = 0;
    for seed in 1..=40_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let cpus = [1, 1, 2, 4, 16, 64][random.below(6) as usize];
        let mut world = World::new(cpus, random.next());
        let count = cpus as u64 * (1 + random.below(6)) + random.below(8);
        for _ in 0..count {
            let attributes = match random.below(12) {
                0 => Attributes {
                    policy: Policy::RoundRobin,
                    nice: 0,
                    real_time_priority: 1 + random.below(99) as u8,
                },
                1 => Attributes { policy: Policy::Batch, ..nice(0) },
                _ => nice(random.below(16) as i8 - 8),
            };
            let behaviour = match random.below(3) {
                0 if attributes.policy != Policy::RoundRobin => HOG,
                1 => Behaviour { run_ns: 1 + random.below(MS), sleep_ns: 1 + random.below(5 * MS) },
                _ => Behaviour { run_ns: 1 + random.below(30 * MS), sleep_ns: 1 + random.below(60 * MS) },
            };
            world.add(attributes, behaviour);
        }
        let total: u64 =
            world.threads.iter().map(|thread| u64::from(thread.thread.entity.attributes().weight())).sum();
        world.run_for(3_000 * MS);
        for id in 0..world.threads.len() {
            let attributes = world.threads[id].thread.entity.attributes();
            if attributes.policy.is_real_time() {
                continue;
            }
            // (slice + bucket + advance) * W / w, and what the real-time windows can take in that time, and two ends.
            let own = u64::from(attributes.weight());
            let bound = (6 + 1 + 8 + 2) * MS * (total + own) / own * 20 + 2_000 * MS;
            let wait = world.longest_wait(id);
            assert!(wait <= bound, "seed {seed}: thread {id} waited {wait} ns, bound {bound} ns");
        }
        steps += world.steps;
    }
    assert!(steps > 300_000, "{steps} steps");
}

#[test]
fn affinity_holds_under_load() {
    let mut world = World::new(4, 29);
    for index in 0..12 {
        let mask = if index % 3 == 0 { 0b0010 } else { 0b1101 };
        world.add_with_affinity(nice(0), Behaviour { run_ns: 2 * MS, sleep_ns: MS }, mask);
        world.add_with_affinity(nice(0), HOG, mask);
    }
    // `switch` asserts that each thread runs only where it may.
    world.run_for(3_000 * MS);
    assert!((0..24).all(|id| world.run_ns(id) > 0));
}

#[test]
fn attribute_changes_and_removal_find_the_thread_in_any_place() {
    let mut random = Random(31);
    let threads: Vec<_> = (0..200)
        .map(|id| {
            let attributes = match id % 4 {
                0 => Attributes { policy: Policy::Fifo, nice: 0, real_time_priority: 1 + (id % 99) as u8 },
                _ => nice((id % 40) as i8 - 20),
            };
            let thread =
                Arc::new(Thread { id, entity: Entity::new(attributes, u64::MAX), links: Links::new() });
            thread.entity.set_virtual_ns(random.below(400 * MS));
            thread
        })
        .collect();
    let mut queue = RunQueue::new(0);
    for thread in &threads {
        queue.enqueue_ready(thread.clone(), 0);
    }
    let mut running: Option<Arc<Thread>> = None;
    let mut now = 0;
    for _ in 0..20_000 {
        let thread = &threads[random.below(200) as usize];
        if queue.remove(thread, now) {
            let level = random.below(39) as i8 - 20;
            thread.entity.set_attributes(nice(level));
            queue.enqueue_ready(thread.clone(), 0);
        } else {
            assert!(running.as_ref().is_some_and(|running| Arc::ptr_eq(running, thread)));
        }
        now += random.below(4 * MS);
        if let Some(running) = running.take() {
            queue.charge(&running.entity, now);
            queue.requeue(running, if random.below(4) == 0 { Requeue::Yielded } else { Requeue::Preempted });
        }
        running = queue.pick(now);
        assert_eq!(queue.len(), 199);
    }
    drop(running);
    while queue.pick(now).is_some() {}
    assert!(threads.iter().all(|thread| Arc::strong_count(thread) == 1));
}

#[test]
fn yielding_lets_the_others_go_first() {
    let mut queue = RunQueue::new(0);
    let threads: Vec<_> = (0..3)
        .map(|id| Arc::new(Thread { id, entity: Entity::new(nice(0), u64::MAX), links: Links::new() }))
        .collect();
    for thread in &threads {
        queue.enqueue_new(thread.clone(), 0);
    }
    let mut order = Vec::new();
    let mut running = queue.pick(0);
    for now in 1..=6 {
        let thread = running.take().expect("three threads can run");
        order.push(thread.id);
        queue.charge(&thread.entity, now * 1000);
        queue.requeue(thread, Requeue::Yielded);
        running = queue.pick(now * 1000);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}
