//! Tests of switching, and of simulated user programs.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::test_kernel::*;
use hal::Error;
use hal::PAGE_SIZE;
use hal::cpu::CpuId;
use hal::paging::PageTable;
use hal::sim::{self, Machine, Outcome, SimUser};
use hal::task::*;

fn logged() -> Vec<&'static str> {
    LOG.lock().unwrap().clone()
}

#[test]
fn threads_take_turns_on_one_cpu() {
    adopt_boot(TestThread::new);
    for name in ["a", "b"] {
        ready(TestThread::spawn(move || {
            for _ in 0..2 {
                log(name);
                yield_now();
            }
            block();
        }));
    }
    for _ in 0..3 {
        log("main");
        yield_now();
    }
    assert_eq!(logged(), ["main", "a", "b", "main", "a", "b", "main"]);
}

#[test]
fn a_dead_thread_is_freed_by_the_next() {
    adopt_boot(TestThread::new);
    let thread = TestThread::spawn(block);
    let weak = Arc::downgrade(&thread);
    ready(thread);
    let me = current::<TestThread>().arc();
    assert!(weak.upgrade().is_some());
    yield_now();
    assert!(weak.upgrade().is_none());
    // The CPU's own reference, and ours.
    assert_eq!(Arc::strong_count(&me), 2);
}

#[test]
fn current_is_known_only_after_adoption() {
    Machine::builder().build();
    assert!(try_current::<TestThread>().is_none());
    adopt_boot(TestThread::new);
    assert!(current::<TestThread>().task().is_on_cpu());
    switch_to(current::<TestThread>().arc());
}

#[test]
#[should_panic(expected = "not the kernel's thread type")]
fn another_thread_type_is_refused() {
    struct Other(Task);
    impl HasTask for Other {
        fn task(&self) -> &Task {
            &self.0
        }
    }
    let _ = try_current::<Other>();
}

#[test]
fn a_switch_restores_the_interrupt_state() {
    adopt_boot(TestThread::new);
    ready(TestThread::spawn(|| {
        assert!(hal::irq::are_enabled());
        hal::irq::disabled(yield_now);
        assert!(hal::irq::are_enabled());
        block();
    }));
    hal::irq::disabled(|| {
        yield_now();
        assert!(!hal::irq::are_enabled());
    });
    yield_now();
}

#[test]
fn one_task_never_runs_on_two_cpus() {
    let machine = Machine::builder().cpus(2).memory_mib(1).build();
    adopt_boot(TestThread::new);
    let inside = Arc::new(AtomicUsize::new(0));
    let turns = Arc::new(AtomicUsize::new(0));
    let rounds = if cfg!(miri) { 20 } else { 500 };
    for _ in 0..3 {
        let (inside, turns) = (inside.clone(), turns.clone());
        // Each thread is alone with its counter between two switches.
        ready(TestThread::spawn(move || {
            let own = AtomicUsize::new(0);
            loop {
                assert_eq!(own.fetch_add(1, Ordering::SeqCst), 0);
                assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                turns.fetch_add(1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(own.fetch_sub(1, Ordering::SeqCst), 1);
                yield_now();
            }
        }));
    }
    let second = {
        let turns = turns.clone();
        std::thread::spawn(move || {
            machine.act_as(CpuId::new(1));
            adopt_boot(TestThread::new);
            while turns.load(Ordering::SeqCst) < rounds {
                yield_now();
            }
        })
    };
    while turns.load(Ordering::SeqCst) < rounds || !second.is_finished() {
        yield_now();
    }
    second.join().unwrap();
}

#[test]
#[should_panic(expected = "oops in a thread")]
fn a_panic_in_a_thread_reaches_the_test() {
    adopt_boot(TestThread::new);
    ready(TestThread::spawn(|| panic!("oops in a thread")));
    yield_now();
}

#[test]
fn waiting_jumps_to_the_next_deadline() {
    Machine::builder().build();
    let deadline = hal::time::now_ns() + 3_600_000_000_000;
    hal::time::set_deadline(Some(deadline));
    hal::cpu::wait_for_interrupt();
    assert!(hal::time::now_ns() >= deadline);
    assert_eq!(logged(), ["timer"]);
    hal::cpu::send_reschedule(CpuId::BOOT);
    hal::cpu::wait_for_interrupt();
    assert_eq!(logged(), ["timer", "reschedule"]);
}

#[test]
fn a_machine_boots_and_switches_itself_off() {
    let machine = Machine::builder().cpus(2).command_line("quiet").initramfs(b"initramfs").boot();
    assert_eq!(machine.wait(), Outcome::PowerOff);
    assert_eq!(logged(), ["boot", "timer"]);
    // The module's frame went to the allocator.
    assert_eq!(FREED.lock().unwrap().len(), 1);
}

#[test]
fn a_panic_at_boot_is_the_outcome() {
    let machine = Machine::builder().command_line("unexpected").boot();
    assert!(matches!(machine.wait(), Outcome::Panic(message) if message.contains("assertion")));
}

/// Runs a program as a user thread until all threads are dead.
fn run_user(body: impl Fn(&mut SimUser) + Send + Sync + 'static) {
    adopt_boot(TestThread::new);
    let rip = sim::program(body);
    let table = PageTable::new().unwrap();
    ready(TestThread::user(table, UserRegs::start(rip, 0x20_0000)));
    while !is_idle() {
        yield_now();
    }
}

#[test]
fn a_program_calls_and_faults_pages_in() {
    run_user(|user| {
        assert_eq!(user.syscall(SYS_ADD, [1, 2, 3, 4, 5, 6]), 21);
        assert_eq!(user.syscall(9999, [0; 6]), -38);
        user.store(0x10_0ffe, &0x1122_3344u32);
        assert_eq!(user.load::<u16>(0x10_1000), 0x1122);
        let text = user.push_str("hello");
        assert_eq!(user.syscall(SYS_LOG, [text as u64, 0, 0, 0, 0, 0]), 5);
        // A kernel copy faults pages in as well, and reports what it cannot get.
        assert_eq!(user.syscall(SYS_LOG, [0x15_0000, 0, 0, 0, 0, 0]), 0);
        for bad in [0, 0x30_0000, hal::USER_END, usize::MAX - 3, 0xffff_8000_0000_0000] {
            assert_eq!(user.syscall(SYS_LOG, [bad as u64, 0, 0, 0, 0, 0]), -14);
        }
    });
    assert_eq!(logged(), ["hello", "", "exit"]);
}

#[test]
fn a_string_ends_at_a_hole_or_before_it() {
    run_user(|user| {
        let last = 0x20_0000 - 4;
        user.store(last, b"abc\0");
        assert_eq!(user.syscall(SYS_LOG, [last as u64, 0, 0, 0, 0, 0]), 3);
        user.store(last, b"abcd");
        assert_eq!(user.syscall(SYS_LOG, [last as u64, 0, 0, 0, 0, 0]), -14);
        user.store(0x10_0000, &[b'x'; 64]);
        assert_eq!(user.syscall(SYS_LOG, [0x10_0000, 0, 0, 0, 0, 0]), -36);
    });
}

#[test]
fn fork_gives_each_side_its_own_memory() {
    run_user(|user| {
        user.store(0x10_0000, &1u32);
        user.set_fpu(42);
        let result = user.fork(|user| {
            assert_eq!(user.regs().rax, 0);
            assert_eq!(user.load::<u32>(0x10_0000), 1);
            assert_eq!(user.fpu(), 42);
            user.store(0x10_0000, &2u32);
            assert_eq!(user.load::<u32>(0x10_0000), 2);
            assert_eq!(user.syscall(SYS_ADD, [1; 6]), 6);
        });
        assert_eq!(result, 1);
        user.store(0x10_0004, &7u32);
        assert_eq!(user.load::<u32>(0x10_0000), 1);
    });
    assert_eq!(logged(), ["exit", "exit"]);
}

#[test]
fn a_handler_runs_nested_and_returns() {
    adopt_boot(TestThread::new);
    HANDLER.store(
        sim::program(|user| {
            log("handler");
            user.store(0x10_0000, &5u32);
            user.syscall(15, [0; 6]);
            unreachable!("sigreturn does not return");
        }),
        Ordering::Relaxed,
    );
    run_more(|user| {
        user.regs_mut().rbx = 77;
        assert_eq!(user.syscall(SYS_RAISE, [0; 6]), 0);
        assert_eq!(user.load::<u32>(0x10_0000), 5);
        assert_eq!(user.regs().rbx, 77);
        // A fault that the handler does not cure is taken again.
        user.exception(6);
        log("after");
    });
    assert_eq!(logged(), ["handler", "exception", "handler", "after", "exit"]);
}

#[test]
fn a_bad_access_without_a_handler_is_the_end() {
    run_user(|user| {
        user.store(0, &1u8);
        unreachable!("dead");
    });
    assert_eq!(logged(), ["segv"]);
}

#[test]
fn a_jump_into_nothing_is_a_fault() {
    adopt_boot(TestThread::new);
    let table = PageTable::new().unwrap();
    ready(TestThread::user(table, UserRegs::start(0x1234, 0x20_0000)));
    while !is_idle() {
        yield_now();
    }
    assert_eq!(logged(), ["segv"]);
}

fn run_more(body: impl Fn(&mut SimUser) + Send + Sync + 'static) {
    let rip = sim::program(body);
    let table = PageTable::new().unwrap();
    ready(TestThread::user(table, UserRegs::start(rip, 0x20_0000)));
    while !is_idle() {
        yield_now();
    }
}

#[test]
fn registers_from_a_program_are_made_harmless() {
    let mut regs =
        UserRegs { rip: 0xffff_8000_0000_0000, rflags: u64::MAX, cs: 8, ss: 16, ..UserRegs::default() };
    regs.sanitise();
    assert_eq!(regs.rip, hal::USER_END as u64);
    // No interrupt-off, no I/O privilege, no virtual-8086.
    assert_eq!(regs.rflags & 0x2_3000, 0);
    assert_eq!(regs.rflags & 0x202, 0x202);
    assert_eq!((regs.cs, regs.ss), (0x33, 0x2b));
}

#[test]
fn segment_bases_stay_in_user_space() {
    let task = Task::new(PAGE_SIZE, Box::new(|| ())).unwrap();
    task.set_fs_base(0x1000).unwrap();
    assert_eq!(task.fs_base(), 0x1000);
    assert_eq!(task.set_gs_base(hal::USER_END), Err(Error::OutOfRange));
}

#[test]
fn work_flags_are_raised_and_lowered() {
    let task = Task::new(PAGE_SIZE, Box::new(|| ())).unwrap();
    task.raise(Work::SIGNAL | Work::EXIT);
    task.lower(Work::SIGNAL);
    assert_eq!(task.work(), Work::EXIT);
}
