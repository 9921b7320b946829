//! Making processes and threads (fork(2), vfork(2), clone(2), clone3(2)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::task::UserRegs;
use hal::user::UserPtr;
use linux_abi::cap::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::ptrace::PTRACE_EVENT_VFORK_DONE;
use linux_abi::resource::{RLIMIT_NOFILE, RLIMIT_NPROC};
use linux_abi::sched::CloneFlags;

use super::limits;
use super::pidfd::PidFd;
use super::signal::Actions;
use super::signal::send::signal_from;
use super::{Pid, Process, UserThread, ptrace, seccomp, tree, watch};
use crate::memory::reserve;
use crate::scheduler::{SCHEDULER, Thread};
use crate::syscall::Context;

/// What clone is asked to make.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What parent and child share, and what else to do.
    pub flags: CloneFlags,
    /// The signal the child's end sends; 0 for none.
    pub exit_signal: i32,
    /// The child's stack pointer; 0 for a copy of the caller's.
    pub stack: usize,
    /// The child's thread pointer, with `CLONE_SETTLS`.
    pub tls: usize,
    /// Where the parent finds the child's id, with `CLONE_PARENT_SETTID`.
    pub parent_tid: usize,
    /// Where the child finds its id (`CLONE_CHILD_SETTID`) and where it is cleared at its end
    /// (`CLONE_CHILD_CLEARTID`).
    pub child_tid: usize,
    /// Where the parent finds a descriptor of the child, with `CLONE_PIDFD`. clone has one place for this and for the id.
    pub pidfd: usize,
}

/// Memory a new process may need from the kernel before anything is shared out: stack, tables, records.
const KERNEL_COST: usize = 64 * 1024;

impl Request {
    /// Refuses what Linux refuses, and what we do not have.
    ///
    /// # Errors
    /// `EINVAL`: a combination that makes no sense, or namespaces.
    fn validate(&self) -> Result<(), Errno> {
        let flags = self.flags;
        let needs = |what: CloneFlags, needed: CloneFlags| !flags.contains(what) || flags.contains(needed);
        let sane = needs(CloneFlags::CLONE_SIGHAND, CloneFlags::CLONE_VM)
            && needs(CloneFlags::CLONE_THREAD, CloneFlags::CLONE_SIGHAND)
            && !flags.contains(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
            && !flags.intersects(CloneFlags::NAMESPACES | CloneFlags::CLONE_INTO_CGROUP);
        let one_place = flags.contains(CloneFlags::CLONE_PARENT_SETTID) && self.pidfd == self.parent_tid;
        let is_thread = flags.intersects(CloneFlags::CLONE_DETACHED | CloneFlags::CLONE_THREAD);
        let describable = !flags.contains(CloneFlags::CLONE_PIDFD) || !is_thread && !one_place;
        // Sharing handlers or memory without being one process is what only vfork does in practice.
        let shares_memory_only =
            flags.contains(CloneFlags::CLONE_VM) && !flags.contains(CloneFlags::CLONE_THREAD);
        let supported = !shares_memory_only || !flags.contains(CloneFlags::CLONE_SIGHAND);
        let signal_ok = self.exit_signal == 0 || signal_from(self.exit_signal).is_some();
        if sane && describable && supported && signal_ok { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// Makes a child or a thread of the calling process that starts in user mode with `regs`, and returns its id.
///
/// # Errors
/// - `EINVAL`: as [`Request::validate`].
/// - `EAGAIN`: `RLIMIT_NPROC`, no id left, or the process is ending.
/// - `EMFILE`: no descriptor left; `EFAULT`: nowhere to store it (`CLONE_PIDFD`).
/// - `ENOMEM`: no memory.
pub fn clone_current(cx: &Context, request: &Request, regs: &mut UserRegs) -> Result<Pid, Errno> {
    request.validate()?;
    reserve::check(KERNEL_COST)?;
    let user = cx.user();
    check_process_limit(cx)?;

    let flags = request.flags;
    let tid = tree::lock().allocate_pid()?;
    let process = if flags.contains(CloneFlags::CLONE_THREAD) {
        user.process.clone()
    } else {
        Arc::new(new_process(cx, tid, request)?)
    };
    let child_user = new_user_thread(cx, &process, request)?;
    let mut child_regs = *regs;
    child_regs.rax = 0;
    if request.stack != 0 {
        child_regs.rsp = request.stack as u64;
    }
    let thread = Thread::new_user(tid, cx.thread(), child_user, child_regs)?;
    thread.task.set_fs_base(cx.thread().task.fs_base())?;
    thread.task.set_gs_base(cx.thread().task.gs_base())?;
    if flags.contains(CloneFlags::CLONE_SETTLS) {
        thread.task.set_fs_base(request.tls).map_err(|_| Errno::EPERM)?;
    }
    thread.task.copy_fpu_from_current();
    if let (Some(child), false) = (&thread.user, flags.contains(CloneFlags::CLONE_VM)) {
        child.rseq.inherit(&user.rseq, &thread);
    }
    let space = process.address_space();
    thread.task.set_space(Some(space.space()));
    if flags.contains(CloneFlags::CLONE_CHILD_SETTID) {
        // Linux lets the child write it and ignores a fault; the child's memory is a copy, so write it there.
        let _ = space.write_remote(request.child_tid, &tid.to_ne_bytes());
    }

    let files = cx.files();
    let pidfd = if flags.contains(CloneFlags::CLONE_PIDFD) {
        let reserved = files.reserve::<1>(true, cx.process().limit(RLIMIT_NOFILE))?;
        UserPtr::<[i32; 1]>::new(request.pidfd).write(&reserved.numbers())?;
        Some((reserved, PidFd::open(process.clone(), OpenFlags::empty())?))
    } else {
        None
    };

    process.add_thread(thread.clone())?;
    let waits = flags.contains(CloneFlags::CLONE_VFORK);
    if waits {
        process.vfork_pending.store(true, Ordering::Release);
    }
    {
        let mut tree = tree::lock();
        if !flags.contains(CloneFlags::CLONE_THREAD) {
            let parent = if flags.contains(CloneFlags::CLONE_PARENT) {
                user.process.parent().ok_or(Errno::EINVAL)?
            } else {
                user.process.clone()
            };
            tree.insert_process(process.clone(), Some(&parent));
        }
        tree.insert_thread(tid, thread.clone());
    }
    if let Some((reserved, file)) = pidfd {
        reserved.install([file]);
    }
    if flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        // The child exists: a bad address does not undo that.
        let _ = UserPtr::<i32>::new(request.parent_tid).write(&tid);
    }
    if let Some(child) = &thread.user {
        seccomp::inherit(user, child);
    }
    watch::inherit(cx.thread(), &thread);
    watch::selection::consider(&thread);
    let event = ptrace::event_of(user, flags, request.exit_signal);
    if event.is_some() {
        // A tracer without memory for one more thread loses it.
        let _ = ptrace::follow(user, &thread);
    }
    SCHEDULER.start(thread);
    if let Some(event) = event {
        ptrace::tell_child(&cx.thread_arc(), user, regs, event, tid);
    }
    if waits {
        wait_for_vfork_child(&process);
        ptrace::tell_child(&cx.thread_arc(), user, regs, PTRACE_EVENT_VFORK_DONE, tid);
    }
    Ok(tid)
}

/// `EAGAIN` when the caller's user has as many threads as `RLIMIT_NPROC` allows and no privilege to exceed it.
fn check_process_limit(cx: &Context) -> Result<(), Errno> {
    let limit = cx.process().limit(RLIMIT_NPROC);
    let tree = tree::lock();
    if tree.total_threads() >= limits::max_threads() {
        return Err(Errno::EAGAIN);
    }
    if limit == u64::MAX {
        return Ok(());
    }
    let credentials = cx.credentials();
    let exempt =
        credentials.uid.real == 0 || credentials.has(CAP_SYS_RESOURCE) || credentials.has(CAP_SYS_ADMIN);
    if !exempt && tree.threads_of_user(credentials.uid.real) as u64 >= limit {
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

fn new_process(cx: &Context, pid: Pid, request: &Request) -> Result<Process, Errno> {
    let parent = cx.process();
    let space = if request.flags.contains(CloneFlags::CLONE_VM) {
        parent.address_space()
    } else {
        parent.address_space().fork()?
    };
    let actions = if request.flags.contains(CloneFlags::CLONE_CLEAR_SIGHAND) {
        Actions::default()
    } else {
        parent.signals.lock().actions.clone()
    };
    let limits = parent.with_limits(|limits| limits.clone());
    let child = Process::new(pid, space, actions, parent.image(), limits);
    child.exit_signal.store(request.exit_signal, Ordering::Relaxed);
    child.is_dumpable.store(parent.is_dumpable.load(Ordering::Relaxed), Ordering::Relaxed);
    child.oom_score_adj.store(parent.oom_score_adj.load(Ordering::Relaxed), Ordering::Relaxed);
    child.login.copy(&parent.login);
    child.autogroup.inherit(&parent.autogroup);
    child.barriers.store(parent.barriers.load(Ordering::Relaxed), Ordering::Relaxed);
    child.personality.store(parent.personality.load(Ordering::Relaxed), Ordering::Relaxed);
    Ok(child)
}

fn new_user_thread(cx: &Context, process: &Arc<Process>, request: &Request) -> Result<UserThread, Errno> {
    let flags = request.flags;
    let parent = cx.user();
    let files =
        if flags.contains(CloneFlags::CLONE_FILES) { parent.files() } else { parent.files().duplicate()? };
    let fs = if flags.contains(CloneFlags::CLONE_FS) { parent.fs() } else { parent.fs().duplicate() };
    let (blocked, stack) = {
        let own = parent.signals.lock();
        (own.saved_blocked.unwrap_or(own.blocked), own.alternate_stack)
    };
    let child = UserThread::new(process.clone(), files, fs, parent.credentials(), blocked);
    let policy = *parent.memory_policy.lock();
    *child.memory_policy.lock() = policy;
    child.io_priority.store(parent.io_priority.load(Ordering::Relaxed), Ordering::Relaxed);
    // A thread that shares memory must not share the alternate stack, except a vfork child, whose parent sleeps.
    if !flags.contains(CloneFlags::CLONE_VM) || flags.contains(CloneFlags::CLONE_VFORK) {
        child.signals.lock().alternate_stack = stack;
    }
    if flags.contains(CloneFlags::CLONE_CHILD_CLEARTID) {
        child.clear_child_tid.store(request.child_tid, Ordering::Relaxed);
    }
    Ok(child)
}

/// Sleeps until the child has called execve or has ended; only a fatal signal ends the sleep sooner.
fn wait_for_vfork_child(child: &Process) {
    // A killed parent leaves; the child keeps its own handle on the memory they share.
    let _ = child.thread_event.wait_killable(|| (!child.vfork_pending.load(Ordering::Acquire)).then_some(()));
}
