//! Clocks that count the CPU time of threads and processes.

use hal::task::Work;
use linux_abi::errno::Errno;

use crate::process::{Pid, Process, tree};
use crate::scheduler::{self, Thread};

/// The CPU time of a process in nanoseconds; of the caller's for id 0.
///
/// # Errors
/// `EINVAL`: there is no such process.
pub fn process_ns(pid: Pid) -> Result<u64, Errno> {
    if pid == 0 {
        let thread = scheduler::current();
        let user = thread.user.as_ref().ok_or(Errno::EINVAL)?;
        return Ok(cpu_time_of(&user.process));
    }
    tree::find_process(pid).map(|process| cpu_time_of(&process)).ok_or(Errno::EINVAL)
}

/// The CPU time of a thread in nanoseconds; of the caller for id 0.
///
/// # Errors
/// `EINVAL`: there is no such thread.
pub fn thread_ns(tid: Pid) -> Result<u64, Errno> {
    if tid == 0 {
        return Ok(scheduler::current().cpu_time_ns());
    }
    tree::find_thread(tid).map(|thread| thread.cpu_time_ns()).ok_or(Errno::EINVAL)
}

/// The CPU time of a process in nanoseconds: of its threads that have ended and of those that run.
pub fn cpu_time_of(process: &Process) -> u64 {
    let times = process.times();
    times.user_ns + times.system_ns
}

/// Looks whether a timer on the CPU time of the thread's process may be due. Interrupt context.
pub(crate) fn sample(thread: &Thread) {
    if let Some(user) = &thread.user
        && user.process.timers.watches_cpu_time()
    {
        thread.task.raise(Work::DEFERRED);
    }
}

/// Sends what is due by the CPU time of the calling thread's process, on the way to user mode after
/// [`Work::DEFERRED`] was raised.
pub fn check_current() {
    let thread = scheduler::current();
    thread.task.lower(Work::DEFERRED);
    if let Some(user) = &thread.user {
        user.process.timers.check_cpu_time(&user.process);
    }
}
