//! How long a call on a socket waits.

use linux_abi::errno::Errno;

use super::options::FOREVER;
use crate::scheduler;
use crate::scheduler::wait::WaitQueue;

/// How long a call may wait, from now on.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// Not at all.
    None,
    /// Until the clock shows this (nanoseconds, monotonic), or for ever.
    Until(Option<u64>),
}

impl Patience {
    /// Of a call that may wait for `timeout_ns`, or not at all.
    #[inline]
    pub(super) fn new(nonblocking: bool, timeout_ns: u64) -> Self {
        match timeout_ns {
            _ if nonblocking => Self::None,
            0 => Self::None,
            FOREVER => Self::Until(None),
            ns => Self::Until(Some(hal::time::now_ns().saturating_add(ns))),
        }
    }

    /// Waits at `queue` until `is_over`.
    ///
    /// # Errors
    /// - `EAGAIN`: there was no time left.
    /// - `EINTR`: a signal.
    pub(super) fn wait(self, queue: &WaitQueue, mut is_over: impl FnMut() -> bool) -> Result<(), Errno> {
        match self {
            Self::None => Err(Errno::EAGAIN),
            Self::Until(deadline) => {
                queue.wait_deadline(deadline, || is_over().then_some(()))?.ok_or(Errno::EAGAIN)
            }
        }
    }
}

/// Notes that a call which a signal has ended is not made again if it has a time limit: the time would start anew.
#[inline]
pub(super) fn finish<T>(outcome: Result<T, Errno>, timeout_ns: u64) -> Result<T, Errno> {
    if matches!(outcome, Err(Errno::EINTR))
        && timeout_ns != FOREVER
        && let Some(user) = scheduler::current().user.as_ref()
    {
        user.forbid_restart();
    }
    outcome
}
