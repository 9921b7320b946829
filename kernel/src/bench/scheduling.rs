//! Switching between threads, making them, and choosing one among many.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hal::task::switch_to;

use super::harness::{Outcome, Row, Stopwatch};
use crate::list::{Linked, Links};
use crate::scheduler::core::entity::Entity;
use crate::scheduler::core::policy::{MS, ema};
use crate::scheduler::core::run_queue::{Requeue, RunLink, RunQueue, Schedulable};
use crate::scheduler::thread::{allocate_id, insert};
use crate::scheduler::{self, Attributes, SCHEDULER, Thread, wait};

/// What the design allows for a switch within an address space, the decision included.
const SWITCH: Option<u32> = Some(304);
/// What it allows for making a thread.
const SPAWN: Option<u32> = Some(5000);

pub(super) const ROWS: &[Row] = &[
    Row::new("switch/registers and stacks alone", SWITCH, switch_alone),
    Row::new("switch/yield to another thread", SWITCH, yield_to_another),
    Row::new("thread/spawn", SPAWN, spawn),
];

/// Decisions alone, which need no thread.
pub(super) const PURE_ROWS: &[Row] = &[
    Row::new("run queue/pick of 1", None, |watch| pick(watch, 1)),
    Row::new("run queue/pick of 10", None, |watch| pick(watch, 10)),
    Row::new("run queue/pick of 100", None, |watch| pick(watch, 100)),
    Row::new("run queue/pick of 10000", None, |watch| pick(watch, 10_000)),
    Row::new("run queue/moving average", None, |watch| {
        let mut mean = 0;
        watch.each(1000, || mean = ema(black_box(mean), black_box(MS)));
        Ok(())
    }),
];

const STACK_BYTES: usize = 16 * 1024;
const SWITCHES: usize = 1000;
const NO_MEMORY: &str = "too little memory";

/// Makes a thread that runs on this CPU only, once it is started.
fn thread(entry: impl FnOnce() + Send + 'static) -> Result<Arc<Thread>, &'static str> {
    let id = allocate_id().map_err(|_| "no thread id")?;
    let thread = Thread::new_kernel(id, "bench", entry, STACK_BYTES, Attributes::DEFAULT);
    let thread = thread.map_err(|_| NO_MEMORY)?;
    thread.entity().set_affinity(1 << hal::cpu::id().index());
    insert(thread.clone());
    Ok(thread)
}

/// Lets others run until a thread has ended, and the service thread has buried it.
fn wait_for_the_end() {
    wait::sleep_uninterruptible(hal::time::now_ns() + MS);
}

/// Two threads that hand the CPU to each other, without asking the scheduler.
fn switch_alone(watch: &mut Stopwatch) -> Outcome {
    let me = scheduler::current().arc();
    let is_over = Arc::new(AtomicBool::new(false));
    let partner = thread({
        let is_over = is_over.clone();
        move || {
            while !is_over.load(Relaxed) {
                switch_to(me.clone());
            }
        }
    })?;
    switch_to(partner.clone());
    watch.time(2 * SWITCHES, || (0..SWITCHES).for_each(|_| switch_to(partner.clone())));
    // It ends as every thread does, chosen by the scheduler.
    is_over.store(true, Relaxed);
    SCHEDULER.start(partner);
    wait_for_the_end();
    Ok(())
}

/// Two threads that yield to each other.
fn yield_to_another(watch: &mut Stopwatch) -> Outcome {
    let is_over = Arc::new(AtomicBool::new(false));
    let partner = thread({
        let is_over = is_over.clone();
        move || {
            while !is_over.load(Relaxed) {
                SCHEDULER.yield_now();
            }
        }
    })?;
    let me = scheduler::current();
    let affinity = me.entity().affinity();
    me.entity().set_affinity(1 << hal::cpu::id().index());
    SCHEDULER.start(partner);
    SCHEDULER.yield_now();
    let before = SCHEDULER.stats().context_switches;
    watch.time(2 * SWITCHES, || (0..SWITCHES).for_each(|_| SCHEDULER.yield_now()));
    let switches = SCHEDULER.stats().context_switches - before;
    is_over.store(true, Relaxed);
    wait_for_the_end();
    me.entity().set_affinity(affinity);
    if switches < 2 * SWITCHES as u64 { Err("a yield did not switch") } else { Ok(()) }
}

fn spawn(watch: &mut Stopwatch) -> Outcome {
    const THREADS: usize = 8;
    for _ in 0..8 {
        watch
            .time(THREADS, || {
                (0..THREADS).try_for_each(|_| SCHEDULER.spawn("bench", || (), STACK_BYTES).map(drop))
            })
            .map_err(|_| NO_MEMORY)?;
        wait_for_the_end();
    }
    Ok(())
}

/// What a run queue holds here: a thread as far as decisions see one.
struct Node {
    entity: Entity,
    links: Links<Node>,
}

impl Linked<RunLink> for Node {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Schedulable for Node {
    fn entity(&self) -> &Entity {
        &self.entity
    }
}

/// Picks among so many threads of every heat, each of which runs for a while and is put back.
fn pick(watch: &mut Stopwatch, count: u64) -> Outcome {
    let mut queue = alloc::boxed::Box::new(RunQueue::new(0));
    let mut nodes = Vec::new();
    nodes.try_reserve_exact(count as usize).map_err(|_| NO_MEMORY)?;
    for number in 0..count {
        let entity = Entity::new(Attributes::DEFAULT, 1);
        // From a fraction of a millisecond to sixteen: hot, normal, cold.
        let run_ns = (MS / 4) << (number % 7);
        entity.start(0);
        entity.stop(run_ns);
        entity.note_block();
        entity.set_virtual_ns(number % 64 * MS);
        nodes.push(Arc::new(Node { entity, links: Links::new() }));
    }
    for node in &nodes {
        queue.enqueue_ready(node.clone(), 0);
    }
    let mut now_ns = 0;
    for round in 0..500 {
        let node = watch.time(1, || queue.pick(now_ns)).ok_or("the queue was empty")?;
        now_ns += MS / 2 * (1 + round % 8);
        queue.charge(node.entity(), now_ns);
        queue.requeue(node, Requeue::Preempted);
    }
    // A list drops what follows its first element in turn; none shall be long.
    while queue.pick(now_ns).is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_every_heat_are_picked() {
        for row in PURE_ROWS {
            row.run();
        }
        assert_eq!(ema(0, 4 * MS), MS);
    }
}
