//! Unix-domain sockets: unix(7).
//!
//! # Terms
//! - [`UnixSocket`]: an open socket, a file. Dropping it closes it.
//! - [`Endpoint`]: the part that others can reach: what waits to be received, who sleeps, the name, shutdown and error.
//!   Also the inode that `fstat` sees.
//! - [`Inbox`]: the bytes that wait at an endpoint, and the messages they belong to.
//! - *Arrival*: the server's socket of a connection that nobody has accepted yet. Its client may send already.
//! - *In flight* ([`rights`]): an open file in a message that nobody has received.
//!
//! # Who holds whom
//! ```text
//! OpenFile -> UnixSocket -> its Endpoint -> arrivals (UnixSocket)
//!                        -> the peer's Endpoint
//! Message  -> the sender's Endpoint (datagrams)        an endpoint never holds its peer
//! ```
//! So the only cycles are those of messages, which end when a socket is closed and its inbox emptied, and those of files
//! in flight, which [`rights`] looks for.
//!
//! # Invariants
//! 1. A message enters an inbox only while it is open and its owner receives; both are looked at with the inbox locked.
//! 2. `waiting` is the number of messages (or arrivals); `sent` is what the messages cost that their sender has on the
//!    way. Waiters look at both without a lock.
//! 3. A stream or sequenced-packet socket gets its peer once.

mod connect;
mod endpoint;
mod inbox;
mod name;
mod packet;
mod rights;
mod socket;
mod stream;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::socket::{AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};

use self::endpoint::Endpoint;
use self::inbox::Inbox;
pub use self::name::write_sockets;
pub use self::socket::UnixSocket;
use super::{Actor, SocketKind};
use crate::fs::vfs::OpenFile;
use crate::memory::reserve;

/// Kernel memory that a socket takes, roughly, bytes.
const SOCKET_COST: usize = 2048;
/// Datagrams that wait at a socket for others than its peer (`net.unix.max_dgram_qlen`).
pub const MAX_DATAGRAMS: u32 = 10;

/// Makes a socket.
///
/// # Errors
/// `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `ENOMEM`.
pub(super) fn create(
    actor: &Actor,
    kind: u32,
    protocol: i32,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, Errno> {
    let owner = &actor.credentials;
    Ok(UnixSocket::new(kind_of(kind, protocol)?, owner.uid.fs, owner.gid.fs)?.open(flags))
}

/// Makes two sockets that are connected with each other.
///
/// # Errors
/// As [`create`].
pub(super) fn create_pair(
    actor: &Actor,
    kind: u32,
    protocol: i32,
    flags: OpenFlags,
) -> Result<[Arc<OpenFile>; 2], Errno> {
    let kind = kind_of(kind, protocol)?;
    let (uid, gid) = (actor.credentials.uid.fs, actor.credentials.gid.fs);
    let pair = [UnixSocket::new(kind, uid, gid)?, UnixSocket::new(kind, uid, gid)?];
    UnixSocket::join(&pair[0], &pair[1], &actor.identity());
    Ok(pair.map(|socket| socket.open(flags)))
}

/// The type a program asks for. `SOCK_RAW` is another word for datagrams here.
fn kind_of(kind: u32, protocol: i32) -> Result<SocketKind, Errno> {
    if protocol != 0 && protocol != i32::from(AF_UNIX) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        SOCK_STREAM => Ok(SocketKind::Stream),
        SOCK_DGRAM | SOCK_RAW => Ok(SocketKind::Datagram),
        SOCK_SEQPACKET => Ok(SocketKind::SeqPacket),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

fn check_memory() -> Result<(), Errno> {
    reserve::check(SOCKET_COST)
}
