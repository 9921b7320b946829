//! Terminals as devices (tty(4), console(4), pts(4)): which terminal an open means.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;

use super::{FIRST_SERIAL, TERMINAL_MAJOR};
use crate::drivers::serial;
use crate::drivers::tty::{Opening, Terminal, console, pty};
use crate::fs::devpts;
use crate::fs::vfs::{DeviceNumber, File, OpenRequest};
use crate::process::tree;
use crate::scheduler;

/// What an open of a terminal by its own name does: it leaves the caller's session without a controlling terminal if it
/// says so, or does not read.
fn opening(request: &OpenRequest) -> Opening {
    if request.flags.contains(OpenFlags::O_NOCTTY) || !request.reads() {
        Opening::Plain
    } else {
        Opening::Controlling
    }
}

/// Opens `/dev/tty`: the terminal of the caller's session.
pub(super) fn open_controlling() -> Result<Arc<dyn File>, Errno> {
    let terminal = tree::terminal_of_session(console::controlling_session()?).ok_or(Errno::ENXIO)?;
    let number = DeviceNumber(u32::try_from(terminal.device()).map_err(|_| Errno::ENXIO)?);
    drop(terminal);
    match number.major() {
        TERMINAL_MAJOR => Ok(find_serial(number)?.open(Opening::Plain)?),
        pty::SLAVE_MAJOR => Ok(pty::open_slave(number.minor() as usize, Opening::Plain)?),
        _ => Err(Errno::ENXIO),
    }
}

/// Opens `/dev/console`, which never becomes a controlling terminal by being opened.
pub(super) fn open_console() -> Result<Arc<dyn File>, Errno> {
    Ok(console::console().ok_or(Errno::ENODEV)?.open(Opening::Console)?)
}

/// Opens a serial terminal.
pub(super) fn open_serial(number: DeviceNumber, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
    Ok(find_serial(number)?.open(opening(request))?)
}

fn find_serial(number: DeviceNumber) -> Result<Arc<Terminal>, Errno> {
    let index = number.minor().checked_sub(FIRST_SERIAL).ok_or(Errno::ENXIO)?;
    serial::terminal(index as usize).ok_or(Errno::ENXIO)
}

/// Opens `/dev/ptmx`: a new pair, whose slave belongs to the caller.
pub(super) fn open_master() -> Result<Arc<dyn File>, Errno> {
    let current = scheduler::current();
    let credentials = current.user.as_ref().ok_or(Errno::ENXIO)?.credentials();
    let master = pty::open_master()?;
    devpts::add_slave(master.index(), credentials.uid.fs, credentials.gid.fs);
    Ok(master)
}

/// Opens the slave of a pair.
pub(super) fn open_slave(number: DeviceNumber, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
    Ok(pty::open_slave(number.minor() as usize, opening(request))?)
}
