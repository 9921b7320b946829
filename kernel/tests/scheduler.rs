//! The scheduler on simulated machines: threads that wait for each other, sleep, compete and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hal::cpu::CpuId;
use hal::sim::Machine;
use kernel::scheduler::core::policy::{Attributes, Policy};
use kernel::scheduler::wait::{PollTable, WaitQueue, sleep_uninterruptible};
use kernel::scheduler::{self, SCHEDULER, ThreadId};

const STACK: usize = 16 * 1024;
const MS: u64 = 1_000_000;

/// Builds a machine whose CPUs all run threads, the calling thread being CPU 0's idle thread.
fn boot(cpus: usize) {
    Machine::builder().cpus(cpus).build();
    scheduler::init();
    hal::irq::enable();
    if cpus > 1 {
        scheduler::start_secondaries(usize::MAX);
    }
    scheduler::service::start().expect("a new machine has room for its service threads");
}

/// Runs threads on CPU 0 until `count` has come down to 0.
fn run_until_zero(count: &AtomicUsize) {
    scheduler::run_while(|| count.load(Ordering::SeqCst) > 0);
}

fn spawn(entry: impl FnOnce() + Send + 'static) -> ThreadId {
    SCHEDULER.spawn("test", entry, STACK).expect("there is room for a stack")
}

/// A counter of threads that have not ended; each takes a handle with it.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            // CPU 0 may be waiting for an interrupt; see `run_until_zero`.
            hal::cpu::send_reschedule(CpuId::BOOT);
        }
    }
}

#[test]
fn two_threads_play_ping_pong_over_wait_queues() {
    for cpus in [1, 2, 4] {
        boot(cpus);
        struct Table {
            turn: AtomicUsize,
            queues: [WaitQueue; 2],
        }
        let table =
            Arc::new(Table { turn: AtomicUsize::new(0), queues: [WaitQueue::new(), WaitQueue::new()] });
        let running = Arc::new(AtomicUsize::new(0));
        for me in 0..2 {
            let (table, running) = (table.clone(), Running::new(&running));
            spawn(move || {
                let _running = running;
                for round in 0..2_000 {
                    let my_turn = 2 * round + me;
                    table.queues[me].wait(|| (table.turn.load(Ordering::SeqCst) == my_turn).then_some(()));
                    table.turn.store(my_turn + 1, Ordering::SeqCst);
                    table.queues[1 - me].wake_one();
                }
            });
        }
        run_until_zero(&running);
        assert_eq!(table.turn.load(Ordering::SeqCst), 4_000);
    }
}

#[test]
fn sleepers_wake_in_order_and_on_time() {
    boot(2);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let running = Arc::new(AtomicUsize::new(0));
    let start = hal::time::now_ns();
    for delay_ms in [50_u64, 10, 90, 30, 70] {
        let (order, running) = (order.clone(), Running::new(&running));
        spawn(move || {
            let _running = running;
            let deadline = start + delay_ms * MS;
            sleep_uninterruptible(deadline);
            order.lock().unwrap().push((delay_ms, hal::time::now_ns() - deadline));
        });
    }
    run_until_zero(&running);
    let order = order.lock().unwrap();
    assert_eq!(order.iter().map(|&(delay, _)| delay).collect::<Vec<_>>(), [10, 30, 50, 70, 90]);
    assert!(order.iter().all(|&(_, late)| late < MS / 10), "{order:?}");
}

#[test]
fn a_storm_of_a_thousand_threads_ends() {
    boot(4);
    let running = Arc::new(AtomicUsize::new(0));
    let sum = Arc::new(AtomicUsize::new(0));
    let (outer, total) = (Running::new(&running), sum.clone());
    let count = running.clone();
    spawn(move || {
        let _outer = outer;
        for index in 0..1_000 {
            let (inner, total) = (Running::new(&count), total.clone());
            spawn(move || {
                let _inner = inner;
                SCHEDULER.yield_now();
                total.fetch_add(index, Ordering::SeqCst);
            });
            if index % 50 == 0 {
                SCHEDULER.yield_now();
            }
        }
    });
    run_until_zero(&running);
    assert_eq!(sum.load(Ordering::SeqCst), 999 * 1_000 / 2);
    let stats = SCHEDULER.stats();
    assert_eq!(stats.threads_started, 1_002);
    assert!(stats.context_switches >= 1_000);
}

#[test]
fn a_mutex_of_the_machine_serves_many_threads() {
    boot(4);
    let shared = Arc::new(hal::sync::Mutex::new(hal::sync::LockRank::new(10, "test"), 0_u64));
    let running = Arc::new(AtomicUsize::new(0));
    for _ in 0..16 {
        let (shared, running) = (shared.clone(), Running::new(&running));
        spawn(move || {
            let _running = running;
            for _ in 0..100 {
                let mut value = shared.lock();
                let old = *value;
                SCHEDULER.yield_now();
                *value = old + 1;
            }
        });
    }
    run_until_zero(&running);
    assert_eq!(*shared.lock(), 1_600);
}

#[test]
fn an_unblock_before_the_block_counts() {
    boot(2);
    let running = Arc::new(AtomicUsize::new(0));
    let passes = Arc::new(AtomicUsize::new(0));
    let (guard, count) = (Running::new(&running), passes.clone());
    let sleeper = spawn(move || {
        let _guard = guard;
        for _ in 0..500 {
            SCHEDULER.block_current();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (guard, count) = (Running::new(&running), passes.clone());
    spawn(move || {
        let _guard = guard;
        for round in 0..500 {
            while count.load(Ordering::SeqCst) < round {
                SCHEDULER.yield_now();
                hal::cpu::relax();
            }
            SCHEDULER.unblock_thread(sleeper).unwrap();
        }
    });
    run_until_zero(&running);
    assert_eq!(passes.load(Ordering::SeqCst), 500);
    // Its body is over; it is forgotten a moment later.
    let is_forgotten = (0..1_000_000).any(|_| {
        std::thread::yield_now();
        SCHEDULER.unblock_thread(sleeper).is_err()
    });
    assert!(is_forgotten);
}

#[test]
fn one_wake_up_wakes_one_thread_and_none_is_lost() {
    boot(4);
    struct Shared {
        items: AtomicUsize,
        taken: AtomicUsize,
        queue: WaitQueue,
    }
    let shared =
        Arc::new(Shared { items: AtomicUsize::new(0), taken: AtomicUsize::new(0), queue: WaitQueue::new() });
    let running = Arc::new(AtomicUsize::new(0));
    let take = |shared: &Shared| {
        shared
            .items
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |items| items.checked_sub(1))
            .is_ok()
            .then_some(())
    };
    for _ in 0..8 {
        let (shared, running) = (shared.clone(), Running::new(&running));
        spawn(move || {
            let _running = running;
            for round in 0..100 {
                // Some give up early and must pass on a wake-up they were chosen for.
                if round % 3 == 0 {
                    let deadline = hal::time::now_ns() + 2_000;
                    if shared.queue.wait_deadline(Some(deadline), || take(&shared)).unwrap().is_some() {
                        shared.taken.fetch_add(1, Ordering::SeqCst);
                        continue;
                    }
                }
                shared.queue.wait(|| take(&shared));
                shared.taken.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let (producer, guard) = (shared.clone(), Running::new(&running));
    spawn(move || {
        let _guard = guard;
        for _ in 0..800 {
            producer.items.fetch_add(1, Ordering::SeqCst);
            producer.queue.wake_one();
            SCHEDULER.yield_now();
        }
    });
    run_until_zero(&running);
    assert_eq!(shared.taken.load(Ordering::SeqCst), 800);
    assert_eq!(shared.items.load(Ordering::SeqCst), 0);
    assert!(!shared.queue.has_waiters());
}

#[test]
fn a_poll_table_sees_any_of_many_queues_and_times_out() {
    boot(2);
    let queues: Arc<Vec<WaitQueue>> = Arc::new((0..20).map(|_| WaitQueue::new()).collect());
    let ready = Arc::new(AtomicUsize::new(usize::MAX));
    let seen = Arc::new(AtomicUsize::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let (watched, flag, log, guard) = (queues.clone(), ready.clone(), seen.clone(), Running::new(&running));
    spawn(move || {
        let _guard = guard;
        let mut table = PollTable::new();
        watched.iter().for_each(|queue| table.register(queue));
        for round in 0..20 {
            while flag.load(Ordering::SeqCst) != round {
                assert_eq!(table.wait(None), Ok(true));
            }
            log.fetch_add(1, Ordering::SeqCst);
        }
        let deadline = hal::time::now_ns() + 5 * MS;
        while table.wait(Some(deadline)) == Ok(true) {}
        assert!(hal::time::now_ns() >= deadline);
        drop(table);
        log.fetch_add(1, Ordering::SeqCst);
    });
    let (woken, log, guard) = (queues.clone(), seen.clone(), Running::new(&running));
    spawn(move || {
        let _guard = guard;
        for round in 0..20 {
            ready.store(round, Ordering::SeqCst);
            woken[round].wake_one();
            while log.load(Ordering::SeqCst) <= round {
                SCHEDULER.yield_now();
                hal::cpu::relax();
            }
        }
    });
    run_until_zero(&running);
    assert_eq!(seen.load(Ordering::SeqCst), 21);
}

#[test]
fn hogs_share_a_cpu_by_time_slices() {
    boot(1);
    let running = Arc::new(AtomicUsize::new(0));
    let spins: Arc<[AtomicU64; 3]> = Arc::default();
    let stop = hal::time::now_ns() + 300 * MS;
    for index in 0..3 {
        let (spins, guard) = (spins.clone(), Running::new(&running));
        spawn(move || {
            let _guard = guard;
            while hal::time::now_ns() < stop {
                hal::time::busy_wait_ns(20_000);
                spins[index].fetch_add(1, Ordering::Relaxed);
                scheduler::cond_resched();
            }
        });
    }
    run_until_zero(&running);
    let shares: Vec<_> = spins.iter().map(|spins| spins.load(Ordering::Relaxed) as f64).collect();
    let mean = shares.iter().sum::<f64>() / 3.0;
    assert!(shares.iter().all(|share| (share / mean - 1.0).abs() < 0.1), "{shares:?}");
}

#[test]
fn a_real_time_thread_pre_empts_a_hog_at_once() {
    boot(1);
    let running = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (ended, guard) = (stop.clone(), Running::new(&running));
    spawn(move || {
        let _guard = guard;
        while !ended.load(Ordering::Relaxed) {
            hal::time::busy_wait_ns(10_000);
            scheduler::cond_resched();
        }
    });
    let guard = Running::new(&running);
    let urgent = Attributes { policy: Policy::Fifo, nice: 0, real_time_priority: 50 };
    let body = move || {
        let _guard = guard;
        let mut deadline = hal::time::now_ns();
        for _ in 0..50 {
            deadline += 7 * MS;
            sleep_uninterruptible(deadline);
            let late = hal::time::now_ns() - deadline;
            assert!(late < 50_000, "{late} ns late");
        }
        stop.store(true, Ordering::Relaxed);
    };
    SCHEDULER.spawn_with("urgent", body, STACK, urgent).unwrap();
    run_until_zero(&running);
}

#[test]
fn cpu_time_is_exact_and_idle_time_is_the_rest() {
    boot(1);
    let running = Arc::new(AtomicUsize::new(0));
    let guard = Running::new(&running);
    let start = hal::time::now_ns();
    spawn(move || {
        let _guard = guard;
        hal::time::busy_wait_ns(25 * MS);
        let used = scheduler::current().cpu_time_ns();
        assert!((25 * MS..26 * MS).contains(&used), "{used}");
        sleep_uninterruptible(hal::time::now_ns() + 75 * MS);
        let used = scheduler::current().cpu_time_ns();
        assert!((25 * MS..26 * MS).contains(&used), "{used}");
    });
    run_until_zero(&running);
    let passed = hal::time::now_ns() - start;
    let usage = SCHEDULER.stats().cpus[0];
    assert!(usage.idle_ns.abs_diff(passed - 25 * MS) < MS, "{usage:?} of {passed}");
}

#[test]
fn threads_keep_to_their_affinity_while_it_changes() {
    boot(4);
    let running = Arc::new(AtomicUsize::new(0));
    for index in 0..8_usize {
        let guard = Running::new(&running);
        spawn(move || {
            let _guard = guard;
            for round in 0..50 {
                let cpu = (index + round) % 4;
                SCHEDULER.set_affinity(&scheduler::current().arc(), 1 << cpu);
                scheduler::cond_resched();
                SCHEDULER.yield_now();
                let here = hal::cpu::id().index();
                assert_eq!(here, cpu, "thread {index}, round {round}");
            }
        });
    }
    run_until_zero(&running);
}
