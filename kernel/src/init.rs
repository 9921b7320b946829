//! Process 1: unpacks the initial RAM file system, opens the console, finds a program and starts it.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use hal::boot::BootModule;
use linux_abi::errno::Errno;

use crate::command_line::CommandLine;
use crate::fs;
use crate::process::exec::Strings;
use crate::process::start::start_first_process;

/// Programs tried, in this order, when neither the command line nor `/init` names one.
const FALLBACKS: [&str; 4] = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];

/// Turns the boot thread's work into process 1. Returns once it is ready to run.
///
/// # Panics
/// When no program can be started: the message says what was tried, and `panic=` decides what happens next.
pub fn start(command_line: &CommandLine, initramfs: Option<BootModule>) {
    let had_initramfs = initramfs.is_some();
    match initramfs {
        Some(module) => {
            if let Err(error) = fs::initramfs::unpack(module.bytes()) {
                log::error!("Initramfs unpacking failed: {error}");
            }
            // Dropped here, its frames join the memory in use.
            let frames = module.bytes().len().div_ceil(hal::PAGE_SIZE);
            crate::memory::physical::buddy_allocator::add_to_total(frames);
        }
        None => log::warn!("no initramfs: the root file system is empty"),
    }
    fs::prepare_root();

    let early = command_line.rdinit.as_deref().unwrap_or("/init");
    match try_start(command_line, early) {
        Ok(()) => return,
        Err(errno) if command_line.rdinit.is_some() || errno != Errno::ENOENT => {
            log::warn!("check access for rdinit={early} failed: {errno}, ignoring");
        }
        Err(_) => {}
    }
    if let Some(root) = &command_line.root {
        log::error!("root={root}: there is no block device to mount it from");
    }
    if let Some(init) = &command_line.init {
        match try_start(command_line, init) {
            Ok(()) => return,
            Err(errno) => panic!("Requested init {init} failed (error {}).", -errno.number()),
        }
    }
    for candidate in FALLBACKS {
        match try_start(command_line, candidate) {
            Ok(()) => return,
            Err(Errno::ENOENT) => {}
            Err(errno) => log::error!(
                "Starting init: {candidate} exists but couldn't execute it (error {})",
                -errno.number()
            ),
        }
    }
    if had_initramfs {
        panic!("No working init found.  Try passing init= option to kernel.");
    }
    panic!("No working init found: no initramfs was given. Pass one with -initrd FILE.");
}

fn try_start(command_line: &CommandLine, program: &str) -> Result<(), Errno> {
    let mut arguments = Strings::new();
    arguments.push(program.as_bytes())?;
    let mut environment = Strings::new();
    for (list, strings) in
        [(&mut arguments, &command_line.init_arguments), (&mut environment, &command_line.init_environment)]
    {
        strings.iter().try_for_each(|string| list.push(string.as_bytes()))?;
    }
    start_first_process(program.as_bytes(), arguments, environment)
}

/// Keeps the command line, as text and read, for `/proc/cmdline` and for options read later.
pub fn remember(text: &'static [u8], command_line: Arc<CommandLine>) {
    let _ = TEXT.set(text);
    set_panic_seconds(command_line.panic_seconds);
    // A second boot in one process (tests) keeps the first line.
    let _ = REMEMBERED.set(command_line);
}

/// The command line as the boot loader passed it.
pub fn command_line_text() -> &'static [u8] {
    TEXT.get().copied().unwrap_or_default()
}

/// The command line the kernel was booted with, read.
pub fn command_line() -> Option<Arc<CommandLine>> {
    REMEMBERED.get().cloned()
}

/// Seconds after a panic until the machine starts again; negative: at once, 0: never (`panic=`, `kernel.panic`).
pub fn panic_seconds() -> i32 {
    PANIC_SECONDS.load(Ordering::Relaxed)
}

/// Changes what happens after a panic.
pub fn set_panic_seconds(seconds: i32) {
    PANIC_SECONDS.store(seconds, Ordering::Relaxed);
}

static PANIC_SECONDS: AtomicI32 = AtomicI32::new(0);
static TEXT: hal::sync::Once<&'static [u8]> = hal::sync::Once::new();
static REMEMBERED: hal::sync::Once<Arc<CommandLine>> = hal::sync::Once::new();
