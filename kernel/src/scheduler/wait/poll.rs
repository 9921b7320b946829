//! Watching many wait queues at once, for poll(2), select(2) and epoll(7).

use alloc::sync::Arc;

use hal::sync::SpinLockIrq;
use hal::sync::atomic::{AtomicBool, Ordering};
use linux_abi::errno::Errno;
use smallvec::SmallVec;

use super::{WaitQueue, sleep_until};
use crate::list::{Linked, Links, List};
use crate::lock_order;
use crate::memory::reserve;
use crate::scheduler::core::scheduler::current;
use crate::scheduler::core::wakeup::wake;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::Thread;

/// Who is told when a watched queue is woken.
pub trait PollTarget: Send + Sync {
    /// Something may have changed. Called in any context, interrupts off: must be short, must not block or allocate.
    fn notify(&self);
}

/// The kind of link by which a watch is in the list of its queue.
struct PollLink;

struct Watch {
    target: Arc<dyn PollTarget>,
    list: Arc<PollList>,
    links: Links<Watch>,
}

impl Linked<PollLink> for Watch {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// What watches one queue. It outlives the queue as long as somebody watches.
pub(super) struct PollList {
    watches: SpinLockIrq<List<Watch, PollLink>>,
}

impl PollList {
    pub(super) fn new() -> Self {
        Self { watches: SpinLockIrq::new(lock_order::POLL_LIST, List::new()) }
    }

    pub(super) fn notify(&self) {
        self.watches.lock().for_each_while(|watch| {
            watch.target.notify();
            true
        });
    }
}

/// The thread that polls.
struct Sleeper {
    thread: Arc<Thread>,
    is_notified: AtomicBool,
}

impl PollTarget for Sleeper {
    fn notify(&self) {
        // The wake-up's lock orders this before the sleeper's look.
        if !self.is_notified.swap(true, Ordering::SeqCst) {
            wake(self.thread.clone(), State::ANY_SLEEP);
        }
    }
}

/// A set of watched queues. Dropping it ends the watch.
///
/// `File::poll` registers the queues whose wake-up may change its answer; then the caller looks at the answers, and
/// if none will do, [`PollTable::wait`]s and looks again. A change between the look and the wait is not missed.
pub struct PollTable {
    target: Arc<dyn PollTarget>,
    sleeper: Option<Arc<Sleeper>>,
    watches: SmallVec<[Arc<Watch>; 4]>,
    /// Whether there was no memory to watch a queue.
    is_short: bool,
}

/// Kernel memory that a watch takes, with the list of its queue, roughly, bytes.
const WATCH_COST: usize = 256;

impl PollTable {
    /// Makes an empty table that wakes the calling thread.
    pub fn new() -> Self {
        let sleeper = Arc::new(Sleeper { thread: current().arc(), is_notified: AtomicBool::new(false) });
        Self { target: sleeper.clone(), sleeper: Some(sleeper), watches: SmallVec::new(), is_short: false }
    }

    /// Makes an empty table that tells `target`; [`Self::wait`] is not for it.
    pub fn with_target(target: Arc<dyn PollTarget>) -> Self {
        Self { target, sleeper: None, watches: SmallVec::new(), is_short: false }
    }

    /// Watches `queue` too. Where there is no memory for that, [`Self::check`] says so, and [`Self::wait`].
    pub fn register(&mut self, queue: &WaitQueue) {
        if reserve::check(WATCH_COST).is_err() || self.watches.try_reserve(1).is_err() {
            self.is_short = true;
            return;
        }
        let list = queue.poll_list();
        let watch = Arc::new(Watch { target: self.target.clone(), list, links: Links::new() });
        watch.list.watches.lock().push_back(watch.clone());
        self.watches.push(watch);
        // The caller looks at the state behind the queue next; pairs with the fence in `WaitQueue::wake`.
        hal::sync::atomic::fence(Ordering::SeqCst);
    }

    /// Whether nothing is watched: waiting would only end by the deadline or a signal.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// Whether all queues that were to be watched are.
    ///
    /// # Errors
    /// `ENOMEM`: not all.
    pub fn check(&self) -> Result<(), Errno> {
        if self.is_short { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Sleeps until a watched queue has been woken since the last call (`true`) or the clock reaches `deadline`
    /// (nanoseconds, monotonic; `false`).
    ///
    /// # Errors
    /// `EINTR`: a signal. `ENOMEM`: as [`Self::check`].
    pub fn wait(&self, deadline: Option<u64>) -> Result<bool, Errno> {
        self.check()?;
        let Some(sleeper) = &self.sleeper else { return Err(Errno::EINVAL) };
        sleep_until(State::INTERRUPTIBLE, deadline, || sleeper.is_notified.swap(false, Ordering::SeqCst))
    }
}

impl Default for PollTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PollTable {
    fn drop(&mut self) {
        for watch in self.watches.drain(..) {
            watch.list.watches.lock().remove(&watch);
        }
    }
}
