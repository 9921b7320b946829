//! Sockets: socket(7), unix(7).
//!
//! # Terms
//! - [`Socket`]: what the system calls see, whatever the family. It is a [`File`](crate::fs::vfs::File) too.
//! - *Family*: who implements it. [`unix`] is the only one; every other is refused with `EAFNOSUPPORT`.
//! - [`Options`]: what setsockopt(2) sets at the level of sockets; the same for all families.
//!
//! # Who does what
//! The system calls decode, check lengths and move addresses and control messages between user memory and kernel. This
//! module has what all families share. A family has names, connections, queues.

mod node;
pub(crate) mod options;
mod patience;
mod socket;
pub mod unix;

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::socket::{AF_MAX, AF_UNIX};

pub use self::options::{MAX_BUFFER, OptionValue, Options, Switch};
pub use self::socket::{Actor, Address, Identity, Incoming, Outgoing, Shutdown, Socket, SocketKind};
use crate::fs::vfs::OpenFile;

/// Connections that wait to be accepted, at most, whatever a program asks for (`net.core.somaxconn`).
pub const MAX_BACKLOG: u32 = linux_abi::socket::SOMAXCONN;

/// Makes a socket for `actor`.
///
/// # Errors
/// - `EAFNOSUPPORT`: no such family.
/// - `EINVAL`: no such type.
/// - `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`: the family has no such protocol or type.
/// - `ENOMEM`.
pub fn create(
    actor: &Actor,
    domain: i32,
    kind: u32,
    protocol: i32,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, Errno> {
    check_family(domain, kind)?;
    unix::create(actor, kind, protocol, flags)
}

/// Makes two sockets that are connected with each other, by `actor`.
///
/// # Errors
/// As [`create`]; `EOPNOTSUPP`: the family has no pairs.
pub fn create_pair(
    actor: &Actor,
    domain: i32,
    kind: u32,
    protocol: i32,
    flags: OpenFlags,
) -> Result<[Arc<OpenFile>; 2], Errno> {
    check_family(domain, kind)?;
    unix::create_pair(actor, kind, protocol, flags)
}

fn check_family(domain: i32, kind: u32) -> Result<(), Errno> {
    /// One more than the highest type, `SOCK_PACKET`.
    const SOCK_MAX: u32 = 11;
    if !(0..i32::from(AF_MAX)).contains(&domain) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind >= SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    if domain == i32::from(AF_UNIX) { Ok(()) } else { Err(Errno::EAFNOSUPPORT) }
}
