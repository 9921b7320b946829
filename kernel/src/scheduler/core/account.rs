//! Time that passes while something goes on, for its writer two additions, and exact at any moment for readers.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The sum of all times between a start and the stop that follows, in one word, so that no reader sees half a change:
/// the total while it is stopped; [`GOES_ON`] and the total minus the clock, modulo 2^63, while it is not.
#[derive(Debug)]
pub(super) struct Account(AtomicU64);

const GOES_ON: u64 = 1 << 63;

impl Account {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Begins to count. It must be stopped.
    #[inline]
    pub(super) fn start(&self, now_ns: u64) {
        // Pairs with the loads of a reader, whose clock must not be read before the first or after the second.
        self.0.store(self.total().wrapping_sub(now_ns) | GOES_ON, Release);
    }

    /// Counts no longer. It must go on.
    #[inline]
    pub(super) fn stop(&self, now_ns: u64) {
        self.0.store(self.total().wrapping_add(now_ns) & !GOES_ON, Release);
    }

    /// The sum of a stopped account.
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Whether it goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.0.load(Relaxed) & GOES_ON != 0
    }

    /// The sum up to now, which `clock` tells. Never goes back from one call to the next.
    pub(super) fn by(&self, clock: impl Fn() -> u64) -> u64 {
        loop {
            let account = self.0.load(Acquire);
            if account & GOES_ON == 0 {
                return account;
            }
            let now_ns = clock();
            // What the account says must have held when the clock was read, or it was stopped before that.
            if self.0.load(Acquire) == account {
                return account.wrapping_add(now_ns) & !GOES_ON;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    #[test]
    fn counts_the_present_time_and_stands_still_after_it() {
        let account = Account::new();
        assert_eq!(account.by(|| 70), 0);
        account.start(100);
        assert_eq!(account.by(|| 130), 30);
        account.stop(150);
        assert_eq!((account.total(), account.by(|| 160)), (50, 50));
        account.start(1_000);
        assert_eq!(account.by(|| 1_001), 51);
    }

    #[test]
    fn a_reader_does_not_count_time_after_a_stop_it_missed() {
        let account = Account::new();
        account.start(100);
        let looks = Cell::new(0);
        let clock = || {
            if looks.replace(1) == 0 {
                // Stopped between the look at the account and the one at the clock.
                account.stop(110);
            }
            500
        };
        assert_eq!(account.by(clock), 10);
    }
}
