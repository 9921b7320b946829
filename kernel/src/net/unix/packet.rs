//! Sending and receiving messages: datagrams and sequenced packets.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use linux_abi::errno::Errno;
use linux_abi::socket::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC};

use super::endpoint::{Endpoint, RECEIVE, Status};
use super::inbox::{Message, UNKNOWN};
use super::rights::Rights;
use super::{Inbox, UnixSocket, name};
use crate::net::patience::Patience;
use crate::net::{Incoming, Outgoing, SocketKind, Switch};
use crate::uio::{Sink, Source};

/// What Linux keeps for itself of the send buffer, bytes.
const OVERHEAD: usize = 32;

/// What came of an attempt to put a message into an inbox.
enum Attempt {
    Delivered,
    /// The receiver is gone.
    Gone,
    /// As many messages wait as may.
    Full,
}

impl UnixSocket {
    /// Sends all of `source` as one message.
    pub(super) fn send_packet(
        &self,
        source: &mut Source<'_>,
        mut outgoing: Outgoing<'_>,
    ) -> Result<usize, Errno> {
        let end = &self.end;
        if end.kind == SocketKind::SeqPacket {
            if let Some(error) = end.take_error() {
                return Err(error);
            }
            if end.status() != Status::Connected {
                return Err(Errno::ENOTCONN);
            }
            outgoing.destination = None;
        }
        if outgoing.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        match outgoing.destination {
            Some((address, _)) => _ = name::parse(address)?,
            None if self.any_peer().is_none() => return Err(Errno::ENOTCONN),
            None => {}
        }
        if end.options.is_on(Switch::PassCredentials) {
            name::autobind(end)?;
        }
        let len = source.remaining();
        if len > end.options.send_buffer() - OVERHEAD {
            return Err(Errno::EMSGSIZE);
        }
        let patience = Patience::new(outgoing.flags & MSG_DONTWAIT != 0, end.options.send_timeout());
        end.wait_for_budget(patience)?;
        let mut message =
            Message { len, credentials: outgoing.credentials, rights: None, sender: Some(end.clone()) };
        loop {
            let receiver = match outgoing.destination {
                Some((address, actor)) => name::find(actor, address, SocketKind::Datagram)?,
                None => self.any_peer().ok_or(Errno::ECONNREFUSED)?,
            };
            if !outgoing.rights.is_empty() {
                message.rights = Some(Rights::send(core::mem::take(&mut outgoing.rights), &receiver)?);
            }
            if message.credentials.is_none() {
                message.credentials = end.credentials_for(&receiver);
            }
            match self.deliver(&receiver, source, &mut message)? {
                Attempt::Delivered => return Ok(len),
                Attempt::Gone if end.kind == SocketKind::SeqPacket => return Err(Errno::EPIPE),
                Attempt::Gone => {
                    self.forget(&receiver);
                    return Err(Errno::ECONNREFUSED);
                }
                Attempt::Full => {
                    // Whoever it goes to then may be another.
                    if let Some(rights) = message.rights.take() {
                        outgoing.rights = rights.take();
                    }
                    patience.wait(&receiver.room, || !receiver.is_full() || receiver.is_shut(RECEIVE))?;
                }
            }
        }
    }

    /// Puts `message` into the inbox of `receiver`, if that takes it.
    ///
    /// # Errors
    /// `EPERM`: it takes messages of another only. `EPIPE`: it receives no more. `EFAULT`, `ENOMEM`.
    fn deliver(
        &self,
        receiver: &Arc<Endpoint>,
        source: &mut Source<'_>,
        message: &mut Message,
    ) -> Result<Attempt, Errno> {
        let end = &self.end;
        if !receiver.takes_from(end) {
            return Err(Errno::EPERM);
        }
        let is_partner = end.kind.is_connected() || receiver.partner.load(Ordering::SeqCst) == end.number();
        let is_self = core::ptr::eq(&**receiver, &**end);
        let mut inbox = receiver.inbox.lock();
        if inbox.is_closed {
            return Ok(Attempt::Gone);
        }
        if receiver.is_shut(RECEIVE) {
            return Err(Errno::EPIPE);
        }
        if !is_partner && !is_self && receiver.is_full() {
            return Ok(Attempt::Full);
        }
        let cost = inbox.push(source, message)?;
        end.sent.fetch_add(cost, Ordering::SeqCst);
        receiver.waiting.store(inbox.messages.len(), Ordering::SeqCst);
        drop(inbox);
        receiver.readers.wake_one();
        Ok(Attempt::Delivered)
    }

    /// Forgets a default target that is gone.
    fn forget(&self, gone: &Arc<Endpoint>) {
        let mut target = self.target.lock();
        let is_it = target.as_ref().is_some_and(|target| Arc::ptr_eq(target, gone));
        let old = if is_it { target.take() } else { None };
        drop(target);
        if old.is_some() {
            self.end.partner.store(0, Ordering::SeqCst);
            self.part_from(gone);
        }
    }

    /// Receives one message; what does not fit is lost.
    pub(super) fn receive_packet(&self, sink: &mut Sink<'_>, flags: u32) -> Result<Incoming, Errno> {
        let end = &self.end;
        if end.kind == SocketKind::SeqPacket && end.status() != Status::Connected {
            return Err(Errno::ENOTCONN);
        }
        if flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let nonblocking = flags & MSG_DONTWAIT != 0;
        let patience = Patience::new(nonblocking, end.options.receive_timeout());
        let is_peek = flags & MSG_PEEK != 0;
        let behind = if is_peek { end.options.peek_offset().unwrap_or(0) } else { 0 };
        loop {
            let mut inbox = end.inbox.lock();
            if let Some(error) = end.take_error() {
                return Err(error);
            }
            if is_peek {
                if let Some(incoming) = self.peek_packet(&inbox, sink, flags, behind) {
                    return incoming;
                }
            } else if let Some(message) = inbox.messages.pop_front() {
                let outcome = self.take_packet(&mut inbox, message.len, sink, flags);
                end.waiting.store(inbox.messages.len(), Ordering::SeqCst);
                drop(inbox);
                self.settle(&message);
                return outcome.map(|shown| self.unpack(message, shown));
            }
            let is_over = end.is_shut(RECEIVE);
            drop(inbox);
            if is_over && (end.kind == SocketKind::SeqPacket || !nonblocking) {
                return Ok(Incoming::default());
            }
            patience.wait(&end.readers, || {
                let is_there = match behind {
                    0 => end.waiting.load(Ordering::SeqCst) != 0,
                    _ => end.inbox.lock().byte_count() > behind,
                };
                is_there || end.is_shut(RECEIVE) || end.has_error()
            })?;
        }
    }

    /// Moves the first `len` bytes of the inbox, a message that is out of it already, to `sink` as far as they fit.
    /// Returns what recv(2) returns, and flags.
    ///
    /// # Errors
    /// `EFAULT`: the message is lost.
    fn take_packet(
        &self,
        inbox: &mut Inbox,
        len: usize,
        sink: &mut Sink<'_>,
        flags: u32,
    ) -> Result<(usize, u32), Errno> {
        let part = len.min(sink.remaining());
        let outcome = inbox.bytes.peek(0, sink, part);
        inbox.bytes.discard(len);
        if self.end.options.peek_offset().is_some() {
            self.end.options.move_peek_offset(-(len as isize));
        }
        whole(outcome, part).map(|()| shown(len, part, flags))
    }

    /// Copies the message at which a peek looks, `behind` bytes after the first; `None`: there is none.
    fn peek_packet(
        &self,
        inbox: &Inbox,
        sink: &mut Sink<'_>,
        flags: u32,
        behind: usize,
    ) -> Option<Result<Incoming, Errno>> {
        let mut skipped = behind;
        let mut at = 0;
        let message = inbox.messages.iter().find(|message| {
            let is_it = skipped == 0 || skipped < message.len;
            if !is_it {
                skipped -= message.len;
                at += message.len;
            }
            is_it
        })?;
        let len = message.len - skipped;
        let part = len.min(sink.remaining());
        let mut copy = || {
            whole(inbox.bytes.peek(at + skipped, sink, part), part)?;
            self.end.options.move_peek_offset(part as isize);
            let (len, flags) = shown(len, part, flags);
            let rights = message.rights.as_ref().map_or(Ok(Vec::new()), Rights::look)?;
            Ok(Incoming { len, flags, rights, ..self.describe(message) })
        };
        Some(copy())
    }

    /// Makes of a message what its receiver gets beside the bytes.
    fn unpack(&self, mut message: Message, (len, flags): (usize, u32)) -> Incoming {
        let rights = message.rights.take().map_or_else(Vec::new, Rights::take);
        Incoming { len, flags, rights, ..self.describe(&message) }
    }

    /// The sender's address and credentials.
    fn describe(&self, message: &Message) -> Incoming {
        let wants_credentials = self.end.options.is_on(Switch::PassCredentials);
        Incoming {
            address: message.sender.as_ref().and_then(|sender| name::address_of(sender)),
            credentials: wants_credentials.then(|| message.credentials.unwrap_or(UNKNOWN)),
            ..Incoming::default()
        }
    }

    /// Gives the sender its room back, and lets the next one in.
    fn settle(&self, message: &Message) {
        if let Some(sender) = &message.sender {
            sender.take_back(message.cost());
        }
        self.end.room.wake_one();
        if self.end.waiting.load(Ordering::SeqCst) != 0 {
            self.end.readers.wake_one();
        }
    }
}

/// A message moves as a whole, as far as it fits, or not at all.
fn whole(moved: Result<usize, Errno>, len: usize) -> Result<(), Errno> {
    if moved? == len { Ok(()) } else { Err(Errno::EFAULT) }
}

/// What recv(2) returns for a message of `len` bytes of which `part` fit, and with what flags.
fn shown(len: usize, part: usize, flags: u32) -> (usize, u32) {
    let cut = if part < len { MSG_TRUNC } else { 0 };
    (if flags & MSG_TRUNC != 0 { len } else { part }, cut)
}
