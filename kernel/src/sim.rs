//! The whole kernel with a program on the simulated machine, for tests and examples. Not part of the image.
//!
//! A booted kernel has some of its statics once in a process, so a process boots one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hal::sim::{self, Builder, SimUser};
use linux_abi::reboot::{LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2};

use crate::syscall::syscall_numbers as nr;

/// Address at which the program's file is mapped.
const BASE: u64 = 0x40_0000;

/// Calls `prepare` on the machine that `builder` describes, boots the kernel on it, runs `init` as process 1, switches
/// the machine off when it returns, and answers with what appeared on the console, the first serial port.
///
/// # Panics
/// If the kernel or the program panics, or the machine still runs after a minute.
pub fn run(
    builder: Builder,
    prepare: impl FnOnce(),
    init: impl Fn(&mut SimUser) + Send + Sync + 'static,
) -> String {
    let machine = builder.command_line("console=ttyS0").boot_with(|| {
        prepare();
        archive(sim::program(move |user| {
            init(user);
            power_off(user);
        }))
    });
    machine.wait_success()
}

/// Writes `text` to descriptor 1.
///
/// # Panics
/// If it is not written as a whole.
pub fn print(user: &mut SimUser, text: &str) {
    let at = user.push_str(text);
    let written = user.syscall(nr::WRITE as u64, [1, at as u64, text.len() as u64, 0, 0, 0]);
    assert_eq!(written, text.len() as isize, "write to the console");
}

fn power_off(user: &mut SimUser) {
    let words = [LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF].map(u64::from);
    user.syscall(nr::REBOOT as u64, [words[0], words[1], words[2], 0, 0, 0]);
}

/// Makes an archive whose `/init` is a program that starts at `entry`.
fn archive(entry: usize) -> Vec<u8> {
    let mut archive = Vec::new();
    add(&mut archive, "init", 0o100_755, &executable(entry as u64));
    add(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

/// Appends a file to a newc archive (cpio(5)).
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

/// Makes a static ELF file of one page, mapped to be read and executed, whose entry point is elsewhere.
fn executable(entry: u64) -> Vec<u8> {
    elf::executable_headers(BASE, entry, elf::EXECUTABLE_HEADERS_SIZE as u64, 4096).to_vec()
}
