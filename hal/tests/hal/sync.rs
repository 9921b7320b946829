//! Tests of locks and per-CPU data.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hal::cpu::CpuId;
use hal::irq;
use hal::sim::Machine;
use hal::sync::*;

const OUTER: LockRank = LockRank::new(10, "outer");
const INNER: LockRank = LockRank::new(20, "inner");
const MANY: LockRank = LockRank::nesting(30, "many");

fn panic_message(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(f).expect_err("no panic");
    payload
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| (*payload.downcast_ref::<&str>().expect("a message")).into())
}

#[test]
fn locks_out_of_order_panic_and_name_both() {
    let message = panic_message(|| {
        let (outer, inner) = (SpinLock::new(OUTER, ()), SpinLockIrq::new(INNER, ()));
        let _inner = inner.lock();
        let _outer = outer.lock();
    });
    assert!(message.contains("outer (rank 10)") && message.contains("inner (rank 20)"), "{message}");
    // The guards were released on the way out.
    assert!(irq::are_enabled());
    drop(SpinLock::new(OUTER, ()).lock());
}

#[test]
fn locks_in_order_and_in_any_order_of_release_are_fine() {
    let (outer, inner) = (Mutex::new(OUTER, 1), SpinLock::new(INNER, 2));
    for _ in 0..2 {
        let first = outer.lock();
        let second = inner.lock();
        drop(first);
        assert_eq!(*second, 2);
        assert_eq!(*outer.try_lock().unwrap(), 1);
    }
}

#[test]
fn one_rank_twice_is_an_error_unless_it_nests() {
    let message = panic_message(|| {
        let (a, b) = (SpinLock::new(OUTER, ()), SpinLock::new(OUTER, ()));
        let _a = a.lock();
        let _b = b.lock();
    });
    assert!(message.contains("outer (rank 10) is taken while outer"), "{message}");
    let (a, b) = (SpinLock::new(MANY, ()), SpinLock::new(MANY, ()));
    let _a = a.lock();
    let _b = b.lock();
}

#[test]
fn a_mutex_under_a_spin_lock_panics() {
    let message = panic_message(|| {
        let (spin, mutex) = (SpinLock::new(OUTER, ()), Mutex::new(INNER, ()));
        let _spin = spin.lock();
        let _mutex = mutex.lock();
    });
    assert!(message.contains("would block while spin lock outer"), "{message}");
    let message = panic_message(|| irq::disabled(might_sleep));
    assert!(message.contains("interrupts off"), "{message}");
    might_sleep();
}

#[test]
fn an_interrupt_lock_turns_interrupts_off_and_restores_them() {
    let (outer, inner) = (SpinLockIrq::new(OUTER, ()), SpinLockIrq::new(INNER, ()));
    let first = outer.lock();
    let second = inner.lock();
    assert!(!irq::are_enabled());
    assert!(outer.try_lock().is_none());
    drop(second);
    assert!(!irq::are_enabled());
    drop(first);
    assert!(irq::are_enabled());
}

#[test]
fn interrupts_wait_until_they_are_on() {
    static HITS: AtomicU32 = AtomicU32::new(0);
    let machine = Machine::builder().build();
    let line = irq::Irq::legacy(5);
    irq::register(line, || {
        assert!(irq::in_interrupt() && !irq::are_enabled());
        HITS.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(irq::register(line, || ()), Err(hal::Error::InUse));
    irq::disabled(|| {
        machine.raise(line);
        assert_eq!(HITS.load(Ordering::Relaxed), 0);
    });
    assert_eq!(HITS.load(Ordering::Relaxed), 1);
    machine.raise(irq::Irq::legacy(6));
    assert_eq!(HITS.load(Ordering::Relaxed), 1);
}

#[test]
fn a_plain_lock_in_an_interrupt_panics() {
    let message = panic_message(|| {
        let machine = Machine::builder().build();
        irq::register(irq::Irq::KEYBOARD, || drop(SpinLock::new(OUTER, ()).lock())).unwrap();
        machine.raise(irq::Irq::KEYBOARD);
    });
    assert!(message.contains("outer taken in interrupt context"), "{message}");
}

/// Runs `body` on four threads that each act for a CPU of one machine.
fn on_four_cpus(body: impl Fn(usize) + Sync) {
    let machine = Machine::builder().cpus(4).memory_mib(1).build();
    std::thread::scope(|scope| {
        for cpu in 0..4 {
            let body = &body;
            scope.spawn(move || {
                machine.act_as(CpuId::new(cpu));
                body(cpu);
            });
        }
    });
}

const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };

#[test]
fn locks_exclude() {
    let spin = SpinLock::new(OUTER, 0usize);
    let spin_irq = SpinLockIrq::new(OUTER, 0usize);
    let rw = RwSpinLock::new(OUTER, (0usize, 0usize));
    let mutex = Mutex::new(OUTER, 0usize);
    on_four_cpus(|_| {
        for round in 0..ROUNDS {
            *spin.lock() += 1;
            *spin_irq.lock() += 1;
            *mutex.lock() += 1;
            if round % 4 == 0 {
                let mut pair = rw.write();
                pair.0 += 1;
                pair.1 += 1;
            } else {
                let pair = rw.read();
                assert_eq!(pair.0, pair.1);
            }
        }
    });
    assert_eq!(*spin.lock(), 4 * ROUNDS);
    assert_eq!(*spin_irq.lock(), 4 * ROUNDS);
    assert_eq!(*mutex.lock(), 4 * ROUNDS);
    assert_eq!(rw.read().0, ROUNDS);
}

#[test]
fn once_is_set_once() {
    let cell = Once::new();
    assert_eq!(cell.get(), None);
    on_four_cpus(|cpu| {
        let value = *cell.get_or_init(|| cpu);
        assert_eq!(cell.set(cpu + 1), Err(cpu + 1));
        assert_eq!(cell.get(), Some(&value));
    });
    let dropped = Arc::new(());
    let holder = Once::new();
    holder.set(dropped.clone()).unwrap();
    drop(holder);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

hal::per_cpu! {
    static COUNTER: AtomicU32 = AtomicU32::new(7);
    static SCRATCH: CpuLocal<u32> = CpuLocal::new(0);
}

hal::machine_static! {
    static PER_MACHINE: AtomicU32 = AtomicU32::new(1);
}

#[test]
fn each_cpu_has_its_own_value() {
    let machine = Machine::builder().cpus(3).build();
    COUNTER.get().fetch_add(1, Ordering::Relaxed);
    machine.act_as(CpuId::new(2));
    COUNTER.get().fetch_add(10, Ordering::Relaxed);
    let all: Vec<_> = COUNTER.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
    assert_eq!(all, [8, 7, 17]);
    assert_eq!(COUNTER.on(CpuId::BOOT).load(Ordering::Relaxed), 8);
}

#[test]
fn each_machine_has_its_own_static() {
    PER_MACHINE.store(2, Ordering::Relaxed);
    Machine::builder().build();
    assert_eq!(PER_MACHINE.load(Ordering::Relaxed), 1);
}

#[test]
fn a_cpu_local_is_not_reentrant() {
    SCRATCH.with(|value, _| *value = 5);
    let message = panic_message(|| SCRATCH.with(|_, _| SCRATCH.with(|_, _| ())));
    assert!(message.contains("in use"), "{message}");
    assert_eq!(SCRATCH.with(|value, _| *value), 5);
}
