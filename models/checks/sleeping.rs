//! Sleeping: no wake-up is lost, none is for two.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use loom::thread;

use crate::model;
use crate::scheduler::core::scheduler::start;
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::scheduler::{Thread, interrupt_sleep};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::task::Work;

/// Runs `body` in `count` threads of the kernel, numbered, the last of which is the calling one; a thread that sleeps for
/// ever fails the model.
pub(crate) fn run(count: usize, body: impl Fn(usize) + Send + Sync + 'static) {
    run_known(count, move |index, _| body(index));
}

/// As [`run`]; each is given all threads.
pub(crate) fn run_known(count: usize, body: impl Fn(usize, &[Arc<Thread>]) + Send + Sync + 'static) {
    let all: Arc<Vec<_>> = Arc::new((0..count).map(Thread::new).collect());
    let body = Arc::new(body);
    let step = move |index: usize, all: Arc<Vec<Arc<Thread>>>, body: Arc<_>| {
        start(all[index].clone());
        let body: &dyn Fn(usize, &[Arc<Thread>]) = &*body;
        body(index, &all);
    };
    let threads: Vec<_> = (0..count - 1)
        .map(|index| {
            let (all, body) = (all.clone(), body.clone());
            thread::spawn(move || step(index, all, body))
        })
        .collect();
    step(count - 1, all, body);
    threads.into_iter().for_each(|thread| thread.join().expect("the thread ends"));
}

#[test]
fn a_wait_queue_loses_no_wake_up() {
    model(|| {
        let (queue, value) = (WaitQueue::new(), AtomicU32::new(0));
        run(2, move |index| match index {
            0 => {
                assert_eq!(queue.wait(|| Some(value.load(Ordering::Relaxed)).filter(|&value| value == 1)), 1)
            }
            _ => {
                value.store(1, Ordering::Relaxed);
                queue.wake_one();
            }
        });
    });
}

#[test]
fn two_things_wake_two_sleepers() {
    model(|| {
        let (queue, things) = (WaitQueue::new(), AtomicU32::new(0));
        let take = |things: &AtomicU32| {
            things.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |things| things.checked_sub(1)).ok()
        };
        run(3, move |index| match index {
            0 | 1 => _ = queue.wait(|| take(&things)),
            _ => {
                for _ in 0..2 {
                    things.fetch_add(1, Ordering::AcqRel);
                    queue.wake_one();
                }
            }
        });
    });
}

#[test]
fn who_is_interrupted_passes_the_wake_up_on() {
    model(|| {
        let (queue, things) = (WaitQueue::new(), AtomicU32::new(0));
        let take = |things: &AtomicU32| {
            things.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |things| things.checked_sub(1)).ok()
        };
        run_known(3, move |index, threads| match index {
            // The thing, or the signal; the other sleeper has what is left.
            0 => match queue.wait_interruptible(|| take(&things)) {
                Ok(_) => {
                    things.fetch_add(1, Ordering::AcqRel);
                    queue.wake_one();
                }
                Err(errno) => assert_eq!(errno, Errno::EINTR),
            },
            1 => _ = queue.wait(|| take(&things)),
            _ => {
                things.fetch_add(1, Ordering::AcqRel);
                queue.wake_one();
                threads[0].task.raise(Work::SIGNAL);
                interrupt_sleep(&threads[0]);
            }
        });
    });
}

#[test]
fn whoever_polls_two_queues_is_told_by_either() {
    model(|| {
        let (queues, value) = ([WaitQueue::new(), WaitQueue::new()], AtomicU32::new(0));
        run(2, move |index| match index {
            0 => {
                let mut table = PollTable::new();
                queues.iter().for_each(|queue| table.register(queue));
                while value.load(Ordering::Relaxed) == 0 {
                    assert_eq!(table.wait(None), Ok(true));
                }
            }
            _ => {
                value.store(1, Ordering::Relaxed);
                queues[1].wake_one();
            }
        });
    });
}
