//! Advisory locks on files: whole files (flock(2)) and ranges (fcntl(2), of a process or of an open file).
//!
//! # Invariants
//! 1. No two locks of different owners conflict: overlap with at least one of them exclusive. Whole-file locks and
//!    ranges do not see each other.
//! 2. The ranges of one owner in one file do not overlap, and neighbours of the same kind are one range.
//! 3. A waiter is in [`waits`] only while it sleeps, with the owner it waits for at that moment.

mod ranges;
mod waits;

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use crate::lock_order;
use crate::scheduler::wait::WaitQueue;

use self::ranges::Ranges;
pub use self::ranges::{Owner, RangeLock};

/// Whether others may hold a lock too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Many may hold it, if all are shared.
    Shared,
    /// One holds it.
    Exclusive,
}

/// Whether a lock that cannot be had now is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// Fail with `EAGAIN`.
    Try,
    /// Wait.
    Wait,
}

/// Locks of one file.
pub struct FileLocks {
    held: SpinLock<Held>,
    released: WaitQueue,
}

#[derive(Default)]
struct Held {
    /// Whole-file locks: the address of the open file, and the kind.
    whole: alloc::vec::Vec<(usize, LockKind)>,
    ranges: Ranges,
}

impl FileLocks {
    /// Makes the locks of a file that has none.
    pub fn new() -> Self {
        Self { held: SpinLock::new(lock_order::FILE_LOCKS, Held::default()), released: WaitQueue::new() }
    }

    /// Locks the whole file for the open file at address `owner`; a lock of another kind it holds is given up first,
    /// as flock(2) has it.
    ///
    /// # Errors
    /// - `EAGAIN`: another holds it, and `patience` is to try.
    /// - `EINTR`: a signal ended the wait.
    pub fn lock_whole(&self, owner: usize, kind: LockKind, patience: Patience) -> Result<(), Errno> {
        {
            let mut held = self.held.lock();
            match held.whole.iter().position(|lock| lock.0 == owner) {
                Some(index) if held.whole[index].1 == kind => return Ok(()),
                Some(index) => {
                    held.whole.swap_remove(index);
                    drop(held);
                    self.released.wake_all();
                }
                None => {}
            }
        }
        if self.try_lock_whole(owner, kind)? {
            return Ok(());
        }
        match patience {
            Patience::Try => Err(Errno::EAGAIN),
            Patience::Wait => {
                self.released.wait_interruptible(|| match self.try_lock_whole(owner, kind) {
                    Ok(true) => Some(Ok(())),
                    Ok(false) => None,
                    Err(error) => Some(Err(error)),
                })?
            }
        }
    }

    fn try_lock_whole(&self, owner: usize, kind: LockKind) -> Result<bool, Errno> {
        let mut held = self.held.lock();
        let conflict = held.whole.iter().any(|&(other, held)| {
            other != owner && (kind == LockKind::Exclusive || held == LockKind::Exclusive)
        });
        if conflict {
            return Ok(false);
        }
        held.whole.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        held.whole.push((owner, kind));
        Ok(true)
    }

    /// Gives up the lock on the whole file.
    pub fn unlock_whole(&self, owner: usize) {
        self.held.lock().whole.retain(|lock| lock.0 != owner);
        self.released.wake_all();
    }

    /// Returns the first lock of somebody else that conflicts with `wanted`.
    pub fn conflicting(&self, wanted: &RangeLock) -> Option<RangeLock> {
        self.held.lock().ranges.conflicting(wanted).copied()
    }

    /// Locks a range, instead of what the owner has locked within it.
    ///
    /// # Errors
    /// - `EAGAIN`: another holds a part, and `patience` is to try.
    /// - `EDEADLK`: the other waits, maybe through a chain, for a lock of this owner.
    /// - `EINTR`: a signal ended the wait.
    /// - `ENOLCK`: too many locks.
    pub fn lock_range(&self, wanted: RangeLock, patience: Patience) -> Result<(), Errno> {
        if patience == Patience::Try {
            let mut held = self.held.lock();
            if held.ranges.conflicting(&wanted).is_some() {
                return Err(Errno::EAGAIN);
            }
            return self.set_range(&mut held, wanted);
        }
        let mut wait = waits::Wait::new(wanted.owner);
        self.released.wait_interruptible(|| {
            let mut held = self.held.lock();
            let blocker = held.ranges.conflicting(&wanted).map(|lock| lock.owner);
            match blocker {
                None => Some(self.set_range(&mut held, wanted)),
                Some(other) => wait.set_blocker(other).err().map(Err),
            }
        })?
    }

    fn set_range(&self, held: &mut Held, wanted: RangeLock) -> Result<(), Errno> {
        let downgraded = held.ranges.set(wanted)?;
        if downgraded {
            self.released.wake_all();
        }
        Ok(())
    }

    /// Gives up what `owner` has locked of `start..=last`.
    ///
    /// # Errors
    /// `ENOLCK`: too many locks, one being split.
    pub fn unlock_range(&self, owner: Owner, start: u64, last: u64) -> Result<(), Errno> {
        self.held.lock().ranges.clear(owner, start, last)?;
        self.released.wake_all();
        Ok(())
    }

    /// Gives up all locks of the open file at address `owner`: it is closed for good.
    pub fn release_open_file(&self, owner: usize) {
        let changed = {
            let mut held = self.held.lock();
            let before = held.whole.len();
            held.whole.retain(|lock| lock.0 != owner);
            held.ranges.clear_all(Owner::OpenFile(owner)) || held.whole.len() != before
        };
        if changed {
            self.released.wake_all();
        }
    }

    /// Gives up all ranges of a process, as every close(2) of any descriptor of the file does.
    pub fn release_process(&self, owner: Owner) {
        let changed = self.held.lock().ranges.clear_all(owner);
        if changed {
            self.released.wake_all();
        }
    }

    /// Calls `each` with every whole-file lock (address of the open file, kind) and every range.
    pub fn for_each(&self, mut whole: impl FnMut(LockKind), mut range: impl FnMut(&RangeLock)) {
        let held = self.held.lock();
        held.whole.iter().for_each(|lock| whole(lock.1));
        held.ranges.iter().for_each(&mut range);
    }
}

impl Default for FileLocks {
    fn default() -> Self {
        Self::new()
    }
}
