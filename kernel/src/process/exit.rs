//! The end of threads and processes (exit(2), exit_group(2), fatal signals).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::task::Work;
use hal::user::UserPtr;
use linux_abi::signal::Signal;

use super::signal::send;
use super::thread_group::Remains;
use super::tree::{self, ExitRecord};
use super::wait::News;
use super::{Process, Times, UserThread, ptrace};
use crate::fs::vfs::{FileTable, FsContext};
use crate::ipc::futex;
use crate::ipc::sysv::sem;
use crate::scheduler::{self, Thread};

/// Decides that every thread of `process` ends, and with which wait status. The first decision holds.
pub fn begin_group_exit(process: &Process, status: i32) {
    let mut shared = process.signals.lock();
    if shared.group_exit.is_none() {
        shared.group_exit = Some(status);
    }
    drop(shared);
    process.for_each_thread(end_thread);
    process.job_event.wake_all();
}

/// Whether the process has been told to end.
pub fn is_ending(process: &Process) -> bool {
    process.signals.lock().group_exit.is_some()
}

/// Makes one thread end on its way to user mode, waking it from any sleep that a fatal signal may interrupt.
pub(super) fn end_thread(thread: &Arc<Thread>) {
    thread.task.raise(Work::EXIT | Work::SIGNAL);
    scheduler::interrupt_sleep(thread);
}

/// Marks the calling thread alone as ending with `status` (exit(2)); it ends on its way to user mode.
pub fn exit_current(thread: &Arc<Thread>, user: &UserThread, status: i32) {
    user.exit_status.store(status, Ordering::Relaxed);
    thread.task.raise(Work::EXIT);
}

/// Ends the calling thread. Nothing of it but its kernel stack is in use any more when this is called.
pub fn exit_thread() -> ! {
    release_current();
    scheduler::exit_current()
}

/// Gives back everything the calling thread holds and tells whoever waits for it.
fn release_current() {
    let thread = scheduler::current().arc();
    let Some(user) = thread.user.as_ref() else { return };
    let process = &user.process;

    let tracer = ptrace::end_tracee(&thread, user);
    release_user_memory(&thread, user, true);
    // The last thread's end frees the memory; no CPU may seem to use it then.
    thread.task.set_space(None);
    let is_leader = thread.tid() == process.pid;
    if is_leader {
        release_vfork_parent(process);
    }
    drop(user.set_files(Arc::new(FileTable::new())));
    drop(user.set_fs(FsContext::new(crate::fs::root())));
    if is_leader {
        process.set_remains(Some(Remains {
            name: thread.name(),
            credentials: user.credentials(),
            tracer,
            exit_status: user.exit_status.load(Ordering::Relaxed),
        }));
    } else {
        if let Some(tracer) = tracer {
            let status = status_of(user);
            let news =
                News { pid: thread.tid(), uid: user.credentials().uid.real, status, times: Times::default() };
            ptrace::tell_end(&tracer, process, news);
        }
        // Before it leaves the list: whoever waits to be alone (execve) may then take over the process's id. The first
        // thread keeps its id until the process is gone.
        drop(tree::lock().remove_thread(thread.tid()));
    }
    if process.remove_thread_but_last(&thread) {
        finish_process(process, &thread);
    }
    process.thread_event.wake_all();
}

/// The wait status the calling thread ends with.
pub(super) fn status_of(user: &UserThread) -> i32 {
    let group_exit = user.process.signals.lock().group_exit;
    group_exit.unwrap_or_else(|| user.exit_status.load(Ordering::Relaxed))
}

/// Tells the program's memory that the calling thread leaves it: locks it holds are orphaned (set_robust_list(2)), the
/// word that stands for it is cleared (set_tid_address(2)). `ends`: for ever, not to run another program.
pub(super) fn release_user_memory(thread: &Thread, user: &UserThread, ends: bool) {
    futex::release_locks(thread, user, ends);
    let clear_tid = user.clear_child_tid.swap(0, Ordering::Relaxed);
    if clear_tid == 0 {
        return;
    }
    let Some(space) = user.process.try_address_space() else { return };
    // Nobody can look if nobody else has the memory; a process that shares it without being a thread holds a handle.
    let is_shared = user.process.thread_count() > 1 || Arc::strong_count(&space) > 2;
    // The address is the program's; if it is bad, nobody can be waiting there.
    if is_shared && UserPtr::<u32>::new(clear_tid).write(&0).is_ok() {
        futex::wake_address(clear_tid, 1);
    }
}

/// Ends a process whose last thread is ending.
fn finish_process(process: &Arc<Process>, last: &Thread) {
    ptrace::end_tracer(process);
    process.timers.clear(process);
    if process.has_semaphore_undo.load(Ordering::Relaxed) {
        sem::undo_all(process.pid);
    }
    release_vfork_parent(process);
    leave_address_space(process);

    if process.is_session_leader() {
        give_up_terminal(process);
    }
    let group_exit = process.signals.lock().group_exit;
    let status = group_exit.or_else(|| process.leader_exit_status()).unwrap_or(0);
    if process.pid == 1 {
        init_died(status);
    }
    if let Some(tracer) = process.take_leader_tracer() {
        let news = News { pid: process.pid, uid: process.real_uid(), status, times: Times::default() };
        ptrace::tell_end(&tracer, process, news);
    }
    process.remove_last_thread(last);
    let mut times = process.times();
    times.add(&process.children_times());
    let record = ExitRecord { status, uid: process.real_uid(), times };
    let (leader, gone) = {
        let mut tree = tree::lock();
        let leader = tree.remove_thread(process.pid);
        (leader, tree.finish(process, record))
    };
    process.exit_event.wake_all();
    drop((leader, gone));
}

/// Lets go of the address space.
fn leave_address_space(process: &Process) {
    let space = process.set_address_space(None);
    if let Some(space) = &space {
        process.note_peak_of(space);
    }
    drop(space);
    // The program's file can be written again.
    let mut executable = None;
    process.update_image(|image| executable = image.executable.take());
    drop(executable);
}

/// Lets the parent of a vfork child go on.
pub(super) fn release_vfork_parent(process: &Process) {
    if process.vfork_pending.swap(false, Ordering::AcqRel) {
        process.thread_event.wake_all();
    }
}

/// What a session leader's end does to the terminal: its foreground group is hung up, the session loses it.
fn give_up_terminal(process: &Process) {
    let session = process.session_id();
    let (foreground, signals) = match tree::clear_terminal(session) {
        Some(terminal) => {
            let foreground = terminal.foreground_group();
            terminal.disconnect();
            (foreground, &[Signal::SIGHUP][..])
        }
        None => (tree::take_lost_foreground(session), &[Signal::SIGHUP, Signal::SIGCONT][..]),
    };
    if foreground > 0 {
        for member in tree::members(foreground) {
            for &signal in signals {
                send::send_kernel_signal(&member, signal);
            }
        }
    }
}

/// Process 1 must not end; Linux panics, and so do we, saying how it ended.
fn init_died(status: i32) -> ! {
    panic!(
        "attempted to kill init! exit code {:#010x}",
        (status as u32 >> 8 & 0xff) << 8 | status as u32 & 0x7f
    );
}
