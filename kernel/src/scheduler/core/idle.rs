//! How a CPU takes part: its idle thread, which looks for work and waits for it.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use hal::cpu::CpuId;

use super::cpu::{CPUS, rebase_between};
use super::run_queue::RunQueue;
use super::scheduler::SCHEDULER;
use super::switch::schedule;
use crate::scheduler::thread::thread::Thread;

/// Makes the calling context this CPU's idle thread and lets the CPU take part. It must not block from then on.
pub fn init() {
    let index = hal::cpu::id().index();
    let cpu = CPUS.get();
    hal::task::adopt_boot(|task| {
        let idle = Thread::new_idle(index, task);
        if cpu.idle.set(idle.clone()).is_err() {
            unreachable!("a CPU has one idle thread");
        }
        idle
    });
    let now_ns = hal::time::now_ns();
    cpu.queue.lock().start(now_ns);
    cpu.times.start(now_ns);
    SCHEDULER.online.fetch_or(1 << index, Release);
}

/// Turns interrupts on and runs threads on this CPU, for ever; calls `when_idle` whenever there is nothing to do. The
/// calling context is the CPU's idle thread.
pub fn run(mut when_idle: impl FnMut()) -> ! {
    hal::irq::enable();
    run_while(|| {
        when_idle();
        true
    });
    unreachable!("there is always more to do")
}

/// Runs threads on this CPU as long as `goes_on`, which is asked whenever the CPU has nothing to do. The calling context
/// is the CPU's idle thread.
pub fn run_while(mut goes_on: impl FnMut() -> bool) {
    let index = hal::cpu::id().index();
    let bit = 1_u64 << index;
    let cpu = CPUS.get();
    loop {
        schedule();
        if !goes_on() {
            return;
        }
        SCHEDULER.idle.fetch_or(bit, SeqCst);
        if cpu.queued.load(Acquire) == 0 && !steal(index) {
            hal::irq::disabled(|| {
                // Once more: who queued a thread here took the bit away, and the thread may have been stolen since. Who
                // takes it away from now on interrupts this CPU afterwards.
                SCHEDULER.idle.fetch_or(bit, SeqCst);
                if cpu.queued.load(Acquire) == 0 {
                    hal::cpu::wait_for_interrupt();
                }
            });
        }
        SCHEDULER.idle.fetch_and(!bit, Relaxed);
    }
}

/// Brings a thread from another CPU's queue into this one's; answers whether there was one.
fn steal(here: usize) -> bool {
    let count = hal::cpu::count();
    for offset in 1..count {
        let victim = (here + offset) % count;
        let cpu = CPUS.on(CpuId::new(victim));
        if cpu.queued.load(Relaxed) == 0 {
            continue;
        }
        let may_move = |thread: &Thread| thread.entity().may_run_on(here) && !thread.task.is_on_cpu();
        if let Some(thread) = take_from(victim, here, |queue| queue.steal(hal::time::now_ns(), may_move)) {
            let own = CPUS.on(CpuId::new(here));
            let mut queue = own.queue.lock();
            queue.enqueue_ready(thread, hal::time::now_ns());
            own.publish(&queue);
            return true;
        }
    }
    false
}

/// Brings a real-time thread that waits for one of the CPUs in `urgent` to this one, if it is more urgent than what runs
/// here.
#[cold]
pub(super) fn pull_urgent(urgent: u64) {
    let here = hal::cpu::id().index();
    let own = CPUS.on(CpuId::new(here));
    let rank = own.running_rank.load(Relaxed);
    for (victim, cpu) in CPUS.iter().enumerate() {
        if victim == here || urgent >> victim & 1 == 0 || cpu.waiting_rank.load(Relaxed) <= rank {
            continue;
        }
        let may_move = |thread: &Thread| thread.entity().may_run_on(here) && !thread.task.is_on_cpu();
        if let Some(thread) =
            take_from(victim, here, |queue| queue.steal_urgent(rank, hal::time::now_ns(), may_move))
        {
            own.enqueue(here, &mut own.queue.lock(), |queue| {
                queue.enqueue_ready(thread, hal::time::now_ns())
            });
            return;
        }
    }
}

/// Takes a thread from the queue of CPU `victim` to belong to CPU `here`.
fn take_from(
    victim: usize,
    here: usize,
    steal: impl FnOnce(&mut RunQueue<Thread>) -> Option<Arc<Thread>>,
) -> Option<Arc<Thread>> {
    let cpu = CPUS.on(CpuId::new(victim));
    let mut queue = cpu.queue.lock();
    let stolen = steal(&mut queue);
    cpu.publish(&queue);
    if let Some(thread) = &stolen {
        // Under the victim's lock, so that a waker or a change of attributes does not look there in vain.
        rebase_between(thread, victim, here);
        thread.set_cpu(here);
    }
    stolen
}

/// Starts other CPUs, so that no more than `limit` run in all, and waits until they run threads, so that the first program
/// sees every CPU and a thread may name any of them. To be called once, by the CPU that booted.
pub fn start_secondaries(limit: usize) {
    let count = hal::cpu::start_secondaries(limit);
    // Acquire pairs with the release in `init`. Whoever runs by now comes there without waiting for anybody.
    while (SCHEDULER.online.load(Acquire).count_ones() as usize) < count {
        hal::cpu::relax();
    }
}

/// What another CPU than the one that booted does: takes part and runs threads, for ever.
pub fn run_secondary(when_idle: impl FnMut()) -> ! {
    init();
    run(when_idle)
}
