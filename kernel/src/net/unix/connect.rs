//! Connections: listen(2), connect(2), accept(2).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::socket::AF_UNSPEC;

use super::endpoint::{Endpoint, Listener, RECEIVE, Status};
use super::{UnixSocket, name};
use crate::lock_order;
use crate::net::patience::Patience;
use crate::net::{Actor, MAX_BACKLOG, SocketKind, Switch};

/// What came of an attempt to connect.
enum Attempt {
    Connected,
    /// As many wait as may.
    Full,
}

impl UnixSocket {
    /// listen(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP`: datagrams. `EINVAL`: it has no name, or a peer.
    pub(super) fn start_listening(&self, actor: &Actor, backlog: u32) -> Result<(), Errno> {
        let end = &self.end;
        if !end.kind.is_connected() {
            return Err(Errno::EOPNOTSUPP);
        }
        if end.name.get().is_none() {
            return Err(Errno::EINVAL);
        }
        let backlog = backlog.min(MAX_BACKLOG);
        let listener = end.listener.get_or_init(|| {
            Box::new(Listener {
                backlog: AtomicU32::new(backlog),
                identity: actor.identity(),
                arrivals: SpinLock::new(lock_order::SOCKET_ARRIVALS, Some(VecDeque::new())),
            })
        });
        if !end.change_status(Status::Idle, Status::Listening) && end.status() != Status::Listening {
            return Err(Errno::EINVAL);
        }
        listener.backlog.store(backlog, Ordering::Relaxed);
        end.room.wake_all();
        Ok(())
    }

    /// accept(2): waits for a connection and takes it.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: datagrams. `EINVAL`: it does not listen, or not any more. `EAGAIN`, `EINTR`.
    pub(super) fn next_arrival(&self, nonblocking: bool) -> Result<Arc<Self>, Errno> {
        let end = &self.end;
        if !end.kind.is_connected() {
            return Err(Errno::EOPNOTSUPP);
        }
        let listener =
            end.listener.get().filter(|_| end.status() == Status::Listening).ok_or(Errno::EINVAL)?;
        let patience = Patience::new(nonblocking, end.options.receive_timeout());
        loop {
            let first = {
                let mut arrivals = listener.arrivals.lock();
                let first = arrivals.as_mut().and_then(VecDeque::pop_front);
                end.waiting.store(arrivals.as_ref().map_or(0, VecDeque::len), Ordering::SeqCst);
                first
            };
            if let Some(accepted) = first {
                accepted.end.arrived_at.store(0, Ordering::SeqCst);
                end.room.wake_one();
                return Ok(accepted);
            }
            if end.is_shut(RECEIVE) {
                return Err(Errno::EINVAL);
            }
            patience
                .wait(&end.readers, || end.waiting.load(Ordering::SeqCst) != 0 || end.is_shut(RECEIVE))?;
        }
    }

    /// connect(2).
    ///
    /// # Errors
    /// Those of [`name::find`]; `EISCONN`, `EINVAL`: it is connected, or listens; `EPERM`: the other takes datagrams
    /// from somebody else only; `EAGAIN`, `EINTR`; `ENOMEM`.
    pub(super) fn connect_any(&self, actor: &Actor, address: &[u8], nonblocking: bool) -> Result<(), Errno> {
        if self.end.kind == SocketKind::Datagram {
            return self.retarget(actor, address);
        }
        name::parse(address)?;
        if self.end.options.is_on(Switch::PassCredentials) {
            name::autobind(&self.end)?;
        }
        let patience = Patience::new(nonblocking, self.end.options.send_timeout());
        loop {
            let listening = name::find(actor, address, self.end.kind)?;
            match self.attempt(actor, &listening)? {
                Attempt::Connected => return Ok(()),
                Attempt::Full => patience.wait(&listening.room, || has_room(&listening))?,
            }
        }
    }

    fn attempt(&self, actor: &Actor, listening: &Arc<Endpoint>) -> Result<Attempt, Errno> {
        let listener = listening
            .listener
            .get()
            .filter(|_| listening.status() == Status::Listening && !listening.is_shut(RECEIVE))
            .ok_or(Errno::ECONNREFUSED)?;
        if !has_room(listening) {
            return Ok(Attempt::Full);
        }
        // Made before anything is locked; dropped when it is not needed.
        let owner = &actor.credentials;
        let server = Self::new(self.end.kind, owner.uid.fs, owner.gid.fs)?;
        match self.end.status() {
            Status::Connected => return Err(Errno::EISCONN),
            Status::Listening => return Err(Errno::EINVAL),
            Status::Idle => {}
        }
        let mut arrivals = listener.arrivals.lock();
        let Some(queue) = arrivals.as_mut() else { return Err(Errno::ECONNREFUSED) };
        if queue.len() > listener.backlog.load(Ordering::Relaxed) as usize {
            return Ok(Attempt::Full);
        }
        queue.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        if !self.end.change_status(Status::Idle, Status::Connected) {
            return Err(Errno::EISCONN);
        }
        server.end.arrived_at.store(listening.number(), Ordering::SeqCst);
        if let Some(name) = listening.name.get() {
            // New, so it has none. So below.
            let _ = server.end.name.set(name.clone());
        }
        let _ = server.peer_identity.set(actor.identity());
        server.connect_to(&self.end);
        let _ = self.peer_identity.set(listener.identity.clone());
        let _ = self.peer.set(server.end.clone());
        queue.push_back(server);
        listening.waiting.store(queue.len(), Ordering::SeqCst);
        drop(arrivals);
        listening.readers.wake_one();
        // Who polls this socket sees that it is not hung up any more.
        self.end.writers.wake_all();
        Ok(Attempt::Connected)
    }

    /// connect(2) of a datagram socket: changes where datagrams go by default, and from whom they are taken.
    fn retarget(&self, actor: &Actor, address: &[u8]) -> Result<(), Errno> {
        let end = &self.end;
        let target = if address.starts_with(&AF_UNSPEC.to_ne_bytes()) {
            None
        } else {
            name::parse(address)?;
            if end.options.is_on(Switch::PassCredentials) {
                name::autobind(end)?;
            }
            let found = name::find(actor, address, SocketKind::Datagram)?;
            if !found.takes_from(end) {
                return Err(Errno::EPERM);
            }
            Some(found)
        };
        let number = target.as_ref().map_or(0, |target| target.number());
        end.partner.store(number, Ordering::SeqCst);
        let old = core::mem::replace(&mut *self.target.lock(), target);
        if let Some(old) = old
            && old.number() != number
        {
            self.part_from(&old);
        }
        end.writers.wake_all();
        Ok(())
    }

    /// Loses what the former target has sent; it is told if it was connected to this socket.
    pub(super) fn part_from(&self, old: &Endpoint) {
        let lost = self.end.empty(false);
        if lost.is_empty() {
            return;
        }
        for message in lost {
            if let Some(sender) = &message.sender {
                sender.take_back(message.cost());
            }
        }
        self.end.room.wake_all();
        if old.partner.load(Ordering::SeqCst) == self.number() {
            old.set_error(Errno::ECONNRESET);
        }
    }
}

impl Endpoint {
    /// Whether it takes datagrams from `sender`.
    pub(super) fn takes_from(&self, sender: &Self) -> bool {
        let partner = self.partner.load(Ordering::SeqCst);
        partner == 0 || partner == sender.number()
    }
}

/// Whether one more connection may wait at `listening`; one that is closed has room, for an error.
fn has_room(listening: &Endpoint) -> bool {
    let backlog = listening.listener.get().map_or(0, |listener| listener.backlog.load(Ordering::Relaxed));
    listening.waiting.load(Ordering::SeqCst) <= backlog as usize || listening.is_shut(RECEIVE)
}
