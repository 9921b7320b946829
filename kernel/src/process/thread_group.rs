//! A process: what its threads share.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_CPU;
use linux_abi::signal::Signal;

use super::limits::Limits;
use super::signal::{Actions, PendingSignals};
use super::{Pid, UserThread};
use crate::fs::vfs::Path;
use crate::lock_order;
use crate::memory::address_space::AddressSpace;
use crate::scheduler::Thread;
use crate::scheduler::thread::thread::ThreadName;
use crate::scheduler::wait::WaitQueue;

/// Signal, stop and exit state of a process.
#[derive(Default)]
pub struct SharedSignals {
    /// What to do about each signal.
    pub actions: Actions,
    /// Signals sent to the process as a whole.
    pub pending: PendingSignals,
    /// The signal that stopped the process, while it is stopped.
    pub stopped_by: Option<Signal>,
    /// A stop its parent has not been told of through wait yet.
    pub stop_report: Option<Signal>,
    /// A continuation its parent has not been told of through wait yet.
    pub continue_report: bool,
    /// The wait status every thread is to end with, once exit_group or a fatal signal decided it.
    pub group_exit: Option<i32>,
    /// A stop signal has been taken and not acted on yet; SIGCONT clears it.
    pub stop_taken: bool,
    /// A thread runs execve and waits for the others to end; a second one gives up.
    pub exec_running: bool,
}

/// CPU time, in nanoseconds, and counts that getrusage(2) reports.
#[derive(Clone, Copy, Default, Debug)]
pub struct Times {
    /// Time in user mode.
    pub user_ns: u64,
    /// Time in the kernel.
    pub system_ns: u64,
    /// Faults served without I/O.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
    /// Switches because the thread blocked.
    pub voluntary_switches: u64,
    /// Switches because another thread was due.
    pub involuntary_switches: u64,
    /// Largest resident set, in KiB.
    pub max_rss_kib: u64,
}

impl Times {
    /// What a thread has used so far.
    pub fn of(thread: &Thread) -> Self {
        let (user_ns, system_ns) = thread.user_and_system_ns();
        let (minor_faults, major_faults) = thread.faults();
        let (voluntary_switches, involuntary_switches) = thread.switches();
        Self {
            user_ns,
            system_ns,
            minor_faults,
            major_faults,
            voluntary_switches,
            involuntary_switches,
            max_rss_kib: 0,
        }
    }

    /// Adds another thread's or child's share; the resident set is a maximum, not a sum.
    pub fn add(&mut self, other: &Self) {
        self.user_ns += other.user_ns;
        self.system_ns += other.system_ns;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
        self.max_rss_kib = self.max_rss_kib.max(other.max_rss_kib);
    }
}

/// What execve left to see of the program (`/proc/PID/{exe,cmdline,environ,auxv}`).
#[derive(Clone, Default)]
pub struct Image {
    /// The executable.
    pub executable: Option<Path>,
    /// User range of the argument strings.
    pub arguments: (usize, usize),
    /// User range of the environment strings.
    pub environment: (usize, usize),
    /// The auxiliary vector, as put on the stack.
    pub auxv: Vec<u8>,
}

/// A process (thread group).
pub struct Process {
    /// Its id: the thread id of the first thread.
    pub pid: Pid,
    /// Clock at its start, nanoseconds since boot.
    pub start_ns: u64,
    /// Cached copies of the tree's links, for calls that only want the number. Written under the tree's lock.
    pub(super) parent_pid: AtomicI32,
    pub(super) group_id: AtomicI32,
    pub(super) session_id: AtomicI32,
    /// Actions, shared pending signals, stop and exit state.
    pub signals: SpinLock<SharedSignals>,
    /// Woken when a child changed state.
    pub child_event: WaitQueue,
    /// Woken when the process may go on after a stop, and when threads are to end.
    pub(super) job_event: WaitQueue,
    /// Woken when a thread ended (execve waits for the others), and when a vfork child lets go of its parent.
    pub(super) thread_event: WaitQueue,
    /// Whether this process is a vfork child still using its parent's memory.
    pub(super) vfork_pending: AtomicBool,
    /// Whether it has called execve since fork (setpgid refuses it then).
    pub has_execed: AtomicBool,
    /// Whether orphans below become its children (`PR_SET_CHILD_SUBREAPER`).
    pub is_subreaper: AtomicBool,
    /// Whether others of the same user may look into it (`PR_SET_DUMPABLE`).
    pub is_dumpable: AtomicBool,
    /// The signal its parent gets when it ends; 0 for none.
    pub exit_signal: AtomicI32,
    /// The signal it gets when its parent ends; 0 for none.
    pub parent_death_signal: AtomicI32,
    /// `oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: AtomicI32,
    /// Personality (personality(2)).
    pub personality: AtomicU64,
    /// Threads that have not ended.
    pub(super) live_threads: AtomicUsize,
    parent: SpinLock<Weak<Process>>,
    last_name: SpinLock<ThreadName>,
    threads: SpinLock<Vec<Arc<Thread>>>,
    address_space: SpinLock<Option<Arc<AddressSpace>>>,
    image: SpinLock<Image>,
    limits: SpinLock<Limits>,
    /// CPU time of threads that have ended, and of children that were waited for.
    pub(super) finished: SpinLock<(Times, Times)>,
    /// Interval timers, POSIX timers.
    pub timers: crate::time::ProcessTimers,
}

impl Process {
    /// Makes a process with no thread yet.
    pub(super) fn new(
        pid: Pid,
        address_space: Arc<AddressSpace>,
        actions: Actions,
        image: Image,
        limits: Limits,
    ) -> Self {
        let timers = crate::time::ProcessTimers::new();
        if limits.soft(RLIMIT_CPU) != u64::MAX {
            timers.watch_cpu_limit();
        }
        let signals = SharedSignals { actions, ..SharedSignals::default() };
        Self {
            pid,
            start_ns: hal::time::now_ns(),
            parent_pid: AtomicI32::new(0),
            group_id: AtomicI32::new(0),
            session_id: AtomicI32::new(0),
            signals: SpinLock::new(lock_order::PROCESS_SIGNALS, signals),
            child_event: WaitQueue::new(),
            job_event: WaitQueue::new(),
            thread_event: WaitQueue::new(),
            vfork_pending: AtomicBool::new(false),
            has_execed: AtomicBool::new(false),
            is_subreaper: AtomicBool::new(false),
            is_dumpable: AtomicBool::new(true),
            exit_signal: AtomicI32::new(Signal::SIGCHLD.number() as i32),
            parent_death_signal: AtomicI32::new(0),
            oom_score_adj: AtomicI32::new(0),
            personality: AtomicU64::new(0),
            live_threads: AtomicUsize::new(0),
            last_name: SpinLock::new(lock_order::PROCESS_LINKS, ThreadName::default()),
            parent: SpinLock::new(lock_order::PROCESS_LINKS, Weak::new()),
            threads: SpinLock::new(lock_order::PROCESS_THREADS, Vec::new()),
            address_space: SpinLock::new(lock_order::PROCESS_LINKS, Some(address_space)),
            image: SpinLock::new(lock_order::PROCESS_LINKS, image),
            limits: SpinLock::new(lock_order::PROCESS_LINKS, limits),
            finished: SpinLock::new(lock_order::PROCESS_LINKS, (Times::default(), Times::default())),
            timers,
        }
    }

    /// The parent's pid; 0 for process 1 and for one whose parent is outside.
    pub fn parent_pid(&self) -> Pid {
        self.parent_pid.load(Ordering::Relaxed)
    }

    /// The parent, unless the process is process 1 or its parent lies outside.
    pub fn parent(&self) -> Option<Arc<Process>> {
        self.parent.lock().upgrade()
    }

    /// Makes `parent` the parent. Called under the tree's lock.
    pub(super) fn set_parent(&self, parent: Option<&Arc<Process>>) {
        self.parent_pid.store(parent.map_or(0, |parent| parent.pid), Ordering::Relaxed);
        *self.parent.lock() = parent.map_or_else(Weak::new, Arc::downgrade);
    }

    /// The process group's id.
    pub fn group_id(&self) -> Pid {
        self.group_id.load(Ordering::Relaxed)
    }

    /// The session's id.
    pub fn session_id(&self) -> Pid {
        self.session_id.load(Ordering::Relaxed)
    }

    /// Whether it leads its session.
    pub fn is_session_leader(&self) -> bool {
        self.session_id() == self.pid
    }

    /// Its threads that have not ended, the first one first.
    pub fn threads(&self) -> Vec<Arc<Thread>> {
        self.threads.lock().clone()
    }

    /// Its first thread that has not ended.
    pub fn first_thread(&self) -> Option<Arc<Thread>> {
        self.threads.lock().first().cloned()
    }

    /// Number of threads that have not ended.
    pub fn thread_count(&self) -> usize {
        self.live_threads.load(Ordering::Relaxed)
    }

    /// Runs `f` on the thread whose user half decides for the process where Linux asks the group leader
    /// (credentials, files in `/proc/PID`); `None` once all have ended.
    pub fn with_leader<R>(&self, f: impl FnOnce(&UserThread) -> R) -> Option<R> {
        let leader = self.first_thread()?;
        leader.user.as_ref().map(f)
    }

    /// The address space.
    ///
    /// # Panics
    /// When called for a process whose threads have ended; use [`Self::try_address_space`] for another process.
    pub fn address_space(&self) -> Arc<AddressSpace> {
        self.try_address_space().expect("a running thread has an address space")
    }

    /// The address space, while the process has one.
    pub fn try_address_space(&self) -> Option<Arc<AddressSpace>> {
        self.address_space.lock().clone()
    }

    /// Replaces the address space (execve), or takes it away (exit); returns the old one, to be dropped by the
    /// caller outside of any lock.
    pub(super) fn set_address_space(&self, new: Option<Arc<AddressSpace>>) -> Option<Arc<AddressSpace>> {
        if let Some(space) = &new {
            self.pass_limits(space);
        }
        core::mem::replace(&mut self.address_space.lock(), new)
    }

    /// What execve left to see of the program.
    pub fn image(&self) -> Image {
        self.image.lock().clone()
    }

    /// Replaces what is to see of the program.
    pub fn set_image(&self, image: Image) {
        let old = core::mem::replace(&mut *self.image.lock(), image);
        drop(old);
    }

    /// Changes a part of what is to see of the program (`PR_SET_MM`).
    pub fn update_image(&self, change: impl FnOnce(&mut Image)) {
        change(&mut self.image.lock());
    }

    /// The name of the thread that ended last, for a zombie's `/proc/PID/stat`.
    pub fn last_name(&self) -> Vec<u8> {
        self.last_name.lock().as_bytes().to_vec()
    }

    /// Runs `f` on the resource limits.
    pub fn with_limits<R>(&self, f: impl FnOnce(&mut Limits) -> R) -> R {
        let result = f(&mut self.limits.lock());
        if let Some(space) = self.try_address_space() {
            self.pass_limits(&space);
        }
        result
    }

    /// Tells an address space of the process the limits that concern it.
    fn pass_limits(&self, space: &AddressSpace) {
        use linux_abi::resource::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK};
        let limits = self.limits.lock();
        let [total, data, stack, locked] =
            [RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK].map(|which| limits.soft(which));
        space.limits().set(total, data, stack, locked);
    }

    /// The soft value of a limit; `u64::MAX` means none.
    pub fn limit(&self, which: u32) -> u64 {
        self.limits.lock().soft(which)
    }

    /// CPU time of the whole process so far: of ended and of running threads.
    pub fn times(&self) -> Times {
        let mut total = self.finished.lock().0;
        for thread in self.threads() {
            total.add(&Times::of(&thread));
        }
        total
    }

    /// CPU time of the children that were waited for.
    pub fn children_times(&self) -> Times {
        self.finished.lock().1
    }

    /// Adds a thread.
    ///
    /// # Errors
    /// `EAGAIN`: the process is ending.
    pub(super) fn add_thread(&self, thread: Arc<Thread>) -> Result<(), Errno> {
        let signals = self.signals.lock();
        if signals.group_exit.is_some() {
            return Err(Errno::EAGAIN);
        }
        self.live_threads.fetch_add(1, Ordering::Relaxed);
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Takes an ended thread out; answers whether it was the last.
    pub(super) fn remove_thread(&self, thread: &Thread) -> bool {
        *self.last_name.lock() = thread.name();
        let removed = {
            let mut threads = self.threads.lock();
            threads.iter().position(|other| other.tid() == thread.tid()).map(|index| threads.remove(index))
        };
        drop(removed);
        self.live_threads.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
