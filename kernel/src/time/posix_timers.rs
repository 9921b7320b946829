//! POSIX timers of a process (timer_create(2)).

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::SpinLock;
use hal::time::now_ns;
use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SigVal, Signal};

use super::clock::Clock;
use super::cpu_clocks::{CpuClock, WeakCpuClock};
use super::process_timers::{Setting, next_period};
use super::timer::Timer;
use super::wall_clock::{self, Watcher};
use crate::lock_order;
use crate::process::signal::send::{send_expiry_to_process, send_expiry_to_thread};
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

/// What makes a timer fire.
enum Source {
    /// A clock that goes with real time.
    Real(Clock, Timer),
    /// A clock of CPU time, of this process or another: its threads look whether the timer is due.
    Cpu(WeakCpuClock),
}

struct PosixTimer {
    source: Source,
    notification: Notification,
    /// When it fires, on the monotonic clock or on its clock of CPU time; 0 while disarmed.
    at_ns: u64,
    /// The offset of the wall clock by which `at_ns` stands for a time on it, if it does.
    wall_offset_ns: Option<u64>,
    interval_ns: u64,
    /// Expiries that the signal taken last stood for beside its own.
    overrun: i32,
}

#[derive(Default)]
struct State {
    timers: BTreeMap<i32, PosixTimer>,
    last_id: i32,
}

/// The POSIX timers of a process.
pub struct PosixTimers {
    state: SpinLock<State>,
    /// Whether the process is told when the wall clock is set.
    is_watching: AtomicBool,
}

impl PosixTimers {
    pub(super) fn new() -> Self {
        let state = SpinLock::new(lock_order::POSIX_TIMERS, State::default());
        Self { state, is_watching: AtomicBool::new(false) }
    }

    /// Makes a disarmed timer of `process`, whose timers these are, and answers its id. `notification` is told the id.
    ///
    /// # Errors
    /// - `EAGAIN`: too many timers.
    /// - `EINVAL`: the CPU time of a process or thread that does not exist.
    pub fn create(
        &self,
        process: &Arc<Process>,
        clock: Clock,
        notification: impl FnOnce(i32) -> Notification,
    ) -> Result<i32, Errno> {
        let cpu_clock = if let Clock::Cpu(name) = clock { Some(name.find()?) } else { None };
        let mut state = self.state.lock();
        if state.timers.len() >= MAX_TIMERS {
            return Err(Errno::EAGAIN);
        }
        let mut id = state.last_id;
        while state.timers.contains_key(&id) {
            id = id.wrapping_add(1) & i32::MAX;
        }
        state.last_id = id.wrapping_add(1) & i32::MAX;
        let source = match &cpu_clock {
            Some(clock) => Source::Cpu(clock.downgrade()),
            None => Source::Real(clock, expiry_timer(Arc::downgrade(process), id)),
        };
        let fresh = PosixTimer {
            source,
            notification: notification(id),
            at_ns: 0,
            wall_offset_ns: None,
            interval_ns: 0,
            overrun: 0,
        };
        state.timers.insert(id, fresh);
        drop(state);
        if let Some(clock) = cpu_clock {
            let watch = &clock.process.timers.cpu_watch;
            if let Err(error) = watch.add_timer(Arc::downgrade(process), id) {
                self.state.lock().timers.remove(&id);
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Sets a timer of `process`, whose timers these are; `is_absolute` makes `left_ns` a time on the timer's clock.
    /// Answers what it was set to.
    ///
    /// # Errors
    /// `EINVAL`: no such timer. `ENOMEM`.
    pub fn set(
        &self,
        process: &Arc<Process>,
        id: i32,
        new: Setting,
        is_absolute: bool,
    ) -> Result<Setting, Errno> {
        let (now_ns, cpu_clock) = self.look_at_clock(id)?;
        if is_absolute && !self.is_watching.swap(true, Ordering::Relaxed) {
            let watcher: Weak<Process> = Arc::downgrade(process);
            wall_clock::watch(watcher).inspect_err(|_| self.is_watching.store(false, Ordering::Relaxed))?;
        }
        let old = self.with(id, |timer| {
            let old = timer.setting(now_ns);
            timer.interval_ns = new.interval_ns;
            timer.overrun = 0;
            timer.wall_offset_ns = match &timer.source {
                Source::Real(clock, _) if is_absolute && clock.is_wall_clock() => {
                    Some(wall_clock::offset_ns())
                }
                _ => None,
            };
            timer.at_ns = match (new.left_ns, is_absolute, &timer.source) {
                (0, ..) => 0,
                (at_ns, true, Source::Real(clock, _)) => clock.to_monotonic_ns(at_ns)?.max(1),
                (at_ns, true, Source::Cpu(_)) => at_ns,
                (left_ns, false, _) => now_ns.saturating_add(left_ns),
            };
            timer.arm();
            Ok(old)
        })?;
        if let Some(clock) = cpu_clock {
            clock.process.timers.cpu_watch.start();
        }
        Ok(old)
    }

    /// What a timer is set to.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn get(&self, id: i32) -> Result<Setting, Errno> {
        let (now_ns, _) = self.look_at_clock(id)?;
        self.with(id, |timer| Ok(timer.setting(now_ns)))
    }

    /// How many expiries the signal taken last stood for beside its own.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn overrun(&self, id: i32) -> Result<i32, Errno> {
        self.with(id, |timer| Ok(timer.overrun))
    }

    /// Moves the timers that are set to a time on the wall clock, which has been set.
    fn follow_wall_clock(&self) {
        for timer in self.state.lock().timers.values_mut() {
            if let (Some(offset_ns), at_ns @ 1..) = (&mut timer.wall_offset_ns, timer.at_ns) {
                timer.at_ns = wall_clock::follow(at_ns, offset_ns);
                timer.arm();
            }
        }
    }

    /// Takes note that a signal has been taken, which may be that of a timer.
    pub fn note_taken(&self, info: &SigInfo) {
        if let Some(id) = info.timer_id() {
            // The timer may have been deleted since.
            let _ = self.with(id, |timer| {
                timer.overrun = info.overrun();
                Ok(())
            });
        }
    }

    /// Deletes a timer of `process`, whose timers these are.
    ///
    /// # Errors
    /// `EINVAL`: no such timer.
    pub fn delete(&self, process: &Process, id: i32) -> Result<(), Errno> {
        let timer = self.state.lock().timers.remove(&id);
        timer.ok_or(Errno::EINVAL)?.forget(process, id);
        Ok(())
    }

    /// Deletes all timers of `process`, whose timers these are (execve, exit).
    pub fn clear(&self, process: &Process) {
        let timers = core::mem::take(&mut self.state.lock().timers);
        for (id, timer) in timers {
            timer.forget(process, id);
        }
    }

    fn with<R>(&self, id: i32, f: impl FnOnce(&mut PosixTimer) -> Result<R, Errno>) -> Result<R, Errno> {
        let mut state = self.state.lock();
        let timer = state.timers.get_mut(&id).ok_or(Errno::EINVAL)?;
        f(timer)
    }

    /// What the clock of a timer shows, and the clock if it is one of CPU time. Not under the lock: reading the CPU time
    /// of a process takes others.
    fn look_at_clock(&self, id: i32) -> Result<(u64, Option<CpuClock>), Errno> {
        let handle = self.with(id, |timer| match &timer.source {
            Source::Real(..) => Ok(None),
            Source::Cpu(clock) => Ok(Some(clock.clone())),
        })?;
        let Some(handle) = handle else { return Ok((now_ns(), None)) };
        // A clock whose process is gone stands still; what it showed last does not matter any more.
        let clock = handle.upgrade();
        Ok((clock.as_ref().map_or(0, CpuClock::read_ns), clock))
    }

    /// Fires a timer of `process`, whose timers these are, if it is due; answers whether it is armed now.
    pub(super) fn check(&self, process: &Arc<Process>, id: i32) -> bool {
        let Ok((now_ns, _)) = self.look_at_clock(id) else { return false };
        let due = self.with(id, |timer| {
            if timer.at_ns == 0 || now_ns < timer.at_ns {
                return Ok((timer.at_ns != 0, None)); // Set anew or disarmed meanwhile.
            }
            let next = next_period(timer.at_ns, timer.interval_ns, now_ns);
            let (at_ns, missed) = next.unwrap_or((0, 0));
            timer.at_ns = at_ns;
            if at_ns != 0 {
                timer.arm();
            }
            Ok((at_ns != 0, Some((timer.notification, i32::try_from(missed).unwrap_or(i32::MAX)))))
        });
        let Ok((is_armed, due)) = due else { return false };
        match due {
            None | Some((Notification::None, _)) => {}
            Some((Notification::Process(signal, value), overrun)) => {
                send_expiry_to_process(process, SigInfo::timer(signal, id, overrun, value));
            }
            Some((Notification::Thread(tid, signal, value), overrun)) => {
                if let Some(thread) = tree::find_thread(tid) {
                    send_expiry_to_thread(&thread, SigInfo::timer(signal, id, overrun, value));
                }
            }
        }
        is_armed
    }
}

impl Watcher for Process {
    fn clock_was_set(&self) {
        self.timers.posix.follow_wall_clock();
    }
}

impl PosixTimer {
    fn setting(&self, now_ns: u64) -> Setting {
        let left_ns = if self.at_ns == 0 { 0 } else { self.at_ns.saturating_sub(now_ns).max(1) };
        Setting { left_ns, interval_ns: self.interval_ns }
    }

    /// Takes a deleted timer of `owner` away from the process whose CPU time it counts.
    fn forget(self, owner: &Process, id: i32) {
        if let Source::Cpu(clock) = &self.source
            && let Some(clock) = clock.upgrade()
        {
            clock.process.timers.cpu_watch.remove_timer(owner, id);
        }
    }

    /// Arms or disarms what makes the timer fire, as `at_ns` says.
    fn arm(&self) {
        match &self.source {
            Source::Real(_, timer) if self.at_ns == 0 => _ = timer.disarm(),
            Source::Real(_, timer) => timer.arm(self.at_ns),
            Source::Cpu(_) => {}
        }
    }
}

fn expiry_timer(process: Weak<Process>, id: i32) -> Timer {
    Timer::new_deferred(move || {
        if let Some(process) = process.upgrade() {
            process.timers.posix.check(&process, id);
        }
    })
}
