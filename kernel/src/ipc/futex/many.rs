//! Waiting at several words at once (futex_waitv(2)).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use hal::user;
use linux_abi::errno::Errno;
use linux_abi::futex::FUTEX_BITSET_MATCH_ANY;

use super::key::Key;
use super::table::{Place, bucket_of, leave_place};
use crate::scheduler::thread::state::State;
use crate::scheduler::{self, wait};

/// A word to wait at while it holds a value.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// What it is.
    pub key: Key,
    /// Where it is.
    pub addr: usize,
    /// What it holds.
    pub expected: u32,
}

/// Sleeps while every word holds what it should, until one is woken; answers which. Several may be: then the last of
/// them. `deadline` is in nanoseconds on the monotonic clock.
///
/// # Errors
/// As [`wait`](fn@super::wait).
pub fn wait_many(words: &[Word], deadline: Option<u64>) -> Result<usize, Errno> {
    let me = scheduler::current();
    let mut places: Vec<Arc<Place>> = Vec::with_capacity(words.len());
    let mut failure = None;
    for word in words {
        let place = Place::new(me.arc());
        place.waiting.bits.store(FUTEX_BITSET_MATCH_ANY, Relaxed);
        bucket_of(word.key).join_place(place.clone(), word.key);
        places.push(place);
        failure = match user::load_u32(word.addr) {
            Ok(value) if value == word.expected => None,
            Ok(_) => Some(Errno::EAGAIN),
            Err(_) => Some(Errno::EFAULT),
        };
        if failure.is_some() {
            break;
        }
    }
    let failure = failure.unwrap_or_else(|| {
        let is_over = || places.iter().any(|place| !place.waiting.is_queued.load(Acquire));
        wait::sleep_until(State::INTERRUPTIBLE, deadline, is_over).err().unwrap_or(Errno::ETIMEDOUT)
    });
    let mut woken = None;
    for (index, place) in places.iter().enumerate() {
        if !leave_place(place) {
            woken = Some(index);
        }
    }
    woken.ok_or(failure)
}
