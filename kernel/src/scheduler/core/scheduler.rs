//! The acting part of the scheduler: switching, waking, interrupting other CPUs.
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
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use hal::cpu::CpuId;
use hal::sync::{ArcSlot, Once, SpinLockIrq};
use hal::task::{Current, Work};
use linux_abi::errno::Errno;

use super::entity::Entity;
use super::placement::Wakeup;
use super::policy::{Attributes, MS, Priority};
use super::run_queue::{Requeue, RunQueue, rebase};
use crate::lock_order;
use crate::scheduler::accounting::{CpuTimes, Load, Stats};
use crate::scheduler::service;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::{Thread, ThreadId};
use crate::scheduler::thread::{allocate_id, find, insert, remove};
use crate::time::clock_event;

/// Time between two clock samples of a CPU that runs a thread.
pub const TICK_NS: u64 = 10 * MS;

/// What a CPU has for itself.
struct Cpu {
    queue: SpinLockIrq<RunQueue<Thread>>,
    /// The queue's length and virtual time, for looks without the lock.
    queued: AtomicUsize,
    virtual_now_ns: AtomicU64,
    /// Whether the CPU runs a thread other than its idle thread.
    is_busy: AtomicBool,
    /// Whether an interrupt for this CPU is under way.
    is_interrupted: AtomicBool,
    /// Interrupts from other CPUs served.
    interrupts: AtomicU64,
    /// Whether another CPU queued a thread here that pre-empts.
    must_reschedule: AtomicBool,
    /// A thread that is to go to another CPU once this one has let go of it.
    handover: ArcSlot<Thread>,
    idle: Once<Arc<Thread>>,
    next_tick_ns: AtomicU64,
    times: CpuTimes,
}

hal::per_cpu! {
    static CPUS: Cpu = Cpu {
        queue: SpinLockIrq::new(lock_order::RUN_QUEUE, RunQueue::new(0)),
        queued: AtomicUsize::new(0),
        virtual_now_ns: AtomicU64::new(0),
        is_busy: AtomicBool::new(false),
        is_interrupted: AtomicBool::new(false),
        interrupts: AtomicU64::new(0),
        must_reschedule: AtomicBool::new(false),
        handover: ArcSlot::new(),
        idle: Once::new(),
        next_tick_ns: AtomicU64::new(0),
        times: CpuTimes::new(),
    };
}

/// The scheduler: what all CPUs share of it.
pub struct Scheduler {
    /// Bit n: CPU n runs threads.
    online: AtomicU64,
    /// Bit n: CPU n has nothing to do.
    idle: AtomicU64,
    /// Threads made since boot.
    spawned: AtomicU64,
    load: Load,
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
            spawned: AtomicU64::new(0),
            load: Load::new(),
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
            stats.cpus.push(cpu.times.snapshot(hal::time::now_ns, || !cpu.is_busy.load(Relaxed)));
        }
        stats.context_switches = stats.cpus.iter().map(|cpu| cpu.context_switches).sum();
        stats
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
            let was_queued = queue.remove(thread);
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
    fn move_to(&self, thread: Arc<Thread>, from: usize, to: usize) {
        rebase_between(thread.entity(), from, to);
        thread.set_cpu(to);
        let cpu = CPUS.on(CpuId::new(to));
        cpu.enqueue(to, &mut cpu.queue.lock(), |queue| queue.enqueue_ready(thread, hal::time::now_ns()));
    }

    fn place(&self, thread: &Thread, previous: usize, waker: usize) -> usize {
        Wakeup {
            affinity: thread.entity().affinity(),
            online: self.online.load(Relaxed),
            idle: self.idle.load(Relaxed),
            previous,
            waker,
        }
        .place()
    }

    /// Threads that run or could.
    fn active() -> usize {
        CPUS.iter().map(|cpu| cpu.queued.load(Relaxed) + usize::from(cpu.is_busy.load(Relaxed))).sum()
    }
}

impl Cpu {
    /// Lets others see what is in the queue.
    fn publish(&self, queue: &RunQueue<Thread>) {
        self.queued.store(queue.len(), Relaxed);
        self.virtual_now_ns.store(queue.virtual_now_ns(), Relaxed);
    }

    /// Queues a thread on this CPU, whose number is `index`: by `add`, which answers whether it goes before the thread
    /// that runs. Under the queue's lock.
    #[inline]
    fn enqueue(
        &self,
        index: usize,
        queue: &mut RunQueue<Thread>,
        add: impl FnOnce(&mut RunQueue<Thread>) -> bool,
    ) {
        let was_empty = queue.is_empty();
        let preempts = add(queue);
        self.after_enqueue(index, queue, preempts, was_empty);
    }

    /// Does what a newly queued thread requires of this CPU, whose number is `index`. Under the queue's lock.
    fn after_enqueue(&self, index: usize, queue: &RunQueue<Thread>, preempts: bool, was_empty: bool) {
        self.publish(queue);
        if index == hal::cpu::id().index() {
            if queue.is_idle() {
                // The idle loop looks at the queue before it waits.
            } else if preempts {
                current().task.raise(Work::RESCHEDULE);
            } else if was_empty && let Some(at_ns) = queue.next_decision_ns() {
                clock_event::request(at_ns);
            }
            return;
        }
        if queue.is_idle() {
            SCHEDULER.idle.fetch_and(!(1 << index), Relaxed);
        } else if preempts {
            self.must_reschedule.store(true, Relaxed);
        }
        if preempts || was_empty {
            self.interrupt(index);
        }
    }

    fn interrupt(&self, index: usize) {
        if !self.is_interrupted.swap(true, AcqRel) {
            hal::cpu::send_reschedule(CpuId::new(index));
        }
    }
}

fn rebase_between(entity: &Entity, from: usize, to: usize) {
    if from != to {
        let virtual_ns = |cpu| CPUS.on(CpuId::new(cpu)).virtual_now_ns.load(Relaxed);
        rebase(entity, virtual_ns(from), virtual_ns(to));
    }
}

/// Gives up the CPU. A thread that has stored a sleeping state sleeps until it is woken; one that has not goes on when
/// its turn comes.
pub fn schedule() {
    reschedule_because(Requeue::Preempted);
}

/// Lets another thread run if one is due; called on the way to user mode when `Work::RESCHEDULE` is raised.
pub fn reschedule() {
    schedule();
}

/// Lets another thread run if one is due. Long loops in the kernel call it between steps, holding no spin lock.
#[inline]
pub fn cond_resched() {
    if current().task.work().contains(Work::RESCHEDULE) {
        schedule();
    }
}

fn reschedule_because(why: Requeue) {
    hal::sync::might_sleep();
    let me = current();
    let Some(next) = choose_next(&me, why) else { return };
    hal::task::switch_to(next);
    finish_switch();
}

/// Decides who runs next on this CPU; `None` if the calling thread goes on.
fn choose_next(me: &Current<Thread>, why: Requeue) -> Option<Arc<Thread>> {
    let cpu = CPUS.get();
    let mut queue = cpu.queue.lock();
    let now_ns = hal::time::now_ns();
    let ran_ns = queue.charge(me.entity(), now_ns);
    if me.task.work().contains(Work::RESCHEDULE) {
        me.task.lower(Work::RESCHEDULE);
    }
    if me.is_idle() {
        cpu.times.add_idle(ran_ns);
    } else {
        cpu.times.add_busy(ran_ns);
        if me.state() == State::RUNNABLE {
            if !me.entity().may_run_on(hal::cpu::id().index()) {
                queue.note_preemption(me.entity());
                cpu.handover.put(me.arc());
            } else if queue.is_empty() {
                me.entity().renew_slice();
                queue.set_running(me.entity(), now_ns);
                return None;
            } else {
                queue.requeue(me.arc(), why);
            }
            me.count_switch(why == Requeue::Yielded);
        } else {
            queue.note_block(me.entity());
            me.set_active(false);
            me.count_switch(true);
        }
    }
    let next = queue.pick(now_ns);
    cpu.publish(&queue);
    match next {
        Some(next) => {
            if !cpu.is_busy.load(Relaxed) {
                cpu.is_busy.store(true, Relaxed);
                // Samples keep to a grid, so that threads that never run for a whole tick are found running too.
                cpu.next_tick_ns.store((now_ns / TICK_NS + 1) * TICK_NS, Relaxed);
            }
            clock_event::request(cpu.next_tick_ns.load(Relaxed));
            if let Some(at_ns) = queue.next_decision_ns() {
                clock_event::request(at_ns);
            }
            drop(queue);
            if core::ptr::eq(Arc::as_ptr(&next), &raw const **me) {
                return None;
            }
            cpu.times.count_switch();
            Some(next)
        }
        None if me.is_idle() => None,
        None => {
            cpu.is_busy.store(false, Relaxed);
            cpu.times.count_switch();
            cpu.idle.get().cloned()
        }
    }
}

/// Completes a switch, on the side of the thread that now runs. Every thread does this first.
#[inline]
pub(crate) fn finish_switch() {
    let cpu = CPUS.get();
    if !cpu.handover.is_empty() {
        hand_over(cpu);
    }
}

#[cold]
fn hand_over(cpu: &Cpu) {
    if let Some(thread) = cpu.handover.take() {
        let from = thread.cpu();
        let to = SCHEDULER.place(&thread, from, from);
        SCHEDULER.move_to(thread, from, to);
    }
}

/// Wakes a thread if its state is in `set`; answers whether it was. Callable in every context.
///
/// What the thread waits for must have been made true before, with a full fence or the acquisition of a lock since.
pub fn wake(thread: Arc<Thread>, set: State) -> bool {
    if !thread.state().is_in(set) {
        return let_go(thread);
    }
    loop {
        let index = thread.cpu();
        let cpu = CPUS.on(CpuId::new(index));
        let mut queue = cpu.queue.lock();
        if thread.cpu() != index {
            continue;
        }
        if !thread.state().is_in(set) {
            drop(queue);
            return let_go(thread);
        }
        thread.set_state(State::RUNNABLE);
        if thread.is_active() {
            // It has not gone to sleep yet, and now will not.
            drop(queue);
            let_go(thread);
            return true;
        }
        thread.set_active(true);
        let target = if thread.task.is_on_cpu() {
            index
        } else {
            SCHEDULER.place(&thread, index, hal::cpu::id().index())
        };
        let now_ns = hal::time::now_ns();
        if target == index {
            cpu.enqueue(index, &mut queue, |queue| queue.enqueue_woken(thread, now_ns));
            return true;
        }
        drop(queue);
        rebase_between(thread.entity(), index, target);
        thread.set_cpu(target);
        let cpu = CPUS.on(CpuId::new(target));
        cpu.enqueue(target, &mut cpu.queue.lock(), |queue| queue.enqueue_woken(thread, now_ns));
        return true;
    }
}

/// Drops a handle that a wake-up did not use; nothing may be freed in interrupt context. Answers `false`.
fn let_go(thread: Arc<Thread>) -> bool {
    if hal::irq::in_interrupt() {
        service::bury(thread);
    }
    false
}

/// Makes a thread whose work flags were raised look at them: wakes it from a sleep that signals, or its end, may
/// interrupt, and interrupts the CPU that runs it in user mode.
pub fn interrupt_sleep(thread: &Arc<Thread>) {
    let mut set = State::INTERRUPTIBLE;
    if thread.must_exit() {
        set = set.or(State::KILLABLE);
    }
    if !wake(thread.clone(), set) {
        interrupt_running(thread, false);
    }
}

/// Interrupts the CPU that runs `thread`, if that is another one, so that the thread passes through the kernel.
fn interrupt_running(thread: &Thread, reschedules: bool) {
    if !thread.task.is_on_cpu() {
        return;
    }
    let index = thread.cpu();
    if index != hal::cpu::id().index() {
        let cpu = CPUS.on(CpuId::new(index));
        if reschedules {
            cpu.must_reschedule.store(true, Relaxed);
        }
        cpu.interrupt(index);
    } else if reschedules {
        current().task.raise(Work::RESCHEDULE);
    }
}

/// Whether a signal waits to be taken by the calling thread: long loops in system calls stop then.
pub fn has_pending_signal() -> bool {
    current().has_pending_signal()
}

/// Ends the calling thread. Its handles are gone but the one its CPU holds, which goes when it has left its stack.
pub fn exit_current() -> ! {
    {
        let me = current();
        if me.user.is_none() {
            drop(remove(me.id()));
        }
        me.set_state(State::DEAD);
    }
    schedule();
    unreachable!("a dead thread was switched to")
}

/// Load averages over 1, 5 and 15 minutes; see [`Scheduler::load_average`].
pub fn load_average() -> [u64; 3] {
    SCHEDULER.load_average()
}

/// Waits until every CPU that runs a thread has taken an interrupt, and so passed a full memory barrier; a CPU that is
/// idle now passes one when it switches.
pub fn barrier_on_all_cpus() {
    let here = hal::cpu::id().index();
    for (index, cpu) in CPUS.iter().enumerate() {
        if index == here || !cpu.is_busy.load(SeqCst) {
            continue;
        }
        let before = cpu.interrupts.load(SeqCst);
        hal::cpu::send_reschedule(CpuId::new(index));
        while cpu.interrupts.load(SeqCst) == before && cpu.is_busy.load(SeqCst) {
            hal::cpu::relax();
        }
    }
}

/// Serves an interrupt another CPU sent to this one.
pub fn reschedule_interrupt() {
    let cpu = CPUS.get();
    cpu.is_interrupted.store(false, SeqCst);
    cpu.interrupts.fetch_add(1, SeqCst);
    let me = current();
    if me.is_idle() {
        return;
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

/// Does what is due on this CPU at a clock interrupt; answers when the next one is needed, if at all.
pub(crate) fn tick(now_ns: u64) -> Option<u64> {
    let me = hal::task::try_current::<Thread>()?;
    let cpu = CPUS.get();
    if me.is_idle() {
        return None;
    }
    let mut queue = cpu.queue.lock();
    let ran_ns = queue.charge(me.entity(), now_ns);
    cpu.times.add_busy(ran_ns);
    cpu.publish(&queue);
    let mut next_tick_ns = cpu.next_tick_ns.load(Relaxed);
    if now_ns >= next_tick_ns {
        next_tick_ns = (now_ns / TICK_NS + 1) * TICK_NS;
        cpu.next_tick_ns.store(next_tick_ns, Relaxed);
        sample(&me, cpu, now_ns);
    }
    match queue.next_decision_ns() {
        Some(at_ns) if at_ns <= now_ns => {
            me.task.raise(Work::RESCHEDULE);
            Some(next_tick_ns)
        }
        Some(at_ns) => Some(at_ns.min(next_tick_ns)),
        None => Some(next_tick_ns),
    }
}

/// Looks, from time to time, at what the CPU does: in which mode it is, how loaded the machine is, whether another CPU
/// could help. Takes no lock.
fn sample(me: &Thread, cpu: &Cpu, now_ns: u64) {
    let in_user_mode = hal::irq::interrupted_user();
    me.count_sample(in_user_mode);
    cpu.times.count_sample(in_user_mode, me.entity().attributes().nice > 0);
    SCHEDULER.load.update(now_ns, Scheduler::active());
    crate::time::cpu_clocks::sample(me);
    let idle = SCHEDULER.idle.load(Relaxed);
    if idle != 0 && cpu.queued.load(Relaxed) > 0 {
        let index = idle.trailing_zeros() as usize;
        CPUS.on(CpuId::new(index)).interrupt(index);
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
        let stolen = {
            let mut queue = cpu.queue.lock();
            let stolen = queue.steal(|thread| thread.entity().may_run_on(here) && !thread.task.is_on_cpu());
            cpu.publish(&queue);
            if let Some(thread) = &stolen {
                // Under the victim's lock, so that a waker or a change of attributes does not look there in vain.
                rebase_between(thread.entity(), victim, here);
                thread.set_cpu(here);
            }
            stolen
        };
        if let Some(thread) = stolen {
            let own = CPUS.on(CpuId::new(here));
            let mut queue = own.queue.lock();
            queue.enqueue_ready(thread, hal::time::now_ns());
            own.publish(&queue);
            return true;
        }
    }
    false
}

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

/// Turns interrupts on and runs threads on this CPU, for ever. The calling context is the CPU's idle thread.
pub fn run() -> ! {
    hal::irq::enable();
    run_while(|| true);
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

/// Starts the other CPUs and waits until all of them run threads, so that the first program sees every CPU and a thread
/// may name any of them. To be called once, by the CPU that booted.
pub fn start_secondaries() {
    let count = hal::cpu::start_secondaries();
    // Acquire pairs with the release in `init`. Whoever runs by now comes there without waiting for anybody.
    while (SCHEDULER.online.load(Acquire).count_ones() as usize) < count {
        hal::cpu::relax();
    }
}

/// What another CPU than the one that booted does: takes part and runs threads, for ever.
pub fn run_secondary() -> ! {
    init();
    run()
}
