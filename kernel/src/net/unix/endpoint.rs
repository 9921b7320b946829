//! The part of a Unix socket that others can reach.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use hal::sync::{Mutex, Once, SpinLock};
use linux_abi::errno::Errno;

use super::inbox::Message;
use super::name::{self, Name};
use super::{Inbox, MAX_DATAGRAMS, UnixSocket};
use crate::fs::vfs::{AttributeChanges, Inode, InodeState, Metadata};
use crate::lock_order;
use crate::net::node::SocketNode;
use crate::net::patience::Patience;
use crate::net::socket::sender_credentials;
use crate::net::{Identity, Options, SocketKind, Switch};
use crate::scheduler::wait::WaitQueue;

/// No more receiving.
pub(super) const RECEIVE: u8 = 1;
/// No more sending.
pub(super) const SEND: u8 = 2;
/// Neither.
pub(super) const BOTH: u8 = RECEIVE | SEND;

/// How far a socket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Status {
    /// Neither of the others.
    Idle,
    /// It waits for connections.
    Listening,
    /// It has a peer, or had one.
    Connected,
}

/// What a listening socket has beyond others.
pub(super) struct Listener {
    /// Connections that may wait, less one.
    pub(super) backlog: AtomicU32,
    /// Who listens.
    pub(super) identity: Identity,
    /// Sockets to be accepted, oldest first; `None`: closed.
    pub(super) arrivals: SpinLock<Option<VecDeque<Arc<UnixSocket>>>>,
}

/// The part of a Unix socket that others can reach; also its inode.
pub(super) struct Endpoint {
    pub(super) kind: SocketKind,
    status: AtomicU8,
    shutdown: AtomicU8,
    /// An error number to be told once, 0 for none.
    error: AtomicI32,
    /// Messages in the inbox, or arrivals.
    pub(super) waiting: AtomicUsize,
    /// What its messages that nobody has received cost.
    pub(super) sent: AtomicUsize,
    /// Of a datagram socket: the number of the only endpoint it takes messages from; 0: any.
    pub(super) partner: AtomicU64,
    /// Of an arrival: the number of the listening endpoint; else 0.
    pub(super) arrived_at: AtomicU64,
    pub(super) inbox: Mutex<Inbox>,
    pub(super) name: Once<Name>,
    pub(super) listener: Once<Box<Listener>>,
    /// For messages and arrivals, and the end of them.
    pub(super) readers: WaitQueue,
    /// For what it has sent to be received.
    pub(super) writers: WaitQueue,
    /// Of others: for room in the inbox, or among the arrivals.
    pub(super) room: WaitQueue,
    pub(super) options: Options,
    node: SocketNode,
}

impl Endpoint {
    pub(super) fn new(kind: SocketKind, uid: u32, gid: u32) -> Arc<Self> {
        let endpoint = Arc::new(Self {
            kind,
            status: AtomicU8::new(Status::Idle as u8),
            shutdown: AtomicU8::new(0),
            error: AtomicI32::new(0),
            waiting: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            partner: AtomicU64::new(0),
            arrived_at: AtomicU64::new(0),
            inbox: Mutex::new(lock_order::SOCKET_INBOX, Inbox::new()),
            name: Once::new(),
            listener: Once::new(),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            room: WaitQueue::new(),
            options: Options::new(),
            node: SocketNode::new(uid, gid),
        });
        name::enrol(&endpoint);
        endpoint
    }

    /// The inode number, which no other socket ever has.
    pub(super) fn number(&self) -> u64 {
        self.node.number()
    }

    #[inline]
    pub(super) fn status(&self) -> Status {
        match self.status.load(Ordering::SeqCst) {
            0 => Status::Idle,
            1 => Status::Listening,
            _ => Status::Connected,
        }
    }

    /// Goes from `old` to `new`; `false`: it was not there.
    pub(super) fn change_status(&self, old: Status, new: Status) -> bool {
        self.status.compare_exchange(old as u8, new as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether one of `directions` has ended.
    #[inline]
    pub(super) fn is_shut(&self, directions: u8) -> bool {
        self.shutdown.load(Ordering::SeqCst) & directions != 0
    }

    /// Whether both directions have ended.
    pub(super) fn is_hung_up(&self) -> bool {
        self.shutdown.load(Ordering::SeqCst) == BOTH
    }

    /// Ends `directions` and wakes who waits for something.
    pub(super) fn shut(&self, directions: u8) {
        self.shutdown.fetch_or(directions, Ordering::SeqCst);
        self.wake_all();
    }

    pub(super) fn wake_all(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
        self.room.wake_all();
    }

    #[inline]
    pub(super) fn has_error(&self) -> bool {
        self.error.load(Ordering::SeqCst) != 0
    }

    /// Leaves an error to be told.
    pub(super) fn set_error(&self, error: Errno) {
        self.error.store(error.number(), Ordering::SeqCst);
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// Takes the error that waits to be told.
    pub(super) fn take_error(&self) -> Option<Errno> {
        if !self.has_error() {
            return None;
        }
        Errno::from_number(self.error.swap(0, Ordering::SeqCst))
    }

    /// Whether messages of others than its partner must wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > MAX_DATAGRAMS as usize
    }

    /// Whether it may send more.
    #[inline]
    pub(super) fn has_budget(&self) -> bool {
        self.sent.load(Ordering::SeqCst) < self.options.send_buffer()
    }

    /// Waits until it may send more.
    ///
    /// # Errors
    /// An error left to be told. `EPIPE`: it sends no more. What `patience` ends with.
    pub(super) fn wait_for_budget(&self, patience: Patience) -> Result<(), Errno> {
        loop {
            if let Some(error) = self.take_error() {
                return Err(error);
            }
            if self.is_shut(SEND) {
                return Err(Errno::EPIPE);
            }
            if self.has_budget() {
                return Ok(());
            }
            patience.wait(&self.writers, || self.has_budget() || self.is_shut(SEND) || self.has_error())?;
        }
    }

    /// Whether so much of what it may send is free that it is told to be writable.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        self.sent.load(Ordering::SeqCst) * 4 <= self.options.send_buffer()
    }

    /// Notes that messages it has sent, which cost `cost`, are there no more. Who waits to send is woken not before most
    /// of the room is free, so that it has something to do then.
    #[inline]
    pub(super) fn take_back(&self, cost: usize) {
        let before = self.sent.fetch_sub(cost, Ordering::SeqCst);
        let limit = self.options.send_buffer();
        if before * 4 > limit && (before - cost) * 4 <= limit {
            self.writers.wake_all();
        }
    }

    /// The credentials that go with a message from here to `receiver`, if one of the two wants some.
    #[inline]
    pub(super) fn credentials_for(&self, receiver: &Self) -> Option<linux_abi::socket::Ucred> {
        let is_wanted = self.options.is_on(Switch::PassCredentials)
            || receiver.options.is_on(Switch::PassCredentials)
            || receiver.arrived_at.load(Ordering::Relaxed) != 0;
        if is_wanted { sender_credentials() } else { None }
    }

    /// Takes all messages out; with `closing`, none enters any more.
    pub(super) fn empty(&self, closing: bool) -> VecDeque<Message> {
        let mut inbox = self.inbox.lock();
        inbox.is_closed |= closing;
        let messages = core::mem::take(&mut inbox.messages);
        let len = inbox.byte_count();
        inbox.bytes.discard(len);
        self.waiting.store(0, Ordering::SeqCst);
        messages
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        name::strike_out(self.number());
    }
}

impl Inode for Endpoint {
    fn metadata(&self) -> Metadata {
        self.node.attributes.get()
    }

    fn state(&self) -> &InodeState {
        &self.node.state
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.node.attributes.change(changes);
        Ok(())
    }

    fn anonymous_name(&self) -> Vec<u8> {
        self.node.name()
    }
}
