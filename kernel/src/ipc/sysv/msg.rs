//! System V message queues (msgget(2), msgsnd(2), msgrcv(2), msgctl(2)).

use alloc::collections::LinkedList;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use hal::sync::SpinLock;
use linux_abi::cap::CAP_SYS_RESOURCE;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use super::ids::{Ids, Object, READ, WRITE, caller, check_access, check_owner, new_perm, now, set_owner};
use crate::fs::vfs::text::Text;
use crate::lock_order;
use crate::memory::reserve;
use crate::process::credentials::Credentials;
use crate::scheduler::wait::WaitQueue;

/// Queues at most.
pub const MAX_QUEUES: usize = 32_000;
/// Bytes of a message at most.
pub const MAX_MESSAGE: usize = 8192;
/// Bytes of a queue at most, unless a privileged caller sets more.
pub const MAX_BYTES: usize = 16_384;
/// Memory that a message takes besides its text.
const MESSAGE_COST: usize = 64;

/// A message.
pub struct Message {
    /// Its type, positive.
    pub kind: i64,
    /// Its text.
    pub text: Vec<u8>,
}

struct State {
    description: Msqid64Ds,
    messages: LinkedList<Message>,
    is_removed: bool,
}

/// A queue.
struct Queue {
    state: SpinLock<State>,
    /// For a message to come.
    receivers: WaitQueue,
    /// For one to go.
    senders: WaitQueue,
}

impl Object for Arc<Queue> {
    fn perm(&self) -> Ipc64Perm {
        self.state.lock().description.msg_perm
    }
}

hal::machine_static! {
    static QUEUES: SpinLock<Ids<Arc<Queue>>> = SpinLock::new(lock_order::SYSV_IDS, Ids::new(MAX_QUEUES));
}

/// msgget(2): returns the id of the queue with a key, or of a new one.
///
/// # Errors
/// Those of [`Ids::get`] and [`Ids::add`].
pub fn get(key: i32, flags: u32, who: &Credentials) -> Result<i32, Errno> {
    let mut queues = QUEUES.lock();
    if let Some(id) = queues.get(key, flags, who, |_| Ok(()))? {
        return Ok(id);
    }
    reserve::check(size_of::<Queue>())?;
    let mut description = Msqid64Ds {
        msg_perm: new_perm(key, flags, who),
        msg_ctime: now(),
        msg_qbytes: MAX_BYTES as u64,
        ..Msqid64Ds::default()
    };
    queues.add(|_, sequence| {
        description.msg_perm.seq = sequence;
        let state = State { description, messages: LinkedList::new(), is_removed: false };
        Arc::new(Queue {
            state: SpinLock::new(lock_order::SYSV_OBJECT, state),
            receivers: WaitQueue::new(),
            senders: WaitQueue::new(),
        })
    })
}

fn find(id: i32) -> Result<Arc<Queue>, Errno> {
    QUEUES.lock().find(id).cloned()
}

impl State {
    fn has_room_for(&self, len: usize) -> bool {
        let limit = self.description.msg_qbytes;
        let (bytes, count) = (self.description.msg_cbytes, self.description.msg_qnum);
        bytes.saturating_add(len as u64) <= limit && count < limit
    }

    /// Whether the queue is there, and for the caller.
    fn check(&self, wanted: u32, who: &Credentials) -> Result<(), Errno> {
        if self.is_removed {
            return Err(Errno::EIDRM);
        }
        check_access(&self.description.msg_perm, wanted, who)
    }

    /// The place of the message that is wanted.
    fn position(&self, wanted: Wanted) -> Option<usize> {
        let kinds = || self.messages.iter().map(|message| message.kind);
        match wanted {
            Wanted::First => (!self.messages.is_empty()).then_some(0),
            Wanted::Kind(kind) => kinds().position(|other| other == kind),
            Wanted::NotKind(kind) => kinds().position(|other| other != kind),
            Wanted::LowestUpTo(limit) => {
                let lowest = kinds().filter(|&kind| kind <= limit).min()?;
                kinds().position(|kind| kind == lowest)
            }
            Wanted::Place(place) => usize::try_from(place).ok().filter(|&place| place < self.messages.len()),
        }
    }

    fn take(&mut self, place: usize) -> Option<Message> {
        let mut behind = self.messages.split_off(place);
        let message = behind.pop_front();
        self.messages.append(&mut behind);
        let message = message?;
        self.description.msg_cbytes -= message.text.len() as u64;
        self.description.msg_qnum -= 1;
        self.description.msg_lrpid = caller();
        self.description.msg_rtime = now();
        Some(message)
    }
}

/// Which message is to be received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The first.
    First,
    /// The first of this type.
    Kind(i64),
    /// The first of another type.
    NotKind(i64),
    /// The first of the lowest type up to this one.
    LowestUpTo(i64),
    /// The one at this place, which stays (`MSG_COPY`).
    Place(i64),
}

/// msgsnd(2): adds a message; waits for room unless `is_nonblocking`.
///
/// # Errors
/// - `EINVAL`: no such queue. `EACCES`: not for the caller. `EIDRM`: it has been removed meanwhile.
/// - `EAGAIN`: no room, and `is_nonblocking`. `EINTR`: a signal. `ENOMEM`.
pub fn send(id: i32, message: Message, is_nonblocking: bool, who: &Credentials) -> Result<(), Errno> {
    let queue = find(id)?;
    reserve::check(MESSAGE_COST)?;
    let mut message = Some(message);
    let mut attempt = || {
        let mut state = queue.state.lock();
        if let Err(error) = state.check(WRITE, who) {
            return Some(Err(error));
        }
        let len = message.as_ref().map_or(0, |message| message.text.len());
        if !state.has_room_for(len) {
            return None;
        }
        state.messages.push_back(message.take()?);
        state.description.msg_cbytes += len as u64;
        state.description.msg_qnum += 1;
        state.description.msg_lspid = caller();
        state.description.msg_stime = now();
        Some(Ok(()))
    };
    match attempt() {
        Some(outcome) => outcome?,
        None if is_nonblocking => return Err(Errno::EAGAIN),
        None => queue.senders.wait_interruptible(attempt)??,
    }
    // Each looks for a message of its own.
    queue.receivers.wake_all();
    Ok(())
}

/// msgrcv(2): takes a message of at most `room` bytes, of longer ones their beginning if `may_cut`; waits for it unless
/// `is_nonblocking`. Returns type and text.
///
/// # Errors
/// - `EINVAL`: no such queue; a message to be copied that is longer. `EACCES`: not for the caller. `EIDRM`: it has been
///   removed meanwhile.
/// - `E2BIG`: the message is longer. `ENOMSG`: there is none, and `is_nonblocking`. `EINTR`: a signal. `ENOMEM`.
pub fn receive(
    id: i32,
    wanted: Wanted,
    room: usize,
    may_cut: bool,
    is_nonblocking: bool,
    who: &Credentials,
) -> Result<Message, Errno> {
    let queue = find(id)?;
    // Room for a copy, as nothing is to be allocated under the lock.
    let mut copy: Vec<u8> = match wanted {
        Wanted::Place(_) => crate::memory::fallible::vec(room.min(MAX_MESSAGE))?,
        _ => Vec::new(),
    };
    let mut attempt = || {
        let mut state = queue.state.lock();
        if let Err(error) = state.check(READ, who) {
            return Some(Err(error));
        }
        let place = state.position(wanted)?;
        let found = state.messages.iter().nth(place)?;
        if found.text.len() > room && !may_cut {
            return Some(Err(Errno::E2BIG));
        }
        if matches!(wanted, Wanted::Place(_)) {
            if found.text.len() > copy.capacity() {
                return Some(Err(Errno::EINVAL));
            }
            copy.extend_from_slice(&found.text);
            return Some(Ok(Message { kind: found.kind, text: core::mem::take(&mut copy) }));
        }
        state.take(place).map(Ok)
    };
    let message = match attempt() {
        Some(outcome) => outcome?,
        None if is_nonblocking => return Err(Errno::ENOMSG),
        None => queue.receivers.wait_interruptible(attempt)??,
    };
    queue.senders.wake_all();
    Ok(message)
}

/// The description of a queue and its id. `by_index`: of a place in the table, for anybody if `for_all`.
///
/// # Errors
/// `EINVAL`: no such queue. `EACCES`: not for the caller.
pub fn describe(
    id: i32,
    by_index: bool,
    for_all: bool,
    who: &Credentials,
) -> Result<(i32, Msqid64Ds), Errno> {
    let mut queues = QUEUES.lock();
    let (id, queue) = if by_index { queues.at(id)? } else { (id, queues.find(id)?) };
    let description = queue.state.lock().description;
    if !for_all {
        check_access(&description.msg_perm, READ, who)?;
    }
    Ok((id, description))
}

/// Sets owner, group, permissions and size of a queue.
///
/// # Errors
/// `EINVAL`: no such queue. `EPERM`: not its owner, or larger than it may make it.
pub fn set(id: i32, new: &Msqid64Ds, who: &Credentials) -> Result<(), Errno> {
    let queue = find(id)?;
    let mut state = queue.state.lock();
    check_owner(&state.description.msg_perm, who)?;
    if new.msg_qbytes > MAX_BYTES as u64 && !who.has(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    set_owner(&mut state.description.msg_perm, &new.msg_perm);
    state.description.msg_qbytes = new.msg_qbytes;
    state.description.msg_ctime = now();
    drop(state);
    // Permissions and room may be others now.
    queue.receivers.wake_all();
    queue.senders.wake_all();
    Ok(())
}

/// Removes a queue, messages and all; who waits there is told.
///
/// # Errors
/// As [`set`].
pub fn remove(id: i32, who: &Credentials) -> Result<(), Errno> {
    let mut queues = QUEUES.lock();
    let queue = queues.find(id)?.clone();
    check_owner(&queue.perm(), who)?;
    let gone = queues.remove(id);
    drop(queues);
    let mut state = queue.state.lock();
    state.is_removed = true;
    let messages = core::mem::take(&mut state.messages);
    drop(state);
    drop((gone, messages));
    queue.receivers.wake_all();
    queue.senders.wake_all();
    Ok(())
}

/// The highest place in use, the number of queues, of messages, and of their bytes.
pub fn totals() -> (usize, usize, u64, u64) {
    let queues = QUEUES.lock();
    let (mut count, mut messages, mut bytes) = (0, 0, 0);
    for (_, queue) in queues.iter() {
        let state = queue.state.lock();
        count += 1;
        messages += state.description.msg_qnum;
        bytes += state.description.msg_cbytes;
    }
    (queues.last_index(), count, messages, bytes)
}

/// Writes `/proc/sysvipc/msg`.
pub fn write_table(text: &mut Text) {
    text.push(
        b"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
    );
    for (id, queue) in QUEUES.lock().iter() {
        let d = queue.state.lock().description;
        let p = d.msg_perm;
        // A text that has become too long says so itself.
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}",
            p.key,
            p.mode,
            d.msg_cbytes,
            d.msg_qnum,
            d.msg_lspid,
            d.msg_lrpid,
            p.uid,
            p.gid,
            p.cuid,
            p.cgid,
            d.msg_stime,
            d.msg_rtime,
            d.msg_ctime
        );
    }
}
