//! What the scenarios share: a program that forks. One test a file, because a booted kernel has its statics once in a
//! process.

use hal::sim::Machine;
use kernel::sim::{print, run};
use kernel::syscall::syscall_numbers as nr;

/// Boots, forks five children one after another, waits for each, and powers off.
pub(crate) fn boots_forks_and_powers_off(cpus: usize) {
    let machine = Machine::builder().cpus(cpus).memory_mib(32);
    let output = run(
        machine,
        || (),
        |user| {
            print(user, "hello from process 1\n");
            let status = user.push(&[0; 16]);
            for i in 0..5u64 {
                let child = user.fork(move |user| {
                    print(user, "hello from a child\n");
                    user.syscall(nr::EXIT as u64, [i, 0, 0, 0, 0, 0]);
                });
                assert!(child > 1, "fork: {child}");
                assert_eq!(user.syscall(nr::WAIT4 as u64, [u64::MAX, status as u64, 0, 0, 0, 0]), child);
                assert_eq!(user.load::<u32>(status), (i as u32) << 8);
            }
            // A bad pointer is an error, never more.
            assert_eq!(user.syscall(nr::WRITE as u64, [1, 8, 1, 0, 0, 0]), -14);
        },
    );
    assert!(output.contains("hello from process 1"), "{output}");
    assert_eq!(output.matches("hello from a child").count(), 5, "{output}");
}
