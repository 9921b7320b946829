//! POSIX timers of a process (timer_create(2)).

use alloc::sync::{Arc, Weak};

use hal::sync::SpinLock;
use hal::time::now_ns;
use hashbrown::HashMap;
use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SigVal, Signal};

use super::clock::Clock;
use super::process_timers::{Setting, next_period};
use super::timer::Timer;
use crate::lock_order;
use crate::process::signal::{send_to_process, send_to_thread};
use crate::process::{Process, tree};

/// Timers a process may have (Linux counts them against `RLIMIT_SIGPENDING`).
const MAX_TIMERS: usize = 1_024;

/// What an expiry does.
#[derive(Clone, Copy, Debug)]
pub enum Notification {
    /// Nothing; the program asks.
    None,
    /// A signal with a value to the process.
    Process(Signal, SigVal),
    /// A signal with a value to one of its threads.
    Thread(i32, Signal, SigVal),
}

struct PosixTimer {
    clock: Clock,
    notification: Notification,
    timer: Timer,
    /// Clock (monotonic) it fires at, 0 while disarmed.
    at_ns: u64,
    interval_ns: u64,
    /// Expiries that the last signal stood for beside its own.
    overrun: i32,
}

#[derive(Default)]
struct State {
    timers: Option<HashMap<i32, PosixTimer>>,
    last_id: i32,
}

/// The POSIX timers of a process.
pub struct PosixTimers {
    state: SpinLock<State>,
}

impl PosixTimers {
    pub(super) fn new() -> Self {
        Self { state: SpinLock::new(lock_order::POSIX_TIMERS, State::default()) }
    }

    /// Makes a disarmed timer of `process`, whose timers these are, and answers its id. `notification` is told the id.
    ///
    /// # Errors
    /// - `EAGAIN`: too many timers.
    /// - `EOPNOTSUPP`: a clock of CPU time.
    pub fn create(
        &self,
        process: &Arc<Process>,
        clock: Clock,
        notification: impl FnOnce(i32) -> Notification,
    ) -> Result<i32, Errno> {
        clock.to_monotonic_ns(0).map_err(|_| Errno::EOPNOTSUPP)?;
        let mut state = self.state.lock();
        let taken = state.timers.as_ref().map_or(0, HashMap::len);
        if taken >= MAX_TIMERS {
            return Err(Errno::EAGAIN);
        }
        let mut id = state.last_id;
        while state.timers.as_ref().is_some_and(|timers| timers.contains_key(&id)) {
            id = id.wrapping_add(1) & i32::MAX;
        }
        state.last_id = id.wrapping_add(1) & i32::MAX;
        let timer = expiry_timer(Arc::downgrade(process), id);
        let notification = notification(id);
        let fresh = PosixTimer { clock, notification, timer, at_ns: 0, interval_ns: 0, overrun: 0 };
        state.timers.get_or_insert_default().insert(id, fresh);
        Ok(id)
    }

    /// Sets a timer; `is_absolute` makes `left_ns` a time on the timer's clock. Answers what it was set to.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn set(&self, id: i32, new: Setting, is_absolute: bool) -> Result<Setting, Errno> {
        let now_ns = now_ns();
        self.with(id, |timer| {
            let old = timer.setting(now_ns);
            timer.interval_ns = new.interval_ns;
            timer.overrun = 0;
            timer.at_ns = match (new.left_ns, is_absolute) {
                (0, _) => 0,
                (at_ns, true) => timer.clock.to_monotonic_ns(at_ns)?.max(1),
                (left_ns, false) => now_ns.saturating_add(left_ns),
            };
            if timer.at_ns == 0 {
                timer.timer.disarm();
            } else {
                timer.timer.arm(timer.at_ns);
            }
            Ok(old)
        })
    }

    /// What a timer is set to.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn get(&self, id: i32) -> Result<Setting, Errno> {
        let now_ns = now_ns();
        self.with(id, |timer| Ok(timer.setting(now_ns)))
    }

    /// How many expiries the last signal stood for beside its own.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn overrun(&self, id: i32) -> Result<i32, Errno> {
        self.with(id, |timer| Ok(timer.overrun))
    }

    /// Deletes a timer.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn delete(&self, id: i32) -> Result<(), Errno> {
        let timer = self.state.lock().timers.as_mut().and_then(|timers| timers.remove(&id));
        timer.map(drop).ok_or(Errno::EINVAL)
    }

    /// Deletes all timers (execve, exit).
    pub fn clear(&self) {
        let timers = self.state.lock().timers.take();
        drop(timers);
    }

    fn with<R>(&self, id: i32, f: impl FnOnce(&mut PosixTimer) -> Result<R, Errno>) -> Result<R, Errno> {
        let mut state = self.state.lock();
        let timer = state.timers.as_mut().and_then(|timers| timers.get_mut(&id)).ok_or(Errno::EINVAL)?;
        f(timer)
    }

    fn fire(&self, process: &Arc<Process>, id: i32) {
        let now_ns = now_ns();
        let due = self.with(id, |timer| {
            if timer.at_ns == 0 || now_ns < timer.at_ns {
                return Err(Errno::EAGAIN); // Set anew or disarmed meanwhile.
            }
            let next = next_period(timer.at_ns, timer.interval_ns, now_ns);
            let (at_ns, missed) = next.unwrap_or((0, 0));
            timer.at_ns = at_ns;
            timer.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
            if at_ns != 0 {
                timer.timer.arm(at_ns);
            }
            Ok((timer.notification, timer.overrun))
        });
        let Ok((notification, overrun)) = due else { return };
        match notification {
            Notification::None => {}
            Notification::Process(signal, value) => {
                send_to_process(process, SigInfo::timer(signal, id, overrun, value));
            }
            Notification::Thread(tid, signal, value) => {
                if let Some(thread) = tree::find_thread(tid) {
                    send_to_thread(&thread, SigInfo::timer(signal, id, overrun, value));
                }
            }
        }
    }
}

impl PosixTimer {
    fn setting(&self, now_ns: u64) -> Setting {
        let left_ns = if self.at_ns == 0 { 0 } else { self.at_ns.saturating_sub(now_ns).max(1) };
        Setting { left_ns, interval_ns: self.interval_ns }
    }
}

fn expiry_timer(process: Weak<Process>, id: i32) -> Timer {
    Timer::new_deferred(move || {
        if let Some(process) = process.upgrade() {
            process.timers.posix.fire(&process, id);
        }
    })
}
