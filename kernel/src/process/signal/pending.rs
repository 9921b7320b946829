//! Signals sent and not yet taken.

use alloc::collections::VecDeque;

use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{SigSet, Signal};

/// A set of pending signals with what is known of each.
///
/// A standard signal is pending at most once; a real-time signal queues, in order, up to the limit given to
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

    /// Adds a signal; answers whether it is new. `limit` bounds the queue of real-time signals: beyond it a signal
    /// still becomes pending but loses its details.
    pub fn push(&mut self, info: SigInfo, limit: usize) -> bool {
        let Some(signal) = info.signal() else { return false };
        let is_pending = self.set.contains(signal);
        if is_pending && !signal.is_realtime() {
            return false;
        }
        self.set.insert(signal);
        if self.queue.len() < limit.max(64) {
            self.queue.push_back(info);
            true
        } else {
            !is_pending
        }
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
        let info = self.queue.iter().position(is).and_then(|index| self.queue.remove(index));
        if !self.queue.iter().any(is) {
            self.set.remove(signal);
        }
        info.unwrap_or_else(|| SigInfo::kernel(signal))
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
        assert!(pending.push(info(Signal::SIGUSR1), 100));
        assert!(!pending.push(info(Signal::SIGUSR1), 100));
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(pending.is_empty());
    }

    #[test]
    fn real_time_signals_queue_in_order() {
        let mut pending = PendingSignals::default();
        let rt = Signal::new(40).unwrap();
        assert!(pending.push(info(rt), 100));
        assert!(pending.push(info(rt), 100));
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(!pending.is_empty());
        assert!(pending.take(SigSet::EMPTY).is_some());
        assert!(pending.is_empty());
    }

    #[test]
    fn faults_come_first_and_blocked_signals_stay() {
        let mut pending = PendingSignals::default();
        pending.push(info(Signal::SIGHUP), 100);
        pending.push(info(Signal::SIGSEGV), 100);
        let blocked = SigSet::of(&[Signal::SIGHUP]);
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGSEGV);
        assert!(pending.take(blocked).is_none());
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGHUP);
    }

    #[test]
    fn removing_drops_queue_entries_too() {
        let mut pending = PendingSignals::default();
        pending.push(info(Signal::SIGTSTP), 100);
        pending.push(info(Signal::SIGTERM), 100);
        pending.remove(SigSet::of(&[Signal::SIGTSTP]));
        assert_eq!(pending.len(), 1);
        assert_eq!(pending.take(SigSet::EMPTY).unwrap().0, Signal::SIGTERM);
    }
}
