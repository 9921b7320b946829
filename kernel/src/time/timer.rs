//! One-shot timers at nanosecond deadlines, one queue for each CPU.
//!
//! A timer is armed on the CPU that arms it and fires there, in interrupt context. It may only do what is short and
//! allowed there: wake threads. What needs more ([`Timer::new_deferred`]) is run by the service thread, soon after.
//!
//! Disarming does not touch the clock hardware: an interrupt that finds nothing due costs less than programming the
//! clock for every timeout that did not happen.
//!
//! # Who drops what
//! Nothing may be freed in interrupt context. While a timer fires, the interrupt holds a handle of it; the owner, on
//! dropping a timer that fires in interrupt context, waits the moment until that handle is gone. A deferred timer's
//! handle moves to the service thread.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use hal::cpu::CpuId;
use hal::sync::SpinLockIrq;

use super::timer_queue::{Deadline, Timed, TimerLink, TimerQueue};
use crate::list::{Linked, Links, List};
use crate::lock_order;
use crate::scheduler::service;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::Thread;

/// What a timer does when its time has come.
enum Action {
    /// Wakes a thread from a sleep.
    Wake(Weak<Thread>),
    /// Runs in interrupt context.
    Interrupt(Box<dyn Fn() + Send + Sync>),
    /// Runs in the service thread.
    Deferred(Box<dyn Fn() + Send + Sync>),
}

/// What is queued of a timer.
struct Inner {
    deadline: Deadline,
    /// Its place in a queue of deadlines, and in the queue of those that wait for the service thread.
    links: (Links<Inner>, Links<Inner>),
    /// Whether it waits for the service thread. Under the lock of [`DEFERRED`].
    is_deferred: AtomicBool,
    /// The CPU in whose queue the timer is, or was last.
    cpu: AtomicUsize,
    action: Action,
}

/// The kind of link by which a timer waits for the service thread.
struct DeferredLink;

impl Linked<TimerLink> for Inner {
    fn links(&self) -> &Links<Self> {
        &self.links.0
    }
}

impl Linked<DeferredLink> for Inner {
    fn links(&self) -> &Links<Self> {
        &self.links.1
    }
}

impl Timed for Inner {
    fn deadline(&self) -> &Deadline {
        &self.deadline
    }
}

hal::per_cpu! {
    static QUEUES: SpinLockIrq<TimerQueue<Inner>> = SpinLockIrq::new(lock_order::TIMER_QUEUE, TimerQueue::new());
}

hal::machine_static! {
    static DEFERRED: SpinLockIrq<List<Inner, DeferredLink>> =
        SpinLockIrq::new(lock_order::TIMER_DEFERRED, List::new());
}

/// A one-shot timer. Dropping it disarms it.
///
/// Whoever shares a timer between threads sees to it that one at a time arms or disarms it.
pub struct Timer {
    inner: Arc<Inner>,
}

impl Timer {
    fn new(action: Action) -> Self {
        let inner = Inner {
            deadline: Deadline::new(),
            links: (Links::new(), Links::new()),
            is_deferred: AtomicBool::new(false),
            cpu: AtomicUsize::new(0),
            action,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the timer that ends a thread's sleeps.
    pub(crate) fn for_thread(thread: Weak<Thread>) -> Self {
        Self::new(Action::Wake(thread))
    }

    /// Makes a timer whose `action` runs in interrupt context: it must be short, must not block, allocate or free, and
    /// takes no lock but the kind that turns interrupts off.
    pub fn new_interrupt(action: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(Action::Interrupt(Box::new(action)))
    }

    /// Makes a timer whose `action` runs in the service thread, where everything but long blocking is allowed. It may
    /// still run once, or be running, when the timer has been disarmed or dropped.
    pub fn new_deferred(action: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(Action::Deferred(Box::new(action)))
    }

    /// Arms the timer for `at_ns` on the monotonic clock, instead of what it was armed for.
    pub fn arm(&self, at_ns: u64) {
        self.disarm();
        hal::irq::disabled(|| {
            self.inner.cpu.store(hal::cpu::id().index(), Relaxed);
            QUEUES.get().lock().insert(self.inner.clone(), at_ns);
            super::clock_event::request(at_ns);
        });
    }

    /// Disarms the timer; answers whether it was armed.
    pub fn disarm(&self) -> bool {
        if !self.inner.deadline.is_queued() {
            return false;
        }
        let cpu = CpuId::new(self.inner.cpu.load(Relaxed));
        QUEUES.on(cpu).lock().remove(&self.inner)
    }

    /// The clock at which the timer fires; `None` when it is not armed.
    pub fn armed_for(&self) -> Option<u64> {
        self.inner.deadline.is_queued().then(|| self.inner.deadline.at_ns())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
        if !matches!(self.inner.action, Action::Deferred(_)) {
            // Firing on another CPU at this moment; see the module's documentation.
            while Arc::strong_count(&self.inner) > 1 {
                hal::cpu::relax();
            }
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("armed_for", &self.armed_for()).finish_non_exhaustive()
    }
}

/// Fires what is due on this CPU at `now_ns`, and answers when the next timer is. Interrupt context.
pub(super) fn run_due(now_ns: u64) -> Option<u64> {
    let queue = QUEUES.get();
    loop {
        let due = queue.lock().pop_due(now_ns);
        match due {
            Some(timer) => fire(timer),
            None => return queue.lock().next_ns(),
        }
    }
}

fn fire(timer: Arc<Inner>) {
    match &timer.action {
        Action::Wake(thread) => {
            if let Some(thread) = thread.upgrade() {
                crate::scheduler::wake(thread, State::ANY_SLEEP);
            }
        }
        Action::Interrupt(action) => action(),
        Action::Deferred(_) => {
            {
                let mut deferred = DEFERRED.lock();
                if timer.is_deferred.load(Relaxed) {
                    // The list has a handle, so this is not the last one.
                    drop(timer);
                } else {
                    timer.is_deferred.store(true, Relaxed);
                    deferred.push_back(timer);
                }
            }
            service::wake();
        }
    }
}

/// Whether an action waits for the service thread.
pub(crate) fn has_deferred() -> bool {
    !DEFERRED.lock().is_empty()
}

/// Runs one deferred action; answers whether there was one. For the service thread.
pub(crate) fn run_deferred() -> bool {
    let timer = {
        let mut deferred = DEFERRED.lock();
        let timer = deferred.pop_front();
        if let Some(timer) = &timer {
            timer.is_deferred.store(false, Relaxed);
        }
        timer
    };
    let Some(timer) = timer else { return false };
    if let Action::Deferred(action) = &timer.action {
        action();
    }
    true
}
