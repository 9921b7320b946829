//! Tracing: one process sees and changes what the threads of another do (ptrace(2)).
//!
//! A traced thread stops by itself, at the bottom of its kernel stack, and leaves a copy of its registers in [`Stop`]. Its
//! tracer works on that copy; the thread takes it over when it is let go on. So nobody ever touches the kernel stack of
//! another thread.
//!
//! # Invariants
//! 1. A thread is in its tracer's list if and only if its [`Tracing`] names that tracer, but for a moment while it changes.
//! 2. Only the traced thread itself puts a [`Stop`] there and takes it away; the tracer changes what is in it, and says
//!    with [`Stop::release`] that it may go on.

mod news;
mod registers;
mod stops;

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::SpinLock;
use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::ptrace::{PTRACE_EVENT_STOP, PtraceOptions};
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::Signal;

use super::inspect::{Identity, may_inspect};
use super::signal::send;
use super::watch::{self, Watchers};
use super::{Pid, Process, UserThread, limits};
use crate::lock_order;
use crate::memory::{fallible, reserve};
use crate::scheduler::Thread;

use news::End;
pub(super) use news::{Found, find_news, tell_end, tell_nothing};
pub use registers::{from_user_regs, to_user_regs};
pub use stops::{after_call, after_exec, before_call};
pub(super) use stops::{at_end, event_of, on_signal, stop_if_asked, stop_with_process, tell_child};

/// How far a thread that goes on is to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// To the next signal or event.
    Event,
    /// To the beginning or the end of the next system call.
    Call,
    /// One instruction.
    Step,
}

/// What a traced thread stopped for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A signal, which it takes next unless the tracer says otherwise.
    Signal,
    /// It begins a system call.
    CallBegins,
    /// It has made a system call.
    CallEnds,
    /// An event.
    Event,
    /// Its process is stopped.
    Group,
}

/// A traced thread that stands still.
pub struct Stop {
    /// Why.
    pub cause: Cause,
    /// The wait status its tracer gets.
    pub status: i32,
    /// What `PTRACE_GETSIGINFO` reads; a stop with the process has none.
    pub info: Option<SigInfo>,
    /// Its registers.
    pub regs: UserRegs,
    /// Bases of the segments FS and GS.
    pub bases: [usize; 2],
    /// Whether its tracer has been told through wait.
    is_reported: bool,
    /// It stays as it is until its process stops or goes on, or its tracer interrupts it (`PTRACE_LISTEN`).
    is_listening: bool,
    /// Whether its process was stopped when it stopped.
    was_group_stopped: bool,
    /// Set when it may go on: the signal it takes then.
    release: Option<Option<Signal>>,
}

/// What a thread has while it is traced.
pub struct Tracing {
    tracer: Weak<Process>,
    /// The tracer's id.
    pub tracer_pid: Pid,
    /// What the tracer wants to be told of.
    pub options: PtraceOptions,
    /// Attached by `PTRACE_SEIZE`.
    pub is_seized: bool,
    /// The number `PTRACE_GETEVENTMSG` reads.
    pub message: u64,
    until: Until,
    /// It is to stop as soon as it can.
    is_asked: bool,
    /// It was let go on although its process is stopped.
    runs_on: bool,
    /// Where it stands.
    stop: Option<Stop>,
    /// It is traced no more, and takes this away when it goes on.
    is_over: bool,
}

impl Tracing {
    fn new(tracer: &Arc<Process>, options: PtraceOptions, is_seized: bool) -> Self {
        Self {
            tracer: Arc::downgrade(tracer),
            tracer_pid: tracer.pid,
            options,
            is_seized,
            message: 0,
            until: Until::Event,
            is_asked: false,
            runs_on: false,
            stop: None,
            is_over: false,
        }
    }

    /// Whether it is to stop as soon as it can.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether it was let go on although its process is stopped.
    pub fn runs_on(&self) -> bool {
        self.runs_on
    }

    /// Where it stands, for its tracer: not when it listens, and not when it may go on.
    pub fn stop(&mut self) -> Option<&mut Stop> {
        self.stop.as_mut().filter(|stop| !stop.is_listening && stop.release.is_none())
    }
}

/// The traced half of a thread.
pub struct TracedHalf {
    /// Whether there is something under the lock: most threads are never traced, and are asked with every signal.
    is_used: AtomicBool,
    tracing: SpinLock<Option<Box<Tracing>>>,
}

impl TracedHalf {
    /// Makes that of a thread nobody traces.
    pub fn new() -> Self {
        Self { is_used: AtomicBool::new(false), tracing: SpinLock::new(lock_order::TRACING, None) }
    }

    /// Runs `f` if the thread is traced.
    pub fn with<R>(&self, f: impl FnOnce(&mut Tracing) -> R) -> Option<R> {
        self.look(|tracing| tracing.as_mut().filter(|tracing| !tracing.is_over).map(|tracing| f(tracing)))?
    }

    /// Runs `f` on what is there, if there is something, and notes whether there still is.
    fn look<R>(&self, f: impl FnOnce(&mut Option<Box<Tracing>>) -> R) -> Option<R> {
        if !self.is_used.load(Ordering::SeqCst) {
            return None;
        }
        let mut tracing = self.tracing.lock();
        let result = f(&mut tracing);
        self.is_used.store(tracing.is_some(), Ordering::SeqCst);
        Some(result)
    }

    /// Puts `fresh` there.
    ///
    /// # Errors
    /// `EPERM`: the thread is traced already.
    fn put(&self, mut fresh: Box<Tracing>) -> Result<(), Errno> {
        let mut tracing = self.tracing.lock();
        if let Some(old) = tracing.as_mut() {
            if !old.is_over {
                return Err(Errno::EPERM);
            }
            // It has not yet gone on from where its last tracer left it.
            fresh.stop = old.stop.take();
        }
        let old = tracing.replace(fresh);
        self.is_used.store(true, Ordering::SeqCst);
        drop(tracing);
        drop(old);
        Ok(())
    }
}

impl Default for TracedHalf {
    fn default() -> Self {
        Self::new()
    }
}

/// The tracing half of a process.
#[derive(Default)]
pub struct TracerState {
    /// The threads it traces.
    tracees: Vec<Arc<Thread>>,
    /// Threads it traced that have ended, and that it alone is told of.
    ended: Vec<End>,
}

/// Lets `tracer` trace `thread`.
///
/// # Errors
/// `EPERM`: it is traced already. `ENOMEM`: no memory, or the tracer has as many threads and news of ended ones as threads
/// may exist.
fn begin(
    tracer: &Arc<Process>,
    thread: &Arc<Thread>,
    options: PtraceOptions,
    is_seized: bool,
) -> Result<(), Errno> {
    let user = thread.user.as_ref().ok_or(Errno::EPERM)?;
    reserve::check(size_of::<Tracing>())?;
    let fresh = Box::new(Tracing::new(tracer, options, is_seized));
    {
        let mut state = tracer.tracer.lock();
        let traced = state.tracees.len() + 1;
        if state.ended.len() + traced > limits::max_threads() {
            return Err(Errno::ENOMEM);
        }
        fallible::make_room(&mut state.tracees, 1)?;
        // Room for the news of its end, so that this never fails.
        fallible::make_room(&mut state.ended, traced)?;
        user.traced.put(fresh)?;
        state.tracees.push(thread.clone());
    }
    user.process.traced_threads.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// `PTRACE_TRACEME`: the caller's parent traces it.
///
/// # Errors
/// As [`begin`].
pub fn trace_me(thread: &Arc<Thread>, user: &UserThread) -> Result<(), Errno> {
    let parent = user.process.parent().ok_or(Errno::EPERM)?;
    begin(&parent, thread, PtraceOptions::empty(), false)
}

/// `PTRACE_ATTACH` and, with `options`, `PTRACE_SEIZE`: the caller traces `thread`.
///
/// # Errors
/// `EPERM`: it may not be looked into, is of the caller's own process, or is traced already. `ENOMEM`.
pub fn attach(
    caller: &UserThread,
    thread: &Arc<Thread>,
    options: Option<PtraceOptions>,
) -> Result<(), Errno> {
    let user = thread.user.as_ref().ok_or(Errno::EPERM)?;
    let is_own = user.process.pid == caller.process.pid;
    if is_own || !may_inspect(caller, &user.process, Identity::Real) {
        return Err(Errno::EPERM);
    }
    begin(&caller.process, thread, options.unwrap_or_default(), options.is_some())?;
    if options.is_none() {
        send::send_to_thread(thread, SigInfo::kernel(Signal::SIGSTOP));
    }
    // One that is stopped with its process stops for its tracer instead.
    user.process.job_event.wake_all();
    send::interrupt(thread);
    Ok(())
}

/// Lets a child that `parent` has just made be traced by the parent's tracer, and stop before its first instruction.
///
/// # Errors
/// `ENOMEM`.
pub fn follow(parent: &UserThread, child: &Arc<Thread>) -> Result<(), Errno> {
    let Some((Some(tracer), options, is_seized)) =
        parent.traced.with(|tracing| (tracing.tracer.upgrade(), tracing.options, tracing.is_seized))
    else {
        return Ok(());
    };
    begin(&tracer, child, options, is_seized)?;
    if is_seized {
        ask(child);
    } else {
        send::send_to_thread(child, SigInfo::kernel(Signal::SIGSTOP));
    }
    Ok(())
}

/// Makes a traced thread stop as soon as it can (`PTRACE_INTERRUPT`).
pub fn ask(thread: &Arc<Thread>) {
    let Some(user) = thread.user.as_ref() else { return };
    {
        // The thread looks under this lock before it lowers the flag that is raised below.
        let _own = user.signals.lock();
        user.traced.with(|tracing| tracing.is_asked = true);
    }
    user.process.job_event.wake_all();
    send::interrupt(thread);
}

/// Lets a stopped thread go on until `until`, and take `signal` first.
///
/// # Errors
/// `ESRCH`: it does not stand still.
pub fn resume(thread: &Arc<Thread>, until: Until, signal: Option<Signal>) -> Result<(), Errno> {
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    let release = |tracing: &mut Tracing| {
        let stop = tracing.stop()?;
        stop.release = Some(signal);
        let is_group = stop.cause == Cause::Group;
        tracing.runs_on = is_group;
        tracing.until = until;
        Some(())
    };
    user.traced.with(release).flatten().ok_or(Errno::ESRCH)?;
    let change = if until == Until::Call { watch::add } else { watch::remove };
    change(thread, Watchers::PTRACE);
    user.process.job_event.wake_all();
    Ok(())
}

/// `PTRACE_LISTEN`: leaves a thread stopped that stopped with its process, or because it was asked to.
///
/// # Errors
/// `ESRCH`: it does not stand still. `EIO`: it stands for another reason, or was not seized.
pub fn listen(thread: &Thread) -> Result<(), Errno> {
    let user = thread.user.as_ref().ok_or(Errno::ESRCH)?;
    let listens = |tracing: &mut Tracing| {
        let is_seized = tracing.is_seized;
        let stop = tracing.stop().ok_or(Errno::ESRCH)?;
        let code = stop.info.map_or(0, |info| info.si_code);
        if !is_seized || code >> 8 != PTRACE_EVENT_STOP as i32 {
            return Err(Errno::EIO);
        }
        stop.is_listening = true;
        Ok(())
    };
    user.traced.with(listens).ok_or(Errno::ESRCH)??;
    user.process.job_event.wake_all();
    Ok(())
}

/// Ends tracing of `thread` by `tracer`; it goes on, and takes `signal` first.
pub fn detach(tracer: &Process, thread: &Arc<Thread>, signal: Option<Signal>) {
    let_go(thread, signal);
    tracer.forget_tracee(|other| Arc::ptr_eq(other, thread));
}

/// Makes `thread` a thread that nobody traces.
fn let_go(thread: &Arc<Thread>, signal: Option<Signal>) {
    let Some(user) = thread.user.as_ref() else { return };
    let was_traced = user.traced.look(|half| {
        let Some(tracing) = half.as_mut().filter(|tracing| !tracing.is_over) else { return (false, None) };
        match &mut tracing.stop {
            Some(stop) => {
                stop.release = Some(signal);
                tracing.is_over = true;
                (true, None)
            }
            None => (true, half.take()),
        }
    });
    // What it had is dropped here, without the lock.
    if !was_traced.is_some_and(|(was_traced, _)| was_traced) {
        return;
    }
    user.process.traced_threads.fetch_sub(1, Ordering::SeqCst);
    watch::remove(thread, Watchers::PTRACE);
    user.process.job_event.wake_all();
    // A process that is stopped keeps it.
    send::interrupt(thread);
}

impl Process {
    /// Takes a thread out of the list of those the process traces.
    fn forget_tracee(&self, is_it: impl Fn(&Arc<Thread>) -> bool) {
        let mut state = self.tracer.lock();
        let gone = state.tracees.iter().position(is_it).map(|index| state.tracees.remove(index));
        drop(state);
        drop(gone);
    }
}

/// Ends all tracing by a process that ends.
pub fn end_tracer(process: &Process) {
    let TracerState { tracees, ended } = core::mem::take(&mut *process.tracer.lock());
    for thread in &tracees {
        let Some(user) = thread.user.as_ref() else { continue };
        let kills = user.traced.with(|tracing| tracing.options.contains(PtraceOptions::PTRACE_O_EXITKILL));
        let_go(thread, None);
        if kills == Some(true) {
            send::send_kernel_signal(&user.process, Signal::SIGKILL);
        }
    }
    drop((tracees, ended));
}

/// Takes a thread that ends from its tracer, and answers whose news its end is, if the tracer is not its parent too. It stays
/// in the tracer's list until the news is told, so that the tracer goes on waiting for it.
pub(super) fn end_tracee(thread: &Arc<Thread>, user: &UserThread) -> Option<Arc<Process>> {
    let tracer = user.traced.with(|tracing| tracing.tracer.upgrade()).flatten()?;
    let is_news = thread.tid() != user.process.pid || user.process.parent_pid() != tracer.pid;
    if is_news {
        let_go(thread, None);
        return Some(tracer);
    }
    detach(&tracer, thread, None);
    None
}

/// Notes that the process of `thread` is stopped anew: the thread stops with it even if its tracer let it go on before.
pub(super) fn note_group_stop(thread: &Thread) {
    if let Some(user) = &thread.user {
        user.traced.with(|tracing| tracing.runs_on = false);
    }
}

/// The id of the tracer of a thread; 0 for none.
pub fn tracer_of(thread: &Thread) -> Pid {
    let user = thread.user.as_ref();
    user.and_then(|user| user.traced.with(|tracing| tracing.tracer_pid)).unwrap_or(0)
}

/// Whether a traced thread stands still for its tracer.
pub fn is_stopped(thread: &Thread) -> bool {
    let user = thread.user.as_ref();
    user.and_then(|user| user.traced.with(|tracing| tracing.stop.is_some())).unwrap_or(false)
}

/// Whether the leader of `process` is traced by `tracer`: its stops are then told as those of a traced thread.
pub(super) fn traces_leader(tracer: &Process, process: &Process) -> bool {
    process.traced_threads.load(Ordering::SeqCst) != 0
        && process.leader().is_some_and(|leader| tracer_of(&leader) == tracer.pid)
}
