//! What waits at an endpoint to be received.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use linux_abi::errno::Errno;
use linux_abi::socket::Ucred;

use super::Endpoint;
use super::rights::Rights;
use crate::ipc::ring::Ring;
use crate::uio::Source;

/// What a message costs its sender beside its bytes.
pub(super) const MESSAGE_COST: usize = 256;

/// Who has sent what was sent when nobody wanted to know.
pub(super) const UNKNOWN: Ucred = Ucred { pid: 0, uid: OVERFLOW_ID, gid: OVERFLOW_ID };
/// The user and group that stand for those that cannot be told.
const OVERFLOW_ID: u32 = 65_534;

/// A message, or the part of a stream that has one sender.
#[derive(Default)]
pub(super) struct Message {
    /// Bytes of it that are there.
    pub(super) len: usize,
    /// Who has sent it, if somebody wanted to know then.
    pub(super) credentials: Option<Ucred>,
    /// Files that go with it.
    pub(super) rights: Option<Rights>,
    /// The endpoint it was sent from; `None` in a stream.
    pub(super) sender: Option<Arc<Endpoint>>,
}

impl Message {
    /// What the message costs its sender as long as it is there.
    pub(super) fn cost(&self) -> usize {
        self.len + MESSAGE_COST
    }

    /// Whether what is like `self` can become part of the message before it.
    fn continues(&self, last: &Self) -> bool {
        self.rights.is_none()
            && last.rights.is_none()
            && self.credentials == last.credentials
            && self.sender.is_none()
    }
}

/// The messages, oldest first, and their bytes.
pub(super) struct Inbox {
    pub(super) bytes: Ring,
    pub(super) messages: VecDeque<Message>,
    /// The owner is gone: nothing enters any more.
    pub(super) is_closed: bool,
}

impl Inbox {
    pub(super) const fn new() -> Self {
        Self { bytes: Ring::new(), messages: VecDeque::new(), is_closed: false }
    }

    /// Adds `message`, its bytes from `source`, as a whole; in a stream maybe as part of the last one. Returns what that
    /// costs.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`: nothing was added; the message is still the caller's, to be dropped with nothing locked.
    pub(super) fn push(&mut self, source: &mut Source<'_>, message: &mut Message) -> Result<usize, Errno> {
        let len = message.len;
        if let Some(last) = self.messages.back_mut()
            && message.continues(last)
        {
            self.bytes.write_whole(source, len)?;
            last.len += len;
            return Ok(len);
        }
        self.messages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.bytes.write_whole(source, len)?;
        let cost = message.cost();
        self.messages.push_back(core::mem::take(message));
        Ok(cost)
    }

    /// The bytes of all messages.
    pub(super) fn byte_count(&self) -> usize {
        self.bytes.byte_count()
    }
}
