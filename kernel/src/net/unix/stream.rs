//! Sending and receiving as a stream of bytes.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use linux_abi::errno::Errno;
use linux_abi::socket::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_WAITALL, Ucred};

use super::endpoint::{Endpoint, RECEIVE, SEND, Status};
use super::inbox::{MESSAGE_COST, Message, UNKNOWN};
use super::rights::Rights;
use super::{Inbox, UnixSocket, name};
use crate::net::patience::Patience;
use crate::net::{Incoming, Outgoing, Switch};
use crate::uio::{Sink, Source};

/// Bytes that enter an inbox at once.
const PIECE: usize = 64 * 1024;

impl UnixSocket {
    /// Sends all of `source`, waiting for room unless told otherwise.
    pub(super) fn send_stream(
        &self,
        source: &mut Source<'_>,
        mut outgoing: Outgoing<'_>,
    ) -> Result<usize, Errno> {
        if outgoing.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let end = &self.end;
        if outgoing.destination.is_some() {
            let is_connected = end.status() == Status::Connected;
            return Err(if is_connected { Errno::EISCONN } else { Errno::EOPNOTSUPP });
        }
        let Some(peer) = self.peer.get() else { return Err(Errno::ENOTCONN) };
        if end.is_shut(SEND) {
            return Err(Errno::EPIPE);
        }
        let total = source.remaining();
        let patience = Patience::new(outgoing.flags & MSG_DONTWAIT != 0, end.options.send_timeout());
        let mut done = 0;
        while done < total {
            match self.send_piece(peer, source, total - done, &mut outgoing, patience) {
                Ok(sent) => done += sent,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Sends up to `len` bytes in one piece.
    fn send_piece(
        &self,
        peer: &Arc<Endpoint>,
        source: &mut Source<'_>,
        len: usize,
        outgoing: &mut Outgoing<'_>,
        patience: Patience,
    ) -> Result<usize, Errno> {
        let end = &self.end;
        end.wait_for_budget(patience)?;
        let len = len.min(PIECE).min((end.options.send_buffer() / 2).max(1));
        let credentials = outgoing.credentials.take().or_else(|| end.credentials_for(peer));
        let rights = if outgoing.rights.is_empty() {
            None
        } else {
            Some(Rights::send(core::mem::take(&mut outgoing.rights), peer)?)
        };
        let mut message = Message { len, credentials, rights, sender: None };
        {
            let mut inbox = peer.inbox.lock();
            if inbox.is_closed || peer.is_shut(RECEIVE) {
                drop(inbox);
                return Err(Errno::EPIPE);
            }
            let cost = inbox.push(source, &mut message)?;
            end.sent.fetch_add(cost, Ordering::SeqCst);
            peer.waiting.store(inbox.messages.len(), Ordering::SeqCst);
        }
        peer.readers.wake_one();
        Ok(len)
    }

    /// Receives what is there, at least a byte unless there will never be one.
    pub(super) fn receive_stream(&self, sink: &mut Sink<'_>, flags: u32) -> Result<Incoming, Errno> {
        let end = &self.end;
        // Urgent data is not supported, so there never is any.
        if end.status() != Status::Connected || flags & MSG_OOB != 0 {
            return Err(Errno::EINVAL);
        }
        let wanted = sink.remaining();
        let least = if flags & MSG_WAITALL != 0 { wanted } else { end.options.low_water().min(wanted) };
        let patience = Patience::new(flags & MSG_DONTWAIT != 0, end.options.receive_timeout());
        let mut reading = Reading::new(self, flags, wanted);
        loop {
            let outcome = match self.look(&mut reading, sink) {
                Ok(Found::Data) if !reading.is_over && reading.incoming.len < least.max(1) => continue,
                Ok(Found::Data | Found::End) => Ok(()),
                Ok(Found::Nothing) => match self.wait_for_data(patience, reading.peeks_behind()) {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            return match outcome {
                Err(error) if reading.incoming.len == 0 => Err(error),
                _ => Ok(reading.incoming),
            };
        }
    }

    /// Takes what is there now.
    fn look(&self, reading: &mut Reading, sink: &mut Sink<'_>) -> Result<Found, Errno> {
        let end = &self.end;
        let mut inbox = end.inbox.lock();
        if inbox.messages.is_empty() {
            // Asked with the inbox locked: what the peer sent before it closed is seen.
            return match end.take_error() {
                Some(error) => Err(error),
                None if end.is_shut(RECEIVE) => Ok(Found::End),
                None => Ok(Found::Nothing),
            };
        }
        if reading.is_peek {
            let found = reading.peek(&inbox, sink)?;
            if reading.peek_offset.is_some() {
                end.options.move_peek_offset(reading.incoming.len as isize);
            }
            if !found && end.is_shut(RECEIVE) {
                return Ok(Found::End);
            }
            return Ok(if found { Found::Data } else { Found::Nothing });
        }
        let (mut freed, before) = (0, reading.incoming.len);
        let outcome = reading.take(&mut inbox, sink, &mut freed);
        let left = inbox.messages.len();
        end.waiting.store(left, Ordering::SeqCst);
        if end.options.peek_offset().is_some() {
            end.options.move_peek_offset(before as isize - reading.incoming.len as isize);
        }
        drop(inbox);
        if let Some(peer) = self.peer.get() {
            peer.take_back(freed);
        }
        if left != 0 {
            // There is more: the next reader need not wait for the next message.
            end.readers.wake_one();
        }
        outcome.map(|()| Found::Data)
    }

    /// Waits for more than `behind` bytes, or for the end of the stream.
    fn wait_for_data(&self, patience: Patience, behind: usize) -> Result<(), Errno> {
        let end = &self.end;
        patience.wait(&end.readers, || {
            let is_there = match behind {
                0 => end.waiting.load(Ordering::SeqCst) != 0,
                _ => end.inbox.lock().byte_count() > behind,
            };
            is_there || end.is_shut(RECEIVE) || end.has_error()
        })
    }
}

/// What a look into the inbox has found.
enum Found {
    Data,
    Nothing,
    /// Nothing, and never will.
    End,
}

/// One call that receives.
struct Reading {
    incoming: Incoming,
    wanted: usize,
    is_peek: bool,
    /// Bytes before the first that a peek looks at; `None`: it does not move.
    peek_offset: Option<usize>,
    wants_credentials: bool,
    /// Whose bytes these are; bytes of others do not join them. `None`: not known yet, or it does not matter.
    writer: Option<Option<Ucred>>,
    /// Nothing more is taken.
    is_over: bool,
}

impl Reading {
    fn new(socket: &UnixSocket, flags: u32, wanted: usize) -> Self {
        let options = &socket.end.options;
        let is_peek = flags & MSG_PEEK != 0;
        Self {
            incoming: Incoming {
                address: socket.peer.get().and_then(|peer| name::address_of(peer)),
                ..Incoming::default()
            },
            wanted,
            is_peek,
            peek_offset: if is_peek { options.peek_offset() } else { None },
            wants_credentials: options.is_on(Switch::PassCredentials),
            writer: None,
            is_over: false,
        }
    }

    /// Bytes before the first that is looked at.
    fn peeks_behind(&self) -> usize {
        self.peek_offset.unwrap_or(0)
    }

    /// Whether a part of the stream goes with those before; notes whose it is.
    fn admits(&mut self, credentials: Option<Ucred>) -> bool {
        if !self.wants_credentials {
            return true;
        }
        if self.writer.is_some_and(|writer| writer != credentials) {
            return false;
        }
        self.writer = Some(credentials);
        self.incoming.credentials = Some(credentials.unwrap_or(UNKNOWN));
        true
    }

    /// Moves bytes and what belongs to them from the inbox; adds to `freed` what they cost.
    ///
    /// # Errors
    /// `EFAULT`: nothing was moved.
    fn take(&mut self, inbox: &mut Inbox, sink: &mut Sink<'_>, freed: &mut usize) -> Result<(), Errno> {
        while let Some(message) = inbox.messages.front_mut() {
            if !self.admits(message.credentials) {
                self.is_over = true;
                break;
            }
            let part = message.len.min(self.wanted - self.incoming.len);
            let moved = inbox.bytes.read(sink, part)?;
            self.incoming.len += moved;
            message.len -= moved;
            *freed += moved;
            if moved < part {
                self.is_over = true;
                break;
            }
            if let Some(rights) = message.rights.take() {
                self.incoming.rights = rights.take();
                self.is_over = true;
            }
            if message.len == 0 {
                inbox.messages.pop_front();
                *freed += MESSAGE_COST;
            }
            self.is_over |= self.incoming.len == self.wanted;
            if self.is_over {
                break;
            }
        }
        Ok(())
    }

    /// Copies bytes, which stay, as far as they are there; `false`: none are, so far from the beginning.
    ///
    /// # Errors
    /// `EFAULT`; `ENOMEM`.
    fn peek(&mut self, inbox: &Inbox, sink: &mut Sink<'_>) -> Result<bool, Errno> {
        let mut skipped = self.peeks_behind();
        let mut at = 0;
        for message in &inbox.messages {
            if skipped >= message.len {
                skipped -= message.len;
                at += message.len;
                continue;
            }
            // What is there is all that a peek gets.
            self.is_over = true;
            if !self.admits(message.credentials) {
                break;
            }
            let part = (message.len - skipped).min(self.wanted - self.incoming.len);
            let copied = inbox.bytes.peek(at + skipped, sink, part)?;
            self.incoming.len += copied;
            if let Some(rights) = &message.rights {
                self.incoming.rights = rights.look()?;
                break;
            }
            if copied < part || self.incoming.len == self.wanted {
                break;
            }
            at += message.len;
            skipped = 0;
        }
        Ok(self.is_over)
    }
}
