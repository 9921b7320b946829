//! Taking signals on the way back to user mode.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::task::{UserRegs, Work};
use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{DefaultAction, KernelSigaction, SIG_DFL, SIG_IGN, SaFlags, SigSet, Signal};
use linux_abi::wait;

use super::{frame, send};
use crate::process::thread_group::SharedSignals;
use crate::process::{Process, UserThread, exit, ptrace, tree};
use crate::scheduler::{self, Thread};
use crate::syscall::{self, Restart};

enum Next {
    /// Nothing to take.
    None,
    /// A handler is to run.
    Handle(Signal, SigInfo, KernelSigaction),
    /// The process ends with this wait status.
    Die(i32),
    /// The process is stopped by this signal; wait for it to go on.
    Stopped(Signal),
    /// A signal that the thread's tracer sees first.
    Show(Signal, SigInfo),
    /// A stop signal was taken; see whether it still holds.
    Stop(Signal),
    /// A signal was taken about which nothing is done.
    Dropped,
}

/// Takes every signal that may be taken now. Runs at the bottom of the kernel stack with interrupts on; may stop the
/// thread for long, and does not return when the process is to end.
pub fn deliver(thread: &Arc<Thread>, regs: &mut UserRegs) {
    let Some(user) = thread.user.as_ref() else { return };
    loop {
        if !thread.task.work().contains(Work::EXIT) && ptrace::stop_if_asked(thread, user, regs) {
            continue;
        }
        let mut next = next_signal(thread, user);
        if let Next::Show(signal, info) = next {
            let Some((signal, info)) = ptrace::on_signal(thread, user, regs, signal, info) else { continue };
            next = act_on(user, signal, info);
        }
        match next {
            Next::None => break,
            Next::Die(status) => {
                exit::begin_group_exit(&user.process, status);
                return;
            }
            Next::Stop(signal) => {
                if stop(&user.process, signal) {
                    send::notify_parent_of_stop(&user.process, signal);
                }
            }
            Next::Stopped(signal) => {
                if !ptrace::stop_with_process(thread, user, regs, signal) {
                    wait_while_stopped(thread, user);
                }
            }
            Next::Dropped | Next::Show(..) => {}
            Next::Handle(signal, info, action) => {
                adjust_interrupted_call(regs, Some(action.flags));
                run_handler(thread, user, regs, signal, &info, &action);
            }
        }
    }
    adjust_interrupted_call(regs, None);
    let mut own = user.signals.lock();
    if let Some(saved) = own.saved_blocked.take() {
        own.blocked = saved;
        drop(own);
        recompute_work(thread, user);
    }
}

/// Raises or lowers `Work::SIGNAL` to match what is pending.
pub fn recompute_work(thread: &Thread, user: &UserThread) {
    change_blocked(thread, user, |blocked| blocked);
}

/// Replaces the mask of `thread` by what `change` makes of it, and returns the old one.
pub fn change_blocked(thread: &Thread, user: &UserThread, change: impl FnOnce(SigSet) -> SigSet) -> SigSet {
    let shared = user.process.signals.lock();
    let mut own = user.signals.lock();
    let old = own.blocked;
    own.blocked = change(old).difference(SigSet::UNBLOCKABLE);
    let ready = shared.pending.set().union(own.pending.set()).difference(own.blocked);
    let is_asked = user.traced.with(|tracing| tracing.is_asked()) == Some(true);
    if !ready.is_empty() || shared.group_exit.is_some() || shared.stopped_by.is_some() || is_asked {
        thread.task.raise(Work::SIGNAL);
    } else {
        thread.task.lower(Work::SIGNAL);
    }
    old
}

fn next_signal(thread: &Thread, user: &UserThread) -> Next {
    let mut shared = user.process.signals.lock();
    if let Some(status) = shared.group_exit {
        return Next::Die(status);
    }
    if thread.task.work().contains(Work::EXIT) {
        return Next::None;
    }
    if let Some(signal) = shared.stopped_by
        && user.traced.with(|tracing| tracing.runs_on()) != Some(true)
    {
        return Next::Stopped(signal);
    }
    let is_traced = user.traced.with(|_| ()).is_some();
    loop {
        let mut own = user.signals.lock();
        let blocked = own.blocked;
        let Some((signal, info)) = own.pending.take(blocked).or_else(|| shared.pending.take(blocked)) else {
            // Whoever asks for a stop raises the flag after that.
            if user.traced.with(|tracing| tracing.is_asked()) != Some(true) {
                thread.task.lower(Work::SIGNAL);
            }
            return Next::None;
        };
        drop(own);
        user.process.timers.posix.note_taken(&info);
        if is_traced && signal != Signal::SIGKILL {
            return Next::Show(signal, info);
        }
        match decide(user, &mut shared, signal, info) {
            Next::Dropped => {}
            next => return next,
        }
    }
}

/// What the thread does about a signal that its tracer has let through.
fn act_on(user: &UserThread, signal: Signal, info: SigInfo) -> Next {
    let mut shared = user.process.signals.lock();
    decide(user, &mut shared, signal, info)
}

/// What is to be done about a signal that has been taken.
fn decide(user: &UserThread, shared: &mut SharedSignals, signal: Signal, info: SigInfo) -> Next {
    let action = *shared.actions.get(signal);
    match action.handler {
        SIG_IGN => Next::Dropped,
        SIG_DFL => {
            // Process 1 takes no signal it has not asked for, or a slip of a finger ends the system.
            let is_protected = user.process.pid == 1;
            match signal.default_action() {
                _ if is_protected && !is_kernel_fault(&info) => Next::Dropped,
                DefaultAction::Ignore | DefaultAction::Continue => Next::Dropped,
                DefaultAction::Terminate | DefaultAction::CoreDump => {
                    Next::Die(wait::status_killed(signal, false))
                }
                DefaultAction::Stop => {
                    shared.stop_taken = true;
                    Next::Stop(signal)
                }
            }
        }
        _ => {
            if action.flags & SaFlags::SA_RESETHAND.bits() != 0 {
                shared.actions.reset(signal);
            }
            Next::Handle(signal, info, action)
        }
    }
}

fn is_kernel_fault(info: &SigInfo) -> bool {
    let faults = [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGTRAP];
    info.si_code > 0 && info.signal().is_some_and(|signal| faults.contains(&signal))
}

/// Marks the process stopped and makes its other threads notice; answers whether it did. A SIGCONT that came since
/// the signal was taken undoes it, and terminal stops do not touch orphaned groups: nobody there could set them going
/// again.
fn stop(process: &Process, signal: Signal) -> bool {
    debug_assert!(SigSet::STOP.contains(signal));
    let is_orphaned = signal != Signal::SIGSTOP && tree::is_orphaned(process.group_id());
    let mut shared = process.signals.lock();
    let still_holds = core::mem::take(&mut shared.stop_taken);
    if !still_holds || is_orphaned || shared.group_exit.is_some() {
        return false;
    }
    shared.stopped_by = Some(signal);
    shared.stop_report = Some(signal);
    shared.continue_report = false;
    drop(shared);
    process.for_each_thread(|thread| {
        ptrace::note_group_stop(thread);
        send::interrupt(thread);
    });
    true
}

fn wait_while_stopped(thread: &Thread, user: &UserThread) {
    let process = &user.process;
    // Being killed ends the wait too; the caller looks again either way.
    let _ = process.job_event.wait_killable(|| {
        let shared = process.signals.lock();
        let goes_on = shared.stopped_by.is_none()
            || shared.group_exit.is_some()
            || thread.task.work().contains(Work::EXIT)
            || process.traced_threads.load(Ordering::SeqCst) != 0 && user.traced.with(|_| ()).is_some();
        goes_on.then_some(())
    });
}

/// Decides what becomes of a call that a signal interrupted: made again, or `EINTR`. `handler_flags` are those of
/// the handler about to run, `None` when none will.
fn adjust_interrupted_call(regs: &mut UserRegs, handler_flags: Option<u64>) {
    let interrupted = -i64::from(Errno::EINTR.number());
    if regs.orig_rax == UserRegs::NO_SYSCALL || regs.rax.cast_signed() != interrupted {
        return;
    }
    let number = regs.orig_rax;
    regs.orig_rax = UserRegs::NO_SYSCALL;
    let thread = scheduler::current();
    let own_rule = thread.user.as_ref().and_then(UserThread::take_restart);
    let rule = own_rule.unwrap_or_else(|| syscall::restart_of(number as u32 as usize));
    let again = match (rule, handler_flags) {
        (Restart::Always, _) => true,
        (Restart::Never, _) => false,
        (_, None) => true,
        (Restart::IfSaRestart, Some(flags)) => flags & SaFlags::SA_RESTART.bits() != 0,
        (Restart::IfNoHandler, Some(_)) => false,
    };
    if again {
        regs.rax = number;
        regs.rip = regs.rip.wrapping_sub(2);
    } else if let Some(user) = thread.user.as_ref() {
        user.restart_deadline.store(0, Ordering::Relaxed);
    }
}

/// Takes the calling thread out of the restartable sequence it was interrupted in; one that is broken is a fault.
pub fn restart_sequence(thread: &Arc<Thread>, regs: &mut UserRegs) {
    let restarted = thread.user.as_ref().map_or(Ok(()), |user| user.rseq.restart(regs));
    if restarted.is_err() {
        send::force_fault(thread, SigInfo::kernel(Signal::SIGSEGV));
    }
}

fn run_handler(
    thread: &Arc<Thread>,
    user: &UserThread,
    regs: &mut UserRegs,
    signal: Signal,
    info: &SigInfo,
    action: &KernelSigaction,
) {
    // The handler returns to where the sequence is restarted.
    restart_sequence(thread, regs);
    let (mask_after, mut alternate_stack) = {
        let mut own = user.signals.lock();
        (own.saved_blocked.take().unwrap_or(own.blocked), own.alternate_stack)
    };
    if frame::push(regs, signal, info, action, mask_after, &mut alternate_stack).is_err() {
        // No room for the frame: the handler cannot run, so the default action of SIGSEGV does.
        user.process.signals.lock().actions.reset(Signal::SIGSEGV);
        send::force_fault(thread, SigInfo::kernel(Signal::SIGSEGV));
        return;
    }
    let mut own = user.signals.lock();
    own.alternate_stack = alternate_stack;
    own.blocked = own.blocked.union(action.mask);
    if action.flags & SaFlags::SA_NODEFER.bits() == 0 {
        own.blocked.insert(signal);
    }
    own.blocked = own.blocked.difference(SigSet::UNBLOCKABLE);
}
