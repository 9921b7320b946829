//! Locks with priority inheritance: a futex word that holds its owner's id, and the kernel's graph of who waits for whom.
//!
//! An uncontended lock is taken and let go of in user mode: the word holds the owner's id, or 0. Who finds it taken calls
//! the kernel, which sets `FUTEX_WAITERS` in the word, so that the owner comes to the kernel too, and puts both into the
//! [`graph`]. From then on the kernel passes the lock from owner to owner and writes the word. The owner runs at the rank
//! of the most urgent waiter.
//!
//! All of it happens under one sleeping lock: the word is user memory, so changing it may fault, and chains of owners go
//! from lock to lock. What is contended already can bear that.
//!
//! A lock whose owner ended goes to the next waiter at once, but only the waiter can write the word, whose address the
//! ended thread may not have had. Until it has, the lock is *unsettled*: the graph, not the word, says who owns it.

mod graph;

use alloc::sync::Arc;
use core::cmp::Ordering;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::fence;

use hal::sync::{Mutex, MutexGuard};
use hal::user;
use linux_abi::errno::Errno;
use linux_abi::futex::{FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

use self::graph::Graph;
use super::key::Key;
use super::table::{Waiter, bucket_of, leave};
use super::{sleep, sleep_while};
use crate::lock_order;
use crate::memory::reserve;
use crate::process::tree;
use crate::scheduler::thread::WaitKind;
use crate::scheduler::{self, SCHEDULER, Thread};

hal::machine_static! {
    static GRAPH: Mutex<Graph<Key, Member>> = Mutex::new(lock_order::FUTEX_LOCKS, Graph::new());
}

/// Memory that a wait may need in the graph.
const NODE_COST: usize = 4096;

/// A thread, known by its identity.
#[derive(Clone)]
struct Member(Arc<Thread>);

impl Ord for Member {
    fn cmp(&self, other: &Self) -> Ordering {
        Arc::as_ptr(&self.0).cmp(&Arc::as_ptr(&other.0))
    }
}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Member {}

impl Member {
    fn own_rank(&self) -> u8 {
        self.0.entity().attributes().real_time_priority
    }

    fn tid(&self) -> u32 {
        self.0.tid().cast_unsigned()
    }
}

/// Makes a thread run at the rank the graph gives it.
fn apply(member: &Member, rank: u8) {
    SCHEDULER.set_inherited_rank(&member.0, rank);
}

/// What became of a claim to a lock.
enum Claim {
    /// The word names the claimant now.
    Taken,
    /// It belongs to this thread, and the word says that others wait.
    Owned(Member),
}

/// Takes the lock at `addr`, whose key is `key`, or, if it `waits`, sleeps until it is free. `deadline` is in
/// nanoseconds on the monotonic clock.
///
/// # Errors
/// - `EAGAIN`: another thread has it, and the call does not wait.
/// - `EDEADLK`: the caller has it, or its owner waits for the caller.
/// - `ESRCH`: its owner does not exist.
/// - `EINVAL`: word and kernel disagree about it, or somebody waits for a plain wake-up there.
/// - `EFAULT`: the word cannot be changed. `ENOMEM`: no memory.
/// - `ETIMEDOUT`: the clock reached the deadline. `EINTR`: a signal.
pub fn lock(key: Key, addr: usize, deadline: Option<u64>, waits: bool) -> Result<(), Errno> {
    reserve::check(NODE_COST)?;
    let me = Member(scheduler::current().arc());
    {
        let mut graph = GRAPH.lock();
        let owner = match claim(&graph, key, addr, &me, false)? {
            Claim::Taken => return Ok(()),
            Claim::Owned(_) if !waits => return Err(Errno::EAGAIN),
            Claim::Owned(owner) => owner,
        };
        block(&mut graph, key, &me, &owner)?;
        bucket_of(key).join(me.0.clone(), key, WaitKind::Lock);
    }
    let why = sleep(&me.0, deadline);
    finish(key, addr, &me, why)
}

/// Lets go of the lock at `addr`: the next waiter gets it.
///
/// # Errors
/// `EPERM`: the word does not name the caller. `EINVAL`: word and kernel disagree. `EFAULT`: the word cannot be changed.
/// `EAGAIN`: it changed meanwhile.
pub fn unlock(key: Key, addr: usize) -> Result<(), Errno> {
    let me = Member(scheduler::current().arc());
    let mut graph = GRAPH.lock();
    let mut word = user::load_u32(addr)?;
    loop {
        if word & FUTEX_TID_MASK != me.tid() {
            return Err(Errno::EPERM);
        }
        let next = match graph.owner(key) {
            Some(owner) if *owner != me => return Err(Errno::EINVAL),
            Some(_) => graph.next(key).map(|next| FUTEX_WAITERS | next.tid()),
            None if bucket_of(key).first(key, FUTEX_BITSET_MATCH_ANY).is_some() => {
                return Err(Errno::EINVAL);
            }
            None => None,
        };
        match (user::compare_exchange_u32(addr, word, next.unwrap_or(0))?, next) {
            (Ok(_), Some(_)) => {
                pass_on(&mut graph, key, true);
                return Ok(());
            }
            (Ok(_), None) => return Ok(()),
            // Somebody came and set the bit.
            (Err(seen), Some(_)) if seen & FUTEX_TID_MASK == word => word = seen,
            (Err(_), Some(_)) => return Err(Errno::EINVAL),
            (Err(_), None) => return Err(Errno::EAGAIN),
        }
    }
}

/// Sleeps while the word at `addr` holds `expected`, until [`requeue`] moves the caller to the lock at `lock_addr` and
/// the caller has got that.
///
/// # Errors
/// - `EAGAIN`: the word holds something else, or a signal came when the caller had been moved.
/// - `EINVAL`: both are the same word.
/// - `EINTR`: a signal, before that.
/// - `ETIMEDOUT`, `EFAULT`, `ENOMEM`: as [`lock`].
pub fn wait_requeue(
    key: Key,
    addr: usize,
    expected: u32,
    deadline: Option<u64>,
    lock_key: Key,
    lock_addr: usize,
) -> Result<(), Errno> {
    if key == lock_key {
        return Err(Errno::EINVAL);
    }
    reserve::check(NODE_COST)?;
    let me = Member(scheduler::current().arc());
    let waiting = &me.0.futex;
    waiting.target[0].store(lock_key.owner, Relaxed);
    waiting.target[1].store(lock_key.place, Relaxed);
    waiting.bits.store(FUTEX_BITSET_MATCH_ANY, Relaxed);
    bucket_of(key).join(me.0.clone(), key, WaitKind::ForRequeue);
    let why = sleep_while(&me.0, addr, expected, deadline);
    {
        // What it waits for changes under the graph's lock only.
        let _graph = GRAPH.lock();
        if waiting.is(WaitKind::ForRequeue) && leave(&me.0) {
            return Err(why);
        }
    }
    match finish(lock_key, lock_addr, &me, why) {
        // The word has changed since, so the call cannot be made again.
        Err(Errno::EINTR) => Err(Errno::EAGAIN),
        result => result,
    }
}

/// Lets the first thread that waits at `from` ([`wait_requeue`]) take the lock at `addr`, whose key is `to`, if it is
/// free, and moves it and up to `moves` others to wait for it else; if the word `expected` tells holds the value.
/// Answers how many threads do not wait at `from` any more.
///
/// # Errors
/// - `EAGAIN`: the word holds something else.
/// - `EINVAL`: both are one word, or a thread waits there for something else.
/// - `EDEADLK`, `ESRCH`, `EFAULT`, `ENOMEM`: as [`lock`].
pub fn requeue(
    from: Key,
    to: Key,
    addr: usize,
    moves: usize,
    expected: (usize, u32),
) -> Result<usize, Errno> {
    if from == to {
        return Err(Errno::EINVAL);
    }
    reserve::check(NODE_COST)?;
    let mut graph = GRAPH.lock();
    if user::load_u32(expected.0)? != expected.1 {
        return Err(Errno::EAGAIN);
    }
    let mut done = 0;
    let mut owner = None;
    while done <= moves {
        // A waiter of this kind leaves under the graph's lock only.
        let Some(waiter) = bucket_of(from).first(from, FUTEX_BITSET_MATCH_ANY) else { break };
        let Waiter::Thread(thread) = &waiter else { return Err(Errno::EINVAL) };
        let target = &thread.futex.target;
        let is_expected = (target[0].load(Relaxed), target[1].load(Relaxed)) == (to.owner, to.place);
        if !thread.futex.is(WaitKind::ForRequeue) || !is_expected {
            return Err(Errno::EINVAL);
        }
        let member = Member(thread.clone());
        let current = match owner.take() {
            Some(owner) => owner,
            None => match claim(&graph, to, addr, &member, moves > 0)? {
                Claim::Taken => {
                    member.0.futex.set_kind(WaitKind::Lock);
                    bucket_of(from).release(waiter);
                    owner = Some(member);
                    done += 1;
                    continue;
                }
                Claim::Owned(owner) => owner,
            },
        };
        block(&mut graph, to, &member, &current)?;
        bucket_of(from).remove(&waiter);
        bucket_of(to).join(thread.clone(), to, WaitKind::Lock);
        owner = Some(current);
        done += 1;
    }
    Ok(done)
}

/// Gives the locks that others wait for and `thread`, the caller, owns to those others. `ends`: it takes none any more.
pub fn release_all(thread: &Thread, ends: bool) {
    if ends {
        thread.locks.has_left.store(true, Relaxed);
        // Pairs with the fence in `block`: either this sees that it owns, or the other that it has left.
        fence(SeqCst);
    }
    if !thread.locks.has_owned.load(Relaxed) {
        return;
    }
    let me = Member(scheduler::current().arc());
    let mut graph = GRAPH.lock();
    while let Some(&lock) = graph.owned_by(&me).first() {
        pass_on(&mut graph, lock, false);
    }
}

/// Takes a thread's changed real-time priority into account.
pub fn note_priority(thread: &Arc<Thread>) {
    let member = Member(thread.clone());
    let rank = member.own_rank();
    GRAPH.lock().set_own_rank(&member, rank, &mut apply);
}

/// Makes the word name `who`, or, if another thread owns the lock, say that somebody waits.
fn claim(
    graph: &MutexGuard<'_, Graph<Key, Member>>,
    key: Key,
    addr: usize,
    who: &Member,
    marks_waiters: bool,
) -> Result<Claim, Errno> {
    let mut word = user::load_u32(addr)?;
    loop {
        if scheduler::current().must_exit() {
            return Err(Errno::EINTR);
        }
        let owner_id = word & FUTEX_TID_MASK;
        if owner_id == who.tid() {
            return Err(Errno::EDEADLK);
        }
        if let Some(owner) = graph.owner(key) {
            let is_consistent = graph.is_unsettled(key) || owner_id == owner.tid();
            return if is_consistent { Ok(Claim::Owned(owner.clone())) } else { Err(Errno::EINVAL) };
        }
        if bucket_of(key).first(key, FUTEX_BITSET_MATCH_ANY).is_some() {
            return Err(Errno::EINVAL);
        }
        let mark = if marks_waiters { FUTEX_WAITERS } else { 0 };
        let new = match owner_id {
            0 => word & FUTEX_OWNER_DIED | who.tid() | mark,
            _ => word | FUTEX_WAITERS,
        };
        match user::compare_exchange_u32(addr, word, new)? {
            Err(seen) => word = seen,
            Ok(_) if owner_id == 0 => return Ok(Claim::Taken),
            Ok(_) => match tree::find_thread(owner_id.cast_signed()) {
                Some(owner) if !owner.locks.has_left.load(Relaxed) => {
                    return Ok(Claim::Owned(Member(owner)));
                }
                // It ends, or is no more. If it has marked the word meanwhile, that is to be looked at.
                _ => {
                    let seen = user::load_u32(addr)?;
                    if seen == new {
                        return Err(Errno::ESRCH);
                    }
                    word = seen;
                }
            },
        }
    }
}

/// Lets `waiter` wait for the lock `key` of `owner`.
fn block(graph: &mut Graph<Key, Member>, key: Key, waiter: &Member, owner: &Member) -> Result<(), Errno> {
    owner.0.locks.has_owned.store(true, Relaxed);
    // Pairs with the fence in `release_all`.
    fence(SeqCst);
    if owner.0.locks.has_left.load(Relaxed) && graph.owner(key).is_none() {
        return Err(Errno::ESRCH);
    }
    graph
        .block(key, (waiter, waiter.own_rank()), (owner, owner.own_rank()), &mut apply)
        .map_err(|_| Errno::EDEADLK)
}

/// Gives a lock to whose turn it is and lets that thread go on.
fn pass_on(graph: &mut Graph<Key, Member>, key: Key, is_settled: bool) {
    if let Some(next) = graph.hand_over(key, is_settled, &mut apply) {
        next.0.locks.has_owned.store(true, Relaxed);
        bucket_of(key).release(Waiter::Thread(next.0));
    }
}

/// Ends a wait for a lock, which the caller has got or else gives up for the reason `why`.
fn finish(key: Key, addr: usize, me: &Member, why: Errno) -> Result<(), Errno> {
    let mut graph = GRAPH.lock();
    if leave(&me.0) {
        graph.unblock(me, &mut apply);
        return Err(why);
    }
    if !graph.is_unsettled(key) || graph.owner(key) != Some(me) {
        return Ok(());
    }
    match user::fetch_modify_u32(addr, |_| FUTEX_OWNER_DIED | FUTEX_WAITERS | me.tid()) {
        Ok(_) => {
            graph.settle(key, &mut apply);
            Ok(())
        }
        Err(_) => {
            pass_on(&mut graph, key, false);
            Err(Errno::EFAULT)
        }
    }
}
