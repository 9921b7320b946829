//! A queue of threads that sleep until their condition comes true.
//!
//! Waiting and waking allocate nothing: the links are in the thread. Waking a queue nobody waits at costs a fence and a
//! load. Everything here but waiting may be called from interrupt handlers.
//!
//! # Ordering
//! A waiter counts itself in `waiters` and then looks at its condition; a waker makes the condition true and then looks
//! at `waiters`; each with a full fence between. So at least one of them sees the other.
//!
//! # Exclusive wake-ups
//! Sleeping threads are woken in order, as many as asked for. What watches the queue by a [`PollTable`] is always told,
//! because it only looks. A thread that was chosen but leaves without its condition (deadline, signal), or has met it
//! by itself before it was chosen, passes the wake-up on: it was for something that is still there.
//!
//! [`PollTable`]: super::PollTable

use alloc::sync::Arc;

use hal::sync::SpinLockIrq;
use hal::sync::atomic::{AtomicU32, Ordering, fence};
use hal::task::Current;
use linux_abi::errno::Errno;

use super::poll::PollList;
use crate::list::List;
use crate::lock_order;
use crate::scheduler::core::scheduler::current;
use crate::scheduler::core::switch::schedule;
use crate::scheduler::core::wakeup::wake;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::{Thread, WaitLink};

/// How many threads `wake_all` wakes without letting interrupts in.
const BATCH: u32 = 32;

/// A queue of threads that sleep until their condition comes true.
pub struct WaitQueue {
    /// Sleeping threads, plus one if there is a poll list.
    waiters: AtomicU32,
    inner: SpinLockIrq<Inner>,
}

struct Inner {
    threads: List<Thread, WaitLink>,
    pollers: Option<Arc<PollList>>,
}

impl WaitQueue {
    hal::const_fn! {
        /// Makes a queue without waiters.
        pub const fn new() -> Self {
            let inner = Inner { threads: List::new(), pollers: None };
            Self { waiters: AtomicU32::new(0), inner: SpinLockIrq::new(lock_order::WAIT_QUEUE, inner) }
        }
    }

    /// Sleeps until `ready` answers something, and returns that.
    ///
    /// `ready` is called often, the calling thread being half asleep: it may take locks, sleeping ones too, but must not
    /// wait at a `WaitQueue`.
    pub fn wait<R>(&self, ready: impl FnMut() -> Option<R>) -> R {
        match self.wait_in(State::UNINTERRUPTIBLE, None, ready) {
            Ok(Some(result)) => result,
            _ => unreachable!("neither a signal nor a deadline ends this sleep"),
        }
    }

    /// Sleeps until `ready` answers something, or a signal wants attention.
    ///
    /// # Errors
    /// `EINTR`: a signal.
    pub fn wait_interruptible<R>(&self, ready: impl FnMut() -> Option<R>) -> Result<R, Errno> {
        self.wait_in(State::INTERRUPTIBLE, None, ready)?.ok_or(Errno::EINTR)
    }

    /// Sleeps until `ready` answers something, or the thread is to die.
    ///
    /// # Errors
    /// `EINTR`: the thread is to die.
    pub fn wait_killable<R>(&self, ready: impl FnMut() -> Option<R>) -> Result<R, Errno> {
        self.wait_in(State::KILLABLE, None, ready)?.ok_or(Errno::EINTR)
    }

    /// Sleeps until `ready` answers something, a signal wants attention, or the clock reaches `deadline` (nanoseconds,
    /// monotonic); `None` in the last case.
    ///
    /// # Errors
    /// `EINTR`: a signal.
    pub fn wait_deadline<R>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<R>,
    ) -> Result<Option<R>, Errno> {
        self.wait_in(State::INTERRUPTIBLE, deadline, ready)
    }

    /// Sleeps in `state` until `ready` answers something, the deadline, or what interrupts the state.
    fn wait_in<R>(
        &self,
        state: State,
        deadline: Option<u64>,
        mut ready: impl FnMut() -> Option<R>,
    ) -> Result<Option<R>, Errno> {
        if let Some(result) = ready() {
            return Ok(Some(result));
        }
        hal::sync::might_sleep();
        let me = current();
        let mut is_armed = false;
        let mut was_chosen_before = false;
        let result = loop {
            self.join(&me, state);
            if let Some(result) = ready() {
                break Ok(Some(result));
            }
            if me.is_interrupted(state) {
                break Err(Errno::EINTR);
            }
            if let Some(deadline) = deadline {
                if hal::time::now_ns() >= deadline {
                    break Ok(None);
                }
                if !is_armed {
                    me.timer().arm(deadline);
                    is_armed = true;
                }
            }
            schedule();
            // Woken, most likely by the condition.
            let was_chosen = !me.is_waiting();
            if let Some(result) = ready() {
                was_chosen_before = was_chosen;
                break Ok(Some(result));
            }
        };
        me.set_state(State::RUNNABLE);
        if is_armed {
            me.timer().disarm();
        }
        if was_chosen_before || self.leave(&me) {
            return result;
        }
        if !matches!(result, Ok(Some(_)))
            && let Some(result) = ready()
        {
            return Ok(Some(result));
        }
        self.wake_one();
        result
    }

    /// Wakes the thread that has waited longest, and all that polls.
    #[inline]
    pub fn wake_one(&self) {
        self.wake(1);
    }

    /// Wakes up to `count` threads, those that have waited longest, and all that polls.
    #[inline]
    pub fn wake(&self, count: u32) {
        // Pairs with the fence in `join`.
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) != 0 {
            self.wake_waiters(count);
        }
    }

    /// Wakes every thread that waits now, and all that polls.
    #[inline]
    pub fn wake_all(&self) {
        self.wake(u32::MAX);
    }

    /// Whether somebody waits or polls. By the time the caller acts on it, it may have changed.
    pub fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) != 0
    }

    /// The list of what polls the queue, made on first use.
    pub(super) fn poll_list(&self) -> Arc<PollList> {
        if let Some(list) = &self.inner.lock().pollers {
            return list.clone();
        }
        // Made before the lock is taken, which turns interrupts off; the loser of a race drops its own.
        let fresh = Arc::new(PollList::new());
        let mut inner = self.inner.lock();
        let is_first = inner.pollers.is_none();
        let list = inner.pollers.get_or_insert_with(|| fresh.clone()).clone();
        drop(inner);
        if is_first {
            self.waiters.fetch_add(1, Ordering::Relaxed);
        }
        list
    }

    fn wake_waiters(&self, count: u32) {
        let mut left = count;
        let mut pollers = None;
        if count == 1 {
            let (first, list) = {
                let mut inner = self.inner.lock();
                (self.pop(&mut inner), inner.pollers.clone())
            };
            if let Some(thread) = first {
                wake(thread, State::ANY_SLEEP);
            }
            pollers = list;
        } else {
            // Threads that come back while this goes on are behind those that were here before.
            left = left.min(self.waiters.load(Ordering::Relaxed));
            while left > 0 {
                let mut inner = self.inner.lock();
                for _ in 0..BATCH.min(left) {
                    left -= 1;
                    match self.pop(&mut inner) {
                        Some(thread) => _ = wake(thread, State::ANY_SLEEP),
                        None => left = 0,
                    }
                    if left == 0 {
                        break;
                    }
                }
                pollers.clone_from(&inner.pollers);
            }
        }
        if let Some(pollers) = pollers {
            pollers.notify();
        }
    }

    fn pop(&self, inner: &mut Inner) -> Option<Arc<Thread>> {
        let thread = inner.threads.pop_front()?;
        thread.set_waiting(false);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        Some(thread)
    }

    /// Puts the calling thread to the end of the queue, unless it is in it, and to sleep in `state`.
    fn join(&self, me: &Current<Thread>, state: State) {
        let mut inner = self.inner.lock();
        if !me.is_waiting() {
            me.set_waiting(true);
            inner.threads.push_back(me.arc());
            self.waiters.fetch_add(1, Ordering::Relaxed);
        }
        me.set_state(state);
        drop(inner);
        // Pairs with the fence in `wake`.
        fence(Ordering::SeqCst);
    }

    /// Takes the calling thread out of the queue; answers whether it was still in it.
    fn leave(&self, me: &Thread) -> bool {
        let mut inner = self.inner.lock();
        if !me.is_waiting() {
            return false;
        }
        me.set_waiting(false);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        inner.threads.remove(me)
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}
