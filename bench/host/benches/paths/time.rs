//! Medians of rounds.

use std::sync::LazyLock;
use std::time::Instant;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Rounds of which the median is taken.
    pub(crate) rounds: usize,
}

/// Returns the nanoseconds since the first call.
pub(crate) fn now_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

impl Settings {
    /// Returns what an operation takes, in nanoseconds: the median of the rounds, after one that does not count. A round
    /// answers how many operations it performed.
    pub(crate) fn median(self, mut round: impl FnMut() -> usize) -> f64 {
        round();
        let mut figures: Vec<f64> = (0..self.rounds)
            .map(|_| {
                let start = Instant::now();
                let operations = round();
                start.elapsed().as_nanos() as f64 / operations as f64
            })
            .collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }
}
