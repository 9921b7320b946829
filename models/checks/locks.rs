//! Locks: one at a time, and each sees what the one before did.

use alloc::sync::Arc;

use loom::thread;

use crate::lock_order::PIPE as RANK;
use crate::sync::{ArcSlot, Mutex, Once, RwSpinLock, SpinLock, SpinLockIrq};
use crate::{Tracked, model};

/// Has another thread and the calling one do the same twice; then `check` looks at what came of it.
fn two<T: Send + Sync + 'static>(shared: T, step: fn(&T), check: fn(&T)) {
    let shared = Arc::new(shared);
    let other = shared.clone();
    let twice = move |shared: &T| (0..2).for_each(|_| step(shared));
    let thread = thread::spawn(move || twice(&other));
    twice(&shared);
    thread.join().expect("the thread ends");
    check(&shared);
}

#[test]
fn a_spin_lock_is_held_by_one() {
    model(|| {
        two(
            SpinLock::new(RANK, Tracked::new(0)),
            |lock| lock.lock().add_one(),
            |lock| assert_eq!(lock.lock().get(), 4),
        );
    });
}

#[test]
fn a_spin_lock_that_is_tried_is_held_by_one() {
    model(|| {
        let step = |lock: &SpinLockIrq<Tracked>| match lock.try_lock() {
            Some(value) => value.add_one(),
            None => lock.lock().add_one(),
        };
        two(SpinLockIrq::new(RANK, Tracked::new(0)), step, |lock| assert_eq!(lock.lock().get(), 4));
    });
}

#[test]
fn readers_never_meet_a_writer() {
    model(|| {
        let lock = Arc::new(RwSpinLock::new(RANK, Tracked::new(0)));
        let other = lock.clone();
        let reader = thread::spawn(move || {
            let value = other.read();
            let first = value.get();
            thread::yield_now();
            assert_eq!(value.get(), first);
        });
        lock.write().add_one();
        reader.join().expect("the reader ends");
        assert_eq!(lock.read().get(), 1);
    });
}

#[test]
fn writers_take_turns() {
    model(|| {
        two(
            RwSpinLock::new(RANK, Tracked::new(0)),
            |lock| lock.write().add_one(),
            |lock| assert_eq!(lock.read().get(), 4),
        );
    });
}

#[test]
fn once_is_filled_once_and_seen_whole() {
    model(|| {
        let made = |cell: &Once<Tracked>| {
            assert!(matches!(cell.get_or_init(|| Tracked::new(7)).get(), 7 | 8));
        };
        let cell = Arc::new(Once::new());
        let other = cell.clone();
        let maker = thread::spawn(move || made(&other));
        let is_mine = cell.set(Tracked::new(8)).is_ok();
        maker.join().expect("the thread ends");
        assert_eq!(cell.get().map(Tracked::get), Some(if is_mine { 8 } else { 7 }));
    });
}

#[test]
fn what_goes_through_a_slot_comes_out_once() {
    model(|| {
        let slot = Arc::new(ArcSlot::new());
        let taken = [slot.clone(), slot.clone()]
            .map(|slot| thread::spawn(move || slot.take().map_or(0, |value: Arc<Tracked>| value.get())));
        assert!(slot.put(Arc::new(Tracked::new(5))).is_none());
        let taken: u32 = taken.into_iter().map(|thread| thread.join().expect("the thread ends")).sum();
        assert_eq!(taken + slot.take().map_or(0, |value| value.get()), 5);
    });
}

#[test]
fn a_mutex_is_held_by_one_and_wakes_who_sleeps() {
    model(|| {
        let lock = Arc::new(Mutex::new(RANK, Tracked::new(0)));
        crate::sleeping::run(3, move |_| lock.lock().add_one());
    });
}
