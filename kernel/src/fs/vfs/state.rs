//! What the virtual file system keeps with every inode.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;

use super::locks::FileLocks;
use crate::fs::inotify::{Group, Watch, WatchList};
use crate::ipc::pipe::Pipe;
use crate::lock_order;

/// State of an inode that is the same for all file systems: who writes and executes it, locks, the pipe behind a
/// FIFO. Small until used.
#[derive(Default)]
pub struct InodeState {
    /// Open files that may write (positive), or programs that forbid writing because they run (negative).
    writers: AtomicI32,
    /// Events that somebody wants to hear of (`IN_*`).
    interests: AtomicU32,
    extra: Once<Arc<Extra>>,
}

/// The rarely used part.
struct Extra {
    fifo: SpinLock<Weak<Pipe>>,
    locks: FileLocks,
    watches: WatchList,
}

impl InodeState {
    /// Makes the state of an inode nobody uses yet.
    pub const fn new() -> Self {
        Self { writers: AtomicI32::new(0), interests: AtomicU32::new(0), extra: Once::new() }
    }

    /// Counts one more open file that may write.
    ///
    /// # Errors
    /// `ETXTBSY`: the file is being executed.
    pub fn begin_writing(&self) -> Result<(), Errno> {
        self.step_away_from_zero(1)
    }

    /// Takes back a [`Self::begin_writing`].
    pub fn end_writing(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts one more program that runs from this file: it must not be written.
    ///
    /// # Errors
    /// `ETXTBSY`: the file is open for writing.
    pub fn begin_executing(&self) -> Result<(), Errno> {
        self.step_away_from_zero(-1)
    }

    /// Takes back a [`Self::begin_executing`].
    pub fn end_executing(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    fn step_away_from_zero(&self, step: i32) -> Result<(), Errno> {
        let allowed = |count: i32| (count.signum() != -step).then(|| count.checked_add(step)).flatten();
        let updated = self.writers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, allowed);
        updated.map(drop).map_err(|_| Errno::ETXTBSY)
    }

    /// Returns the pipe behind this FIFO; it exists while somebody has it open.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fifo(&self) -> Result<Arc<Pipe>, Errno> {
        let mut slot = self.extra().fifo.lock();
        if let Some(pipe) = slot.upgrade() {
            return Ok(pipe);
        }
        let pipe = Pipe::new_fifo();
        *slot = Arc::downgrade(&pipe);
        Ok(pipe)
    }

    /// Returns the file's locks.
    pub fn locks(&self) -> &FileLocks {
        &self.extra().locks
    }

    /// Returns the file's locks if there ever were any.
    pub fn existing_locks(&self) -> Option<&FileLocks> {
        self.extra.get().map(|extra| &extra.locks)
    }

    /// Whether somebody wants to hear of one of `events`.
    #[inline]
    pub fn is_watched_for(&self, events: u32) -> bool {
        self.interests.load(Ordering::Relaxed) & events != 0
    }

    /// Tells who wants to hear of it of an event; see [`WatchList::tell`].
    pub fn tell_watches(&self, events: u32, cookie: u32, name: &[u8], is_unlinked: bool) {
        self.extra().watches.tell(events, cookie, name, is_unlinked);
    }

    /// Changes the watch of `group`; see [`WatchList::update`].
    ///
    /// # Errors
    /// `EEXIST`: there is one, and none was wanted.
    pub fn update_watch(&self, group: &Arc<Group>, mask: u32) -> Result<Option<i32>, Errno> {
        self.extra().watches.update(group, mask, &self.interests)
    }

    /// Adds a watch.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn add_watch(&self, watch: Arc<Watch>) -> Result<(), Errno> {
        self.extra().watches.add(watch, &self.interests)
    }

    /// Takes a watch out.
    pub fn remove_watch(&self, watch: &Arc<Watch>) -> Option<Arc<Watch>> {
        self.extra().watches.remove(watch, &self.interests)
    }

    /// Ends all watches.
    pub fn end_watches(&self) {
        while let Some(watch) = self.extra.get().and_then(|extra| extra.watches.any()) {
            watch.end();
        }
    }

    fn extra(&self) -> &Extra {
        self.extra.get_or_init(|| {
            Arc::new(Extra {
                fifo: SpinLock::new(lock_order::INODE_STATE, Weak::new()),
                locks: FileLocks::new(),
                watches: WatchList::new(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_or_executed_but_not_both() {
        let state = InodeState::new();
        state.begin_writing().unwrap();
        state.begin_writing().unwrap();
        assert_eq!(state.begin_executing(), Err(Errno::ETXTBSY));
        state.end_writing();
        state.end_writing();
        state.begin_executing().unwrap();
        assert_eq!(state.begin_writing(), Err(Errno::ETXTBSY));
        state.end_executing();
        state.begin_writing().unwrap();
    }
}
