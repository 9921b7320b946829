//! A process: what its threads share.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::resource::RLIMIT_CPU;
use linux_abi::signal::Signal;

use super::autogroup::AutoGroup;
use super::credentials::Credentials;
use super::limits::Limits;
use super::login::Login;
use super::ptrace::TracerState;
use super::signal::{Actions, PendingSignals};
use super::{Pid, UserThread};
use crate::fs::vfs::OpenFile;
use crate::lock_order;
use crate::memory::address_space::{AddressSpace, Body};
use crate::memory::fallible;
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

/// The largest resident set of an address space so far, in KiB.
fn peak_kib(space: &AddressSpace) -> u64 {
    (space.usage().peak_resident * (hal::PAGE_SIZE / 1024)) as u64
}

/// What execve left to see of the program (`/proc/PID/{exe,cmdline,environ,auxv}`).
#[derive(Clone, Default)]
pub struct Image {
    /// The executable, kept open: nobody can write it as long as it runs.
    pub executable: Option<Arc<OpenFile>>,
    /// User range of the argument strings.
    pub arguments: (usize, usize),
    /// User range of the environment strings.
    pub environment: (usize, usize),
    /// The auxiliary vector, as put on the stack.
    pub auxv: Vec<u8>,
}

/// What is left of a process's first thread once it has ended: as long as the process is there, it is shown as a zombie.
#[derive(Clone)]
pub(super) struct Remains {
    pub(super) name: ThreadName,
    pub(super) credentials: Arc<Credentials>,
    /// Who traced the thread, and is to be told of the end of the process, being not its parent.
    pub(super) tracer: Option<Arc<Process>>,
    /// The wait status the thread ended with, which is the process's unless one was decided for all threads.
    pub(super) exit_status: i32,
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
    /// Woken when a signal became pending for the process or one of its threads.
    pub signal_event: WaitQueue,
    /// Woken when every thread has ended.
    pub(super) exit_event: WaitQueue,
    /// Woken when a child changed state.
    pub child_event: WaitQueue,
    /// Woken when the process may go on after a stop, and when threads are to end.
    pub(super) job_event: WaitQueue,
    /// Woken when a thread ended (execve waits for the others), and when a vfork child lets go of its parent.
    pub(super) thread_event: WaitQueue,
    /// Whether this process is a vfork child still using its parent's memory.
    pub(super) vfork_pending: AtomicBool,
    /// Whether it changed System V semaphores with `SEM_UNDO`.
    pub has_semaphore_undo: AtomicBool,
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
    /// Who logged in.
    pub login: Login,
    /// Personality (personality(2)).
    pub personality: AtomicU64,
    /// The group it shares processors in.
    pub autogroup: AutoGroup,
    /// What it has registered for with membarrier(2), a bit for each command to register.
    pub barriers: AtomicU32,
    /// What it traces.
    pub(super) tracer: SpinLock<TracerState>,
    /// How many of its threads are traced.
    pub(super) traced_threads: AtomicUsize,
    /// Number of threads that have not ended. Written under the lock of `threads`.
    live_threads: AtomicUsize,
    parent: SpinLock<Weak<Process>>,
    /// Set when the first thread has ended.
    remains: SpinLock<Option<Remains>>,
    threads: SpinLock<Vec<Arc<Thread>>>,
    address_space: SpinLock<Option<Arc<AddressSpace>>>,
    /// Address of the address space, which tells it apart from others. Written under the lock of `address_space`.
    address_space_id: AtomicUsize,
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
            timers.cpu_watch.start();
        }
        let signals = SharedSignals { actions, ..SharedSignals::default() };
        Self {
            pid,
            start_ns: hal::time::now_ns(),
            parent_pid: AtomicI32::new(0),
            group_id: AtomicI32::new(0),
            session_id: AtomicI32::new(0),
            signals: SpinLock::new(lock_order::PROCESS_SIGNALS, signals),
            signal_event: WaitQueue::new(),
            exit_event: WaitQueue::new(),
            child_event: WaitQueue::new(),
            job_event: WaitQueue::new(),
            thread_event: WaitQueue::new(),
            vfork_pending: AtomicBool::new(false),
            has_semaphore_undo: AtomicBool::new(false),
            has_execed: AtomicBool::new(false),
            is_subreaper: AtomicBool::new(false),
            is_dumpable: AtomicBool::new(true),
            exit_signal: AtomicI32::new(Signal::SIGCHLD.number() as i32),
            parent_death_signal: AtomicI32::new(0),
            oom_score_adj: AtomicI32::new(0),
            login: Login::new(),
            personality: AtomicU64::new(0),
            autogroup: AutoGroup::new(),
            barriers: AtomicU32::new(0),
            tracer: SpinLock::new(lock_order::TRACER, TracerState::default()),
            traced_threads: AtomicUsize::new(0),
            live_threads: AtomicUsize::new(0),
            remains: SpinLock::new(lock_order::PROCESS_LINKS, None),
            parent: SpinLock::new(lock_order::PROCESS_LINKS, Weak::new()),
            threads: SpinLock::new(lock_order::PROCESS_THREADS, Vec::new()),
            address_space_id: AtomicUsize::new(Arc::as_ptr(&address_space).addr()),
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

    /// Calls `f` for each of its threads that have not ended, the first one first, under the lock of their list.
    pub fn for_each_thread(&self, f: impl FnMut(&Arc<Thread>)) {
        self.threads.lock().iter().for_each(f);
    }

    /// Its first thread that has not ended and is what is wanted; `is_wanted` is asked under the lock of their list.
    pub fn find_thread(&self, mut is_wanted: impl FnMut(&Thread) -> bool) -> Option<Arc<Thread>> {
        self.threads.lock().iter().find(|thread| is_wanted(thread)).cloned()
    }

    /// Number of threads that have not ended.
    pub fn thread_count(&self) -> usize {
        self.live_threads.load(Ordering::Relaxed)
    }

    /// The ids of its threads, ascending; that of the first thread stays until the process is gone.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn thread_ids(&self) -> Result<Vec<Pid>, Errno> {
        let mut ids = fallible::collect(self.threads.lock().iter().map(|thread| thread.tid()))?;
        if !ids.contains(&self.pid) {
            fallible::push(&mut ids, self.pid)?;
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The thread that carries the process's id, until it ends.
    pub fn leader(&self) -> Option<Arc<Thread>> {
        self.find_thread(|thread| thread.tid() == self.pid)
    }

    /// The name of the thread that carries the process's id, after its end too.
    pub fn name(&self) -> ThreadName {
        match self.leader() {
            Some(leader) => leader.name(),
            None => self.remains.lock().as_ref().map_or_else(ThreadName::default, |remains| remains.name),
        }
    }

    /// The credentials of the thread that carries the process's id, after its end too: those that count where Linux asks
    /// the group leader. `None` before a process has been started.
    pub fn credentials(&self) -> Option<Arc<Credentials>> {
        let remains = || self.remains.lock().as_ref().map(|remains| remains.credentials.clone());
        let leader = self.leader();
        leader.and_then(|leader| leader.user.as_ref().map(UserThread::credentials)).or_else(remains)
    }

    /// Its real user.
    pub fn real_uid(&self) -> u32 {
        self.credentials().map_or(0, |credentials| credentials.uid.real)
    }

    /// The wait status the first thread ended with.
    pub(super) fn leader_exit_status(&self) -> Option<i32> {
        self.remains.lock().as_ref().map(|remains| remains.exit_status)
    }

    /// Takes who traced the first thread and is to be told of the end of the process.
    pub(super) fn take_leader_tracer(&self) -> Option<Arc<Process>> {
        self.remains.lock().as_mut().and_then(|remains| remains.tracer.take())
    }

    /// Keeps what is left of the first thread, or forgets it because another takes its place (execve).
    pub(super) fn set_remains(&self, remains: Option<Remains>) {
        let old = core::mem::replace(&mut *self.remains.lock(), remains);
        drop(old);
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

    /// The address space for a look at it under locks, while the process has one.
    pub fn look_at_memory(&self) -> Option<Arc<Body>> {
        self.address_space.lock().as_ref().map(|space| space.body().clone())
    }

    /// What tells the address space apart from all others as long as the process has it.
    #[inline]
    pub fn address_space_id(&self) -> usize {
        self.address_space_id.load(Ordering::Relaxed)
    }

    /// Replaces the address space (execve), or takes it away (exit); returns the old one, to be dropped by the
    /// caller outside of any lock.
    pub(super) fn set_address_space(&self, new: Option<Arc<AddressSpace>>) -> Option<Arc<AddressSpace>> {
        if let Some(space) = &new {
            self.pass_limits(space);
        }
        let mut current = self.address_space.lock();
        self.address_space_id
            .store(new.as_ref().map_or(0, |space| Arc::as_ptr(space).addr()), Ordering::Relaxed);
        core::mem::replace(&mut current, new)
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

    /// Runs `f` on the resource limits.
    pub fn with_limits<R>(&self, f: impl FnOnce(&mut Limits) -> R) -> R {
        let result = f(&mut self.limits.lock());
        if let Some(space) = self.try_address_space() {
            self.pass_limits(&space);
        }
        result
    }

    /// Tells an address space of the process the limits that concern it.
    pub(super) fn pass_limits(&self, space: &AddressSpace) {
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
        // Under one lock with what a thread leaves behind, so that none counts twice or not at all.
        let threads = self.threads.lock();
        let mut total = self.finished.lock().0;
        for thread in threads.iter() {
            total.add(&Times::of(thread));
        }
        total
    }

    /// As [`Self::times`], with the largest resident set so far. Looks into the address space, so it may sleep.
    pub fn usage(&self) -> Times {
        let mut total = self.times();
        if let Some(space) = self.try_address_space() {
            total.max_rss_kib = total.max_rss_kib.max(peak_kib(&space));
        }
        total
    }

    /// Keeps the largest resident set of an address space that the process leaves (execve, exit).
    pub(super) fn note_peak_of(&self, space: &AddressSpace) {
        // Before the account is locked: looking into an address space may sleep.
        let peak_kib = peak_kib(space);
        let account = &mut self.finished.lock().0;
        account.max_rss_kib = account.max_rss_kib.max(peak_kib);
    }

    /// CPU time of the children that were waited for.
    pub fn children_times(&self) -> Times {
        self.finished.lock().1
    }

    /// Adds a thread.
    ///
    /// # Errors
    /// `EAGAIN`: the process is ending. `ENOMEM`.
    pub(super) fn add_thread(&self, thread: Arc<Thread>) -> Result<(), Errno> {
        let signals = self.signals.lock();
        if signals.group_exit.is_some() {
            return Err(Errno::EAGAIN);
        }
        let mut threads = self.threads.lock();
        fallible::push(&mut threads, thread)?;
        self.live_threads.store(threads.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes a thread that ends out, unless it is the last; answers whether it is.
    pub(super) fn remove_thread_but_last(&self, thread: &Thread) -> bool {
        let removed = {
            let mut threads = self.threads.lock();
            if threads.len() == 1 {
                return true;
            }
            self.take_out(&mut threads, thread)
        };
        drop(removed);
        false
    }

    /// Takes the last thread out.
    pub(super) fn remove_last_thread(&self, thread: &Thread) {
        let removed = self.take_out(&mut self.threads.lock(), thread);
        drop(removed);
    }

    /// Takes a thread out of the list and adds what it used to the account of those that have ended.
    fn take_out(&self, threads: &mut Vec<Arc<Thread>>, thread: &Thread) -> Option<Arc<Thread>> {
        let index = threads.iter().position(|other| core::ptr::eq(Arc::as_ptr(other), thread))?;
        self.finished.lock().0.add(&Times::of(thread));
        let removed = threads.remove(index);
        self.live_threads.store(threads.len(), Ordering::Release);
        Some(removed)
    }
}
