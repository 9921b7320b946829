//! Execution contexts and the switch between them. Which one runs next is the kernel's decision.
//!
//! Invariants:
//! 1. A task's context, stack and address space belong to whoever set `on_cpu`, by compare-exchange: a CPU runs it, or
//!    a caller changes it. So no stack ever runs on two CPUs, whatever the scheduler does.
//! 2. A CPU owns one reference of the thread it runs, and with it the task. It lets go only after the switch is
//!    complete.
//! 3. The kernel is not preempted: the current thread changes only inside [`switch_to`].
//! 4. A thread dies by never being switched to again. Its stack is freed with the task; what lies on it is leaked.

mod owner;
mod regs;

pub use regs::{SyscallFrame, UserRegs};
#[cfg(target_os = "none")]
pub(crate) use regs::{USER_CS, USER_SS};

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::TypeId;
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::Deref;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::addr::PhysAddr;
use crate::arch;
use crate::error::Error;
use crate::paging::{self, SpaceRef};
use crate::upcall::bound;
use crate::user::Fault;
use owner::Owned;

bitflags::bitflags! {
    /// What a thread has to do before it returns to user mode. The kernel raises and lowers flags; this crate only looks
    /// whether there are any.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Work: u32 {
        /// Another thread should run.
        const RESCHEDULE = 1 << 0;
        /// A signal may be pending.
        const SIGNAL = 1 << 1;
        /// The system call needs all registers.
        const FULL_FRAME = 1 << 2;
        /// The thread is to end.
        const EXIT = 1 << 3;
        /// The thread is to stop (job control, ptrace).
        const STOP = 1 << 4;
        /// Deferred work of the kernel itself.
        const DEFERRED = 1 << 5;
        /// The thread has lost the CPU, and wants to know (rseq).
        const RSEQ = 1 << 6;
        /// Somebody looks at the thread's system calls. No work by itself: it stays, and keeps the thread from the short
        /// way back to user mode.
        const WATCHED = 1 << 7;
    }
}

/// What a task runs first.
type Entry = Box<dyn FnOnce() -> Leave + Send>;

/// How a task goes on after its first function, when nothing of that function is left on the stack or in the heap.
#[derive(Debug)]
pub enum Leave {
    /// It enters user mode with these registers.
    User(UserRegs),
    /// It ends in this function, which switches away for ever.
    End(fn() -> !),
}

/// A kernel stack, a saved register context, and what the machine keeps for a thread.
#[repr(C)]
pub struct Task {
    /// Bits of [`Work`]. First: entry assembly reads it at offset 0.
    work: AtomicU32,
    /// Invariant 1.
    on_cpu: Owned,
    /// The `Arc` of the thread while a CPU runs it, null otherwise.
    thread: AtomicPtr<()>,
    context: arch::task::Context,
    space: UnsafeCell<Option<SpaceRef>>,
    entry: UnsafeCell<Option<Entry>>,
}

const _: () = assert!(core::mem::offset_of!(Task, work) == 0);

// SAFETY: `space` and `entry` are accessed under `on_cpu` alone (invariant 1); so is what the context has inside.
unsafe impl Sync for Task {}
// SAFETY: a task that no CPU runs has no tie to a CPU.
unsafe impl Send for Task {}

/// The kernel's thread: owns a [`Task`].
pub trait HasTask: Send + Sync + 'static {
    /// Returns the thread's task.
    fn task(&self) -> &Task;
}

impl Task {
    /// Makes a task that will run `entry` on a stack of at least `stack_bytes`, guarded against overflow, interrupts on.
    /// `entry` must not return: the thread ends by switching away.
    ///
    /// What `entry` owns is leaked; see [`with_leave`](Self::with_leave).
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(stack_bytes: usize, entry: Box<dyn FnOnce() + Send>) -> Result<Task, Error> {
        Self::with_leave(
            stack_bytes,
            Box::new(move || {
                entry();
                panic!("a thread's function returned")
            }),
        )
    }

    /// Makes a task that will run `entry` as [`new`](Self::new) says, and then goes on as `entry` answers.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn with_leave(stack_bytes: usize, entry: Box<dyn FnOnce() -> Leave + Send>) -> Result<Task, Error> {
        Ok(Task::from_context(arch::task::Context::new(stack_bytes)?, Some(entry)))
    }

    fn from_context(context: arch::task::Context, entry: Option<Entry>) -> Task {
        Task {
            work: AtomicU32::new(0),
            on_cpu: Owned::new(),
            thread: AtomicPtr::new(core::ptr::null_mut()),
            context,
            space: UnsafeCell::new(None),
            entry: UnsafeCell::new(entry),
        }
    }

    /// Gives the task another address space; at once, if it is the current one. `None`: it runs in whatever space is
    /// loaded and touches no user memory. Waits until no other CPU runs the task.
    pub fn set_space(&self, space: Option<SpaceRef>) {
        crate::irq::disabled(|| {
            let old = if self.is_current() {
                if let Some(space) = &space {
                    paging::activate(space);
                }
                // SAFETY: this CPU runs the task, hence owns the field, and only this function changes it.
                unsafe { self.space.get().replace(space) }
            } else {
                self.acquire();
                // SAFETY: just acquired.
                let old = unsafe { self.space.get().replace(space) };
                self.on_cpu.release();
                old
            };
            drop(old);
        });
    }

    /// Adds flags. If the task runs on another CPU in user mode, it sees them at its next entry into the kernel; use
    /// [`send_reschedule`](crate::cpu::send_reschedule) to make that now.
    #[inline]
    pub fn raise(&self, work: Work) {
        self.work.fetch_or(work.bits(), Ordering::AcqRel);
    }

    /// Removes flags.
    #[inline]
    pub fn lower(&self, work: Work) {
        self.work.fetch_and(!work.bits(), Ordering::AcqRel);
    }

    /// Returns the flags.
    #[inline]
    pub fn work(&self) -> Work {
        Work::from_bits_truncate(self.work.load(Ordering::Acquire))
    }

    /// Tells whether some CPU runs the task at the moment.
    pub fn is_on_cpu(&self) -> bool {
        self.on_cpu.is_held()
    }

    /// Returns the base of the user's FS segment.
    pub fn fs_base(&self) -> usize {
        self.context.fs_base(self.is_current())
    }

    /// Sets the base of the user's FS segment, below [`USER_END`](crate::USER_END); for a task that is not running, or
    /// for the current one.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn set_fs_base(&self, base: usize) -> Result<(), Error> {
        check_base(base)?;
        self.context.set_fs_base(base, self.is_current());
        Ok(())
    }

    /// Returns the base of the user's GS segment.
    pub fn gs_base(&self) -> usize {
        self.context.gs_base(self.is_current())
    }

    /// Sets the base of the user's GS segment; as [`set_fs_base`](Self::set_fs_base).
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn set_gs_base(&self, base: usize) -> Result<(), Error> {
        check_base(base)?;
        self.context.set_gs_base(base, self.is_current());
        Ok(())
    }

    /// Gives this task, which has not run yet, the current task's floating-point state.
    pub fn copy_fpu_from_current(&self) {
        let current = current_task();
        crate::irq::disabled(|| {
            self.acquire();
            self.context.copy_fpu_from(&current.context);
            self.on_cpu.release();
        });
    }

    pub(crate) fn context(&self) -> &arch::task::Context {
        &self.context
    }

    fn is_current(&self) -> bool {
        core::ptr::eq(arch::task::current_task(), self)
    }

    /// Sets `on_cpu`, waiting for whoever has it. Interrupts off.
    fn acquire(&self) {
        self.on_cpu.acquire(arch::cpu::relax_irq_off);
    }
}

fn check_base(base: usize) -> Result<(), Error> {
    if base < crate::USER_END { Ok(()) } else { Err(Error::OutOfRange) }
}

impl Drop for Task {
    fn drop(&mut self) {
        assert!(!self.on_cpu.is_held(), "a running task is dropped");
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("work", &self.work())
            .field("on_cpu", &self.is_on_cpu())
            .finish_non_exhaustive()
    }
}

/// Gives the current task a fresh floating-point state, as after exec.
pub fn reset_fpu_current() {
    current_task().context.reset_fpu();
}

/// Returns the size in bytes of the floating-point part of a signal frame; it is aligned to 64.
pub fn fpu_frame_size() -> usize {
    arch::task::fpu_frame_size()
}

/// Stores the current task's floating-point state at a user address in the layout of Linux's signal frames.
///
/// # Errors
/// As [`copy_out`](crate::user::copy_out).
pub fn save_fpu_to_user(addr: usize) -> Result<(), Fault> {
    current_task().context.save_fpu_to_user(addr)
}

/// Loads the current task's floating-point state from a user address; anything invalid in it is refused or masked.
///
/// # Errors
/// - `Fault`: the memory cannot be read. `OutOfRange`: no valid state is there. The task has the initial state then.
pub fn restore_fpu_from_user(addr: usize) -> Result<(), Error> {
    current_task().context.restore_fpu_from_user(addr)
}

/// A thread's `Arc` without its type, on the way to being dropped.
#[derive(Debug)]
#[repr(transparent)]
pub struct RawThread(*const ());

impl RawThread {
    /// Drops the reference; `T` is the type that [`entry!`](crate::entry) was given.
    #[doc(hidden)]
    pub fn release<T: HasTask>(self) {
        check_type::<T>();
        // SAFETY: made from `Arc::into_raw` of the bound thread type, which `T` is, and consumed here.
        drop(unsafe { Arc::from_raw(self.0.cast::<T>()) });
    }
}

/// Stops whoever uses a type that is not the bound kernel's thread. Folds to nothing once linked.
#[inline(always)]
fn check_type<T: HasTask>() {
    assert!(TypeId::of::<T>() == bound::THREAD_TYPE, "not the kernel's thread type");
}

/// The thread that runs this code.
///
/// It cannot leave the thread (`!Send`), and the thread cannot end while its own code runs, so no reference is counted.
pub struct Current<T: HasTask> {
    thread: *const T,
}

impl<T: HasTask> Current<T> {
    /// Returns a counted reference.
    #[inline]
    pub fn arc(&self) -> Arc<T> {
        // SAFETY: the pointer came from `Arc::into_raw`, and the CPU holds that count as long as the thread runs.
        unsafe { Arc::increment_strong_count(self.thread) };
        // SAFETY: the count just added.
        unsafe { Arc::from_raw(self.thread) }
    }
}

impl<T: HasTask> Deref for Current<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the CPU that runs this code owns a reference of its thread, which is this one.
        unsafe { &*self.thread }
    }
}

impl<T: HasTask + fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Returns the thread that runs this code.
///
/// # Panics
/// Before [`adopt_boot`] on this CPU, or if `T` is not the kernel's thread type.
#[inline(always)]
#[track_caller]
pub fn current<T: HasTask>() -> Current<T> {
    check_type::<T>();
    let thread = arch::task::current_thread().cast::<T>();
    assert!(!thread.is_null(), "no current thread yet");
    Current { thread }
}

/// Returns the thread that runs this code; `None` before [`adopt_boot`] on this CPU.
#[inline]
pub fn try_current<T: HasTask>() -> Option<Current<T>> {
    check_type::<T>();
    let thread = arch::task::current_thread().cast::<T>();
    (!thread.is_null()).then_some(Current { thread })
}

fn current_task() -> &'static Task {
    let task = arch::task::current_task();
    assert!(!task.is_null(), "no current thread yet");
    // SAFETY: the CPU owns a reference of the current thread, hence its task, as long as this code runs; callers do not
    // keep the result.
    unsafe { &*task }
}

/// Tells whether the current task uses the address space with this root. To be called with interrupts off.
pub(crate) fn current_uses(root: PhysAddr) -> bool {
    let task = arch::task::current_task();
    if task.is_null() {
        return false;
    }
    // SAFETY: the CPU owns a reference of the task that it runs.
    let space = unsafe { (*task).space.get() };
    // SAFETY: this CPU runs the task, hence owns the field; with interrupts off nobody changes it meanwhile.
    unsafe { &*space }.as_ref().is_some_and(|space| space.root() == root)
}

/// Makes what this CPU has been running since boot into a thread; usually the CPU's idle thread.
///
/// # Panics
/// If the CPU has a current thread, or the thread's task is not the one passed to `make`.
pub fn adopt_boot<T: HasTask>(make: impl FnOnce(Task) -> Arc<T>) {
    check_type::<T>();
    assert!(arch::task::current_thread().is_null(), "the CPU has a current thread");
    let thread = make(Task::from_context(arch::task::Context::adopt(), None));
    let task = thread.task();
    assert!(task.context.is_adopted(), "not the adopted task");
    assert!(task.on_cpu.try_acquire(), "the adopted task is running");
    let task: *const Task = task;
    let raw = Arc::into_raw(thread).cast::<()>();
    // SAFETY: the count of `raw` keeps the task alive; it is the CPU's from here on (invariant 2).
    unsafe { (*task).thread.store(raw.cast_mut(), Ordering::Relaxed) };
    // SAFETY: as above; the task is acquired.
    unsafe { arch::task::set_current(raw, task) };
}

/// Runs another thread on this CPU; returns when this one is switched to again, perhaps on another CPU. Waits until the
/// next thread's last CPU has let go of it. Does nothing if it is the current one. May be called with interrupts on or
/// off; the state is the same afterwards.
#[track_caller]
pub fn switch_to<T: HasTask>(next: Arc<T>) {
    check_type::<T>();
    // Else a thread could lose its CPU between any two instructions; `CpuLocal` relies on this.
    assert!(!arch::irq::in_interrupt(), "a handler does not switch threads");
    let was_enabled = arch::irq::disable();
    let prev = arch::task::current_task();
    assert!(!prev.is_null(), "no current thread yet");
    if core::ptr::eq(arch::task::current_thread().cast(), Arc::as_ptr(&next)) {
        arch::irq::restore(was_enabled);
        return;
    }
    let task = next.task();
    task.acquire();
    // SAFETY: just acquired.
    if let Some(space) = unsafe { &*task.space.get() } {
        paging::activate(space);
    }
    let task: *const Task = task;
    let raw = Arc::into_raw(next).cast::<()>();
    // SAFETY: the count of `raw` keeps the task alive; it is the CPU's from here on (invariant 2).
    let next = unsafe { &*task };
    next.thread.store(raw.cast_mut(), Ordering::Relaxed);
    // SAFETY: as above; the task is acquired.
    unsafe { arch::task::set_current(raw, task) };
    // SAFETY: the CPU owns the thread of the task that it runs, and keeps it until `finish_switch` on the other side.
    let prev = unsafe { &*prev };
    // SAFETY: this CPU runs `prev` and has acquired `next`; neither goes before `finish_switch`. Interrupts are off.
    let left = unsafe { arch::task::switch(&prev.context, &next.context, prev) };
    // SAFETY: `left` is what the switch that brought us back left.
    let thread = unsafe { finish_switch(left) };
    arch::irq::restore(was_enabled);
    bound::release_thread(thread);
}

/// Lets go of the task that this CPU has left; returns its thread to be released.
///
/// # Safety
/// `left` is the task that the switch to the current one has left, still acquired, and this is called once for it.
unsafe fn finish_switch(left: *const Task) -> RawThread {
    // SAFETY: the CPU still owns the thread's reference, and with it the task.
    let task = unsafe { &*left };
    let thread = RawThread(task.thread.swap(core::ptr::null_mut(), Ordering::Relaxed));
    // The saved context is complete. From here on another CPU may run the
    // task; the thread's reference keeps its memory.
    task.on_cpu.release();
    thread
}

/// Where a new task starts: on its own stack, interrupts off. For the back-ends.
///
/// # Safety
/// `left` as for `finish_switch`; the current task has not run before.
pub(crate) unsafe extern "C-unwind" fn start(left: *const Task) -> ! {
    // SAFETY: the caller's duty.
    let thread = unsafe { finish_switch(left) };
    // SAFETY: this CPU runs the task, hence owns the field.
    let entry = unsafe { (*current_task().entry.get()).take() };
    arch::irq::restore(true);
    bound::release_thread(thread);
    let leave = match entry {
        Some(entry) => entry(),
        None => unreachable!("a task without an entry has been running since boot"),
    };
    match leave {
        Leave::User(regs) => enter_user(&regs),
        Leave::End(end) => end(),
    }
}

/// Leaves the kernel for user mode with these registers; whatever is on the kernel stack is abandoned. Pending work is
/// done first. Values that user mode must not have (segments, flags, addresses beyond user space) are corrected.
pub fn enter_user(regs: &UserRegs) -> ! {
    let mut regs = *regs;
    regs.sanitise();
    arch::task::enter_user(&regs)
}
