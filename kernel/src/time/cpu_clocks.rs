//! Clocks that count the CPU time of threads and processes.

use alloc::sync::{Arc, Weak};

use hal::task::Work;
use linux_abi::errno::Errno;

use crate::process::{Pid, Process, tree};
use crate::scheduler::{self, Thread};

/// The name of a clock of CPU time: whose, and which part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuClockName {
    /// The process or thread; 0 for the caller's.
    id: Pid,
    is_thread: bool,
    is_user_time: bool,
}

impl CpuClockName {
    /// The CPU time of a process.
    pub const fn process(pid: Pid) -> Self {
        Self { id: pid, is_thread: false, is_user_time: false }
    }

    /// The CPU time of a thread.
    pub const fn thread(tid: Pid) -> Self {
        Self { id: tid, is_thread: true, is_user_time: false }
    }

    /// The part of it that was spent in user mode.
    pub const fn user_time(self) -> Self {
        Self { is_user_time: true, ..self }
    }

    /// Finds the clock.
    ///
    /// # Errors
    /// `EINVAL`: there is no such process, or no such thread in the caller's process.
    pub fn find(self) -> Result<CpuClock, Errno> {
        let caller = scheduler::current();
        let own = &caller.user.as_ref().ok_or(Errno::EINVAL)?.process;
        let is_caller = self.id == 0 || self.id == caller.tid();
        let (process, thread) = if self.is_thread {
            let thread =
                if is_caller { caller.arc() } else { tree::find_thread(self.id).ok_or(Errno::EINVAL)? };
            let is_own = thread.user.as_ref().is_some_and(|user| Arc::ptr_eq(&user.process, own));
            if !is_own {
                return Err(Errno::EINVAL);
            }
            (own.clone(), Some(thread))
        } else if is_caller {
            (own.clone(), None)
        } else {
            (tree::find_process(self.id).ok_or(Errno::EINVAL)?, None)
        };
        Ok(CpuClock { process, thread, is_user_time: self.is_user_time })
    }

    /// Whether this is a clock of the calling thread alone.
    pub fn is_caller(self) -> bool {
        self.is_thread && (self.id == 0 || self.id == scheduler::current().tid())
    }
}

/// A clock of CPU time.
pub struct CpuClock {
    /// The process whose time counts, or the one of the thread whose time counts.
    pub process: Arc<Process>,
    thread: Option<Arc<Thread>>,
    is_user_time: bool,
}

impl CpuClock {
    /// What the clock shows, in nanoseconds.
    pub fn read_ns(&self) -> u64 {
        match (&self.thread, self.is_user_time) {
            (Some(thread), false) => thread.cpu_time_ns(),
            (Some(thread), true) => thread.user_and_system_ns().0,
            (None, false) => cpu_time_of(&self.process),
            (None, true) => self.process.times().user_ns,
        }
    }

    /// A handle of the clock that does not keep what it measures.
    pub fn downgrade(&self) -> WeakCpuClock {
        WeakCpuClock {
            process: Arc::downgrade(&self.process),
            thread: self.thread.as_ref().map(Arc::downgrade),
            is_user_time: self.is_user_time,
        }
    }
}

/// A clock of CPU time that stands still once the process or thread is gone.
#[derive(Clone)]
pub struct WeakCpuClock {
    process: Weak<Process>,
    thread: Option<Weak<Thread>>,
    is_user_time: bool,
}

impl WeakCpuClock {
    /// The clock, while what it measures is there.
    pub fn upgrade(&self) -> Option<CpuClock> {
        let process = self.process.upgrade()?;
        let thread = match &self.thread {
            Some(thread) => Some(thread.upgrade()?),
            None => None,
        };
        Some(CpuClock { process, thread, is_user_time: self.is_user_time })
    }
}

/// The CPU time of a process in nanoseconds: of its threads that have ended and of those that run.
pub fn cpu_time_of(process: &Process) -> u64 {
    let times = process.times();
    times.user_ns + times.system_ns
}

/// Looks whether something that waits for CPU time of the thread's process may be due. Interrupt context.
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
