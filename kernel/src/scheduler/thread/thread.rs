//! A thread: a kernel stack with what the scheduler, the wait queues and accounting know of it.
//!
//! # Ownership
//! A thread that has been started is kept by the table of thread ids until it ends; a run queue, the CPU it runs on and
//! the wait queue it is in hold further handles. The last handle is dropped by whoever lets go last, after the thread
//! has left its stack for ever; nothing that is dropped with it may block.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize};

use hal::task::{HasTask, Leave, Task, UserRegs, Work};
use linux_abi::errno::Errno;

use super::futex_waiting::{FutexWaiting, LockOwning};
use super::state::State;
use crate::list::{Linked, Links};
use crate::process::UserThread;
use crate::scheduler::core::entity::Entity;
use crate::scheduler::core::policy::Attributes;
use crate::scheduler::core::run_queue::{RunLink, Schedulable};
use crate::scheduler::core::scheduler::SCHEDULER;
use crate::scheduler::core::switch;
use crate::time::timer::Timer;

/// Bytes of the kernel stack of a thread that runs a program.
pub const USER_THREAD_STACK_BYTES: usize = 16 * 1024;

/// What names a thread: the number gettid(2) returns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadId(i32);

impl ThreadId {
    /// Makes an id from its number.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// A thread's name (`comm`): up to 15 bytes, no NUL.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadName {
    bytes: [u8; 15],
    len: u8,
}

impl ThreadName {
    /// Makes a name of what comes before the first NUL, cut off after 15 bytes.
    pub fn new(name: &[u8]) -> Self {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len()).min(15);
        let mut bytes = [0; 15];
        bytes[..end].copy_from_slice(&name[..end]);
        Self { bytes, len: end as u8 }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The name in two words, filled up with NULs.
    pub(crate) fn to_words(self) -> [u64; 2] {
        let mut bytes = [0; 16];
        bytes[..15].copy_from_slice(&self.bytes);
        let all = u128::from_le_bytes(bytes);
        [all as u64, (all >> 64) as u64]
    }

    /// The name of two words.
    pub(crate) fn from_words([low, high]: [u64; 2]) -> Self {
        Self::new(&(u128::from(low) | u128::from(high) << 64).to_le_bytes())
    }
}

impl fmt::Debug for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_bytes().escape_ascii().to_string().as_str(), f)
    }
}

/// The kind of link by which a thread is in a wait queue or a futex bucket.
#[derive(Debug)]
pub struct WaitLink;

/// The kind of link by which a thread waits for its last handle to be dropped.
#[derive(Debug)]
pub(crate) struct GraveLink;

/// The kind of link by which a thread waits for a sleeping lock of `hal`.
#[derive(Debug)]
pub(crate) struct ParkLink;

/// CPU time and counts of one thread.
#[derive(Default, Debug)]
struct Accounting {
    /// Clock samples that found the thread in user mode, and in the kernel.
    user_samples: AtomicU32,
    system_samples: AtomicU32,
    /// User and system time told last, so that neither ever goes back.
    told_user_ns: AtomicU64,
    told_system_ns: AtomicU64,
    voluntary_switches: AtomicU64,
    involuntary_switches: AtomicU64,
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
}

/// A thread.
pub struct Thread {
    /// Its half in `hal`: stack, registers, address space, work flags.
    pub task: Task,
    /// Its user half; `None` for a thread of the kernel's own.
    pub user: Option<UserThread>,
    id: AtomicI32,
    /// [`ThreadName::to_words`]; who looks while it changes sees a mixture.
    name: [AtomicU64; 2],
    entity: Entity,
    pub(super) state: AtomicU32,
    /// Whether the thread runs or is in a run queue, or is on its way there. Under the lock of its CPU's run queue.
    pub(super) is_active: AtomicBool,
    /// The CPU whose run queue the thread belongs to. Changes only while the thread is in none.
    cpu: AtomicUsize,
    is_idle: bool,
    run_links: Links<Thread>,
    wait_links: Links<Thread>,
    park_links: Links<Thread>,
    grave_links: Links<Thread>,
    /// Whether the thread is in the graveyard. Under the graveyard's lock.
    pub(crate) is_buried: AtomicBool,
    /// Whether the thread is in a wait queue. Under the queue's lock.
    pub(super) is_waiting: AtomicBool,
    /// What the thread waits for in a hashed table of waiters.
    pub(crate) park_key: AtomicUsize,
    pub(crate) futex: FutexWaiting,
    pub(crate) locks: LockOwning,
    /// Whether the thread runs restartable sequences ([`Work::RSEQ`]).
    pub(crate) has_sequences: AtomicBool,
    /// An `unblock_thread` that came before its `block_current`.
    pub(crate) may_pass: AtomicBool,
    timer: Timer,
    accounting: Accounting,
}

impl Linked<RunLink> for Thread {
    fn links(&self) -> &Links<Self> {
        &self.run_links
    }
}

impl Linked<WaitLink> for Thread {
    fn links(&self) -> &Links<Self> {
        &self.wait_links
    }
}

impl Linked<ParkLink> for Thread {
    fn links(&self) -> &Links<Self> {
        &self.park_links
    }
}

impl Linked<GraveLink> for Thread {
    fn links(&self) -> &Links<Self> {
        &self.grave_links
    }
}

impl Schedulable for Thread {
    fn entity(&self) -> &Entity {
        &self.entity
    }
}

impl HasTask for Thread {
    fn task(&self) -> &Task {
        &self.task
    }
}

impl Thread {
    fn new(
        id: ThreadId,
        name: ThreadName,
        task: Task,
        user: Option<UserThread>,
        entity: Entity,
        is_idle: bool,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            task,
            user,
            id: AtomicI32::new(id.get()),
            name: name.to_words().map(AtomicU64::new),
            entity,
            state: AtomicU32::new(State::UNINTERRUPTIBLE.bits()),
            is_active: AtomicBool::new(false),
            cpu: AtomicUsize::new(0),
            is_idle,
            run_links: Links::new(),
            wait_links: Links::new(),
            park_links: Links::new(),
            grave_links: Links::new(),
            is_buried: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            park_key: AtomicUsize::new(0),
            futex: FutexWaiting::new(),
            locks: LockOwning::new(),
            has_sequences: AtomicBool::new(false),
            may_pass: AtomicBool::new(false),
            timer: Timer::for_thread(this.clone()),
            accounting: Accounting::default(),
        })
    }

    /// Makes a thread of the kernel's own that will run `entry` on a stack of `stack_bytes`. It does not run before
    /// `SCHEDULER.start`.
    ///
    /// # Errors
    /// `ENOMEM`: no memory for the stack.
    pub fn new_kernel(
        id: ThreadId,
        name: &str,
        entry: impl FnOnce() + Send + 'static,
        stack_bytes: usize,
        attributes: Attributes,
    ) -> Result<Arc<Self>, Errno> {
        let body = move || {
            switch::finish_switch();
            entry();
            Leave::End(switch::exit_current)
        };
        let task = Task::with_leave(stack_bytes, Box::new(body))?;
        let entity = Entity::new(attributes, SCHEDULER.default_affinity());
        Ok(Self::new(id, ThreadName::new(name.as_bytes()), task, None, entity, false))
    }

    /// Makes a thread that enters user mode with `regs`. Name, scheduling attributes and affinity are those of
    /// `parent`. It does not run before `SCHEDULER.start`.
    ///
    /// # Errors
    /// `ENOMEM`: no memory for the kernel stack.
    pub fn new_user(id: i32, parent: &Self, user: UserThread, regs: UserRegs) -> Result<Arc<Self>, Errno> {
        let body = move || {
            switch::finish_switch();
            Leave::User(regs)
        };
        let task = Task::with_leave(USER_THREAD_STACK_BYTES, Box::new(body))?;
        let entity = Entity::new(parent.entity.attributes_for_child(), parent.entity.affinity());
        entity.inherit(&parent.entity);
        Ok(Self::new(ThreadId::new(id), parent.name(), task, Some(user), entity, false))
    }

    /// Makes the idle thread of `cpu` from the context the CPU was started in.
    pub(crate) fn new_idle(cpu: usize, task: Task) -> Arc<Self> {
        let entity = Entity::new(Attributes::DEFAULT, 1 << cpu);
        let thread = Self::new(ThreadId::new(0), ThreadName::new(b"idle"), task, None, entity, true);
        thread.cpu.store(cpu, Relaxed);
        thread.is_active.store(true, Relaxed);
        thread.set_state(State::RUNNABLE);
        thread
    }

    /// Its id.
    pub fn id(&self) -> ThreadId {
        ThreadId(self.id.load(Relaxed))
    }

    /// Its id as the number gettid(2) returns.
    pub fn tid(&self) -> i32 {
        self.id.load(Relaxed)
    }

    /// Changes the id: the thread that runs execve takes over the process's.
    pub fn set_tid(&self, tid: i32) {
        self.id.store(tid, Relaxed);
    }

    /// Its name.
    pub fn name(&self) -> ThreadName {
        ThreadName::from_words([0, 1].map(|index: usize| self.name[index].load(Relaxed)))
    }

    /// Changes its name.
    pub fn set_name(&self, name: &[u8]) {
        for (place, word) in self.name.iter().zip(ThreadName::new(name).to_words()) {
            place.store(word, Relaxed);
        }
    }

    /// Its scheduling state.
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// The CPU it runs on, or ran on last.
    pub fn cpu(&self) -> usize {
        self.cpu.load(Relaxed)
    }

    pub(crate) fn set_cpu(&self, cpu: usize) {
        if self.cpu() != cpu {
            self.cpu.store(cpu, Relaxed);
            self.note_lost_cpu();
        }
    }

    /// Has the thread taken out of the restartable sequence it may be in: somebody else had its CPU meanwhile, or it has
    /// another one. A thread that waits in a system call is in none.
    #[inline]
    pub(crate) fn note_lost_cpu(&self) {
        if self.has_sequences.load(Relaxed) {
            self.task.raise(Work::RSEQ);
        }
    }

    /// Whether it is a CPU's idle thread.
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// The timer that ends its timed sleeps.
    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// CPU time used, the present run included, in nanoseconds.
    pub fn cpu_time_ns(&self) -> u64 {
        self.entity.run_ns_by(hal::time::now_ns)
    }

    /// User and system time in nanoseconds; their sum is exact, their proportion is that of the clock samples.
    pub fn user_and_system_ns(&self) -> (u64, u64) {
        let total = self.cpu_time_ns();
        let accounting = &self.accounting;
        let user = u128::from(accounting.user_samples.load(Relaxed));
        let system = u128::from(accounting.system_samples.load(Relaxed));
        let system_ns = if self.user.is_none() {
            total
        } else if system == 0 {
            0
        } else {
            // At most `total`, so it fits.
            (u128::from(total) * system / (user + system)) as u64
        };
        let told_user = accounting.told_user_ns.load(Relaxed);
        let told_system = accounting.told_system_ns.load(Relaxed);
        let system_ns =
            system_ns.clamp(told_system.min(total), total.saturating_sub(told_user).max(told_system));
        let user_ns = total.saturating_sub(system_ns).max(told_user);
        accounting.told_user_ns.store(user_ns, Relaxed);
        accounting.told_system_ns.store(system_ns, Relaxed);
        (user_ns, system_ns)
    }

    /// Switches away from it because it blocked, and because another thread was due.
    pub fn switches(&self) -> (u64, u64) {
        (self.accounting.voluntary_switches.load(Relaxed), self.accounting.involuntary_switches.load(Relaxed))
    }

    /// Page faults served without I/O, and with.
    pub fn faults(&self) -> (u64, u64) {
        (self.accounting.minor_faults.load(Relaxed), self.accounting.major_faults.load(Relaxed))
    }

    /// Counts a page fault served without I/O. Called by the thread itself.
    pub fn count_minor_fault(&self) {
        increment(&self.accounting.minor_faults);
    }

    /// Counts a page fault that waited for I/O. Called by the thread itself.
    pub fn count_major_fault(&self) {
        increment(&self.accounting.major_faults);
    }

    /// Counts a switch away from the thread. On the CPU that runs it.
    pub(crate) fn count_switch(&self, is_voluntary: bool) {
        increment(if is_voluntary {
            &self.accounting.voluntary_switches
        } else {
            &self.accounting.involuntary_switches
        });
    }

    /// Counts a clock sample. On the CPU that runs it.
    pub(crate) fn count_sample(&self, in_user_mode: bool) {
        let samples =
            if in_user_mode { &self.accounting.user_samples } else { &self.accounting.system_samples };
        samples.store(samples.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.tid())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Adds one without the cost of an atomic addition: only one CPU at a time writes.
fn increment(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_to_fifteen_bytes_and_at_a_nul() {
        assert_eq!(ThreadName::new(b"a-name-that-is-too-long").as_bytes(), b"a-name-that-is-");
        assert_eq!(ThreadName::new(b"sh\0garbage").as_bytes(), b"sh");
        assert_eq!(ThreadName::new(b"").as_bytes(), b"");
        for name in [&b"a-name-that-is-"[..], b"sh", b""] {
            assert_eq!(ThreadName::from_words(ThreadName::new(name).to_words()).as_bytes(), name);
        }
    }
}
