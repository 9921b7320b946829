//! Random numbers: one ChaCha20 generator, seeded from the CPU and the clock, reseeded with what programs add.

use chacha20::ChaCha20Rng;
use hal::sync::SpinLock;
use rand_core::{Rng, SeedableRng};

use crate::lock_order;

/// Bytes drawn before fresh entropy from the CPU is mixed in.
const RESEED_AFTER: usize = 1 << 20;

struct Pool {
    generator: ChaCha20Rng,
    drawn: usize,
}

static POOL: SpinLock<Option<Pool>> = SpinLock::new(lock_order::RANDOM, None);

/// Fills `out` with random bytes.
pub fn fill(out: &mut [u8]) {
    let mut guard = POOL.lock();
    let pool = guard
        .get_or_insert_with(|| Pool { generator: ChaCha20Rng::from_seed(hal::cpu::random_seed()), drawn: 0 });
    pool.generator.fill_bytes(out);
    pool.drawn += out.len();
    if pool.drawn >= RESEED_AFTER {
        pool.mix(&hal::cpu::random_seed());
        pool.drawn = 0;
    }
}

/// Random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

/// A random number below `bound`, or 0 when `bound` is 0. The bias is below 2^-32 for the small bounds used here.
pub fn below(bound: u64) -> u64 {
    if bound == 0 { 0 } else { u64::from_ne_bytes(bytes()) % bound }
}

/// Mixes bytes from outside in; they can add to what is unknown and never take away.
pub fn add_entropy(extra: &[u8]) {
    let mut first = [0; 1];
    fill(&mut first);
    let mut guard = POOL.lock();
    let Some(pool) = guard.as_mut() else { return };
    for chunk in extra.chunks(32) {
        let mut seed = [0; 32];
        seed[..chunk.len()].copy_from_slice(chunk);
        pool.mix(&seed);
    }
}

impl Pool {
    fn mix(&mut self, extra: &[u8; 32]) {
        let mut seed = [0; 32];
        self.generator.fill_bytes(&mut seed);
        for (byte, extra) in seed.iter_mut().zip(extra) {
            *byte ^= extra;
        }
        self.generator = ChaCha20Rng::from_seed(seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_bounds_hold() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        add_entropy(&[1; 100]);
        for bound in 1..100 {
            assert!(below(bound) < bound);
        }
        assert_eq!(below(0), 0);
    }
}
