//! Waiting for events: queues of sleeping threads, and many queues at once for poll(2) and its kin.
//!
//! ```text
//! // The waiter looks at its condition under the lock that guards it:
//! let byte = self.readers.wait_interruptible(|| self.buffer.lock().pop())?;
//! // The waker makes the condition true, then wakes:
//! self.buffer.lock().push(byte);
//! self.readers.wake_one();
//! ```

mod poll;
mod queue;

pub use poll::{PollTable, PollTarget};
pub use queue::WaitQueue;

use linux_abi::errno::Errno;

use super::core::scheduler::current;
use super::core::switch::schedule;
use super::thread::state::State;

/// Sleeps until a signal wants attention or the clock reaches `deadline` (nanoseconds, monotonic); `Ok` then.
///
/// # Errors
/// `EINTR`: a signal.
pub fn sleep_interruptible(deadline: Option<u64>) -> Result<(), Errno> {
    sleep_until(State::INTERRUPTIBLE, deadline, || false).map(|_| ())
}

/// Sleeps until the clock reaches `deadline` (nanoseconds, monotonic), whatever happens meanwhile.
pub fn sleep_uninterruptible(deadline: u64) {
    let ended = sleep_until(State::UNINTERRUPTIBLE, Some(deadline), || false);
    debug_assert!(ended.is_ok(), "an uninterruptible sleep was interrupted");
}

/// Sleeps in `state` until `is_over` or the deadline; answers whether it was `is_over`. Who makes `is_over` true must
/// wake the thread afterwards (`scheduler::wake`).
///
/// # Errors
/// `EINTR`: the state allows signals to end the sleep, and one did.
pub fn sleep_until(
    state: State,
    deadline: Option<u64>,
    mut is_over: impl FnMut() -> bool,
) -> Result<bool, Errno> {
    hal::sync::might_sleep();
    let me = current();
    let mut is_armed = false;
    let result = loop {
        me.prepare_to_sleep(state);
        if is_over() {
            break Ok(true);
        }
        if me.is_interrupted(state) {
            break Err(Errno::EINTR);
        }
        if let Some(deadline) = deadline {
            if hal::time::now_ns() >= deadline {
                break Ok(false);
            }
            if !is_armed {
                me.timer().arm(deadline);
                is_armed = true;
            }
        }
        schedule();
    };
    me.set_state(State::RUNNABLE);
    if is_armed {
        me.timer().disarm();
    }
    result
}
