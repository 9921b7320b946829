//! The timers of a process: interval timers (setitimer(2), alarm(2)) and POSIX timers (timer_create(2)).
//!
//! Timers on real time are fired by the timer thread, which sends the signal; timers on CPU time by the process's own
//! threads (see [`super::cpu_clocks`]).

use alloc::sync::{Arc, Weak};

use hal::sync::SpinLock;
use hal::time::now_ns;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::Signal;

use super::cpu_clocks;
use super::cpu_watch::CpuWatch;
use super::posix_timers::PosixTimers;
use super::timer::Timer;
use crate::lock_order;
use crate::process::Process;
use crate::process::limits::CpuLimit;
use crate::process::signal::send_to_process;
use crate::scheduler;

/// Which interval timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntervalTimer {
    /// Real time, SIGALRM.
    Real,
    /// User time of the process, SIGVTALRM.
    Virtual,
    /// CPU time of the process, SIGPROF.
    Profile,
}

/// When a timer fires next and how often then, in nanoseconds; 0 for never and for once.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Setting {
    /// Time left until it fires.
    pub left_ns: u64,
    /// Period.
    pub interval_ns: u64,
}

/// A timer's state: the clock value it fires at, 0 while it is disarmed.
#[derive(Clone, Copy, Default)]
struct Armed {
    at_ns: u64,
    interval_ns: u64,
}

impl Armed {
    fn setting(self, now_ns: u64) -> Setting {
        match self.at_ns {
            0 => Setting { left_ns: 0, interval_ns: self.interval_ns },
            // A timer that is due but has not fired yet must not look disarmed.
            at_ns => Setting { left_ns: at_ns.saturating_sub(now_ns).max(1), interval_ns: self.interval_ns },
        }
    }

    fn set(&mut self, setting: Setting, now_ns: u64) {
        let at_ns = if setting.left_ns == 0 { 0 } else { now_ns.saturating_add(setting.left_ns) };
        *self = Self { at_ns, interval_ns: setting.interval_ns };
    }

    /// Answers whether the timer is due at `now_ns`, and arms it for its next period.
    fn expire(&mut self, now_ns: u64) -> bool {
        let is_due = self.at_ns != 0 && now_ns >= self.at_ns;
        if is_due {
            self.at_ns = next_period(self.at_ns, self.interval_ns, now_ns).map_or(0, |(at_ns, _)| at_ns);
        }
        is_due
    }
}

/// When a periodic timer that was due at `at_ns` fires next after `now_ns`, and how many periods that leaves out;
/// `None` for one that fires once.
pub fn next_period(at_ns: u64, interval_ns: u64, now_ns: u64) -> Option<(u64, u64)> {
    let missed = now_ns.saturating_sub(at_ns).checked_div(interval_ns)?;
    let next = at_ns.saturating_add(interval_ns.saturating_mul(missed + 1));
    Some((next, missed))
}

#[derive(Default)]
struct State {
    real: Armed,
    real_timer: Option<Timer>,
    virtual_time: Armed,
    profile: Armed,
}

/// The timers of a process.
pub struct ProcessTimers {
    state: SpinLock<State>,
    /// Who else waits for CPU time of the process.
    pub cpu_watch: CpuWatch,
    /// Its POSIX timers.
    pub posix: PosixTimers,
}

impl ProcessTimers {
    /// Makes the timers of a new process: none is armed.
    pub fn new() -> Self {
        Self {
            state: SpinLock::new(lock_order::PROCESS_TIMERS, State::default()),
            cpu_watch: CpuWatch::new(),
            posix: PosixTimers::new(),
        }
    }

    /// What the timer is set to.
    pub fn get(&self, process: &Arc<Process>, which: IntervalTimer) -> Setting {
        let clock_ns = clock_of(process, which);
        let state = self.state.lock();
        match which {
            IntervalTimer::Real => state.real.setting(clock_ns),
            IntervalTimer::Virtual => state.virtual_time.setting(clock_ns),
            IntervalTimer::Profile => state.profile.setting(clock_ns),
        }
    }

    /// Sets a timer of `process`, whose timers these are, and answers what it was set to.
    pub fn set(&self, process: &Arc<Process>, which: IntervalTimer, new: Setting) -> Setting {
        let clock_ns = clock_of(process, which);
        let mut fresh = None;
        let mut state = self.state.lock();
        if which == IntervalTimer::Real && new.left_ns != 0 && state.real_timer.is_none() {
            // Made without the lock; dropped if there is one by then.
            drop(state);
            fresh = Some(real_timer(Arc::downgrade(process)));
            state = self.state.lock();
        }
        let armed = match which {
            IntervalTimer::Real => &mut state.real,
            IntervalTimer::Virtual => &mut state.virtual_time,
            IntervalTimer::Profile => &mut state.profile,
        };
        let old = armed.setting(clock_ns);
        armed.set(new, clock_ns);
        let at_ns = armed.at_ns;
        if which == IntervalTimer::Real {
            if state.real_timer.is_none() {
                state.real_timer = fresh.take();
            }
            if let Some(timer) = &state.real_timer {
                if at_ns == 0 {
                    timer.disarm();
                } else {
                    timer.arm(at_ns);
                }
            }
        } else if at_ns != 0 {
            self.cpu_watch.start();
        }
        drop(state);
        drop(fresh);
        old
    }

    /// Deletes the POSIX timers of `process`, whose timers these are, as execve does; interval timers go on.
    pub fn after_exec(&self, process: &Process) {
        self.posix.clear(process);
    }

    /// Disarms everything of `process`, whose timers these are: it ends.
    pub fn clear(&self, process: &Process) {
        self.posix.clear(process);
        let old = core::mem::take(&mut *self.state.lock());
        drop(old);
    }

    /// Whether something waits for CPU time of the process.
    pub(crate) fn watches_cpu_time(&self) -> bool {
        self.cpu_watch.is_on()
    }

    fn fire_real(&self, process: &Arc<Process>) {
        let is_due = {
            let mut state = self.state.lock();
            let is_due = state.real.expire(now_ns());
            if let Some(timer) = &state.real_timer
                && state.real.at_ns != 0
            {
                timer.arm(state.real.at_ns);
            }
            is_due
        };
        // Set anew or disarmed between the clock's interrupt and now: nothing is due.
        if is_due {
            send_to_process(process, SigInfo::kernel(Signal::SIGALRM));
        }
    }

    /// Sends what is due by the CPU time of `process`. Called by one of its threads on the way to user mode.
    pub fn check_cpu_time(&self, process: &Arc<Process>) {
        self.cpu_watch.stop();
        let times = process.times();
        let cpu_ns = times.user_ns + times.system_ns;
        let (is_virtual_due, is_profile_due, is_armed) = {
            let mut state = self.state.lock();
            let due = (state.virtual_time.expire(times.user_ns), state.profile.expire(cpu_ns));
            (due.0, due.1, state.virtual_time.at_ns != 0 || state.profile.at_ns != 0)
        };
        let (reached, real_time) = process.with_limits(|limits| {
            (limits.check_cpu_time(cpu_ns), limits.check_real_time(real_time_burst_ns()))
        });
        let others_wait = self.cpu_watch.check();
        if is_armed || reached != CpuLimit::None || real_time != CpuLimit::None || others_wait {
            self.cpu_watch.start();
        }
        if is_virtual_due {
            send_to_process(process, SigInfo::kernel(Signal::SIGVTALRM));
        }
        if is_profile_due {
            send_to_process(process, SigInfo::kernel(Signal::SIGPROF));
        }
        for reached in [reached, real_time] {
            match reached {
                CpuLimit::None | CpuLimit::Below => {}
                CpuLimit::Soft => send_to_process(process, SigInfo::kernel(Signal::SIGXCPU)),
                CpuLimit::Hard => send_to_process(process, SigInfo::kernel(Signal::SIGKILL)),
            }
        }
    }
}

impl Default for ProcessTimers {
    fn default() -> Self {
        Self::new()
    }
}

/// How long the calling thread has run without blocking, if it is a real-time thread; 0 if not.
fn real_time_burst_ns() -> u64 {
    let thread = scheduler::current();
    let entity = thread.entity();
    if entity.attributes().policy.is_real_time() { entity.burst_ns_by(now_ns) } else { 0 }
}

fn real_timer(process: Weak<Process>) -> Timer {
    Timer::new_deferred(move || {
        if let Some(process) = process.upgrade() {
            process.timers.fire_real(&process);
        }
    })
}

fn clock_of(process: &Arc<Process>, which: IntervalTimer) -> u64 {
    match which {
        IntervalTimer::Real => now_ns(),
        IntervalTimer::Virtual => process.times().user_ns,
        IntervalTimer::Profile => cpu_clocks::cpu_time_of(process),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_periodic_timer_keeps_its_grid_and_counts_what_it_missed() {
        assert_eq!(next_period(100, 10, 100), Some((110, 0)));
        assert_eq!(next_period(100, 10, 109), Some((110, 0)));
        assert_eq!(next_period(100, 10, 110), Some((120, 1)));
        assert_eq!(next_period(100, 10, 1_005), Some((1_010, 90)));
        assert_eq!(next_period(100, 0, 1_005), None);
        assert_eq!(next_period(u64::MAX - 5, u64::MAX, u64::MAX), Some((u64::MAX, 0)));
    }

    #[test]
    fn an_armed_timer_never_looks_disarmed() {
        let mut armed = Armed::default();
        armed.set(Setting { left_ns: 5, interval_ns: 0 }, 10);
        assert_eq!(armed.setting(12), Setting { left_ns: 3, interval_ns: 0 });
        assert_eq!(armed.setting(20), Setting { left_ns: 1, interval_ns: 0 });
        assert!(!armed.expire(14));
        assert!(armed.expire(15));
        assert_eq!(armed.setting(20), Setting::default());
    }
}
