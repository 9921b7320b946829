//! System V semaphores (semget(2), semop(2), semctl(2)).
//!
//! Who cannot go on leaves its operations in the set; whoever changes a value makes those that have become possible, in
//! the order in which they came. So nobody who was there later is faster.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicI32, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::ipc::*;

use super::ids::{Ids, Object, READ, WRITE, caller, check_access, check_owner, new_perm, now, set_owner};
use crate::fs::vfs::text::Text;
use crate::lock_order;
use crate::memory::{fallible, reserve};
use crate::process::Process;
use crate::process::credentials::Credentials;
use crate::scheduler::wait::WaitQueue;

/// Sets at most.
pub const MAX_SETS: usize = 32_000;
/// Semaphores of a set at most.
pub const MAX_IN_SET: usize = 32_000;
/// Semaphores at most.
pub const MAX_ALL: usize = 1_024_000_000;
/// Operations of a call at most.
pub const MAX_OPERATIONS: usize = 500;
/// Value of a semaphore, and of what is undone at exit, at most.
pub const MAX_VALUE: i32 = 32_767;

#[derive(Clone, Copy, Default)]
struct Semaphore {
    value: i32,
    /// Who changed it last.
    pid: i32,
}

/// What is undone when a process ends: an amount for each semaphore.
struct Undo {
    pid: i32,
    amounts: Box<[i16]>,
}

/// Still waiting; anything else is the outcome: 0, or a negative errno.
const WAITS: i32 = 1;

/// Operations that have to wait.
struct Waiter {
    operations: Box<[Sembuf]>,
    pid: i32,
    /// The index of the operation that cannot be made.
    blocking: AtomicI32,
    outcome: AtomicI32,
}

struct State {
    description: Semid64Ds,
    semaphores: Vec<Semaphore>,
    undos: Vec<Undo>,
    waiters: Vec<Arc<Waiter>>,
    is_removed: bool,
}

/// A set of semaphores.
struct Set {
    state: SpinLock<State>,
    sleepers: WaitQueue,
    len: usize,
}

impl Object for Arc<Set> {
    fn perm(&self) -> Ipc64Perm {
        self.state.lock().description.sem_perm
    }
}

hal::machine_static! {
    static SETS: SpinLock<Ids<Arc<Set>>> = SpinLock::new(lock_order::SYSV_IDS, Ids::new(MAX_SETS));
}

/// semget(2): returns the id of the set with a key, or of a new one of `len` semaphores.
///
/// # Errors
/// `EINVAL`: a number that no set can have, or more than the set has. Those of [`Ids::get`] and [`Ids::add`].
pub fn get(key: i32, len: i32, flags: u32, who: &Credentials) -> Result<i32, Errno> {
    let len = usize::try_from(len).ok().filter(|&len| len <= MAX_IN_SET).ok_or(Errno::EINVAL)?;
    let suits = |set: &Arc<Set>| if len > set.len { Err(Errno::EINVAL) } else { Ok(()) };
    if let Some(id) = SETS.lock().get(key, flags, who, suits)? {
        return Ok(id);
    }
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let mut semaphores = fallible::vec(len)?;
    semaphores.resize(len, Semaphore::default());
    reserve::check(size_of::<Set>())?;
    let mut sets = SETS.lock();
    // Another process may have been faster.
    if let Some(id) = sets.get(key, flags, who, suits)? {
        return Ok(id);
    }
    if sets.iter().map(|(_, set)| set.len).sum::<usize>() + len > MAX_ALL {
        return Err(Errno::ENOSPC);
    }
    let mut description = Semid64Ds {
        sem_perm: new_perm(key, flags, who),
        sem_ctime: now(),
        sem_nsems: len as u64,
        ..Semid64Ds::default()
    };
    sets.add(|_, sequence| {
        description.sem_perm.seq = sequence;
        let state =
            State { description, semaphores, undos: Vec::new(), waiters: Vec::new(), is_removed: false };
        let state = SpinLock::new(lock_order::SYSV_OBJECT, state);
        Arc::new(Set { state, sleepers: WaitQueue::new(), len })
    })
}

fn find(id: i32) -> Result<Arc<Set>, Errno> {
    SETS.lock().find(id).cloned()
}

/// What came of trying some operations.
enum Tried {
    Done,
    /// The operation of this index has to wait.
    Blocked(usize),
    Failed(Errno),
}

impl State {
    fn check(&self, wanted: u32, who: &Credentials) -> Result<(), Errno> {
        if self.is_removed {
            return Err(Errno::EIDRM);
        }
        check_access(&self.description.sem_perm, wanted, who)
    }

    /// Makes all operations or none.
    fn perform(&mut self, operations: &[Sembuf], pid: i32) -> Tried {
        for (index, operation) in operations.iter().enumerate() {
            let outcome = self.step(operation, pid);
            if !matches!(outcome, Ok(true)) {
                for done in operations[..index].iter().rev() {
                    self.take_back(done, pid);
                }
                return match outcome {
                    Err(error) => Tried::Failed(error),
                    Ok(_) if operation.flags & IPC_NOWAIT as i16 != 0 => Tried::Failed(Errno::EAGAIN),
                    Ok(_) => Tried::Blocked(index),
                };
            }
        }
        for operation in operations {
            self.semaphores[usize::from(operation.number)].pid = pid;
        }
        Tried::Done
    }

    /// Makes one operation; `false` if it has to wait.
    fn step(&mut self, operation: &Sembuf, pid: i32) -> Result<bool, Errno> {
        let index = usize::from(operation.number);
        let value = self.semaphores[index].value;
        let new = value + i32::from(operation.change);
        if operation.change == 0 && value != 0 || new < 0 {
            return Ok(false);
        }
        if new > MAX_VALUE {
            return Err(Errno::ERANGE);
        }
        if operation.flags & SEM_UNDO != 0
            && let Some(undo) = self.undos.iter_mut().find(|undo| undo.pid == pid)
        {
            // From -32768 to 32767.
            let amount = i32::from(undo.amounts[index]) - i32::from(operation.change);
            undo.amounts[index] = i16::try_from(amount).map_err(|_| Errno::ERANGE)?;
        }
        self.semaphores[index].value = new;
        Ok(true)
    }

    fn take_back(&mut self, operation: &Sembuf, pid: i32) {
        let index = usize::from(operation.number);
        self.semaphores[index].value -= i32::from(operation.change);
        if operation.flags & SEM_UNDO != 0
            && let Some(undo) = self.undos.iter_mut().find(|undo| undo.pid == pid)
        {
            undo.amounts[index] = undo.amounts[index].wrapping_add(operation.change);
        }
    }

    /// Sees to it that what the process of `pid` does can be noted.
    fn make_undo(&mut self, pid: i32) -> Result<(), Errno> {
        if self.undos.iter().all(|undo| undo.pid != pid) {
            let amounts = fallible::zeroed(self.semaphores.len())?.into_boxed_slice();
            fallible::push(&mut self.undos, Undo { pid, amounts })?;
        }
        Ok(())
    }

    /// Makes the operations of waiters that have become possible, the first first; answers whether there were any.
    fn go_on(&mut self) -> bool {
        let (mut any, mut index) = (false, 0);
        while let Some(waiter) = self.waiters.get(index).cloned() {
            let outcome = match self.perform(&waiter.operations, waiter.pid) {
                Tried::Blocked(operation) => {
                    waiter.blocking.store(operation as i32, Ordering::Relaxed);
                    index += 1;
                    continue;
                }
                Tried::Failed(error) => -error.number(),
                Tried::Done => {
                    self.description.sem_otime = now();
                    0
                }
            };
            self.waiters.remove(index);
            if outcome == 0 && waiter.operations.iter().any(|operation| operation.change != 0) {
                // What could not be made before may be possible now.
                index = 0;
            }
            waiter.outcome.store(outcome, Ordering::Release);
            any = true;
        }
        any
    }

    /// How many wait for the semaphore at `index`: to grow, or to be zero.
    fn waiters_for(&self, index: usize, for_zero: bool) -> usize {
        let blocks = |waiter: &&Arc<Waiter>| {
            let operation = &waiter.operations[waiter.blocking.load(Ordering::Relaxed) as usize];
            usize::from(operation.number) == index && (operation.change == 0) == for_zero
        };
        self.waiters.iter().filter(blocks).count()
    }
}

/// semop(2), semtimedop(2): makes `operations` together; waits until they can be made, to `deadline` at most
/// (nanoseconds, monotonic).
///
/// # Errors
/// - `EINVAL`: no such set. `EFBIG`: no such semaphore. `EACCES`: not for the caller. `EIDRM`: the set has been removed
///   meanwhile. `ERANGE`: a value would become too large.
/// - `EAGAIN`: it would have to wait, and is not to; the deadline came. `EINTR`: a signal. `ENOMEM`.
pub fn operate(
    id: i32,
    operations: Box<[Sembuf]>,
    deadline: Option<u64>,
    process: &Process,
    who: &Credentials,
) -> Result<(), Errno> {
    let set = find(id)?;
    if operations.iter().any(|operation| usize::from(operation.number) >= set.len) {
        return Err(Errno::EFBIG);
    }
    let changes = operations.iter().any(|operation| operation.change != 0);
    let mut state = set.state.lock();
    state.check(if changes { WRITE } else { READ }, who)?;
    if operations.iter().any(|operation| operation.flags & SEM_UNDO != 0) {
        state.make_undo(process.pid)?;
        process.has_semaphore_undo.store(true, Ordering::Relaxed);
    }
    let blocking = match state.perform(&operations, process.pid) {
        Tried::Done => {
            state.description.sem_otime = now();
            let others = changes && state.go_on();
            drop(state);
            if others {
                set.sleepers.wake_all();
            }
            return Ok(());
        }
        Tried::Failed(error) => return Err(error),
        Tried::Blocked(index) => index,
    };
    reserve::check(size_of::<Waiter>())?;
    let waiter = Arc::new(Waiter {
        operations,
        pid: process.pid,
        blocking: AtomicI32::new(blocking as i32),
        outcome: AtomicI32::new(WAITS),
    });
    fallible::push(&mut state.waiters, waiter.clone())?;
    drop(state);
    let outcome = || Some(waiter.outcome.load(Ordering::Acquire)).filter(|&outcome| outcome != WAITS);
    let waited = set.sleepers.wait_deadline(deadline, outcome);
    if outcome().is_none() {
        // It gives up, unless somebody has just made its operations.
        set.state.lock().waiters.retain(|other| !Arc::ptr_eq(other, &waiter));
    }
    match outcome() {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_number(-error).unwrap_or(Errno::EIDRM)),
        None => Err(waited.err().unwrap_or(Errno::EAGAIN)),
    }
}

/// Undoes what the process of `pid`, which ends, did with `SEM_UNDO`.
pub fn undo_all(pid: i32) {
    let mut index = 0;
    loop {
        let set = {
            let mut sets = SETS.lock();
            if index > sets.last_index() {
                return;
            }
            sets.at(index as i32).ok().map(|(_, set)| set.clone())
        };
        index += 1;
        let Some(set) = set else { continue };
        let mut state = set.state.lock();
        let Some(place) = state.undos.iter().position(|undo| undo.pid == pid) else { continue };
        let undo = state.undos.swap_remove(place);
        for (semaphore, &amount) in state.semaphores.iter_mut().zip(&undo.amounts) {
            if amount != 0 {
                semaphore.value = (semaphore.value + i32::from(amount)).clamp(0, MAX_VALUE);
                semaphore.pid = pid;
            }
        }
        state.description.sem_otime = now();
        let others = state.go_on();
        drop(state);
        drop(undo);
        if others {
            set.sleepers.wake_all();
        }
    }
}

/// The description of a set and its id. `by_index`: of a place in the table, for anybody if `for_all`.
///
/// # Errors
/// `EINVAL`: no such set. `EACCES`: not for the caller.
pub fn describe(
    id: i32,
    by_index: bool,
    for_all: bool,
    who: &Credentials,
) -> Result<(i32, Semid64Ds), Errno> {
    let mut sets = SETS.lock();
    let (id, set) = if by_index { sets.at(id)? } else { (id, sets.find(id)?) };
    let description = set.state.lock().description;
    if !for_all {
        check_access(&description.sem_perm, READ, who)?;
    }
    Ok((id, description))
}

/// One number of a semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    /// Its value.
    Value,
    /// Who changed it last.
    Pid,
    /// How many wait for it to grow.
    Growing,
    /// How many wait for it to be zero.
    Zero,
}

/// Answers a question about one semaphore.
///
/// # Errors
/// `EINVAL`: no such set or semaphore. `EACCES`: not for the caller.
pub fn ask(id: i32, number: i32, question: Question, who: &Credentials) -> Result<usize, Errno> {
    let set = find(id)?;
    let state = set.state.lock();
    state.check(READ, who)?;
    let index = usize::try_from(number).ok().filter(|&index| index < set.len).ok_or(Errno::EINVAL)?;
    Ok(match question {
        Question::Value => state.semaphores[index].value as usize,
        Question::Pid => state.semaphores[index].pid as usize,
        Question::Growing => state.waiters_for(index, false),
        Question::Zero => state.waiters_for(index, true),
    })
}

/// The values of all semaphores of a set.
///
/// # Errors
/// `EINVAL`: no such set. `EACCES`: not for the caller. `ENOMEM`.
pub fn values(id: i32, who: &Credentials) -> Result<Vec<u16>, Errno> {
    let set = find(id)?;
    let mut values = fallible::vec(set.len)?;
    let state = set.state.lock();
    state.check(READ, who)?;
    values.extend(state.semaphores.iter().map(|semaphore| semaphore.value as u16));
    Ok(values)
}

/// How many semaphores a set has, for one who may set them.
///
/// # Errors
/// `EINVAL`: no such set. `EACCES`: not for the caller.
pub fn len_to_set(id: i32, who: &Credentials) -> Result<usize, Errno> {
    let set = find(id)?;
    set.state.lock().check(WRITE, who)?;
    Ok(set.len)
}

/// Sets the values of all semaphores of a set, or of the one at `only`. Nothing of it is undone any more.
///
/// # Errors
/// `EINVAL`: no such set or semaphore. `EACCES`: not for the caller. `ERANGE`: a value is too large.
pub fn set_values(id: i32, only: Option<i32>, values: &[u16], who: &Credentials) -> Result<(), Errno> {
    if values.iter().any(|&value| i32::from(value) > MAX_VALUE) {
        return Err(Errno::ERANGE);
    }
    let set = find(id)?;
    let range = match only {
        None => 0..set.len,
        Some(number) => {
            let index = usize::try_from(number).ok().filter(|&index| index < set.len).ok_or(Errno::EINVAL)?;
            index..index + 1
        }
    };
    let mut state = set.state.lock();
    state.check(WRITE, who)?;
    let pid = caller();
    for (semaphore, &value) in state.semaphores[range.clone()].iter_mut().zip(values) {
        *semaphore = Semaphore { value: i32::from(value), pid };
    }
    for undo in &mut state.undos {
        undo.amounts[range.clone()].fill(0);
    }
    state.description.sem_ctime = now();
    let others = state.go_on();
    drop(state);
    if others {
        set.sleepers.wake_all();
    }
    Ok(())
}

/// Sets owner, group and permissions of a set.
///
/// # Errors
/// `EINVAL`: no such set. `EPERM`: not its owner.
pub fn set(id: i32, new: &Ipc64Perm, who: &Credentials) -> Result<(), Errno> {
    let set = find(id)?;
    let mut state = set.state.lock();
    check_owner(&state.description.sem_perm, who)?;
    set_owner(&mut state.description.sem_perm, new);
    state.description.sem_ctime = now();
    Ok(())
}

/// Removes a set; who waits there is told.
///
/// # Errors
/// As [`set`].
pub fn remove(id: i32, who: &Credentials) -> Result<(), Errno> {
    let mut sets = SETS.lock();
    let set = sets.find(id)?.clone();
    check_owner(&set.perm(), who)?;
    let gone = sets.remove(id);
    drop(sets);
    let mut state = set.state.lock();
    state.is_removed = true;
    let waiters = core::mem::take(&mut state.waiters);
    drop(state);
    for waiter in &waiters {
        waiter.outcome.store(-Errno::EIDRM.number(), Ordering::Release);
    }
    set.sleepers.wake_all();
    drop((gone, waiters));
    Ok(())
}

/// The highest place in use, the number of sets and of their semaphores.
pub fn totals() -> (usize, usize, usize) {
    let sets = SETS.lock();
    (sets.last_index(), sets.iter().count(), sets.iter().map(|(_, set)| set.len).sum())
}

/// Writes `/proc/sysvipc/sem`.
pub fn write_table(text: &mut Text) {
    text.push(b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for (id, set) in SETS.lock().iter() {
        let d = set.state.lock().description;
        let p = d.sem_perm;
        // A text that has become too long says so itself.
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}",
            p.key, p.mode, d.sem_nsems, p.uid, p.gid, p.cuid, p.cgid, d.sem_otime, d.sem_ctime
        );
    }
}
