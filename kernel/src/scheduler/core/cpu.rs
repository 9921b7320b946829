//! What a CPU has for itself, and what happens between CPUs.
//!
//! Each CPU has a run queue of its own; no two of their locks are ever held together. See [`state`] for the protocol of
//! sleeping and waking, which rests on the lock of the run queue a thread belongs to.
//!
//! # Invariants
//! 1. A thread belongs to the run queue of the CPU `Thread::cpu` names. That changes only while the thread is in no
//!    queue and runs nowhere, and whoever changes it is the only one who may queue the thread.
//! 2. A thread that a CPU has not let go of yet is queued on that CPU and nowhere else, and nobody takes it from there.
//!    So no two CPUs can wait for each other to let go of what the other wants to run.
//! 3. A thread that must leave its CPU (affinity) while it could go on is handed over by the thread that runs there
//!    next, once the switch is complete.
//!
//! # Interrupts between CPUs
//! A CPU is interrupted when it is idle and got a thread, when a thread it got pre-empts, and when the first thread
//! begins to wait behind one that runs, because the clock has to be set for its slice. One interrupt is under way to
//! a CPU at a time.
//!
//! [`state`]: crate::scheduler::thread::state

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};

use hal::cpu::CpuId;
use hal::sync::{ArcSlot, Once, SpinLockIrq};
use hal::task::Work;

use super::run_queue::{RunQueue, rebase};
use super::scheduler::{SCHEDULER, current};
use super::watchdog::Watchdog;
use crate::lock_order;
use crate::scheduler::accounting::CpuTimes;
use crate::scheduler::thread::thread::Thread;
use crate::scheduler::trace;
use crate::time::clock_event;

/// What a CPU has for itself.
pub(super) struct Cpu {
    pub(super) queue: SpinLockIrq<RunQueue<Thread>>,
    /// The queue's length and virtual time, for looks without the lock.
    pub(super) queued: AtomicUsize,
    pub(super) virtual_now_ns: AtomicU64,
    /// The real-time priority of the thread that runs, and the highest of those that wait; 0 for none.
    pub(super) running_rank: AtomicU8,
    pub(super) waiting_rank: AtomicU8,
    /// Whether the CPU runs a thread other than its idle thread.
    pub(super) is_busy: AtomicBool,
    /// Whether an interrupt for this CPU is under way.
    pub(super) is_interrupted: AtomicBool,
    /// Interrupts from other CPUs served.
    pub(super) interrupts: AtomicU64,
    /// Whether another CPU queued a thread here that pre-empts.
    pub(super) must_reschedule: AtomicBool,
    /// Whether another CPU wants restartable sequences here to be restarted.
    must_restart: AtomicBool,
    /// A thread that is to go to another CPU once this one has let go of it.
    pub(super) handover: ArcSlot<Thread>,
    pub(super) idle: Once<Arc<Thread>>,
    pub(super) next_tick_ns: AtomicU64,
    pub(super) times: CpuTimes,
    pub(super) watchdog: Watchdog,
}

hal::per_cpu! {
    pub(super) static CPUS: Cpu = Cpu {
        queue: SpinLockIrq::new(lock_order::RUN_QUEUE, RunQueue::new(0)),
        queued: AtomicUsize::new(0),
        virtual_now_ns: AtomicU64::new(0),
        running_rank: AtomicU8::new(0),
        waiting_rank: AtomicU8::new(0),
        is_busy: AtomicBool::new(false),
        is_interrupted: AtomicBool::new(false),
        interrupts: AtomicU64::new(0),
        must_reschedule: AtomicBool::new(false),
        must_restart: AtomicBool::new(false),
        handover: ArcSlot::new(),
        idle: Once::new(),
        next_tick_ns: AtomicU64::new(0),
        times: CpuTimes::new(),
        watchdog: Watchdog::new(),
    };
}

impl Cpu {
    /// Lets others see what is in the queue.
    pub(super) fn publish(&self, queue: &RunQueue<Thread>) {
        self.queued.store(queue.len(), Relaxed);
        self.virtual_now_ns.store(queue.virtual_now_ns(), Relaxed);
        self.running_rank.store(queue.running_rank(), Relaxed);
        if queue.has_real_time() || self.waiting_rank.load(Relaxed) != 0 {
            self.publish_waiting(queue.waiting_rank());
        }
    }

    #[cold]
    #[inline(never)]
    fn publish_waiting(&self, rank: u8) {
        self.waiting_rank.store(rank, Relaxed);
        let here = CPUS.iter().position(|cpu| core::ptr::eq(cpu, self));
        let bit = here.map_or(0, |index| 1 << index);
        if rank == 0 {
            SCHEDULER.urgent.fetch_and(!bit, Relaxed);
        } else {
            SCHEDULER.urgent.fetch_or(bit, Relaxed);
        }
    }

    /// Queues a thread on this CPU, whose number is `index`: by `add`, which answers whether it goes before the thread
    /// that runs. Under the queue's lock.
    #[inline]
    pub(super) fn enqueue(
        &self,
        index: usize,
        queue: &mut RunQueue<Thread>,
        add: impl FnOnce(&mut RunQueue<Thread>) -> bool,
    ) {
        let was_empty = queue.is_empty();
        let preempts = add(queue);
        self.queued.store(queue.len(), Relaxed);
        if queue.has_real_time() {
            self.publish_waiting(queue.waiting_rank());
        }
        if index != hal::cpu::id().index() {
            self.tell(index, queue, preempts, was_empty);
        } else if preempts {
            // The idle loop looks at the queue before it waits.
            if !queue.is_idle() {
                current().task.raise(Work::RESCHEDULE);
            }
        } else if was_empty && let Some(at_ns) = queue.next_decision_ns() {
            clock_event::request(at_ns);
        }
    }

    /// Tells this CPU, another than the one that runs this, of a newly queued thread. Under the queue's lock.
    fn tell(&self, index: usize, queue: &RunQueue<Thread>, preempts: bool, was_empty: bool) {
        if queue.is_idle() {
            SCHEDULER.idle.fetch_and(!(1 << index), Relaxed);
        } else if preempts {
            self.must_reschedule.store(true, Relaxed);
        }
        if preempts || was_empty {
            self.interrupt(index);
        }
    }

    pub(super) fn interrupt(&self, index: usize) {
        if !self.is_interrupted.swap(true, AcqRel) {
            hal::cpu::send_reschedule(CpuId::new(index));
        }
    }
}

/// Makes the virtual time of a thread that goes from one CPU to another mean the same there.
pub(super) fn rebase_between(thread: &Thread, from: usize, to: usize) {
    if from != to {
        trace::migrate(thread, from, to);
        thread.entity().count_migration();
        let virtual_ns = |cpu| CPUS.on(CpuId::new(cpu)).virtual_now_ns.load(Relaxed);
        rebase(thread.entity(), virtual_ns(from), virtual_ns(to));
    }
}

/// How often each CPU was interrupted by another one.
pub fn reschedule_interrupts() -> impl Iterator<Item = u64> {
    CPUS.iter().map(|cpu| cpu.interrupts.load(Relaxed))
}

/// Serves an interrupt another CPU sent to this one.
pub fn reschedule_interrupt() {
    let cpu = CPUS.get();
    cpu.is_interrupted.store(false, SeqCst);
    cpu.interrupts.fetch_add(1, SeqCst);
    let me = current();
    let must_restart = cpu.must_restart.load(Relaxed) && cpu.must_restart.swap(false, Relaxed);
    if me.is_idle() {
        return;
    }
    if must_restart {
        me.note_lost_cpu();
    }
    if cpu.must_reschedule.swap(false, Relaxed) {
        me.task.raise(Work::RESCHEDULE);
        return;
    }
    let queue = cpu.queue.lock();
    if let Some(at_ns) = queue.next_decision_ns() {
        clock_event::request(at_ns);
    }
}

/// What CPUs pass in [`barrier_on`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Barrier {
    /// A full memory barrier.
    Memory,
    /// One that also makes instructions written before it be fetched anew.
    Instructions,
    /// The end of every restartable sequence, which is restarted.
    Sequences,
}

/// Waits until each CPU in `mask` that runs a thread has taken an interrupt, and so passed `barrier`; a CPU that is idle
/// now passes one when it switches.
pub fn barrier_on(mask: u64, barrier: Barrier) {
    for (index, cpu) in CPUS.iter().enumerate().filter(|(index, _)| mask >> index & 1 != 0) {
        // The return from an interrupt fetches instructions anew; going from the idle thread to another may not.
        let is_wanted = || barrier == Barrier::Instructions || cpu.is_busy.load(SeqCst);
        if !is_wanted() {
            continue;
        }
        if barrier == Barrier::Sequences {
            cpu.must_restart.store(true, Relaxed);
        }
        let before = cpu.interrupts.load(SeqCst);
        hal::cpu::send_reschedule(CpuId::new(index));
        while cpu.interrupts.load(SeqCst) == before && is_wanted() {
            hal::cpu::relax();
        }
    }
}
