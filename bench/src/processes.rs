//! Processes, programs and threads.

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Bench;
use crate::row::Row;
use crate::sys::{self, Error, Mapping, PAGE, Result};

pub(crate) const ROWS: &[Row] = &[
    Row::new("processes/fork, exit, wait", |bench| bench.each("fork", sys::fork_and_exit)),
    Row::new("processes/fork, exit, wait with 16 MiB", |bench| fork_with(bench, 16)),
    Row::new("processes/fork, exit, wait with 256 MiB", |bench| fork_with(bench, 256)),
    Row::new("processes/vfork, exec, wait", |bench| {
        let program = tiny_program()?;
        bench.each("execve", || sys::exec_with_vfork(program))
    }),
    Row::new("processes/posix_spawn, wait", |bench| {
        let program = tiny_program()?;
        bench.each("posix_spawn", || sys::spawn(program, [None; 2]))
    }),
    Row::new("processes/sh -c true", |bench| {
        bench.each("posix_spawn", || sys::spawn(c"/bin/sh", [Some(c"-c"), Some(c"true")]))
    }),
    Row::new("processes/thread create, join", |bench| {
        bench.each("clone", || {
            let thread = std::thread::Builder::new().spawn(|| {});
            let joined = thread.map(|thread| thread.join().is_ok());
            joined.map_or_else(
                |error| -(error.raw_os_error().unwrap_or(libc::EIO) as isize),
                |joined| if joined { 0 } else { -(libc::EIO as isize) },
            )
        })
    }),
];

fn fork_with(bench: &mut Bench, mebibytes: usize) -> Result<()> {
    let pages = mebibytes * 1024 * 1024 / PAGE;
    let mut memory = Mapping::anonymous(pages)?;
    memory.write_pages(pages);
    bench.each("fork", sys::fork_and_exit)
}

/// Writes the smallest program there is: one segment, one page, `exit(0)`.
pub(crate) fn tiny_program() -> Result<&'static CStr> {
    const CODE: [u8; 9] = [
        0x31, 0xff, // xor edi, edi
        0xb8, 0x3c, 0, 0, 0, // mov eax, 60
        0x0f, 0x05, // syscall
    ];
    const HEADERS: u64 = elf::EXECUTABLE_HEADERS_SIZE as u64;
    const BASE: u64 = 0x40_0000;
    let size = HEADERS + CODE.len() as u64;
    let mut file = elf::executable_headers(BASE, BASE + HEADERS, size, size).to_vec();
    file.extend(CODE);
    let failed = |error: std::io::Error| Error {
        call: "write of a program",
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    };
    std::fs::write("tiny", file).map_err(failed)?;
    std::fs::set_permissions("tiny", PermissionsExt::from_mode(0o755)).map_err(failed)?;
    Ok(c"./tiny")
}
