//! Futexes: no wake-up is lost, none is for two, and a waiter that is moved is in one bucket.

use alloc::sync::Arc;

use super::Key;
use super::table::{bucket_of, leave, wake_and_move};
use crate::model;
use crate::scheduler::thread::WaitKind;
use crate::scheduler::thread::state::State;
use crate::scheduler::wait::sleep_until;
use crate::scheduler::{current, interrupt_sleep};
use crate::sleeping::{run, run_known};
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::task::Work;

/// futex(2), FUTEX_WAIT: as `ipc::futex::wait`, where the word is in user memory.
fn futex_wait(key: Key, word: &AtomicU32, expected: u32) -> bool {
    let me = current();
    me.futex.bits.store(u32::MAX, Ordering::Relaxed);
    bucket_of(key).join(me.arc(), key, WaitKind::Plain);
    if word.load(Ordering::Relaxed) == expected {
        let is_over = || !me.futex.is_queued.load(Ordering::Acquire);
        let _ = sleep_until(State::INTERRUPTIBLE, None, is_over);
    }
    !leave(&me)
}

const FIRST: Key = Key::new(4);
const SECOND: Key = Key::new(9);

#[test]
fn a_futex_loses_no_wake_up() {
    model(|| {
        let word = AtomicU32::new(0);
        run(2, move |index| match index {
            0 => _ = futex_wait(FIRST, &word, 0),
            _ => {
                word.store(1, Ordering::Relaxed);
                assert!(bucket_of(FIRST).wake(FIRST, 1, u32::MAX).is_ok());
            }
        });
    });
}

#[test]
fn a_wake_up_of_a_futex_is_counted_if_it_is_felt() {
    model(|| {
        let counts = Arc::new((AtomicU32::new(0), AtomicUsize::new(0), AtomicUsize::new(0)));
        let shared = counts.clone();
        run_known(2, move |index, threads| {
            let (word, woken, told) = &*shared;
            if index == 0 {
                woken.fetch_add(usize::from(futex_wait(FIRST, word, 0)), Ordering::AcqRel);
                return;
            }
            // Either may end the sleep, or both.
            threads[0].task.raise(Work::SIGNAL);
            interrupt_sleep(&threads[0]);
            told.fetch_add(
                bucket_of(FIRST).wake(FIRST, 2, u32::MAX).expect("plain waiters"),
                Ordering::AcqRel,
            );
        });
        assert_eq!(counts.1.load(Ordering::Acquire), counts.2.load(Ordering::Acquire));
    });
}

#[test]
fn who_is_moved_is_found_at_the_other_futex() {
    model(|| {
        let word = AtomicU32::new(0);
        run_known(2, move |index, threads| match index {
            0 => {
                // Woken at the second word, or interrupted on the way: it is out of both buckets.
                futex_wait(FIRST, &word, 0);
                assert!(!threads[0].futex.is_queued.load(Ordering::Relaxed));
            }
            _ => {
                let moved = wake_and_move(FIRST, SECOND, 0, 1).expect("plain waiters").1;
                threads[0].task.raise(Work::SIGNAL);
                interrupt_sleep(&threads[0]);
                let woken = bucket_of(SECOND).wake(SECOND, 1, u32::MAX).expect("plain waiters");
                assert!(woken <= moved);
            }
        });
    });
}
