//! Sending signals: who may, what is dropped, what it cancels, whom it wakes.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::task::Work;
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_SIGPENDING;
use linux_abi::siginfo::{
    CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, CLD_TRAPPED, SigInfo,
};
use linux_abi::signal::{DefaultAction, SIG_DFL, SaFlags, SigSet, Signal};
use linux_abi::wait::{self, Status};

use super::pending::PendingSignals;
use crate::process::thread_group::SharedSignals;
use crate::process::tree::{self, ExitRecord};
use crate::process::user_thread::Stance;
use crate::process::wait::News;
use crate::process::{Pid, Process, Times, exit};
use crate::scheduler::{self, Thread};

/// Whether the calling thread may send `signal` to `target` (kill(2)); `SIGCONT` may go anywhere in the session.
pub fn may_signal(target: &Process, signal: Option<Signal>) -> bool {
    let current = scheduler::current();
    let Some(sender) = current.user.as_ref() else { return true };
    if sender.process.pid == target.pid {
        return true;
    }
    if signal == Some(Signal::SIGCONT) && sender.process.session_id() == target.session_id() {
        return true;
    }
    let credentials = sender.credentials();
    target.credentials().is_none_or(|target| credentials.may_kill(&target))
}

/// Sends a signal to a process as a whole.
pub fn send_to_process(process: &Arc<Process>, info: SigInfo) {
    // A signal without its details is a signal.
    let _ = queue_to_process(process, info);
}

/// Sends a signal to a process as a whole, for its details.
///
/// # Errors
/// `EAGAIN`: the details of a real-time signal cannot be kept; it is not sent.
pub fn queue_to_process(process: &Arc<Process>, info: SigInfo) -> Result<(), Errno> {
    let limit = pending_limit(process);
    to_process(process, info, |pending| pending.push(info, limit))
}

/// Sends the signal of a POSIX timer to a process as a whole.
pub fn send_expiry_to_process(process: &Arc<Process>, info: SigInfo) {
    // It is never refused.
    let _ = to_process(process, info, |pending| {
        pending.push_expiry(info);
        Ok(())
    });
}

fn to_process(
    process: &Arc<Process>,
    info: SigInfo,
    push: impl FnOnce(&mut PendingSignals) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let Some(signal) = info.signal() else { return Ok(()) };
    let mut shared = process.signals.lock();
    let continued = prepare(process, &mut shared, signal);
    let receiver = choose_receiver(process, signal);
    let user = receiver.as_ref().and_then(|thread| thread.user.as_ref());
    let stance = user.map_or(Stance::Blocks, |user| user.signals.lock().stance_on(signal));
    let effect = effect_of(process, &shared, signal, stance);
    let outcome = if effect == Effect::None { Ok(()) } else { push(&mut shared.pending) };
    let effect = if outcome.is_ok() { effect } else { Effect::None };
    drop(shared);
    take_effect(process, receiver.as_ref(), signal, effect, continued);
    outcome
}

/// Sends a signal to one thread.
pub fn send_to_thread(thread: &Arc<Thread>, info: SigInfo) {
    // A signal without its details is a signal.
    let _ = queue_to_thread(thread, info);
}

/// Sends a signal to one thread, for its details.
///
/// # Errors
/// `EAGAIN`: the details of a real-time signal cannot be kept; it is not sent.
pub fn queue_to_thread(thread: &Arc<Thread>, info: SigInfo) -> Result<(), Errno> {
    let Some(user) = thread.user.as_ref() else { return Ok(()) };
    let limit = pending_limit(&user.process);
    to_thread(thread, info, |pending| pending.push(info, limit))
}

/// Sends the signal of a POSIX timer to one thread.
pub fn send_expiry_to_thread(thread: &Arc<Thread>, info: SigInfo) {
    // It is never refused.
    let _ = to_thread(thread, info, |pending| {
        pending.push_expiry(info);
        Ok(())
    });
}

fn pending_limit(process: &Process) -> usize {
    usize::try_from(process.limit(RLIMIT_SIGPENDING)).unwrap_or(usize::MAX)
}

fn to_thread(
    thread: &Arc<Thread>,
    info: SigInfo,
    push: impl FnOnce(&mut PendingSignals) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let (Some(user), Some(signal)) = (thread.user.as_ref(), info.signal()) else { return Ok(()) };
    let process = &user.process;
    let mut shared = process.signals.lock();
    let continued = prepare(process, &mut shared, signal);
    let mut own = user.signals.lock();
    let effect = effect_of(process, &shared, signal, own.stance_on(signal));
    let outcome = if effect == Effect::None { Ok(()) } else { push(&mut own.pending) };
    let effect = if outcome.is_ok() { effect } else { Effect::None };
    drop(own);
    drop(shared);
    take_effect(process, Some(thread), signal, effect, continued);
    outcome
}

/// What becomes of a signal when it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is dropped.
    None,
    /// It waits until it is unblocked.
    Waits,
    /// Somebody is to take it.
    Taken,
    /// It ends the process, whose threads need not wait for the one that takes it.
    Fatal,
}

fn effect_of(process: &Process, shared: &SharedSignals, signal: Signal, stance: Stance) -> Effect {
    match stance {
        Stance::Blocks => return Effect::Waits,
        // Whatever would be done about it else, it is what the thread waits for.
        Stance::Awaits => return Effect::Taken,
        Stance::Open => {}
    }
    // A tracer sees all that is sent but SIGKILL.
    if process.traced_threads.load(Ordering::SeqCst) != 0 && signal != Signal::SIGKILL {
        return Effect::Taken;
    }
    if shared.actions.ignores(signal) {
        return Effect::None;
    }
    let ends =
        shared.actions.get(signal).handler == SIG_DFL && signal.default_action() == DefaultAction::Terminate;
    // Process 1 takes no signal it has not asked for; delivery sees to that. A stopped process ends once it goes on.
    let is_fatal = ends && process.pid != 1 && shared.stopped_by.is_none();
    if is_fatal { Effect::Fatal } else { Effect::Taken }
}

/// The part of sending that needs no lock: tells the parent of a continuation, and whoever is to act on the signal.
fn take_effect(
    process: &Process,
    receiver: Option<&Arc<Thread>>,
    signal: Signal,
    effect: Effect,
    continued: bool,
) {
    if continued {
        notify_parent_of_job_change(process, CLD_CONTINUED, Signal::SIGCONT);
    }
    if effect != Effect::None {
        process.signal_event.wake_all();
    }
    match effect {
        Effect::None | Effect::Waits => {}
        Effect::Fatal => exit::begin_group_exit(process, wait::status_killed(signal, false)),
        Effect::Taken => {
            if let Some(thread) = receiver {
                interrupt(thread);
            }
        }
    }
}

/// Sends a signal to every member of a process group; answers how many there were.
pub fn send_to_group(group: Pid, info: SigInfo) -> usize {
    tree::members(group).inspect(|process| send_to_process(process, info)).count()
}

/// Sends a signal that the kernel itself causes (hang-up, job control, timers without details).
pub fn send_kernel_signal(process: &Arc<Process>, signal: Signal) {
    send_to_process(process, SigInfo::kernel(signal));
}

/// Sends a fault's signal to the running thread. It cannot be escaped: a blocked or ignored one gets its default
/// action back and is unblocked.
pub fn force_fault(thread: &Arc<Thread>, info: SigInfo) {
    let (Some(user), Some(signal)) = (thread.user.as_ref(), info.signal()) else { return };
    let mut shared = user.process.signals.lock();
    let mut own = user.signals.lock();
    if own.blocked.contains(signal) || shared.actions.ignores(signal) {
        shared.actions.reset(signal);
        own.blocked.remove(signal);
    }
    // A fault is a standard signal: it is never refused.
    let _ = own.pending.push(info, usize::MAX);
    drop(own);
    drop(shared);
    interrupt(thread);
}

/// Makes a thread look at its signals: at once if it sleeps where signals count, else on its way to user mode.
pub fn interrupt(thread: &Arc<Thread>) {
    thread.task.raise(Work::SIGNAL);
    scheduler::interrupt_sleep(thread);
}

/// Tells a parent that a child ended; answers whether the parent does not want a zombie.
pub fn notify_parent_of_exit(parent: &Arc<Process>, child: &Process, record: &ExitRecord) -> bool {
    let Some(signal) = signal_from(child.exit_signal.load(Ordering::Relaxed)) else { return false };
    let reaps = signal == Signal::SIGCHLD && parent.signals.lock().actions.reaps_children();
    let (code, status) = code_and_status(record.status);
    send_to_process(parent, child_info(signal, child.pid, record.uid, code, status, &record.times));
    reaps
}

/// Tells the parent of `process` that it stopped or went on.
pub fn notify_parent_of_job_change(process: &Process, code: i32, signal: Signal) {
    let Some(parent) = process.parent() else { return };
    if wants_job_changes(&parent) {
        let (uid, status) = (process.real_uid(), signal.number() as i32);
        let info = child_info(Signal::SIGCHLD, process.pid, uid, code, status, &process.times());
        send_to_process(&parent, info);
    }
    parent.child_event.wake_all();
}

/// Tells a tracer that a thread it traces stands still or has ended.
pub fn notify_of_trap(tracer: &Arc<Process>, news: &News) {
    if wants_job_changes(tracer) {
        let (code, status) = match code_and_status(news.status) {
            (CLD_STOPPED, status) => (CLD_TRAPPED, status),
            ended => ended,
        };
        send_to_process(tracer, child_info(Signal::SIGCHLD, news.pid, news.uid, code, status, &news.times));
    }
    tracer.child_event.wake_all();
}

fn wants_job_changes(parent: &Process) -> bool {
    parent.signals.lock().actions.get(Signal::SIGCHLD).flags & SaFlags::SA_NOCLDSTOP.bits() == 0
}

fn child_info(signal: Signal, pid: Pid, uid: u32, code: i32, status: i32, times: &Times) -> SigInfo {
    const NS_PER_TICK: u64 = 10_000_000;
    let ticks = |ns: u64| (ns / NS_PER_TICK).cast_signed();
    SigInfo {
        si_signo: signal.number() as i32,
        ..SigInfo::child(code, pid, uid, status, ticks(times.user_ns), ticks(times.system_ns))
    }
}

/// `si_code` and `si_status` of a wait status.
pub fn code_and_status(status: i32) -> (i32, i32) {
    match wait::decode(status) {
        Status::Exited(code) => (CLD_EXITED, code),
        Status::Killed { signal, core_dumped: false } => (CLD_KILLED, signal),
        Status::Killed { signal, core_dumped: true } => (CLD_DUMPED, signal),
        Status::Stopped(signal) => (CLD_STOPPED, signal),
        Status::Continued => (CLD_CONTINUED, Signal::SIGCONT.number() as i32),
    }
}

/// The signal a kept number names; 0 and nonsense name none.
pub fn signal_from(number: i32) -> Option<Signal> {
    u32::try_from(number).ok().and_then(Signal::new)
}

/// What sending does before queueing: stop signals and SIGCONT cancel each other, and SIGCONT and SIGKILL set a
/// stopped process going even if they are blocked or ignored. Answers whether the parent is to be told of a
/// continuation, which must wait until the locks are free.
fn prepare(process: &Process, shared: &mut SharedSignals, signal: Signal) -> bool {
    if SigSet::STOP.contains(signal) {
        remove_pending(process, shared, SigSet::of(&[Signal::SIGCONT]));
    } else if signal == Signal::SIGCONT || signal == Signal::SIGKILL {
        if signal == Signal::SIGCONT {
            remove_pending(process, shared, SigSet::STOP);
        }
        shared.stop_report = None;
        shared.stop_taken = false;
        if shared.stopped_by.take().is_some() {
            shared.continue_report = signal == Signal::SIGCONT;
            process.job_event.wake_all();
            return signal == Signal::SIGCONT;
        }
    }
    false
}

/// Drops pending signals of a process and of each of its threads. Under the lock of `shared`.
pub fn remove_pending(process: &Process, shared: &mut SharedSignals, signals: SigSet) {
    shared.pending.remove(signals);
    process.for_each_thread(|thread| {
        if let Some(user) = thread.user.as_ref() {
            user.signals.lock().pending.remove(signals);
        }
    });
}

/// A thread that takes `signal`: the first that does not block it, else the first.
fn choose_receiver(process: &Process, signal: Signal) -> Option<Arc<Thread>> {
    process.find_thread(|thread| !blocks(thread, signal)).or_else(|| process.find_thread(|_| true))
}

fn blocks(thread: &Thread, signal: Signal) -> bool {
    thread.user.as_ref().is_none_or(|user| user.signals.lock().stance_on(signal) == Stance::Blocks)
}

/// Tells the parent that `process` has stopped.
pub fn notify_parent_of_stop(process: &Process, signal: Signal) {
    notify_parent_of_job_change(process, CLD_STOPPED, signal);
}

/// `ESRCH` when there is no such process, else the process.
pub fn find_target(pid: Pid) -> Result<Arc<Process>, Errno> {
    tree::find_process(pid).ok_or(Errno::ESRCH)
}
