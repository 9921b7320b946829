//! Sleep for `hal::sync::Mutex`: waiters in a table hashed by the address of the lock word.

use hal::sync::SpinLockIrq;
use hal::sync::atomic::{AtomicU32, Ordering, fence_after_exchange};

use super::core::scheduler::current;
use super::core::switch::schedule;
use super::core::wakeup::wake;
use super::thread::state::State;
use super::thread::thread::{ParkLink, Thread};
use crate::list::List;
use crate::lock_order;

const BUCKETS: usize = 64;

type Bucket = SpinLockIrq<List<Thread, ParkLink>>;

hal::machine_static! {
    static LOT: [Bucket; BUCKETS] = [const { SpinLockIrq::new(lock_order::PARKING, List::new()) }; BUCKETS];
}

fn key_of(word: &AtomicU32) -> usize {
    core::ptr::from_ref(word).addr()
}

fn bucket_of(key: usize) -> &'static Bucket {
    &LOT[(key >> 2 ^ key >> 8 ^ key >> 14) % BUCKETS]
}

/// Sleeps until woken, if `*word` is `expected` still.
///
/// The look at the word and the joining are one step to a waker, who changes the word first and takes the lock then.
pub fn mutex_wait(word: &AtomicU32, expected: u32) {
    let me = current();
    let key = key_of(word);
    {
        let mut bucket = bucket_of(key).lock();
        if word.load(Ordering::Relaxed) != expected {
            return;
        }
        me.park_key.store(key, Ordering::Relaxed);
        bucket.push_back(me.arc());
        me.set_state(State::UNINTERRUPTIBLE);
    }
    // A wake-up other than the waker's (a timer armed for something else) must not leave the thread in the bucket.
    while me.park_key.load(Ordering::Relaxed) != 0 {
        schedule();
        me.prepare_to_sleep(State::UNINTERRUPTIBLE);
    }
    me.set_state(State::RUNNABLE);
}

/// Wakes up to `n` threads that sleep at `word`.
pub fn mutex_wake(word: &AtomicU32, n: usize) {
    let key = key_of(word);
    for _ in 0..n {
        let next = bucket_of(key).lock().take_first(|thread| thread.park_key.load(Ordering::Relaxed) == key);
        let Some(thread) = next else { return };
        thread.park_key.swap(0, Ordering::AcqRel);
        // The sleeper looks at this after it stored its state.
        fence_after_exchange();
        wake(thread, State::UNINTERRUPTIBLE);
    }
}
