//! An open Unix socket.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hal::sync::{Once, SpinLock};
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::ioctl::{FIONREAD, SIOCATMARK, SIOCOUTQ};
use linux_abi::open::OpenFlags;
use linux_abi::socket::{AF_UNIX, MSG_DONTWAIT};

use super::endpoint::{BOTH, Endpoint, RECEIVE, SEND, Status};
use super::{check_memory, name, rights};
use crate::fs::vfs::{File, IoFlags, OpenFile, PollEvents};
use crate::lock_order;
use crate::net::patience::finish;
use crate::net::{Actor, Address, Identity, Incoming, Options, Outgoing, Shutdown, Socket, SocketKind};
use crate::scheduler::wait::PollTable;
use crate::uio::{Sink, Source};

/// An open Unix socket; dropping it closes it.
pub struct UnixSocket {
    pub(super) end: Arc<Endpoint>,
    /// The other end of a connection.
    pub(super) peer: Once<Arc<Endpoint>>,
    /// Whom a datagram socket sends to by default.
    pub(super) target: SpinLock<Option<Arc<Endpoint>>>,
    /// Who is at the other end of a connection, or of a pair.
    pub(super) peer_identity: Once<Identity>,
}

impl UnixSocket {
    /// Makes a socket.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(kind: SocketKind, uid: u32, gid: u32) -> Result<Arc<Self>, Errno> {
        check_memory()?;
        Ok(Arc::new(Self {
            end: Endpoint::new(kind, uid, gid),
            peer: Once::new(),
            target: SpinLock::new(lock_order::SOCKET_PEER, None),
            peer_identity: Once::new(),
        }))
    }

    /// Makes an open file of it; `flags` may hold `O_NONBLOCK`.
    pub(super) fn open(self: Arc<Self>, flags: OpenFlags) -> Arc<OpenFile> {
        let inode = self.end.clone();
        OpenFile::anonymous(self, inode, flags & OpenFlags::O_NONBLOCK | OpenFlags::O_RDWR)
    }

    /// Connects two new sockets of one type, made by `maker`.
    pub(super) fn join(one: &Self, other: &Self, maker: &Identity) {
        for (socket, peer) in [(one, other), (other, one)] {
            socket.connect_to(&peer.end);
            // New, so it has none.
            let _ = socket.peer_identity.set(maker.clone());
        }
    }

    /// Makes `peer` the other end of a socket that has none.
    pub(super) fn connect_to(&self, peer: &Arc<Endpoint>) {
        if self.end.kind.is_connected() {
            // A second peer is refused before.
            let _ = self.peer.set(peer.clone());
            self.end.change_status(Status::Idle, Status::Connected);
        } else {
            self.end.partner.store(peer.number(), Ordering::SeqCst);
            *self.target.lock() = Some(peer.clone());
        }
    }

    /// The inode number.
    pub fn number(&self) -> u64 {
        self.end.number()
    }

    /// The other end, or whom datagrams go to by default.
    pub(super) fn any_peer(&self) -> Option<Arc<Endpoint>> {
        if self.end.kind.is_connected() { self.peer.get().cloned() } else { self.target.lock().clone() }
    }

    /// Whether a datagram can be sent to the default target now, and where to look for a change.
    fn target_has_room(&self, table: Option<&mut PollTable>) -> bool {
        let Some(target) = self.target.lock().clone() else { return true };
        if target.partner.load(Ordering::SeqCst) == self.number() {
            return true;
        }
        if let Some(table) = table {
            table.register(&target.room);
        }
        !target.is_full()
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let end = &self.end;
        name::unbind(end);
        let is_arrival = end.arrived_at.load(Ordering::SeqCst) != 0;
        let lost = end.empty(true);
        if let Some(peer) = self.peer.get() {
            if is_arrival || !lost.is_empty() {
                peer.set_error(Errno::ECONNRESET);
            }
            peer.shut(BOTH);
        }
        end.shut(BOTH);
        for message in lost {
            if let Some(sender) = message.sender.as_ref().or(self.peer.get()) {
                sender.take_back(message.cost());
            }
        }
        let arrivals = end.listener.get().and_then(|listener| listener.arrivals.lock().take());
        drop(arrivals);
        rights::collect();
    }
}

impl File for UnixSocket {
    fn is_seekable(&self) -> bool {
        false
    }

    fn read(&self, _: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        if sink.is_full() {
            return Ok(0);
        }
        // Files that come along and are not asked for are closed.
        self.receive(sink, message_flags(flags)).map(|incoming| incoming.len)
    }

    fn write(&self, _: &mut u64, source: &mut Source<'_>, flags: IoFlags) -> Result<usize, Errno> {
        self.send(source, Outgoing { flags: message_flags(flags), ..Outgoing::default() })
    }

    fn poll(&self, mut table: Option<&mut PollTable>) -> PollEvents {
        let end = &self.end;
        if let Some(table) = &mut table {
            table.register(&end.readers);
            table.register(&end.writers);
        }
        let status = end.status();
        let mut events = PollEvents::empty();
        events.set(PollEvents::ERR, end.has_error());
        events.set(PollEvents::HUP, end.is_hung_up());
        if end.is_shut(RECEIVE) {
            events |= PollEvents::RDHUP | PollEvents::READABLE;
        }
        if end.waiting.load(Ordering::SeqCst) != 0 {
            events |= PollEvents::READABLE;
        }
        if end.kind.is_connected() && status == Status::Idle {
            events |= PollEvents::HUP;
        }
        if status != Status::Listening
            && end.is_writable()
            && (end.kind.is_connected() || self.target_has_room(table))
        {
            events |= PollEvents::WRITABLE | PollEvents::WRBAND;
        }
        events
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        let value = match command {
            FIONREAD => self.unread()?,
            SIOCOUTQ => self.end.sent.load(Ordering::Relaxed),
            SIOCATMARK => 0,
            _ => return Err(Errno::ENOTTY),
        };
        let value = i32::try_from(value).unwrap_or(i32::MAX);
        UserPtr::<i32>::new(argument).write(&value).map_err(|_| Errno::EFAULT)?;
        Ok(0)
    }

    fn signals_broken_pipe(&self) -> bool {
        self.end.kind == SocketKind::Stream
    }

    fn as_socket(&self) -> Option<&dyn Socket> {
        Some(self)
    }
}

impl UnixSocket {
    /// Bytes that can be received; of datagrams, those of the first.
    fn unread(&self) -> Result<usize, Errno> {
        if self.end.status() == Status::Listening {
            return Err(Errno::EINVAL);
        }
        let inbox = self.end.inbox.lock();
        Ok(match self.end.kind {
            SocketKind::Datagram => inbox.messages.front().map_or(0, |message| message.len),
            SocketKind::Stream | SocketKind::SeqPacket => inbox.byte_count(),
        })
    }
}

fn message_flags(flags: IoFlags) -> u32 {
    if flags.contains(IoFlags::NONBLOCK) { MSG_DONTWAIT } else { 0 }
}

impl Socket for UnixSocket {
    fn domain(&self) -> u16 {
        AF_UNIX
    }

    fn kind(&self) -> SocketKind {
        self.end.kind
    }

    fn options(&self) -> &Options {
        &self.end.options
    }

    fn options_changed(&self) {
        self.end.writers.wake_all();
    }

    fn is_listening(&self) -> bool {
        self.end.status() == Status::Listening
    }

    fn take_error(&self) -> Option<Errno> {
        self.end.take_error()
    }

    fn peer_identity(&self) -> Option<Identity> {
        let listener = self.end.listener.get().map(|listener| &listener.identity);
        self.peer_identity.get().or(listener).cloned()
    }

    fn bind(&self, actor: &Actor, address: &[u8]) -> Result<(), Errno> {
        name::bind(&self.end, actor, address)
    }

    fn connect(&self, actor: &Actor, address: &[u8], nonblocking: bool) -> Result<(), Errno> {
        let timeout = self.end.options.send_timeout();
        finish(self.connect_any(actor, address, nonblocking), timeout)
    }

    fn listen(&self, actor: &Actor, backlog: u32) -> Result<(), Errno> {
        self.start_listening(actor, backlog)
    }

    fn accept(&self, nonblocking: bool, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let accepted = finish(self.next_arrival(nonblocking), self.end.options.receive_timeout())?;
        Ok(accepted.open(flags))
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let (ours, theirs) = match how {
            Shutdown::Receive => (RECEIVE, SEND),
            Shutdown::Send => (SEND, RECEIVE),
            Shutdown::Both => (BOTH, BOTH),
        };
        self.end.shut(ours);
        if let Some(peer) = self.peer.get() {
            peer.shut(theirs);
        }
        Ok(())
    }

    fn local_address(&self) -> Address {
        name::address_of(&self.end)
    }

    fn peer_address(&self) -> Result<Address, Errno> {
        self.any_peer().map(|peer| name::address_of(&peer)).ok_or(Errno::ENOTCONN)
    }

    #[inline]
    fn send(&self, source: &mut Source<'_>, outgoing: Outgoing<'_>) -> Result<usize, Errno> {
        let outcome = match self.end.kind {
            SocketKind::Stream => self.send_stream(source, outgoing),
            SocketKind::Datagram | SocketKind::SeqPacket => self.send_packet(source, outgoing),
        };
        finish(outcome, self.end.options.send_timeout())
    }

    #[inline]
    fn receive(&self, sink: &mut Sink<'_>, flags: u32) -> Result<Incoming, Errno> {
        let outcome = match self.end.kind {
            SocketKind::Stream => self.receive_stream(sink, flags),
            SocketKind::Datagram | SocketKind::SeqPacket => self.receive_packet(sink, flags),
        };
        finish(outcome, self.end.options.receive_timeout())
    }

    fn as_unix(&self) -> Option<&UnixSocket> {
        Some(self)
    }
}
