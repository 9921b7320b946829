//! The service thread: does what interrupt handlers must leave to a thread.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use hal::sync::SpinLockIrq;
use linux_abi::errno::Errno;

use super::SCHEDULER;
use super::core::policy::{Attributes, Priority};
use super::thread::thread::{GraveLink, Thread};
use super::wait::WaitQueue;
use crate::list::List;
use crate::lock_order;
use crate::time::timer;

/// Bytes of its stack.
const STACK_BYTES: usize = 16 * 1024;

hal::machine_static! {
    static EVENT: WaitQueue = WaitQueue::new();
    static GRAVEYARD: SpinLockIrq<List<Thread, GraveLink>> = SpinLockIrq::new(lock_order::GRAVEYARD, List::new());
}

/// Starts the service thread. Called once, at boot.
///
/// # Errors
/// `EAGAIN`, `ENOMEM`: as `SCHEDULER.spawn`.
pub fn start() -> Result<(), Errno> {
    SCHEDULER.spawn_with("service", run, STACK_BYTES, Attributes::at(Priority::High)).map(|_| ())
}

fn run() {
    loop {
        // Actions run outside of the wait: they may wait themselves.
        EVENT.wait(|| (has_graves() || timer::has_deferred()).then_some(()));
        while exhume() || timer::run_deferred() {
            super::cond_resched();
        }
    }
}

fn has_graves() -> bool {
    !GRAVEYARD.lock().is_empty()
}

/// Tells the service thread that there is work. Any context.
pub(crate) fn wake() {
    EVENT.wake_one();
}

/// Lets go of a handle in interrupt context, where it must not be the last one.
pub(crate) fn bury(thread: Arc<Thread>) {
    {
        let mut graveyard = GRAVEYARD.lock();
        if thread.is_buried.load(Relaxed) {
            // The list has a handle, so this is not the last one.
            drop(thread);
        } else {
            thread.is_buried.store(true, Relaxed);
            graveyard.push_back(thread);
        }
    }
    wake();
}

/// Drops a handle from the graveyard; answers whether there was one.
fn exhume() -> bool {
    let thread = {
        let mut graveyard = GRAVEYARD.lock();
        let thread = graveyard.pop_front();
        if let Some(thread) = &thread {
            thread.is_buried.store(false, Relaxed);
        }
        thread
    };
    thread.is_some()
}
