//! Devices as files: which there are, their drivers, and the file system that lists them.
//!
//! - [`memory`]: `null`, `zero`, `full`; [`random`]: `random`, `urandom`; [`kmsg`]: the kernel log;
//! - [`terminal`]: `tty`, `console`, `ptmx`, serial terminals and slaves of pseudo-terminals;
//! - [`devtmpfs`]: the file system that has a node for each.

pub mod devtmpfs;
mod kmsg;
mod memory;
mod random;
mod terminal;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use linux_abi::errno::Errno;

use super::vfs::device::{DeviceClass, Driver, register_driver};
use super::vfs::{DeviceNumber, File, OpenRequest};
use crate::drivers::serial;
use crate::drivers::tty::pty;

/// Major number of memory devices.
const MEMORY_MAJOR: u32 = 1;
/// Major number of terminals.
const TERMINAL_MAJOR: u32 = 4;
/// Minor number of the first serial terminal.
const FIRST_SERIAL: u32 = 64;
/// Major number of the alternate terminal devices: `tty`, `console`, `ptmx`.
const ALTERNATE_MAJOR: u32 = 5;

/// A device that exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Device {
    /// Name in `/dev`.
    pub(super) name: String,
    /// Number.
    pub(super) number: DeviceNumber,
    /// Permissions of its node.
    pub(super) permissions: u32,
    /// Name of its class in `/sys/class`.
    pub(super) class: &'static str,
}

/// The devices with a node of their own, in the order in which Linux finds them.
pub(super) fn all() -> Vec<Device> {
    let fixed = [
        ("null", MEMORY_MAJOR, 3, 0o666, "mem"),
        ("zero", MEMORY_MAJOR, 5, 0o666, "mem"),
        ("full", MEMORY_MAJOR, 7, 0o666, "mem"),
        ("random", MEMORY_MAJOR, 8, 0o666, "mem"),
        ("urandom", MEMORY_MAJOR, 9, 0o666, "mem"),
        ("kmsg", MEMORY_MAJOR, 11, 0o644, "mem"),
        ("tty", ALTERNATE_MAJOR, 0, 0o666, "tty"),
        ("console", ALTERNATE_MAJOR, 1, 0o600, "tty"),
        ("ptmx", ALTERNATE_MAJOR, 2, 0o666, "tty"),
    ];
    let fixed = fixed.into_iter().map(|(name, major, minor, permissions, class)| Device {
        name: name.into(),
        number: DeviceNumber::new(major, minor),
        permissions,
        class,
    });
    let ports =
        (0..serial::PORT_COUNT).filter(|&index| serial::terminal(index).is_some()).map(|index| Device {
            name: alloc::format!("ttyS{index}"),
            number: DeviceNumber::new(TERMINAL_MAJOR, FIRST_SERIAL + index as u32),
            permissions: 0o600,
            class: "tty",
        });
    fixed.chain(ports).collect()
}

type OpenDevice = fn(DeviceNumber, &OpenRequest) -> Result<Arc<dyn File>, Errno>;

/// A driver that is one function.
struct Opener(OpenDevice);

impl Driver for Opener {
    fn open(&self, number: DeviceNumber, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        (self.0)(number, request)
    }
}

/// Registers the drivers of all character devices. Called once, at boot.
pub(super) fn register_drivers() {
    const SERIAL_MINORS: Range<u32> = FIRST_SERIAL..FIRST_SERIAL + serial::PORT_COUNT as u32;
    let rows: [(u32, Range<u32>, &'static str, OpenDevice); 12] = [
        (MEMORY_MAJOR, 3..4, "mem", |_, _| Ok(Arc::new(memory::Null))),
        (MEMORY_MAJOR, 5..6, "mem", |_, _| Ok(Arc::new(memory::Zero))),
        (MEMORY_MAJOR, 7..8, "mem", |_, _| Ok(Arc::new(memory::Full))),
        (MEMORY_MAJOR, 8..9, "mem", |_, _| Ok(Arc::new(random::RandomFile::blocking()))),
        (MEMORY_MAJOR, 9..10, "mem", |_, _| Ok(Arc::new(random::RandomFile::unblocking()))),
        (MEMORY_MAJOR, 11..12, "mem", |_, _| Ok(Arc::new(kmsg::LogFile::new()))),
        (TERMINAL_MAJOR, SERIAL_MINORS, "ttyS", terminal::open_serial),
        (ALTERNATE_MAJOR, 0..1, "/dev/tty", |_, _| terminal::open_controlling()),
        (ALTERNATE_MAJOR, 1..2, "/dev/console", |_, _| terminal::open_console()),
        (ALTERNATE_MAJOR, 2..3, "/dev/ptmx", |_, _| terminal::open_master()),
        // Masters have no nodes: they come from ptmx.
        (pty::MASTER_MAJOR, 0..pty::MAX as u32, "ptm", |_, _| Err(Errno::EIO)),
        (pty::SLAVE_MAJOR, 0..pty::MAX as u32, "pts", terminal::open_slave),
    ];
    for (major, minors, name, open) in rows {
        if let Err(errno) = register_driver(DeviceClass::Char, major, minors, name, Arc::new(Opener(open))) {
            log::warn!("driver {name}: {errno}");
        }
    }
}
