//! Signals sent and not yet taken.

use alloc::collections::VecDeque;

use linux_abi::errno::Errno;
use linux_abi::siginfo::{SI_USER, SigInfo};
use linux_abi::signal::{SigSet, Signal};

use crate::memory::reserve;

/// A set of pending signals with what is known of each.
///
/// A standard signal that was sent is pending at most once; a real-time signal queues, in order, up to the limit given to
/// [`PendingSignals::push`].
#[derive(Default)]
pub struct PendingSignals {
    set: SigSet,
    queue: VecDeque<SigInfo>,
}

impl PendingSignals {
    /// The signals in it.
    pub fn set(&self) -> SigSet {
        self.set
    }

    /// How many entries are queued (`SigQ` in `/proc/PID/status`).
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Adds a signal. `limit` bounds the queue, but not for standard signals of the kernel and of kill. Beyond it, and when
    /// memory is short, a signal still becomes pending but loses its details.
    ///
    /// # Errors
    /// `EAGAIN`: this is a real-time signal that was sent for its details.
    pub fn push(&mut self, info: SigInfo, limit: usize) -> Result<(), Errno> {
        let Some(signal) = info.signal() else { return Ok(()) };
        if self.set.contains(signal) && !signal.is_realtime() {
            return Ok(());
        }
        let is_limited = signal.is_realtime() || info.si_code < 0;
        let has_room = !is_limited || self.queue.len() < limit;
        if has_room && self.make_room() {
            self.queue.push_back(info);
        } else if signal.is_realtime() && info.si_code != SI_USER {
            return Err(Errno::EAGAIN);
        }
        self.set.insert(signal);
        Ok(())
    }

    /// Adds an expiry of a POSIX timer. Those that are pending together are one signal, which counts the others as
    /// overrun.
    pub fn push_expiry(&mut self, info: SigInfo) {
        let Some(signal) = info.signal() else { return };
        let timer = info.timer_id();
        let is_same = |known: &&mut SigInfo| known.si_signo == info.si_signo && known.timer_id() == timer;
        if let Some(known) = self.queue.iter_mut().find(is_same) {
            known.set_overrun(known.overrun().saturating_add(info.overrun()).saturating_add(1));
            return;
        }
        self.set.insert(signal);
        if self.make_room() {
            self.queue.push_back(info);
        }
    }

    /// Tells whether the queue has room for one more, or got it.
    fn make_room(&mut self) -> bool {
        let more = self.queue.len() + 1;
        more <= self.queue.capacity()
            || reserve::check(more * size_of::<SigInfo>()).is_ok() && self.queue.try_reserve(1).is_ok()
    }

    /// Takes the next signal that is not in `blocked`: faults first, then by number.
    pub fn take(&mut self, blocked: SigSet) -> Option<(Signal, SigInfo)> {
        let ready = self.set.difference(blocked);
        // Faults come before anything else, so that their handlers see the registers of the fault.
        let signal = ready.intersection(SigSet::SYNCHRONOUS).first().or_else(|| ready.first())?;
        Some((signal, self.take_signal(signal)))
    }

    /// Drops every signal of `signals`.
    pub fn remove(&mut self, signals: SigSet) {
        if self.set.intersection(signals).is_empty() {
            return;
        }
        self.set = self.set.difference(signals);
        self.queue.retain(|info| info.signal().is_some_and(|signal| !signals.contains(signal)));
    }

    fn take_signal(&mut self, signal: Signal) -> SigInfo {
        let is = |info: &SigInfo| info.signal() == Some(signal);
        let info = match self.queue.iter().position(is) {
            Some(0) => self.queue.pop_front(),
            Some(index) => self.queue.remove(index),
            None => None,
        };
        // Of a standard signal there are several if several timers send it.
        if !self.queue.iter().any(is) {
            self.set.remove(signal);
        }
        // What lost its details looks as if nobody had sent it.
        info.unwrap_or_else(|| SigInfo::kill(signal, 0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(signal: Signal) -> SigInfo {
        SigInfo::kernel(signal)
    }

    #[test]
    fn a_standard_signal_is_pending_once() {
        let mut pending = PendingSignals::default();
        pending.push(info(Signal::SIGUSR1), 100).unwrap();
        pending.push(info(Signal::SIGUSR1), 100).unwrap();
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(pending.is_empty());
    }

    #[test]
    fn real_time_signals_queue_in_order() {
        let mut pending = PendingSignals::default();
        let rt = Signal::new(40).unwrap();
        pending.push(info(rt), 100).unwrap();
        pending.push(info(rt), 100).unwrap();
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(!pending.is_empty());
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(pending.is_empty());
    }

    #[test]
    fn faults_come_first_and_blocked_signals_stay() {
        let mut pending = PendingSignals::default();
        pending.push(info(Signal::SIGHUP), 100).unwrap();
        pending.push(info(Signal::SIGSEGV), 100).unwrap();
        let blocked = SigSet::of(&[Signal::SIGHUP]);
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGSEGV);
        assert!(pending.take(blocked).is_none());
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGHUP);
    }

    #[test]
    fn a_full_queue_refuses_what_was_sent_for_its_details() {
        let mut pending = PendingSignals::default();
        let rt = Signal::new(40).unwrap();
        let queued = |signal| SigInfo::queue(signal, 1, 0, 7);
        assert_eq!(pending.push(queued(rt), 1), Ok(()));
        assert_eq!(pending.push(queued(rt), 1), Err(Errno::EAGAIN));
        // kill(2) gets through, and so do standard signals; those with details lose them.
        assert_eq!(pending.push(SigInfo::kill(rt, 1, 0), 1), Ok(()));
        assert_eq!(pending.push(queued(Signal::SIGUSR1), 1), Ok(()));
        assert_eq!(pending.push(SigInfo::kill(Signal::SIGUSR2, 1, 0), 1), Ok(()));
        assert_eq!(pending.len(), 2);
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, SigInfo::kill(Signal::SIGUSR1, 0, 0));
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, SigInfo::kill(Signal::SIGUSR2, 1, 0));
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, queued(rt));
    }

    #[test]
    fn expiries_of_one_timer_are_one_signal() {
        let mut pending = PendingSignals::default();
        let expiry = |timer, overrun| SigInfo::timer(Signal::SIGALRM, timer, overrun, 0);
        pending.push_expiry(expiry(3, 0));
        pending.push_expiry(expiry(4, 0));
        pending.push_expiry(expiry(3, 2));
        pending.push_expiry(expiry(3, 0));
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, expiry(3, 4));
        pending.push_expiry(expiry(3, 0));
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, expiry(4, 0));
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().1, expiry(3, 0));
        assert!(pending.is_empty());
    }

    #[test]
    fn removing_drops_queue_entries_too() {
        let mut pending = PendingSignals::default();
        pending.push(info(Signal::SIGTSTP), 100).unwrap();
        pending.push(info(Signal::SIGTERM), 100).unwrap();
        pending.remove(SigSet::of(&[Signal::SIGTSTP]));
        assert_eq!(pending.len(), 1);
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGTERM);
    }
}
