//! What the system calls see of a socket.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::socket::{SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, Ucred};

use super::Options;
use crate::fs::vfs::{Caller, File, FsContext, OpenFile};
use crate::process::credentials::Credentials;
use crate::scheduler::Thread;
use crate::uio::{Sink, Source};

/// The address of a socket as a program sees it, `sockaddr` of its family; `None`: it has no name.
pub type Address = Option<Arc<[u8]>>;

/// How a socket passes on what is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum SocketKind {
    /// As a stream of bytes.
    Stream = SOCK_STREAM as u8,
    /// As messages, without a connection.
    Datagram = SOCK_DGRAM as u8,
    /// As messages over a connection.
    SeqPacket = SOCK_SEQPACKET as u8,
}

impl SocketKind {
    /// Whether there is a connection between two.
    pub fn is_connected(self) -> bool {
        self != Self::Datagram
    }
}

/// Which directions shutdown(2) ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Receiving.
    Receive,
    /// Sending.
    Send,
    /// Both.
    Both,
}

/// Who acts: a process, its rights, and where its paths start.
#[derive(Clone)]
pub struct Actor {
    /// The process.
    pub pid: i32,
    /// Its rights.
    pub credentials: Arc<Credentials>,
    /// Root, working directory, umask.
    pub fs: Arc<FsContext>,
}

impl Actor {
    /// For the walk of a path.
    pub fn caller(&self) -> Caller<'_> {
        Caller { fs: &self.fs, credentials: &self.credentials }
    }

    /// Who that is to a peer.
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, credentials: self.credentials.clone() }
    }
}

/// Who is, or was, at the other end.
#[derive(Clone)]
pub struct Identity {
    /// The process.
    pub pid: i32,
    /// The rights it had then.
    pub credentials: Arc<Credentials>,
}

impl Identity {
    /// Process, effective user, effective group, as `SO_PEERCRED` shows them.
    pub fn ucred(&self) -> Ucred {
        Ucred { pid: self.pid, uid: self.credentials.uid.effective, gid: self.credentials.gid.effective }
    }
}

/// Process, user and group of the running thread, as they go with a message that it sends.
pub(super) fn sender_credentials() -> Option<Ucred> {
    let thread = hal::task::try_current::<Thread>()?;
    let user = thread.user.as_ref()?;
    let credentials = user.credentials();
    Some(Ucred { pid: user.process.pid, uid: credentials.uid.real, gid: credentials.gid.real })
}

/// What goes with the bytes that are sent.
#[derive(Default)]
pub struct Outgoing<'a> {
    /// To whom, if that is said, and who says it.
    pub destination: Option<(&'a [u8], &'a Actor)>,
    /// `MSG_*`; `MSG_DONTWAIT` as well for a file that does not wait.
    pub flags: u32,
    /// Credentials that the sender claims and may.
    pub credentials: Option<Ucred>,
    /// Open files for the receiver.
    pub rights: Vec<Arc<OpenFile>>,
}

/// What has come with the bytes received.
#[derive(Default)]
pub struct Incoming {
    /// Bytes, what recv(2) returns.
    pub len: usize,
    /// `MSG_TRUNC` and its like.
    pub flags: u32,
    /// From whom.
    pub address: Address,
    /// The sender's credentials, if they are wanted.
    pub credentials: Option<Ucred>,
    /// Open files.
    pub rights: Vec<Arc<OpenFile>>,
}

/// A socket of any family. Methods may sleep; a wait that a signal ends returns `EINTR`.
pub trait Socket: File {
    /// The family, `AF_*`.
    fn domain(&self) -> u16;

    /// The type.
    fn kind(&self) -> SocketKind;

    /// Its options.
    fn options(&self) -> &Options;

    /// Notes that an option was set: whoever waits looks again.
    fn options_changed(&self) {}

    /// Whether it waits for connections.
    fn is_listening(&self) -> bool;

    /// Takes the error that waits to be told.
    fn take_error(&self) -> Option<Errno>;

    /// Who is at the other end, `None` without a connection.
    fn peer_identity(&self) -> Option<Identity>;

    /// Gives the socket the name `address`.
    ///
    /// # Errors
    /// `EINVAL`: no address, or it has a name already. `EADDRINUSE`. What the family has against it.
    fn bind(&self, actor: &Actor, address: &[u8]) -> Result<(), Errno>;

    /// Connects to the socket called `address`.
    ///
    /// # Errors
    /// `EINVAL`, `ECONNREFUSED`, `EISCONN`, `EAGAIN`, `EINTR`. What the family has against it.
    fn connect(&self, actor: &Actor, address: &[u8], nonblocking: bool) -> Result<(), Errno>;

    /// Lets up to `backlog` connections (and one) wait to be accepted.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not for this type. `EINVAL`: not now.
    fn listen(&self, actor: &Actor, backlog: u32) -> Result<(), Errno>;

    /// Takes the connection that has waited longest; the new file gets the `flags`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EINVAL`: it does not listen. `EAGAIN`, `EINTR`.
    fn accept(&self, nonblocking: bool, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno>;

    /// Ends one or both directions.
    ///
    /// # Errors
    /// `ENOTCONN`, in families that mind.
    fn shutdown(&self, how: Shutdown) -> Result<(), Errno>;

    /// Its own name.
    fn local_address(&self) -> Address;

    /// The name of whom it is connected to.
    ///
    /// # Errors
    /// `ENOTCONN`.
    fn peer_address(&self) -> Result<Address, Errno>;

    /// Sends what is in `source`. `EPIPE` without a signal: that is the caller's business.
    ///
    /// # Errors
    /// `EPIPE`, `ENOTCONN`, `EISCONN`, `EMSGSIZE`, `EAGAIN`, `EINTR`, `EFAULT`. What the family has against it.
    fn send(&self, source: &mut Source<'_>, outgoing: Outgoing<'_>) -> Result<usize, Errno>;

    /// Receives into `sink`; `flags` are `MSG_*`.
    ///
    /// # Errors
    /// `EINVAL`, `ENOTCONN`: not connected. `EAGAIN`, `EINTR`, `EFAULT`. An error that waited.
    fn receive(&self, sink: &mut Sink<'_>, flags: u32) -> Result<Incoming, Errno>;

    /// Returns the socket as one whose descriptors can be in flight.
    fn as_unix(&self) -> Option<&super::unix::UnixSocket> {
        None
    }
}
