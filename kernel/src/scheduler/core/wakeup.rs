//! Waking threads, and making running ones look at what they were told.

use alloc::sync::Arc;

use hal::cpu::CpuId;
use hal::sync::atomic::Ordering::Relaxed;
use hal::sync::atomic::fence_after_exchange;
use hal::task::Work;

use super::cpu::{CPUS, rebase_between};
use super::scheduler::{SCHEDULER, current};
use crate::scheduler::service;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::Thread;
use crate::scheduler::trace;

/// Wakes a thread if its state is in `set`; answers whether it was. Callable in every context.
///
/// What the thread waits for must have been made true before, with a full fence or the acquisition of a lock since.
pub fn wake(thread: Arc<Thread>, set: State) -> bool {
    if !thread.state().is_in(set) {
        return let_go(thread);
    }
    loop {
        let (index, here) = (thread.cpu(), hal::cpu::id().index());
        let cpu = if index == here { CPUS.get() } else { CPUS.on(CpuId::new(index)) };
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
        let target = if thread.task.is_on_cpu() { index } else { SCHEDULER.place(&thread, index, here) };
        trace::wake(&thread, target);
        let now_ns = hal::time::now_ns();
        if target == index {
            cpu.enqueue(index, &mut queue, |queue| queue.enqueue_woken(thread, now_ns));
            return true;
        }
        drop(queue);
        enqueue_elsewhere(thread, index, target, now_ns);
        return true;
    }
}

/// Queues a thread that was woken on another CPU than the one it belongs to.
#[inline(never)]
fn enqueue_elsewhere(thread: Arc<Thread>, from: usize, to: usize, now_ns: u64) {
    rebase_between(&thread, from, to);
    thread.set_cpu(to);
    let cpu = CPUS.on(CpuId::new(to));
    cpu.enqueue(to, &mut cpu.queue.lock(), |queue| queue.enqueue_woken(thread, now_ns));
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
    // It looks at the flags, which were raised by an exchange, after it stored its state.
    fence_after_exchange();
    let mut set = State::INTERRUPTIBLE;
    if thread.must_exit() {
        set = set.or(State::KILLABLE);
    }
    if !wake(thread.clone(), set) {
        interrupt_running(thread, false);
    }
}

/// Interrupts the CPU that runs `thread`, if that is another one, so that the thread passes through the kernel.
pub(super) fn interrupt_running(thread: &Thread, reschedules: bool) {
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
