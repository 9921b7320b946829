//! A task's stack and saved registers, the switch, and the way to user mode.

use core::arch::asm;
use core::cell::Cell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, Ordering};

use super::asm::{self, address};
use super::features::{self, Features};
use super::fpu::{self, FpuState};
use super::stack::Stack;
use super::{area, registers};
use crate::error::Error;
use crate::task::{self, SyscallFrame, Task, UserRegs, Work};
use crate::upcall::bound;
use crate::user::Fault;

/// Words that `hal_switch` pops, and its return address.
const SWITCH_WORDS: usize = 7;
/// From the frame top down to where the SYSCALL entry starts.
const ENTRY_BELOW: usize = 128;
/// From the frame top down to where a task's own frames may begin: below the registers of user mode.
const FRAME_BELOW: usize = 176;

const _: () = assert!(ENTRY_BELOW + 40 == size_of::<UserRegs>() && FRAME_BELOW >= size_of::<UserRegs>());
const _: () = assert!(offset_of!(UserRegs, r9) == 48);

/// The stack and registers of a task that does not run.
#[derive(Debug)]
pub(crate) struct Context {
    rsp: Cell<usize>,
    /// End of the stack proper; the floating-point area follows.
    frame_top: usize,
    /// `None`: the stack that the CPU has had since boot.
    stack: Option<Stack>,
    /// The task has been to user mode, or is about to: it has segment bases and floating-point state.
    is_user: Cell<bool>,
    fs_base: Cell<usize>,
    gs_base: Cell<usize>,
    pub(super) fpu: FpuState,
}

fn frame_top(stack_end: usize) -> usize {
    stack_end - fpu::reserved()
}

impl Context {
    pub(crate) fn new(stack_bytes: usize) -> Result<Context, Error> {
        let stack = Stack::new(stack_bytes)?;
        let frame_top = frame_top(stack.end());
        // The return address of `hal_switch` lies so that the stack is aligned behind it.
        let rsp = frame_top - FRAME_BELOW - 8 * (SWITCH_WORDS);
        let mut words = [0; SWITCH_WORDS];
        words[SWITCH_WORDS - 1] = address(&asm::hal_task_entry);
        // SAFETY: inside the new stack, which nobody uses yet.
        unsafe { core::ptr::with_exposed_provenance_mut::<[usize; SWITCH_WORDS]>(rsp).write(words) };
        let context = Self::with(rsp, frame_top, Some(stack));
        // SAFETY: the area at the end of the new stack.
        unsafe { fpu::prepare(context.fpu_area()) };
        Ok(context)
    }

    /// Makes the context of the code that this CPU has been running since boot.
    pub(crate) fn adopt() -> Context {
        let end = area::this().boot_stack_top.load(Ordering::Relaxed);
        let context = Self::with(0, frame_top(end), None);
        // SAFETY: the area at the end of the CPU's first stack, which has none but this context.
        unsafe { fpu::prepare(context.fpu_area()) };
        context
    }

    fn with(rsp: usize, frame_top: usize, stack: Option<Stack>) -> Context {
        Context {
            rsp: Cell::new(rsp),
            frame_top,
            stack,
            is_user: Cell::new(false),
            fs_base: Cell::new(0),
            gs_base: Cell::new(0),
            fpu: FpuState::new(),
        }
    }

    pub(crate) fn is_adopted(&self) -> bool {
        self.stack.is_none()
    }

    /// Returns the task's floating-point area.
    #[inline(always)]
    pub(super) fn fpu_area(&self) -> *mut u8 {
        core::ptr::with_exposed_provenance_mut(self.frame_top)
    }

    pub(crate) fn fs_base(&self, is_current: bool) -> usize {
        if is_current && self.is_user.get() && features::get().fsgsbase {
            self.fs_base.set(read_fs());
        }
        self.fs_base.get()
    }

    pub(crate) fn set_fs_base(&self, base: usize, is_current: bool) {
        self.fs_base.set(base);
        if is_current && self.is_user.get() {
            write_fs(features::get(), base);
        }
    }

    pub(crate) fn gs_base(&self, is_current: bool) -> usize {
        if is_current && self.is_user.get() && features::get().fsgsbase {
            self.gs_base.set(crate::irq::disabled(read_gs));
        }
        self.gs_base.get()
    }

    pub(crate) fn set_gs_base(&self, base: usize, is_current: bool) {
        self.gs_base.set(base);
        if is_current && self.is_user.get() {
            crate::irq::disabled(|| write_gs(features::get(), base));
        }
    }

    pub(crate) fn copy_fpu_from(&self, current: &Context) {
        fpu::copy(self, current);
    }

    pub(crate) fn reset_fpu(&self) {
        crate::irq::disabled(|| {
            fpu::reset(self);
            self.load_fpu();
        });
    }

    pub(crate) fn save_fpu_to_user(&self, addr: usize) -> Result<(), Fault> {
        fpu::save_to_user(self, addr)
    }

    pub(crate) fn restore_fpu_from_user(&self, addr: usize) -> Result<(), Error> {
        let outcome = fpu::restore_from_user(self, addr);
        crate::irq::disabled(|| self.load_fpu());
        outcome
    }

    /// Loads the current task's floating-point state, unless it has none yet. Interrupts off.
    fn load_fpu(&self) {
        if self.is_user.get() {
            fpu::load_current(self);
        }
    }

    /// Makes this stack the one of entries from user mode.
    #[inline]
    fn set_entry_stack(&self) {
        let area = area::this();
        area.entry_rsp.store(self.frame_top - ENTRY_BELOW, Ordering::Relaxed);
        area.tss.set_rsp0(self.frame_top);
    }

    /// Puts the task's segment bases and floating-point state into the CPU. Interrupts off.
    #[inline]
    fn enter(&self, features: &Features) {
        write_fs(features, self.fs_base.get());
        write_gs(features, self.gs_base.get());
        fpu::load_current(self);
    }

    /// Takes what user mode may have changed out of the CPU. Interrupts off.
    #[inline]
    fn leave(&self, features: &Features) {
        if features.fsgsbase {
            self.fs_base.set(read_fs());
            self.gs_base.set(read_gs());
        }
        fpu::switch_out(self);
    }
}

/// Returns the work word of a task.
///
/// # Safety
/// The task lives as long as the result is used.
unsafe fn work_of<'a>(task: *const Task) -> &'a AtomicU32 {
    // SAFETY: the caller's duty; the word is the task's first.
    unsafe { &*task.cast::<AtomicU32>() }
}

#[inline]
fn read_fs() -> usize {
    let base;
    // SAFETY: CR4.FSGSBASE is on: every caller asks the features first.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

#[inline]
fn write_fs(features: &Features, base: usize) {
    if features.fsgsbase {
        // SAFETY: CR4.FSGSBASE is on; the kernel does not use FS. The value is canonical: `set_fs_base` checks it, and
        // WRFSBASE in user mode does.
        unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
    } else {
        // SAFETY: as above.
        unsafe { registers::write_msr(registers::FS_BASE, base as u64) };
    }
}

/// Reads the user's GS base. Interrupts off.
#[inline]
fn read_gs() -> usize {
    let base;
    // SAFETY: CR4.FSGSBASE is on. Between the two SWAPGS nothing uses GS; an NMI sets its own (hazard 2).
    unsafe {
        asm!("swapgs", "rdgsbase {}", "swapgs", out(reg) base, options(nomem, nostack, preserves_flags))
    };
    base
}

/// Writes the user's GS base. Interrupts off.
#[inline]
fn write_gs(features: &Features, base: usize) {
    if features.fsgsbase {
        // SAFETY: as in `read_gs`; the value is canonical as in `write_fs`.
        unsafe {
            asm!("swapgs", "wrgsbase {}", "swapgs", in(reg) base, options(nomem, nostack, preserves_flags))
        };
    } else {
        // SAFETY: as above.
        unsafe { registers::write_msr(registers::KERNEL_GS_BASE, base as u64) };
    }
}

pub(crate) fn fpu_frame_size() -> usize {
    fpu::frame_size()
}

#[inline(always)]
pub(crate) fn current_thread() -> *const () {
    area::thread()
}

#[inline(always)]
pub(crate) fn current_task() -> *const Task {
    area::task()
}

/// Names the thread and task that this CPU runs from here on.
///
/// # Safety
/// Both live until another one is named, and the next thing is a [`switch`] to the task, if it is not running already.
#[inline]
pub(crate) unsafe fn set_current(thread: *const (), task: *const Task) {
    let area = area::this();
    area.thread.store(thread.cast_mut(), Ordering::Relaxed);
    area.task.store(task.cast_mut(), Ordering::Relaxed);
}

/// Switches from one context to another; returns, when this one is switched to again, the task that was left then.
///
/// # Safety
/// This CPU runs `prev` and owns `next`, which is the current task's; interrupts are off.
#[inline]
pub(crate) unsafe fn switch(prev: &Context, next: &Context, left: *const Task) -> *const Task {
    let features = features::get();
    if prev.is_user.get() {
        prev.leave(features);
    }
    next.set_entry_stack();
    if next.is_user.get() {
        next.enter(features);
    }
    // SAFETY: the caller's duty; `next.rsp` was stored by the last switch away, or by `new`.
    unsafe { asm::hal_switch(prev.rsp.as_ptr(), next.rsp.get(), left.cast()) }.cast()
}

/// Where a new task starts: called from `hal_task_entry`.
///
/// # Safety
/// As [`task::start`].
#[unsafe(no_mangle)]
unsafe extern "C" fn hal_task_start(left: *const ()) -> ! {
    // SAFETY: the caller's duty.
    unsafe { task::start(left.cast()) }
}

/// Handles a system call: called from entry.s, interrupts on. The frame's first six words are the stack of this call.
#[unsafe(no_mangle)]
extern "C" fn hal_syscall(frame: &mut SyscallFrame) -> isize {
    bound::syscall(frame)
}

/// Leaves for user mode; the stack is abandoned.
pub(crate) fn enter_user(regs: &UserRegs) -> ! {
    super::irq::disable();
    let task = current_task();
    assert!(!task.is_null(), "no current task yet");
    // SAFETY: the CPU holds its current task.
    let context = unsafe { &*task }.context();
    if !context.is_user.replace(true) {
        context.enter(features::get());
    }
    // SAFETY: the registers are sanitised, the entry stack is the task's, and nothing on it is used again.
    unsafe { asm::hal_enter_user(regs) }
}

/// Does what is to be done before user mode: called from entry.s, with interrupts off, and returns with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn hal_exit_work(regs: &mut UserRegs) {
    let task = current_task();
    // SAFETY: the CPU holds its current task.
    let work = unsafe { work_of(task) };
    loop {
        let flags = work.load(Ordering::Acquire) & !Work::WATCHED.bits();
        if flags == 0 {
            break;
        }
        super::irq::restore(true);
        bound::exit_to_user(regs, Work::from_bits_truncate(flags));
        super::irq::disable();
    }
    regs.sanitise();
}

/// Returns where a CPU's first stack is used from.
pub(super) fn first_rsp(stack_end: usize) -> usize {
    frame_top(stack_end) - FRAME_BELOW
}

/// Makes this CPU's first stack the one of entries from user mode.
pub(super) fn use_boot_stack(stack_end: usize) {
    let area = area::this();
    area.entry_rsp.store(frame_top(stack_end) - ENTRY_BELOW, Ordering::Relaxed);
    area.tss.set_rsp0(frame_top(stack_end));
}

/// Goes on in `next` at the end of another stack, and abandons the current one.
pub(super) fn leave_early_stack(stack_end: usize, next: extern "C" fn() -> !) -> ! {
    use_boot_stack(stack_end);
    // SAFETY: a fresh stack, aligned; `next` never returns, and nothing of the old stack is used again.
    unsafe {
        asm!("mov rsp, {}", "xor ebp, ebp", "call {}", "ud2", in(reg) first_rsp(stack_end), in(reg) next,
            options(noreturn));
    }
}
