//! Timers behind descriptors (timerfd_create(2)).

use alloc::sync::{Arc, Weak};
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::SpinLock;
use hal::time::now_ns;
use linux_abi::errno::Errno;

use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, IoFlags, PollEvents};
use crate::lock_order;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::time::clock::Clock;
use crate::time::process_timers::{Setting, next_period};
use crate::time::timer::Timer;
use crate::time::wall_clock::{self, Watcher};
use crate::uio::Sink;

#[derive(Default)]
struct State {
    /// Monotonic clock it expires at next, 0 while disarmed.
    at_ns: u64,
    interval_ns: u64,
    /// Expiries not read yet.
    expiries: u64,
    /// The offset of the wall clock by which `at_ns` stands for a time on it, if it does.
    wall_offset_ns: Option<u64>,
    /// Whether setting the wall clock cancels the timer.
    is_cancellable: bool,
    /// The offset of the wall clock that the program knows; `None` when it has not been told that it changed.
    known_offset_ns: Option<u64>,
}

impl State {
    /// Counts the expiries up to `now_ns`.
    fn settle(&mut self, now_ns: u64) {
        if self.at_ns == 0 || now_ns < self.at_ns {
            return;
        }
        let (next, missed) = next_period(self.at_ns, self.interval_ns, now_ns).unwrap_or((0, 0));
        self.expiries = self.expiries.saturating_add(missed.saturating_add(1));
        self.at_ns = next;
    }

    /// Tells, once, whether the wall clock has been set although that was to cancel the timer.
    fn take_cancellation(&mut self) -> bool {
        let offset_ns = Some(wall_clock::offset_ns());
        self.is_cancellable && core::mem::replace(&mut self.known_offset_ns, offset_ns) != offset_ns
    }

    fn setting(&self, now_ns: u64) -> Setting {
        let left_ns = if self.at_ns == 0 { 0 } else { self.at_ns.saturating_sub(now_ns).max(1) };
        Setting { left_ns, interval_ns: self.interval_ns }
    }
}

/// A timer that is read.
pub struct TimerFd {
    clock: Clock,
    state: SpinLock<State>,
    readers: WaitQueue,
    /// Wakes the readers. Expiries are counted when somebody looks.
    timer: Timer,
    /// For those that tell the timer of something.
    this: Weak<TimerFd>,
    /// Whether it is told when the wall clock is set.
    is_watching: AtomicBool,
}

/// What a timer is set to.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When it expires.
    pub setting: Setting,
    /// Whether `setting.left_ns` is a time on the timer's clock.
    pub is_absolute: bool,
    /// Whether setting that clock cancels it.
    pub is_cancellable: bool,
}

impl TimerFd {
    /// Makes a disarmed timer on `clock`.
    ///
    /// # Errors
    /// `EINVAL`: a clock of CPU time.
    pub fn new(clock: Clock) -> Result<Arc<Self>, Errno> {
        clock.to_monotonic_ns(0)?;
        let state = State { known_offset_ns: Some(wall_clock::offset_ns()), ..State::default() };
        Ok(Arc::new_cyclic(|this: &Weak<Self>| {
            let expired = this.clone();
            let timer = Timer::new_deferred(move || {
                if let Some(this) = expired.upgrade() {
                    this.readers.wake_all();
                }
            });
            Self {
                clock,
                state: SpinLock::new(lock_order::TIMER_FD, state),
                readers: WaitQueue::new(),
                timer,
                this: this.clone(),
                is_watching: AtomicBool::new(false),
            }
        }))
    }

    /// Arms or disarms the timer. Expiries not read are forgotten. Answers what it was set to.
    ///
    /// # Errors
    /// `ECANCELED`: the clock has been set, and the program did not know; the timer is set nevertheless. `ENOMEM`.
    pub fn set(&self, request: &Request) -> Result<Setting, Errno> {
        let Request { setting: new, is_absolute, is_cancellable } = *request;
        let follows = is_absolute && self.clock.is_wall_clock();
        if follows && !self.is_watching.swap(true, Ordering::Relaxed) {
            let watcher: Weak<Self> = self.this.clone();
            wall_clock::watch(watcher).inspect_err(|_| self.is_watching.store(false, Ordering::Relaxed))?;
        }
        let now_ns = now_ns();
        let mut state = self.state.lock();
        state.settle(now_ns);
        let old = state.setting(now_ns);
        let at_ns = match (new.left_ns, is_absolute) {
            (0, _) => 0,
            (at_ns, true) => self.clock.to_monotonic_ns(at_ns)?.max(1),
            (left_ns, false) => now_ns.saturating_add(left_ns),
        };
        *state = State {
            at_ns,
            interval_ns: new.interval_ns,
            expiries: 0,
            wall_offset_ns: follows.then(wall_clock::offset_ns),
            is_cancellable: follows && is_cancellable,
            known_offset_ns: state.known_offset_ns,
        };
        self.arm(&state);
        if at_ns != 0 && state.take_cancellation() { Err(Errno::ECANCELED) } else { Ok(old) }
    }

    /// What the timer is set to.
    pub fn get(&self) -> Setting {
        let now_ns = now_ns();
        let mut state = self.state.lock();
        state.settle(now_ns);
        state.setting(now_ns)
    }

    /// Arms the wake-up for the next expiry; under the lock, so that the last setting holds.
    fn arm(&self, state: &State) {
        match state.at_ns {
            0 => _ = self.timer.disarm(),
            at_ns => self.timer.arm(at_ns),
        }
    }

    /// Takes the expiries not read yet, or the news that the timer is cancelled.
    fn take(&self) -> Option<Result<u64, Errno>> {
        let mut state = self.state.lock();
        state.settle(now_ns());
        let expiries = core::mem::take(&mut state.expiries);
        if expiries == 0 {
            return None;
        }
        self.arm(&state);
        Some(if state.take_cancellation() { Err(Errno::ECANCELED) } else { Ok(expiries) })
    }
}

impl Watcher for TimerFd {
    fn clock_was_set(&self) {
        let mut state = self.state.lock();
        if let (Some(mut offset_ns), at_ns @ 1..) = (state.wall_offset_ns, state.at_ns) {
            state.at_ns = wall_clock::follow(at_ns, &mut offset_ns);
            state.wall_offset_ns = Some(offset_ns);
            self.arm(&state);
        }
        if state.is_cancellable && state.known_offset_ns != Some(wall_clock::offset_ns()) {
            state.known_offset_ns = None;
            // So that a reader comes to hear of it.
            state.expiries = state.expiries.saturating_add(1);
            drop(state);
            self.readers.wake_all();
        }
    }
}

impl File for TimerFd {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seek(&self) -> bool {
        true
    }

    /// Reads the number of expiries since the last read or setting, 8 bytes.
    fn read(&self, _position: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let expiries = if flags.contains(IoFlags::NONBLOCK) {
            self.take().ok_or(Errno::EAGAIN)??
        } else {
            self.readers.wait_interruptible(|| self.take())??
        };
        sink.put(&expiries.to_ne_bytes())
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(&self.readers);
        }
        let mut state = self.state.lock();
        state.settle(now_ns());
        if state.expiries > 0 { PollEvents::READABLE } else { PollEvents::empty() }
    }

    fn describe(&self, text: &mut Text) {
        let setting = self.get();
        let expiries = self.state.lock().expiries;
        let split = |ns: u64| (ns / 1_000_000_000, ns % 1_000_000_000);
        // A text that has become too long says so itself.
        let _ = write!(
            text,
            "ticks: {expiries}\nit_value: {:?}\nit_interval: {:?}\n",
            split(setting.left_ns),
            split(setting.interval_ns)
        );
    }

    fn as_timer(&self) -> Option<&TimerFd> {
        Some(self)
    }
}
