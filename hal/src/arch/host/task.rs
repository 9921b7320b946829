//! Tasks as OS threads that pass a CPU's baton.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::machine::{self, current_cpu, is_owned, lock, machine, set_current_cpu};
use super::program;
use crate::cpu::CpuId;
use crate::error::Error;
use crate::task::{Task, UserRegs};
use crate::user::{self, Fault};

/// Bytes of the simulated floating-point state: the size of an FXSAVE area.
const FPU_BYTES: usize = 512;

/// The right to act for a CPU, on the way to a task's OS thread.
struct Baton {
    cpu: CpuId,
    /// The task that the CPU has left, as an address.
    left: usize,
}

#[derive(Default)]
struct Mailbox {
    baton: Mutex<Option<Baton>>,
    arrived: Condvar,
}

/// A task's OS thread, and registers that a switch would save.
pub(crate) struct Context {
    mailbox: Arc<Mailbox>,
    /// The OS thread exists.
    started: AtomicBool,
    adopted: bool,
    fs_base: AtomicUsize,
    gs_base: AtomicUsize,
    fpu: Mutex<[u8; FPU_BYTES]>,
}

impl Context {
    pub(crate) fn new(_stack_bytes: usize) -> Result<Context, Error> {
        Ok(Self::make(false))
    }

    pub(crate) fn adopt() -> Context {
        Self::make(true)
    }

    fn make(adopted: bool) -> Context {
        Context {
            mailbox: Arc::default(),
            started: AtomicBool::new(adopted),
            adopted,
            fs_base: AtomicUsize::new(0),
            gs_base: AtomicUsize::new(0),
            fpu: Mutex::new([0; FPU_BYTES]),
        }
    }

    pub(crate) fn is_adopted(&self) -> bool {
        self.adopted
    }

    pub(crate) fn fs_base(&self, _is_current: bool) -> usize {
        self.fs_base.load(Ordering::Relaxed)
    }

    pub(crate) fn set_fs_base(&self, base: usize, _is_current: bool) {
        self.fs_base.store(base, Ordering::Relaxed);
    }

    pub(crate) fn gs_base(&self, _is_current: bool) -> usize {
        self.gs_base.load(Ordering::Relaxed)
    }

    pub(crate) fn set_gs_base(&self, base: usize, _is_current: bool) {
        self.gs_base.store(base, Ordering::Relaxed);
    }

    pub(crate) fn copy_fpu_from(&self, current: &Context) {
        let state = *lock(&current.fpu);
        *lock(&self.fpu) = state;
    }

    pub(crate) fn reset_fpu(&self) {
        *lock(&self.fpu) = [0; FPU_BYTES];
    }

    pub(crate) fn save_fpu_to_user(&self, addr: usize) -> Result<(), Fault> {
        let state = *lock(&self.fpu);
        user::copy_out(addr, &state)
    }

    pub(crate) fn restore_fpu_from_user(&self, addr: usize) -> Result<(), Error> {
        let mut state = [0; FPU_BYTES];
        user::copy_in(&mut state, addr)?;
        *lock(&self.fpu) = state;
        Ok(())
    }

    /// Sets the simulated state, as user code would by computing.
    pub(super) fn set_fpu(&self, value: u64) {
        lock(&self.fpu)[..8].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fpu(&self) -> u64 {
        u64::from_le_bytes(lock(&self.fpu)[..8].try_into().unwrap_or_default())
    }
}

pub(crate) fn fpu_frame_size() -> usize {
    FPU_BYTES
}

/// Gives the baton to `next` and waits until it comes back.
///
/// # Safety
/// As for the PC: the calling thread runs `prev`, `next` is acquired, both outlive the switch; interrupts are off.
pub(crate) unsafe fn switch(prev: &Context, next: &Context, left: *const Task) -> *const Task {
    // Our own count: once the baton is gone, `prev` may be freed.
    let mailbox = prev.mailbox.clone();
    let baton = Baton { cpu: current_cpu(), left: left.expose_provenance() };
    if next.started.swap(true, Ordering::Relaxed) {
        *lock(&next.mailbox.baton) = Some(baton);
        next.mailbox.arrived.notify_one();
    } else {
        machine::spawn(machine(), baton.cpu, move || {
            // SAFETY: the switch that started this thread left the task, and passed it on here alone.
            unsafe { crate::task::start(std::ptr::with_exposed_provenance(baton.left)) }
        });
    }
    let mut slot = lock(&mailbox.baton);
    let baton = loop {
        if let Some(baton) = slot.take() {
            break baton;
        }
        let waited = mailbox.arrived.wait_timeout(slot, Duration::from_millis(100));
        slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !is_owned()
            && slot.is_none()
            && let Some(message) = machine().panic_message()
        {
            panic!("a simulated thread panicked: {message}");
        }
    };
    drop(slot);
    set_current_cpu(baton.cpu);
    std::ptr::with_exposed_provenance(baton.left)
}

pub(crate) fn current_thread() -> *const () {
    machine().cpu().thread.load(Ordering::Relaxed)
}

pub(crate) fn current_task() -> *const Task {
    machine().cpu().task.load(Ordering::Relaxed)
}

/// # Safety
/// As for the PC: the thread's count belongs to this CPU from now on, and keeps the task.
pub(crate) unsafe fn set_current(thread: *const (), task: *const Task) {
    let cpu = machine().cpu();
    cpu.thread.store(thread.cast_mut(), Ordering::Relaxed);
    cpu.task.store(task.cast_mut(), Ordering::Relaxed);
}

pub(crate) fn enter_user(regs: &UserRegs) -> ! {
    program::run_for_ever(*regs)
}
