//! Who waits for the CPU time of a process: POSIX timers, here or in other processes, and sleepers.
//!
//! The clock sample of a thread whose process is watched makes the thread look, on its way to user mode, at what is due
//! (see [`super::process_timers`]).

use alloc::sync::Weak;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Release, SeqCst},
};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use super::cpu_clocks::CpuClock;
use crate::lock_order;
use crate::memory::fallible;
use crate::process::Process;
use crate::scheduler::wait::WaitQueue;

/// A POSIX timer that counts the CPU time of a process: whose it is, and its id there.
type Watcher = (Weak<Process>, i32);

/// Who waits for the CPU time of a process.
pub struct CpuWatch {
    /// Whether clock samples are to be looked at.
    is_on: AtomicBool,
    timers: SpinLock<Vec<Watcher>>,
    sleepers: AtomicUsize,
    event: WaitQueue,
}

impl CpuWatch {
    pub(super) fn new() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            timers: SpinLock::new(lock_order::CPU_WATCH, Vec::new()),
            sleepers: AtomicUsize::new(0),
            event: WaitQueue::new(),
        }
    }

    /// Tells that something began to wait for CPU time, after it can be found.
    pub fn start(&self) {
        self.is_on.store(true, Release);
    }

    /// Whether clock samples are to be looked at.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Acquire)
    }

    /// Stops watching until somebody who looks at what is due finds that something still waits, or [`Self::start`] is
    /// called.
    pub(super) fn stop(&self) {
        // Pairs with the store in `start`: what began to wait before is seen by the look that follows.
        self.is_on.swap(false, AcqRel);
    }

    /// Adds a timer of `owner`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn add_timer(&self, owner: Weak<Process>, id: i32) -> Result<(), Errno> {
        fallible::push(&mut self.timers.lock(), (owner, id))
    }

    /// Takes a timer of `owner` out.
    pub(super) fn remove_timer(&self, owner: &Process, id: i32) {
        let mut timers = self.timers.lock();
        let place = timers
            .iter()
            .position(|(other, other_id)| *other_id == id && core::ptr::eq(other.as_ptr(), owner));
        let removed = place.map(|place| timers.swap_remove(place));
        drop(timers);
        drop(removed);
    }

    /// Fires what timers are due and wakes the sleepers; answers whether anything still waits.
    pub(super) fn check(&self) -> bool {
        let mut is_armed = false;
        // Backwards and without the lock while one is told: what comes or goes meanwhile makes none be left out.
        let mut index = self.timers.lock().len();
        while index > 0 {
            index -= 1;
            let timer = self.timers.lock().get(index).map(|(owner, id)| (owner.upgrade(), *id));
            if let Some((Some(owner), id)) = timer {
                is_armed |= owner.timers.posix.check(&owner, id);
            }
        }
        let has_sleepers = self.sleepers.load(SeqCst) > 0;
        if has_sleepers {
            self.event.wake_all();
        }
        is_armed || has_sleepers
    }

    /// Sleeps until `clock`, one of the process's, shows `at_ns`.
    ///
    /// # Errors
    /// `EINTR`: a signal came first.
    pub fn sleep(&self, clock: &CpuClock, at_ns: u64) -> Result<(), Errno> {
        self.sleepers.fetch_add(1, SeqCst);
        self.start();
        let result = self.event.wait_interruptible(|| (clock.read_ns() >= at_ns).then_some(()));
        self.sleepers.fetch_sub(1, SeqCst);
        result
    }
}
