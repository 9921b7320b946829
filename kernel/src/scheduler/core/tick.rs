//! What the clock interrupt does for the scheduler: it ends slices and takes samples.

use core::sync::atomic::Ordering::Relaxed;

use hal::cpu::CpuId;
use hal::task::Work;

use super::cpu::{CPUS, Cpu};
use super::policy::MS;
use super::scheduler::{SCHEDULER, Scheduler};
use super::watchdog::Report;
use crate::scheduler::thread::thread::Thread;

/// Time between two clock samples of a CPU that runs a thread.
pub(super) const TICK_NS: u64 = 10 * MS;

/// Does what is due on this CPU at a clock interrupt; answers when the next one is needed, if at all.
pub(crate) fn tick(now_ns: u64) -> Option<u64> {
    let me = hal::task::try_current::<Thread>()?;
    let cpu = CPUS.get();
    if me.is_idle() {
        return None;
    }
    let mut queue = cpu.queue.lock();
    queue.charge(me.entity(), now_ns);
    cpu.publish(&queue);
    let next_decision_ns = queue.next_decision_ns();
    drop(queue);
    let mut next_tick_ns = cpu.next_tick_ns.load(Relaxed);
    if now_ns >= next_tick_ns {
        next_tick_ns = (now_ns / TICK_NS + 1) * TICK_NS;
        cpu.next_tick_ns.store(next_tick_ns, Relaxed);
        sample(&me, cpu, now_ns);
        watch(&me, cpu, now_ns);
    }
    match next_decision_ns {
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
    cpu.times.count_sample(in_user_mode, me.entity().attributes().nice > 0, now_ns);
    SCHEDULER.load.update(now_ns, Scheduler::active());
    crate::time::cpu_clocks::sample(me);
    let idle = SCHEDULER.idle.load(Relaxed);
    if idle != 0 && cpu.queued.load(Relaxed) > 0 {
        let index = idle.trailing_zeros() as usize;
        CPUS.on(CpuId::new(index)).interrupt(index);
    }
}

/// Says in the log if this CPU's thread or the next CPU hangs.
fn watch(me: &Thread, cpu: &Cpu, now_ns: u64) {
    let here = hal::cpu::id().index();
    let next = (here + 1) % hal::cpu::count();
    let other = CPUS.on(CpuId::new(next));
    let looks_at_other = next != here && other.is_busy.load(Relaxed);
    let due_ns = if looks_at_other { other.next_tick_ns.load(Relaxed) } else { now_ns };
    let reports = [
        cpu.watchdog.look(hal::irq::interrupted_user(), cpu.times.switches(), now_ns),
        other.watchdog.look_from_outside(due_ns, now_ns),
    ];
    for report in reports.into_iter().flatten() {
        match report {
            Report::Soft(seconds) => {
                let name = me.name();
                log::error!(
                    "watchdog: BUG: soft lockup - CPU#{here} stuck for {seconds}s! [{}:{}]",
                    name.as_bytes().escape_ascii(),
                    me.tid()
                );
            }
            Report::Hard(seconds) => {
                log::error!("watchdog: BUG: hard lockup - CPU#{next} takes no interrupts for {seconds}s!");
            }
        }
    }
}
