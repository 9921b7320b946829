//! The fastest of several rounds: what else the host does can only add to the others.

use std::sync::LazyLock;
use std::time::Instant;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Rounds of which the fastest counts.
    pub(crate) rounds: usize,
}

/// Returns the nanoseconds since the first call.
pub(crate) fn now_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

impl Settings {
    /// Returns how fast this host's clock is now, in cycles for a nanosecond: a multiplication that needs the result of the
    /// one before takes three cycles.
    pub(crate) fn cycles_per_ns(self) -> f64 {
        const PRODUCTS: usize = 1_000_000;
        let ns = self.best(|| {
            let square = |x: u64, _| x.wrapping_mul(x);
            std::hint::black_box((0..PRODUCTS).fold(std::hint::black_box(3), square));
            PRODUCTS
        });
        3.0 / ns
    }

    /// Returns what an operation takes at best, in nanoseconds; a first round does not count. A round answers how many
    /// operations it performed.
    pub(crate) fn best(self, mut round: impl FnMut() -> usize) -> f64 {
        round();
        let rounds = (0..self.rounds).map(|_| {
            let start = Instant::now();
            let operations = round();
            start.elapsed().as_nanos() as f64 / operations as f64
        });
        rounds.fold(f64::INFINITY, f64::min)
    }
}
