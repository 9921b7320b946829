//! The kernel's own strace on the simulated machine: what a program calls, and what it gets, is in the log.

use hal::sim::Machine;
use kernel::process::watch::selection;
use kernel::sim::run;
use kernel::syscall::syscall_numbers as nr;

#[test]
fn chosen_calls_are_logged_with_their_arguments_and_answers() {
    let output = run(
        Machine::builder().cpus(1).memory_mib(32),
        || selection::select(b"*:openat,write,fork,pipe2,exit").expect("a choice"),
        |user| {
            let at = -100i64 as u64;
            let path = user.push_str("/no\"where") as u64;
            assert_eq!(user.syscall(nr::OPENAT as u64, [at, path, 0o2000000, 0, 0, 0]), -2);
            assert_eq!(
                user.syscall(nr::OPENAT as u64, [at, 8, 0, 0, 0, 0]),
                -14,
                "a bad address stays an error"
            );
            user.syscall(nr::GETPID as u64, [0; 6]);
            let pair = user.push(&[0; 8]) as u64;
            assert_eq!(user.syscall(nr::PIPE2 as u64, [pair, 0, 0, 0, 0, 0]), 0);
            let ends = [user.load::<u32>(pair as usize), user.load::<u32>(pair as usize + 4)];
            let text = user.push_str("forty bytes of text, of which 32 are shown") as u64;
            assert_eq!(user.syscall(nr::WRITE as u64, [ends[1].into(), text, 40, 0, 0, 0]), 40);
            let child = user.fork(|user| {
                user.syscall(nr::EXIT as u64, [7, 0, 0, 0, 0, 0]);
            });
            assert!(child > 1, "the child of a watched thread is made as any other: {child}");
            assert_eq!(user.syscall(nr::WAIT4 as u64, [u64::MAX, 0, 0, 0, 0, 0]), child);
        },
    );
    let expected = [
        r#"openat(AT_FDCWD, "/no\"where", O_RDONLY|O_CLOEXEC, 0) = -1 ENOENT (No such file or directory)"#,
        "openat(AT_FDCWD, 0x8, O_RDONLY, 0) = -1 EFAULT (Bad address)",
        "pipe2([3, 4], 0) = 0",
        r#", "forty bytes of text, of which 32"..., 40) = 40"#,
        "exit(7) = ?",
    ];
    for line in expected {
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
    assert!(output.matches("fork() = ").count() == 1, "the parent's answer alone\n{output}");
    assert!(!output.contains("getpid("), "not chosen\n{output}");
}
