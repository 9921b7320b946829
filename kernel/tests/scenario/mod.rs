//! What the scenarios share: an initial file system whose `/init` is a simulated program. One test a file, because a
//! booted kernel has its statics once in a process.

use hal::sim::{self, Machine, SimUser};
// Linked for its `hal::entry!`.
use kernel as _;

/// Appends a file to a newc archive.
fn add(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let fields = [1, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    archive.extend_from_slice(b"070701");
    for field in fields {
        archive.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// Makes a static ELF file of one page whose entry point is a simulated program.
fn elf(entry: usize) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let word =
        |file: &mut Vec<u8>, value: u64, bytes: usize| file.extend_from_slice(&value.to_le_bytes()[..bytes]);
    // ET_EXEC, x86-64, version, entry, program headers at 64, no sections, flags, sizes.
    for (value, bytes) in [(2, 2), (62, 2), (1, 4), (entry as u64, 8), (64, 8), (0, 8), (0, 4)] {
        word(&mut file, value, bytes);
    }
    for value in [64, 56, 1, 64, 0, 0] {
        word(&mut file, value, 2);
    }
    // PT_LOAD, read and execute, the file's first page at 4 MiB.
    for (value, bytes) in
        [(1, 4), (5, 4), (0, 8), (0x40_0000, 8), (0x40_0000, 8), (120, 8), (120, 8), (4096, 8)]
    {
        word(&mut file, value, bytes);
    }
    file
}

/// An archive whose `/init` runs `body`, with `/dev/console`.
fn archive(body: impl Fn(&mut SimUser) + Send + Sync + 'static) -> Vec<u8> {
    let mut bytes = Vec::new();
    add(&mut bytes, "init", 0o100_755, &elf(sim::program(body)));
    add(&mut bytes, "TRAILER!!!", 0, b"");
    bytes
}

const WRITE: u64 = 1;
const EXIT: u64 = 60;
const WAIT4: u64 = 61;
const REBOOT: u64 = 169;

fn print(user: &mut SimUser, text: &str) {
    let at = user.push_str(text);
    assert_eq!(user.syscall(WRITE, [1, at as u64, text.len() as u64, 0, 0, 0]), text.len() as isize);
}

fn power_off(user: &mut SimUser) -> ! {
    user.syscall(REBOOT, [0xfee1_dead, 672_274_793, 0x4321_fedc, 0, 0, 0]);
    unreachable!("the machine is off");
}

/// Boots, forks five children one after another, waits for each, and powers off.
pub(crate) fn boots_forks_and_powers_off(cpus: usize) {
    let machine =
        Machine::builder().cpus(cpus).memory_mib(32).command_line("console=ttyS0").boot_with(|| {
            archive(|user| {
                print(user, "hello from process 1\n");
                let status = user.push(&[0; 16]);
                for i in 0..5u64 {
                    let child = user.fork(move |user| {
                        print(user, "hello from a child\n");
                        user.syscall(EXIT, [i, 0, 0, 0, 0, 0]);
                    });
                    assert!(child > 1, "fork: {child}");
                    assert_eq!(user.syscall(WAIT4, [u64::MAX, status as u64, 0, 0, 0, 0]), child);
                    assert_eq!(user.load::<u32>(status), (i as u32) << 8);
                }
                // A bad pointer is an error, never more.
                assert_eq!(user.syscall(WRITE, [1, 8, 1, 0, 0, 0]), -14);
                power_off(user);
            })
        });
    let output = machine.wait_success();
    assert!(output.contains("hello from process 1"), "{output}");
    assert_eq!(output.matches("hello from a child").count(), 5, "{output}");
}
