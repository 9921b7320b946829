//! Timers behind descriptors (timerfd_create(2)).

use alloc::sync::Arc;
use core::fmt::Write;

use hal::sync::{Once, SpinLock};
use hal::time::now_ns;
use linux_abi::errno::Errno;

use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, IoFlags, PollEvents};
use crate::lock_order;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::time::clock::Clock;
use crate::time::process_timers::{Setting, next_period};
use crate::time::timer::Timer;
use crate::uio::Sink;

#[derive(Default)]
struct State {
    /// Monotonic clock it expires at next, 0 while disarmed.
    at_ns: u64,
    interval_ns: u64,
    /// Expiries not read yet.
    expiries: u64,
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
    /// Wakes the readers; made once the object has an address. Expiries are counted when somebody looks.
    timer: Once<Timer>,
}

impl TimerFd {
    /// Makes a disarmed timer on `clock`.
    ///
    /// # Errors
    /// `EINVAL`: a clock of CPU time.
    pub fn new(clock: Clock) -> Result<Arc<Self>, Errno> {
        clock.to_monotonic_ns(0)?;
        let state = SpinLock::new(lock_order::TIMER_FD, State::default());
        let this = Arc::new(Self { clock, state, readers: WaitQueue::new(), timer: Once::new() });
        let weak = Arc::downgrade(&this);
        let timer = Timer::new_deferred(move || {
            if let Some(this) = weak.upgrade() {
                this.readers.wake_all();
            }
        });
        // The only one to set it.
        let _ = this.timer.set(timer);
        Ok(this)
    }

    /// Arms or disarms the timer; `is_absolute` makes `left_ns` a time on its clock. Expiries not read are forgotten.
    /// Answers what it was set to.
    ///
    /// # Errors
    /// None for a clock that [`Self::new`] accepted.
    pub fn set(&self, new: Setting, is_absolute: bool) -> Result<Setting, Errno> {
        let now_ns = now_ns();
        let mut state = self.state.lock();
        state.settle(now_ns);
        let old = state.setting(now_ns);
        let at_ns = match (new.left_ns, is_absolute) {
            (0, _) => 0,
            (at_ns, true) => self.clock.to_monotonic_ns(at_ns)?.max(1),
            (left_ns, false) => now_ns.saturating_add(left_ns),
        };
        *state = State { at_ns, interval_ns: new.interval_ns, expiries: 0 };
        self.arm(&state);
        Ok(old)
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
        if let Some(timer) = self.timer.get() {
            match state.at_ns {
                0 => _ = timer.disarm(),
                at_ns => timer.arm(at_ns),
            }
        }
    }

    fn take(&self) -> Option<u64> {
        let mut state = self.state.lock();
        state.settle(now_ns());
        let expiries = core::mem::take(&mut state.expiries);
        if expiries == 0 {
            return None;
        }
        self.arm(&state);
        Some(expiries)
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
            self.take().ok_or(Errno::EAGAIN)?
        } else {
            self.readers.wait_interruptible(|| self.take())?
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
