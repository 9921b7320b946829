//! Switching: deciding who runs next on this CPU, and letting it run.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use hal::task::{Current, Work};

use super::cpu::{CPUS, Cpu};
use super::idle;
use super::run_queue::Requeue;
use super::scheduler::{SCHEDULER, current};
use super::tick::TICK_NS;
use crate::scheduler::thread::remove;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::Thread;
use crate::scheduler::trace;
use crate::time::clock_event;

/// Gives up the CPU. A thread that has stored a sleeping state sleeps until it is woken; one that has not goes on when
/// its turn comes.
pub fn schedule() {
    reschedule_because(Requeue::Preempted);
}

/// Lets another thread run if one is due. Long loops in the kernel call it between steps, holding no spin lock.
#[inline]
pub fn cond_resched() {
    if current().task.work().contains(Work::RESCHEDULE) {
        schedule();
    }
}

pub(super) fn reschedule_because(why: Requeue) {
    hal::sync::might_sleep();
    let me = current();
    if let Some(next) = choose_next(&me, why) {
        hal::task::switch_to(next);
    }
    finish_switch();
}

/// Decides who runs next on this CPU; `None` if the calling thread goes on.
#[inline]
fn choose_next(me: &Current<Thread>, why: Requeue) -> Option<Arc<Thread>> {
    let cpu = CPUS.get();
    let mut queue = cpu.queue.lock();
    let now_ns = hal::time::now_ns();
    queue.charge(me.entity(), now_ns);
    if me.task.work().contains(Work::RESCHEDULE) {
        me.task.lower(Work::RESCHEDULE);
    }
    let next = if me.state() == State::RUNNABLE {
        if me.is_idle() {
            let next = queue.pick(now_ns)?;
            begin_to_run(cpu, now_ns);
            Some(next)
        } else if !me.entity().may_run_on(hal::cpu::id().index()) {
            queue.note_preemption(me.entity());
            cpu.handover.put(me.arc());
            count_lost_cpu(me, why);
            queue.pick(now_ns)
        } else if queue.is_empty() {
            queue.go_on(me.entity());
            return None;
        } else {
            count_lost_cpu(me, why);
            queue.trade(me.arc(), why)
        }
    } else {
        queue.note_block(me.entity());
        me.set_active(false);
        me.count_switch(true);
        queue.pick(now_ns)
    };
    cpu.publish(&queue);
    let Some(next) = next else {
        cpu.times.begin_idle(now_ns);
        cpu.is_busy.store(false, Relaxed);
        cpu.times.count_switch();
        let idle = cpu.idle.get().cloned()?;
        trace::switch(me, &idle);
        return Some(idle);
    };
    if let Some(at_ns) = queue.next_decision_ns() {
        clock_event::request(at_ns);
    }
    drop(queue);
    if core::ptr::eq(Arc::as_ptr(&next), &raw const **me) {
        return None;
    }
    trace::switch(me, &next);
    cpu.times.count_switch();
    Some(next)
}

/// Counts that the calling thread loses its CPU though it could go on.
#[inline]
fn count_lost_cpu(me: &Thread, why: Requeue) {
    if why == Requeue::Preempted {
        me.note_lost_cpu();
    }
    me.count_switch(why == Requeue::Yielded);
}

/// Starts the clock of a CPU that was idle.
fn begin_to_run(cpu: &Cpu, now_ns: u64) {
    cpu.times.end_idle(now_ns);
    cpu.is_busy.store(true, Relaxed);
    // Samples keep to a grid, so that threads that never run for a whole tick are found running too. Each asks for the
    // next one.
    let next_tick_ns = (now_ns / TICK_NS + 1) * TICK_NS;
    cpu.next_tick_ns.store(next_tick_ns, Relaxed);
    clock_event::request(next_tick_ns);
}

/// Completes a switch, on the side of the thread that now runs. Every thread does this first.
#[inline]
pub(crate) fn finish_switch() {
    let cpu = CPUS.get();
    if !cpu.handover.is_empty() {
        hand_over(cpu);
    }
    let urgent = SCHEDULER.urgent.load(Relaxed);
    if urgent != 0 {
        idle::pull_urgent(urgent);
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
