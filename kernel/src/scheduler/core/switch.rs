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
            if why == Requeue::Preempted {
                me.note_lost_cpu();
            }
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
