//! Where a traced thread stops. All of this runs in the traced thread, at the bottom of its kernel stack.

use alloc::sync::Arc;

use hal::task::{UserRegs, Work};
use linux_abi::errno::Errno;
use linux_abi::ptrace::*;
use linux_abi::sched::CloneFlags;
use linux_abi::siginfo::{SI_KERNEL, SigInfo};
use linux_abi::signal::Signal;
use linux_abi::wait;

use super::{Cause, Stop, Until};
use crate::process::signal::send;
use crate::process::wait::News;
use crate::process::{Pid, Times, UserThread};
use crate::scheduler::Thread;

/// The flag that makes the CPU trap after each instruction.
const TRAP_FLAG: u64 = 1 << 8;

/// Bit 7 of the signal at a stop for a system call, with `PTRACE_O_TRACESYSGOOD`.
const GOOD: i32 = 0x80;

/// How a stop ended.
struct Left {
    /// The signal to take.
    signal: Option<Signal>,
    /// What was stopped with, as the tracer may have changed it.
    info: Option<SigInfo>,
}

/// What a stop is.
struct Reason {
    cause: Cause,
    status: i32,
    info: Option<SigInfo>,
    message: Option<u64>,
}

impl Reason {
    /// An event that stands in the upper half of the status.
    fn event(event: u32, message: u64) -> Self {
        let info = coded(Signal::SIGTRAP, (event << 8) as i32 | Signal::SIGTRAP.number() as i32);
        Self { cause: Cause::Event, status: with_event(Signal::SIGTRAP, event), info, message: Some(message) }
    }
}

fn with_event(signal: Signal, event: u32) -> i32 {
    wait::status_stopped(signal) | (event << 16) as i32
}

fn coded(signal: Signal, code: i32) -> Option<SigInfo> {
    Some(SigInfo { si_code: code, ..SigInfo::kernel(signal) })
}

/// Stops the calling thread until its tracer lets it go on, it is killed, or nobody traces it any more. One that ends already
/// stops only if `ends` says that this is the stop for it. `None`: it does not stop, or nobody traces it.
fn stop(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
    reason: Reason,
    ends: bool,
) -> Option<Left> {
    if !ends && thread.task.work().contains(Work::EXIT) {
        return None;
    }
    let bases = [thread.task.fs_base(), thread.task.gs_base()];
    let status = reason.status;
    let was_group_stopped = user.process.signals.lock().stopped_by.is_some();
    let tracer = user.traced.with(|tracing| {
        if tracing.until == Until::Step {
            regs.rflags &= !TRAP_FLAG;
        }
        if let Some(message) = reason.message {
            tracing.message = message;
        }
        if matches!(reason.cause, Cause::Event | Cause::Group) {
            tracing.is_asked = false;
        }
        tracing.stop = Some(Stop {
            cause: reason.cause,
            status,
            info: reason.info,
            regs: *regs,
            bases,
            is_reported: false,
            is_listening: false,
            was_group_stopped,
            release: None,
        });
        tracing.tracer.upgrade()
    })?;
    if let Some(tracer) = &tracer {
        let uid = user.credentials().uid.real;
        send::notify_of_trap(tracer, &News { pid: thread.tid(), uid, status, times: Times::default() });
    }
    drop(tracer);
    let goes_on = || {
        let is_stopped = user.process.signals.lock().stopped_by.is_some();
        let goes_on = user.traced.look(|half| {
            let tracing = half.as_ref()?;
            let stop = tracing.stop.as_ref()?;
            let is_news = tracing.is_asked || is_stopped != stop.was_group_stopped;
            Some(stop.release.is_some() || stop.is_listening && is_news)
        });
        goes_on.flatten().unwrap_or(true).then_some(())
    };
    if ends {
        user.process.job_event.wait(goes_on);
    } else {
        // A thread that is to end goes on to its end.
        let _ = user.process.job_event.wait_killable(goes_on);
    }
    leave(thread, user, regs, bases)
}

/// Takes the stop away and takes over what the tracer has changed.
fn leave(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs, bases: [usize; 2]) -> Option<Left> {
    let (stop, steps, over) = user.traced.look(|half| {
        let tracing = half.as_mut()?;
        let stop = tracing.stop.take()?;
        if stop.is_listening && stop.release.is_none() {
            // What ended the stop is news.
            tracing.is_asked = true;
        }
        let steps = tracing.until == Until::Step && !tracing.is_over;
        let over = if tracing.is_over { half.take() } else { None };
        Some((stop, steps, over))
    })??;
    drop(over);
    *regs = stop.regs;
    if steps {
        regs.rflags |= TRAP_FLAG;
    }
    if stop.bases != bases {
        // Bases that no program can have were refused when they were set.
        let _ = thread.task.set_fs_base(stop.bases[0]);
        let _ = thread.task.set_gs_base(stop.bases[1]);
    }
    Some(Left { signal: stop.release.flatten(), info: stop.info })
}

/// Stops at a signal that the thread is about to take, and answers which it takes instead.
pub(in crate::process) fn on_signal(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
    signal: Signal,
    info: SigInfo,
) -> Option<(Signal, SigInfo)> {
    let status = wait::status_stopped(signal);
    let reason = Reason { cause: Cause::Signal, status, info: Some(info), message: None };
    let Some(left) = stop(thread, user, regs, reason, false) else { return Some((signal, info)) };
    let taken = left.signal?;
    let info = left.info.filter(|info| info.signal() == Some(taken));
    Some((taken, info.unwrap_or_else(|| SigInfo::kernel(taken))))
}

/// Stops if the tracer has asked for it; answers whether it did.
pub(in crate::process) fn stop_if_asked(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
) -> bool {
    if user.traced.with(|tracing| tracing.is_asked) != Some(true) {
        return false;
    }
    let stopped_by = user.process.signals.lock().stopped_by;
    let reason = match stopped_by {
        Some(signal) => group(signal, true),
        None => Reason { message: None, ..Reason::event(PTRACE_EVENT_STOP, 0) },
    };
    stop(thread, user, regs, reason, false).is_some()
}

fn group(signal: Signal, is_seized: bool) -> Reason {
    let (status, info) = if is_seized {
        let code = (PTRACE_EVENT_STOP << 8) as i32 | signal.number() as i32;
        (with_event(signal, PTRACE_EVENT_STOP), coded(signal, code))
    } else {
        (wait::status_stopped(signal), None)
    };
    Reason { cause: Cause::Group, status, info, message: None }
}

/// Stops a traced thread because `signal` has stopped its process. Answers whether it is traced: it then stays with its
/// process no longer than its tracer wants.
pub(in crate::process) fn stop_with_process(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
    signal: Signal,
) -> bool {
    let Some(is_seized) = user.traced.with(|tracing| tracing.is_seized) else { return false };
    stop(thread, user, regs, group(signal, is_seized), false).is_some()
}

/// Stops before a system call; answers whether the call is still to be made.
pub fn before_call(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs) -> bool {
    // What a call that is not made answers, unless the tracer says otherwise.
    regs.rax = (-i64::from(Errno::ENOSYS.number())).cast_unsigned();
    at_call(thread, user, regs, Cause::CallBegins);
    regs.orig_rax.cast_signed() >= 0
}

/// Stops after a system call.
pub fn after_call(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs) {
    at_call(thread, user, regs, Cause::CallEnds);
}

fn at_call(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs, cause: Cause) {
    let good = user.traced.with(|tracing| {
        (tracing.until == Until::Call).then(|| tracing.options.contains(PtraceOptions::PTRACE_O_TRACESYSGOOD))
    });
    let Some(is_good) = good.flatten() else { return };
    let code = Signal::SIGTRAP.number() as i32 | if is_good { GOOD } else { 0 };
    let reason =
        Reason { cause, status: code << 8 | 0x7f, info: coded(Signal::SIGTRAP, code), message: None };
    if let Some(Left { signal: Some(signal), .. }) = stop(thread, user, regs, reason, false) {
        send::send_to_thread(thread, SigInfo::kernel(signal));
    }
}

/// Whether the thread's tracer wants to be told of this event.
fn wants(user: &UserThread, option: PtraceOptions) -> bool {
    user.traced.with(|tracing| tracing.options.contains(option)) == Some(true)
}

/// Tells the tracer that the thread runs another program. `former` is the id it had before.
pub fn after_exec(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs, former: Pid) {
    if wants(user, PtraceOptions::PTRACE_O_TRACEEXEC) {
        stop(thread, user, regs, Reason::event(PTRACE_EVENT_EXEC, former as u64), false);
    } else if user.traced.with(|tracing| tracing.is_seized) == Some(false) {
        let info = SigInfo { si_code: SI_KERNEL, ..SigInfo::kernel(Signal::SIGTRAP) };
        send::send_to_thread(thread, info);
    }
}

/// The event that making a child is, if the tracer wants to be told of it and to trace the child.
pub(in crate::process) fn event_of(user: &UserThread, flags: CloneFlags, exit_signal: i32) -> Option<u32> {
    if flags.contains(CloneFlags::CLONE_UNTRACED) {
        return None;
    }
    let (event, option) = if flags.contains(CloneFlags::CLONE_VFORK) {
        (PTRACE_EVENT_VFORK, PtraceOptions::PTRACE_O_TRACEVFORK)
    } else if exit_signal != Signal::SIGCHLD.number() as i32 {
        (PTRACE_EVENT_CLONE, PtraceOptions::PTRACE_O_TRACECLONE)
    } else {
        (PTRACE_EVENT_FORK, PtraceOptions::PTRACE_O_TRACEFORK)
    };
    wants(user, option).then_some(event)
}

/// Tells the tracer of a child, `event` being what [`event_of`] has answered, or that a vfork child has let the thread go.
pub(in crate::process) fn tell_child(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
    event: u32,
    child: Pid,
) {
    if event != PTRACE_EVENT_VFORK_DONE || wants(user, PtraceOptions::PTRACE_O_TRACEVFORKDONE) {
        stop(thread, user, regs, Reason::event(event, child as u64), false);
    }
}

/// Tells the tracer that the thread ends, with this wait status.
pub(in crate::process) fn at_end(thread: &Arc<Thread>, user: &UserThread, regs: &mut UserRegs, status: i32) {
    if wants(user, PtraceOptions::PTRACE_O_TRACEEXIT) {
        stop(thread, user, regs, Reason::event(PTRACE_EVENT_EXIT, status as u32 as u64), true);
    }
}
