//! Futexes (futex(2)): sleep while a word of user memory holds a value, wake who sleeps at a word.
//!
//! Waiters sit in a table hashed by what their word is: an address in an address space for private memory, a place in
//! a memory object for shared memory. Waiting and waking allocate nothing: the links are in the thread.
//!
//! # Ordering
//! A waiter joins its bucket, then looks at the word; a waker (in user mode) changes the word, then takes the bucket's
//! lock. The lock is a full barrier on both sides, so a waker either finds the waiter or the waiter finds the new value.
//! Looking *after* joining lets the look fault and sleep like any other access to user memory; a waiter that was woken
//! before it saw that it should not wait has been woken rightly and says so.
//!
//! # Lock order
//! Bucket, then run queue. Two buckets: the lower index first.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use hal::sync::{SpinLock, SpinLockGuard};
use hal::user;
use linux_abi::errno::Errno;
use linux_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT,
    RobustListHead, WakeOp,
};

use crate::lock_order;
use crate::memory::address_space::AddressSpace;
use crate::process::UserThread;
use crate::scheduler::core::list::List;
use crate::scheduler::thread::state::State;
use crate::scheduler::thread::thread::{Thread, WaitLink};
use crate::scheduler::{self, wait};

/// What a futex word is, whoever looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Identity of the address space or of the memory object.
    owner: usize,
    /// Address, or offset into the object; the lowest bit tells the two kinds apart.
    place: usize,
}

impl Key {
    /// The key of the word at `addr`: private to `space`, or, if `shared`, the same for everybody who maps its memory.
    ///
    /// # Errors
    /// - `EINVAL`: not aligned to 4 bytes.
    /// - `EFAULT`: nothing is mapped there (shared words only).
    pub fn of(space: &Arc<AddressSpace>, addr: usize, shared: bool) -> Result<Self, Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if addr >= hal::USER_END {
            return Err(Errno::EFAULT);
        }
        if shared && let Some((object, offset)) = space.shared_location(addr)? {
            return Ok(Self { owner: object, place: offset as usize | 1 });
        }
        Ok(Self { owner: Arc::as_ptr(space).addr(), place: addr })
    }

    fn bucket(self) -> usize {
        let mixed = (self.owner >> 4 ^ self.place >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> (usize::BITS - BUCKETS.trailing_zeros())
    }
}

const BUCKETS: usize = 256;

type Bucket = List<Thread, WaitLink>;

hal::machine_static! {
    static TABLE: [SpinLock<Bucket>; BUCKETS] =
        [const { SpinLock::new(lock_order::FUTEX_BUCKET, List::new()) }; BUCKETS];
}

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
    let waiting = &me.futex;
    {
        let mut bucket = TABLE[key.bucket()].lock();
        waiting.move_to(key.owner, key.place, key.bucket());
        waiting.bits.store(bits, Relaxed);
        waiting.is_queued.store(true, Relaxed);
        bucket.push_back(me.arc());
    }
    let result = match user::load_u32(addr) {
        Ok(value) if value == expected => {
            wait::sleep_until(State::INTERRUPTIBLE, deadline, || !waiting.is_queued.load(Acquire))
        }
        Ok(_) => Err(Errno::EAGAIN),
        Err(_) => Err(Errno::EFAULT),
    };
    if !leave(&me) {
        return Ok(());
    }
    match result {
        Ok(_) => Err(Errno::ETIMEDOUT),
        Err(errno) => Err(errno),
    }
}

/// Takes the calling thread out of its bucket; answers whether it was still in one, that is: had not been woken.
fn leave(me: &Thread) -> bool {
    while me.futex.is_queued.load(Acquire) {
        let index = me.futex.bucket.load(Acquire);
        let mut bucket = TABLE[index].lock();
        if !me.futex.is_queued.load(Relaxed) {
            return false;
        }
        if me.futex.bucket.load(Relaxed) == index {
            me.futex.is_queued.store(false, Relaxed);
            bucket.remove(me);
            return true;
        }
    }
    false
}

/// Wakes up to `count` threads that wait at `key` and share a bit with `bits`; answers how many.
pub fn wake(key: Key, count: usize, bits: u32) -> usize {
    wake_in(&mut TABLE[key.bucket()].lock(), key, count, bits)
}

fn wake_in(bucket: &mut Bucket, key: Key, count: usize, bits: u32) -> usize {
    let mut woken = 0;
    while woken < count {
        let is_wanted = |thread: &Arc<Thread>| {
            thread.futex.is_at(key.owner, key.place) && thread.futex.bits.load(Relaxed) & bits != 0
        };
        let Some(thread) = bucket.take_first(is_wanted) else { break };
        // A full fence: the sleeper looks at this after it stored its state.
        thread.futex.is_queued.swap(false, AcqRel);
        scheduler::wake(thread, State::INTERRUPTIBLE);
        woken += 1;
    }
    woken
}

/// Wakes up to `wakes` threads that wait at `from` and moves up to `moves` others to wait at `to`. With `expected`,
/// only if the word at `addr` (whose key is `from`) holds that. Answers how many were woken and how many moved.
///
/// # Errors
/// `EAGAIN`: the word holds something else. `EFAULT`: it cannot be read.
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
    let (mut first, mut second) = lock_two(from.bucket(), to.bucket());
    let (source, mut target) = match &mut second {
        Some(second) if from.bucket() < to.bucket() => (&mut *first, Some(&mut **second)),
        Some(second) => (&mut **second, Some(&mut *first)),
        None => (&mut *first, None),
    };
    let woken = wake_in(source, from, wakes, FUTEX_BITSET_MATCH_ANY);
    let mut moved = 0;
    if from == to {
        return Ok((woken, 0));
    }
    while moved < moves {
        let Some(thread) = source.take_first(|thread| thread.futex.is_at(from.owner, from.place)) else {
            break;
        };
        thread.futex.move_to(to.owner, to.place, to.bucket());
        match &mut target {
            Some(target) => target.push_back(thread),
            None => source.push_back(thread),
        }
        moved += 1;
    }
    Ok((woken, moved))
}

type Guard = SpinLockGuard<'static, Bucket>;

/// Locks one or two buckets, the lower index first.
fn lock_two(one: usize, other: usize) -> (Guard, Option<Guard>) {
    let first = TABLE[one.min(other)].lock();
    let second = (one != other).then(|| TABLE[one.max(other)].lock());
    (first, second)
}

/// Changes the word at `second_addr`, wakes up to `count` threads at `first`, and, if the word's old value passes the
/// test in `op`, up to `second_count` at `second`; answers how many in all.
///
/// # Errors
/// `EFAULT`: the word cannot be changed.
pub fn wake_op(
    first: Key,
    second: Key,
    second_addr: usize,
    count: usize,
    second_count: usize,
    op: WakeOp,
) -> Result<usize, Errno> {
    let old = user::fetch_modify_u32(second_addr, |old| op.apply(old))?;
    let mut woken = wake(first, count, FUTEX_BITSET_MATCH_ANY);
    if op.wakes(old) {
        woken += wake(second, second_count, FUTEX_BITSET_MATCH_ANY);
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
        left -= wake(key, left, FUTEX_BITSET_MATCH_ANY).min(left);
    }
}

/// Marks the locks the calling thread, which ends, still holds as orphaned and wakes who waits for them (set_robust_list(2)). The
/// list is the program's; whatever is wrong with it ends the walk.
pub fn exit_robust_list(thread: &UserThread) {
    let head_addr = thread.robust_list.swap(0, Relaxed);
    if head_addr == 0 {
        return;
    }
    let Some(space) = thread.process.try_address_space() else { return };
    let _ = walk_robust_list(&space, head_addr, scheduler::current().tid().cast_unsigned());
}

fn walk_robust_list(space: &Arc<AddressSpace>, head_addr: usize, tid: u32) -> Result<(), Errno> {
    let head = user::UserPtr::<RobustListHead>::new(head_addr).read()?;
    let word_of = |entry: u64| (entry & !1).wrapping_add_signed(head.futex_offset) as usize;
    let pending = head.list_op_pending;
    let mut entry = head.list;
    for _ in 0..ROBUST_LIST_LIMIT {
        if (entry & !1) as usize == head_addr {
            break;
        }
        // Before the lock is let go: then its memory may be gone.
        let next = user::UserPtr::<u64>::new((entry & !1) as usize).read();
        if entry & !1 != pending & !1 {
            orphan(space, word_of(entry), tid, entry & 1 != 0, false)?;
        }
        entry = next?;
        scheduler::cond_resched();
    }
    if pending & !1 != 0 {
        orphan(space, word_of(pending), tid, pending & 1 != 0, true)?;
    }
    Ok(())
}

/// Marks the lock word at `addr` as orphaned if the thread `tid` owns it.
fn orphan(
    space: &Arc<AddressSpace>,
    addr: usize,
    tid: u32,
    inherits: bool,
    is_pending: bool,
) -> Result<(), Errno> {
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mut word = user::load_u32(addr)?;
    // Ended between unlocking and waking: somebody may wait for a word that nobody owns.
    if is_pending && !inherits && word & FUTEX_TID_MASK == 0 {
        wake_in_space(space, addr, 1);
        return Ok(());
    }
    while word & FUTEX_TID_MASK == tid {
        match user::compare_exchange_u32(addr, word, word & FUTEX_WAITERS | FUTEX_OWNER_DIED)? {
            Ok(_) => {
                if word & FUTEX_WAITERS != 0 && !inherits {
                    wake_in_space(space, addr, 1);
                }
                break;
            }
            Err(actual) => word = actual,
        }
    }
    Ok(())
}
