//! The scheduler as the rest of the kernel sees it: spawn, yield, block, unblock, attributes, statistics.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU64};

use hal::cpu::CpuId;
use hal::task::Current;
use linux_abi::errno::Errno;

use super::cpu::{CPUS, rebase_between};
use super::entity::Entity;
use super::placement::Wakeup;
use super::policy::{Attributes, Priority};
use super::run_queue::Requeue;
use super::switch::{reschedule_because, schedule};
use super::wakeup::{interrupt_running, wake};
use crate::scheduler::accounting::{CpuState, Load, Stats};
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::{Thread, ThreadId};
use crate::scheduler::thread::{allocate_id, find, insert};
use crate::scheduler::trace;

/// The scheduler: what all CPUs share of it.
pub struct Scheduler {
    /// Bit n: CPU n runs threads.
    pub(super) online: AtomicU64,
    /// Bit n: CPU n has nothing to do.
    pub(super) idle: AtomicU64,
    /// Bit n: real-time threads wait for CPU n.
    pub(super) urgent: AtomicU64,
    /// Threads made since boot.
    spawned: AtomicU64,
    pub(super) load: Load,
    is_fair_to_groups: AtomicBool,
    /// Bit n: CPU n is for threads that ask for it.
    isolated: AtomicU64,
}

hal::machine_static! {
    /// The scheduler.
    pub static SCHEDULER: Scheduler = Scheduler::new();
}

/// The thread that runs this code.
///
/// # Panics
/// Before the scheduler runs on this CPU.
#[inline]
#[track_caller]
pub fn current() -> Current<Thread> {
    hal::task::current()
}

impl Scheduler {
    const fn new() -> Self {
        Self {
            online: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            urgent: AtomicU64::new(0),
            spawned: AtomicU64::new(0),
            load: Load::new(),
            is_fair_to_groups: AtomicBool::new(true),
            isolated: AtomicU64::new(0),
        }
    }

    /// Makes a kernel thread called `name` that runs `entry` on a stack of `stack_bytes` and ends when that returns.
    ///
    /// # Errors
    /// - `EAGAIN`: no thread id is free.
    /// - `ENOMEM`: no memory for the stack.
    pub fn spawn(
        &self,
        name: &str,
        entry: impl FnOnce() + Send + 'static,
        stack_bytes: usize,
    ) -> Result<ThreadId, Errno> {
        self.spawn_with(name, entry, stack_bytes, Attributes::at(Priority::Normal))
    }

    /// As [`Self::spawn`], with scheduling attributes.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn spawn_with(
        &self,
        name: &str,
        entry: impl FnOnce() + Send + 'static,
        stack_bytes: usize,
        attributes: Attributes,
    ) -> Result<ThreadId, Errno> {
        let id = allocate_id()?;
        let thread = Thread::new_kernel(id, name, entry, stack_bytes, attributes)?;
        insert(thread.clone());
        self.start(thread);
        Ok(id)
    }

    /// Lets a new thread run. Whoever needs to find it by its id has made it known before.
    pub fn start(&self, thread: Arc<Thread>) {
        self.spawned.fetch_add(1, Relaxed);
        let here = hal::cpu::id().index();
        let target = self.place(&thread, here, here);
        thread.set_cpu(target);
        thread.set_state(State::RUNNABLE);
        thread.set_active(true);
        trace::wake(&thread, target);
        let cpu = CPUS.on(CpuId::new(target));
        cpu.enqueue(target, &mut cpu.queue.lock(), |queue| queue.enqueue_new(thread, hal::time::now_ns()));
    }

    /// Lets other threads go first.
    #[inline]
    pub fn yield_now(&self) {
        let cpu = CPUS.get();
        if cpu.queued.load(Relaxed) != 0 {
            reschedule_because(Requeue::Yielded);
        }
    }

    /// Sleeps until `unblock_thread` is called for the calling thread; one call that came before counts.
    pub fn block_current(&self) {
        let me = current();
        loop {
            me.prepare_to_sleep(State::UNINTERRUPTIBLE);
            if me.may_pass.swap(false, SeqCst) {
                break;
            }
            schedule();
        }
        me.set_state(State::RUNNABLE);
    }

    /// Ends the present or the next `block_current` of a thread.
    ///
    /// # Errors
    /// `ESRCH`: there is no such thread.
    pub fn unblock_thread(&self, id: ThreadId) -> Result<(), Errno> {
        let thread = find(id).ok_or(Errno::ESRCH)?;
        thread.may_pass.swap(true, SeqCst);
        wake(thread, State::UNINTERRUPTIBLE);
        Ok(())
    }

    /// What the scheduler did and does.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { threads_started: self.spawned.load(Relaxed), ..Stats::default() };
        for cpu in CPUS.iter() {
            stats.ready += cpu.queued.load(Relaxed);
            stats.running += usize::from(cpu.is_busy.load(Relaxed));
            let mut usage = cpu.times.snapshot(hal::time::now_ns, || !cpu.is_busy.load(Relaxed));
            let queue = cpu.queue.lock();
            usage.waiting_ns = queue.waiting_ns(hal::time::now_ns());
            drop(queue);
            stats.cpus.push(usage);
        }
        stats.context_switches = stats.cpus.iter().map(|cpu| cpu.context_switches).sum();
        stats
    }

    /// What each CPU does now.
    pub fn cpu_states(&self) -> impl Iterator<Item = CpuState> {
        CPUS.iter().map(|cpu| CpuState {
            is_busy: cpu.is_busy.load(Relaxed),
            queued: cpu.queued.load(Relaxed),
            running_rank: cpu.running_rank.load(Relaxed),
            waiting_rank: cpu.waiting_rank.load(Relaxed),
            virtual_ns: cpu.virtual_now_ns.load(Relaxed),
            interrupts: cpu.interrupts.load(Relaxed),
        })
    }

    /// Load averages over 1, 5 and 15 minutes, in fixed point with [`LOAD_SHIFT`](crate::scheduler::LOAD_SHIFT) binary
    /// places.
    pub fn load_average(&self) -> [u64; 3] {
        self.load.averages(hal::time::now_ns(), Self::active())
    }

    /// Bit n: CPU n runs threads.
    pub fn online_cpus(&self) -> u64 {
        self.online.load(Relaxed)
    }

    /// Changes policy, nice or real-time priority of a thread, at once.
    pub fn set_attributes(&self, thread: &Arc<Thread>, attributes: Attributes) {
        self.change(thread, |entity| entity.set_attributes(attributes));
    }

    /// Lets a thread run at least at the real-time priority `rank`, because others wait for it; 0 ends that.
    pub fn set_inherited_rank(&self, thread: &Arc<Thread>, rank: u8) {
        self.change(thread, |entity| entity.set_inherited_rank(rank));
    }

    /// Puts a thread into the group of a slot (0: into none), whose share is that of a thread of this nice value.
    pub fn set_group(&self, thread: &Arc<Thread>, slot: u8, nice: i8) {
        self.change(thread, |entity| entity.set_group(slot, nice));
    }

    /// Says whether groups of threads get equal shares, or all threads do.
    pub fn set_group_fairness(&self, is_on: bool) {
        self.is_fair_to_groups.store(is_on, Relaxed);
        for cpu in CPUS.iter() {
            cpu.queue.lock().set_group_fairness(is_on);
        }
    }

    /// Whether groups of threads get equal shares.
    pub fn is_fair_to_groups(&self) -> bool {
        self.is_fair_to_groups.load(Relaxed)
    }

    /// Keeps CPUs (bit n: CPU n) free of all threads that do not ask for them; not the one that boots.
    pub fn isolate(&self, cpus: u64) {
        self.isolated.store(cpus & !1, Relaxed);
    }

    /// The CPUs a thread may run on unless somebody says otherwise.
    pub fn default_affinity(&self) -> u64 {
        !self.isolated.load(Relaxed)
    }

    /// Changes the CPUs a thread may run on; it leaves one it may not use at its next switch at the latest.
    pub fn set_affinity(&self, thread: &Arc<Thread>, mask: u64) {
        self.change(thread, |entity| entity.set_affinity(mask));
    }

    /// Changes a thread's entity, taking the thread out of its queue meanwhile, and decides anew where it waits and who
    /// runs.
    fn change(&self, thread: &Arc<Thread>, change: impl FnOnce(&Entity)) {
        loop {
            let index = thread.cpu();
            let cpu = CPUS.on(CpuId::new(index));
            let mut queue = cpu.queue.lock();
            if thread.cpu() != index {
                continue;
            }
            let was_queued = queue.remove(thread, hal::time::now_ns());
            change(thread.entity());
            cpu.publish(&queue);
            if was_queued {
                let mut target = index;
                if !thread.entity().may_run_on(index) && !thread.task.is_on_cpu() {
                    target = self.place(thread, index, index);
                }
                drop(queue);
                self.move_to(thread.clone(), index, target);
            } else if thread.is_active() {
                // It runs, or is about to be queued: it looks at its attributes again when it is switched.
                drop(queue);
                interrupt_running(thread, true);
            }
            return;
        }
    }

    /// Queues an active thread that is in no queue on CPU `to`; `from` is the CPU it belongs to.
    pub(super) fn move_to(&self, thread: Arc<Thread>, from: usize, to: usize) {
        rebase_between(&thread, from, to);
        thread.set_cpu(to);
        let cpu = CPUS.on(CpuId::new(to));
        cpu.enqueue(to, &mut cpu.queue.lock(), |queue| queue.enqueue_ready(thread, hal::time::now_ns()));
    }

    /// The CPU on which a thread becomes ready.
    #[inline]
    pub(super) fn place(&self, thread: &Thread, previous: usize, waker: usize) -> usize {
        let entity = thread.entity();
        let is_usual = self.idle.load(Relaxed) == 0 && entity.rank() == 0;
        // Where no CPU is idle, an ordinary thread stays where it was.
        if is_usual && entity.may_run_on(previous) {
            previous
        } else {
            self.place_anew(thread, previous, waker)
        }
    }

    #[inline(never)]
    fn place_anew(&self, thread: &Thread, previous: usize, waker: usize) -> usize {
        let wakeup = Wakeup {
            affinity: thread.entity().affinity(),
            online: self.online.load(Relaxed),
            idle: self.idle.load(Relaxed),
            previous,
            waker,
        };
        match thread.entity().rank() {
            0 => wakeup.place(),
            rank => wakeup.place_urgent(rank, |cpu| CPUS.on(CpuId::new(cpu)).running_rank.load(Relaxed)),
        }
    }

    /// Threads that run or could.
    pub(super) fn active() -> usize {
        CPUS.iter().map(|cpu| cpu.queued.load(Relaxed) + usize::from(cpu.is_busy.load(Relaxed))).sum()
    }
}

/// Whether a signal waits to be taken by the calling thread: long loops in system calls stop then.
pub fn has_pending_signal() -> bool {
    current().has_pending_signal()
}

/// Load averages over 1, 5 and 15 minutes; see [`Scheduler::load_average`].
pub fn load_average() -> [u64; 3] {
    SCHEDULER.load_average()
}
