//! The user half of a thread: what a task that runs a program has beyond its kernel half.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SS_DISABLE, SigSet, Signal, StackT};

use super::Process;
use super::credentials::Credentials;
use super::ptrace::TracedHalf;
use super::rseq::RestartableSequences;
use super::seccomp::Confinement;
use super::signal::PendingSignals;
use super::watch::Watchers;
use crate::fs::vfs::{FileTable, FsContext, OpenFile};
use crate::lock_order;
use crate::memory::policy::Policy;
use crate::syscall::Restart;

/// Signal state of one thread.
#[derive(Default)]
pub struct ThreadSignals {
    /// Signals the thread does not take now. Never SIGKILL or SIGSTOP.
    pub blocked: SigSet,
    /// Signals the thread sleeps for (rt_sigtimedwait(2)): they are not in `blocked` meanwhile.
    pub awaited: SigSet,
    /// The mask to return to when a call with a temporary mask (sigsuspend, ppoll, pselect) is over.
    pub saved_blocked: Option<SigSet>,
    /// Signals sent to this thread alone.
    pub pending: PendingSignals,
    /// The alternate stack (sigaltstack(2)).
    pub alternate_stack: StackT,
}

/// What a thread does about a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stance {
    /// Lets it wait.
    Blocks,
    /// Sleeps until it comes.
    Awaits,
    /// Does what the process says.
    Open,
}

impl ThreadSignals {
    pub(super) fn stance_on(&self, signal: Signal) -> Stance {
        if self.blocked.contains(signal) {
            Stance::Blocks
        } else if self.awaited.contains(signal) {
            Stance::Awaits
        } else {
            Stance::Open
        }
    }
}

/// The user half of a thread.
pub struct UserThread {
    /// The process it belongs to.
    pub process: Arc<Process>,
    /// Mask, pending signals, alternate stack.
    pub signals: SpinLock<ThreadSignals>,
    /// Where to store 0 and wake a futex when the thread ends (set_tid_address(2)); 0 for nowhere.
    pub clear_child_tid: AtomicUsize,
    /// Head of the robust futex list (set_robust_list(2)); 0 for none.
    pub robust_list: AtomicUsize,
    /// The priority of what it reads and writes (ioprio_set(2)); kept, without effect.
    pub io_priority: AtomicU16,
    /// Where its memory is to be (set_mempolicy(2)); none is the default.
    pub memory_policy: SpinLock<Option<Policy>>,
    /// Restartable sequences.
    pub rseq: RestartableSequences,
    /// Absolute deadline in nanoseconds of a timed call that was interrupted and is being made again; 0 for none.
    pub restart_deadline: AtomicU64,
    /// How the call that a signal has just interrupted behaves, where the table's answer does not do.
    restart_rule: SpinLock<Option<Restart>>,
    /// Why the last page fault of the thread could not be resolved, as a `FaultError`.
    pub(super) last_fault: AtomicU8,
    /// Wait status of the thread if it ends by itself (exit(2)).
    pub(super) exit_status: AtomicI32,
    /// Its tracer, and where it stands for it.
    pub traced: TracedHalf,
    /// Who looks at its calls; changed by [`watch`](super::watch) alone.
    pub(super) watchers: SpinLock<Watchers>,
    /// Which calls it may make.
    pub(super) confinement: SpinLock<Confinement>,
    files: SpinLock<Arc<FileTable>>,
    fs: SpinLock<Arc<FsContext>>,
    credentials: SpinLock<Arc<Credentials>>,
}

impl UserThread {
    /// Makes the user half of a thread of `process` with an empty signal mask.
    pub fn new(
        process: Arc<Process>,
        files: Arc<FileTable>,
        fs: Arc<FsContext>,
        credentials: Arc<Credentials>,
        blocked: SigSet,
    ) -> Self {
        let signals = ThreadSignals {
            blocked,
            alternate_stack: StackT { ss_flags: SS_DISABLE, ..StackT::default() },
            ..ThreadSignals::default()
        };
        Self {
            process,
            signals: SpinLock::new(lock_order::THREAD_SIGNALS, signals),
            clear_child_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            io_priority: AtomicU16::new(0),
            memory_policy: SpinLock::new(lock_order::THREAD_LINKS, None),
            rseq: RestartableSequences::new(),
            restart_deadline: AtomicU64::new(0),
            restart_rule: SpinLock::new(lock_order::THREAD_LINKS, None),
            last_fault: AtomicU8::new(0),
            exit_status: AtomicI32::new(0),
            traced: TracedHalf::new(),
            watchers: SpinLock::new(lock_order::THREAD_LINKS, Watchers::empty()),
            confinement: SpinLock::new(lock_order::THREAD_LINKS, Confinement::default()),
            files: SpinLock::new(lock_order::THREAD_LINKS, files),
            fs: SpinLock::new(lock_order::THREAD_LINKS, fs),
            credentials: SpinLock::new(lock_order::THREAD_LINKS, credentials),
        }
    }

    /// The descriptor table.
    pub fn files(&self) -> Arc<FileTable> {
        self.files.lock().clone()
    }

    /// The open file behind a descriptor; see [`FileTable::get`].
    ///
    /// # Errors
    /// `EBADF`.
    #[inline]
    pub fn open_file(&self, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        self.files.lock().get(fd)
    }

    /// Replaces the descriptor table (unshare, exec of a shared one, exit).
    pub fn set_files(&self, files: Arc<FileTable>) -> Arc<FileTable> {
        core::mem::replace(&mut self.files.lock(), files)
    }

    /// Root, working directory, umask.
    pub fn fs(&self) -> Arc<FsContext> {
        self.fs.lock().clone()
    }

    /// Replaces root, working directory and umask.
    pub fn set_fs(&self, fs: Arc<FsContext>) -> Arc<FsContext> {
        core::mem::replace(&mut self.fs.lock(), fs)
    }

    /// Who the thread is.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// How its calls are confined.
    pub fn confinement(&self) -> Confinement {
        self.confinement.lock().clone()
    }

    /// Replaces who the thread is. Where that gives it rights its user has not, or takes such away, others of that user
    /// must not look into the process any more (`PR_SET_DUMPABLE`), and its parent's end does not matter to it.
    pub fn set_credentials(&self, credentials: Credentials) {
        let credentials = Arc::new(credentials);
        let old = core::mem::replace(&mut *self.credentials.lock(), credentials.clone());
        if credentials.acts_differently(&old) {
            self.process.is_dumpable.store(false, Ordering::Relaxed);
            self.process.parent_death_signal.store(0, Ordering::Relaxed);
        }
        drop(old);
    }

    /// Signals pending for the thread or its process.
    pub fn pending_signals(&self) -> SigSet {
        let shared = self.process.signals.lock();
        let own = self.signals.lock();
        shared.pending.set().union(own.pending.set())
    }

    /// Takes the next pending signal of `wanted`, blocked or not, of the thread or else of its process. What the thread
    /// has to look at may be less then: see [`recompute_work`](super::signal::delivery::recompute_work).
    pub fn take_signal(&self, wanted: SigSet) -> Option<(Signal, SigInfo)> {
        let mut shared = self.process.signals.lock();
        let mut own = self.signals.lock();
        let others = SigSet(!wanted.0);
        let found = own.pending.take(others).or_else(|| shared.pending.take(others))?;
        self.process.timers.posix.note_taken(&found.1);
        Some(found)
    }

    /// Signals the thread does not take now.
    pub fn blocked(&self) -> SigSet {
        self.signals.lock().blocked
    }

    /// Says how the call behaves that is about to answer that a signal interrupted it.
    pub fn set_restart(&self, rule: Restart) {
        *self.restart_rule.lock() = Some(rule);
    }

    /// Lets the call that a signal has just ended not be made again, whatever handler runs.
    pub fn forbid_restart(&self) {
        self.set_restart(Restart::Never);
    }

    /// Takes what [`Self::set_restart`] said.
    pub(super) fn take_restart(&self) -> Option<Restart> {
        self.restart_rule.lock().take()
    }

    /// Takes the deadline left by an interrupted timed call that is now being made again, or computes a new one.
    pub fn deadline_or(&self, fresh: impl FnOnce() -> u64) -> u64 {
        match self.restart_deadline.swap(0, Ordering::Relaxed) {
            0 => fresh(),
            kept => kept,
        }
    }
}
