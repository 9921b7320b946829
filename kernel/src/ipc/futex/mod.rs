//! Futexes (futex(2)): sleep while a word of user memory holds a value, wake who sleeps at a word.
//!
//! Waiters sit in a [`table`] hashed by what their word is (its [`Key`]): an address in an address space for private
//! memory, a place in a memory object for shared memory. They are served by real-time priority, then in the order in
//! which they came. Waiting and waking allocate nothing: the links are in the thread. A thread that waits at
//! [`many`] words has a place for each.
//!
//! | Module | What |
//! | --- | --- |
//! | [`pi`] | locks with priority inheritance |
//! | [`many`] | futex_waitv(2) |
//! | [`robust`] | the locks of threads that end |
//!
//! # Ordering
//! A waiter joins its bucket, then looks at the word; a waker (in user mode) changes the word, then takes the bucket's
//! lock. The lock is a full barrier on both sides, so a waker either finds the waiter or the waiter finds the new value.
//! Looking *after* joining lets the look fault and sleep like any other access to user memory; a waiter that was woken
//! before it saw that it should not wait has been woken rightly and says so.
//!
//! # Lock order
//! The graph of locks with priority inheritance, then a bucket, then a run queue. Two buckets: the lower index first.

mod key;
mod many;
pub mod pi;
mod robust;
mod table;

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use hal::user;
use linux_abi::errno::Errno;
use linux_abi::futex::{FUTEX_BITSET_MATCH_ANY, WakeOp};

pub use self::key::Key;
pub use self::many::{Word, wait_many};
use self::table::{bucket_of, leave, wake_and_move};
use crate::memory::address_space::AddressSpace;
use crate::process::UserThread;
use crate::scheduler::thread::WaitKind;
use crate::scheduler::thread::state::State;
use crate::scheduler::{self, Thread, wait};

/// Sleeps while the word at `addr`, whose key is `key`, holds `expected`, until a wake-up that shares a bit with `bits`.
/// `deadline` is in nanoseconds on the monotonic clock.
///
/// # Errors
/// - `EAGAIN`: the word holds something else.
/// - `EFAULT`: the word cannot be read.
/// - `ETIMEDOUT`: the clock reached the deadline.
/// - `EINTR`: a signal.
pub fn wait(key: Key, addr: usize, expected: u32, bits: u32, deadline: Option<u64>) -> Result<(), Errno> {
    let me = scheduler::current();
    me.futex.bits.store(bits, Relaxed);
    bucket_of(key).join(me.arc(), key, WaitKind::Plain);
    let result = sleep_while(&me, addr, expected, deadline);
    if leave(&me) { Err(result) } else { Ok(()) }
}

/// Sleeps while the calling thread is in a bucket, if the word at `addr` holds `expected`; answers why it went on, if it
/// was not woken.
fn sleep_while(me: &Thread, addr: usize, expected: u32, deadline: Option<u64>) -> Errno {
    match user::load_u32(addr) {
        Ok(value) if value == expected => sleep(me, deadline),
        Ok(_) => Errno::EAGAIN,
        Err(_) => Errno::EFAULT,
    }
}

/// Sleeps while the calling thread is in a bucket; answers why it went on, if it was not woken.
fn sleep(me: &Thread, deadline: Option<u64>) -> Errno {
    let is_over = || !me.futex.is_queued.load(Acquire);
    match wait::sleep_until(State::INTERRUPTIBLE, deadline, is_over) {
        Ok(_) => Errno::ETIMEDOUT,
        Err(errno) => errno,
    }
}

/// Wakes up to `count` threads that wait at `key` and share a bit with `bits`; answers how many.
///
/// # Errors
/// `EINVAL`: the word is a lock with priority inheritance.
pub fn wake(key: Key, count: usize, bits: u32) -> Result<usize, Errno> {
    bucket_of(key).wake(key, count, bits)
}

/// Wakes up to `wakes` threads that wait at `from` and moves up to `moves` others to wait at `to`. With `expected`,
/// only if the word at `addr` (whose key is `from`) holds that. Answers how many were woken and how many moved.
///
/// # Errors
/// `EAGAIN`: the word holds something else. `EFAULT`: it cannot be read. `EINVAL`: as [`wake`].
pub fn requeue(
    from: Key,
    to: Key,
    wakes: usize,
    moves: usize,
    expected: Option<(usize, u32)>,
) -> Result<(usize, usize), Errno> {
    // Before the locks, because it may fault. Who changes the word afterwards wakes or moves waiters itself.
    if let Some((addr, value)) = expected
        && user::load_u32(addr)? != value
    {
        return Err(Errno::EAGAIN);
    }
    wake_and_move(from, to, wakes, moves)
}

/// Changes the word at `second_addr`, wakes up to `count` threads at `first`, and, if the word's old value passes the
/// test in `op`, up to `second_count` at `second`; answers how many in all.
///
/// # Errors
/// `EFAULT`: the word cannot be changed. `EINVAL`: as [`wake`].
pub fn wake_op(
    first: Key,
    second: Key,
    second_addr: usize,
    count: usize,
    second_count: usize,
    op: WakeOp,
) -> Result<usize, Errno> {
    let old = user::fetch_modify_u32(second_addr, |old| op.apply(old))?;
    let mut woken = wake(first, count, FUTEX_BITSET_MATCH_ANY)?;
    if op.wakes(old) {
        woken += wake(second, second_count, FUTEX_BITSET_MATCH_ANY)?;
    }
    Ok(woken)
}

/// Wakes up to `count` threads that wait at an address of the calling thread's address space, private or shared.
pub fn wake_address(addr: usize, count: usize) {
    let me = scheduler::current();
    if let Some(space) = me.user.as_ref().and_then(|user| user.process.try_address_space()) {
        wake_in_space(&space, addr, count);
    }
}

fn wake_in_space(space: &Arc<AddressSpace>, addr: usize, count: usize) {
    let private = Key::of(space, addr, false);
    let shared = Key::of(space, addr, true);
    let mut left = count;
    for key in [shared.ok(), private.ok().filter(|private| Ok(*private) != shared)].into_iter().flatten() {
        // A lock with priority inheritance is not woken; whoever waits for one is told by its owner.
        left -= wake(key, left, FUTEX_BITSET_MATCH_ANY).unwrap_or(0).min(left);
    }
}

/// Lets go of the locks the calling thread still holds: those on its robust list are marked, those with priority
/// inheritance go to whoever waits for them. `ends`: the thread takes no lock any more.
pub fn release_locks(thread: &Thread, user: &UserThread, ends: bool) {
    robust::orphan_list(user);
    pi::release_all(thread, ends);
}
