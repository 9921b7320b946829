//! The descriptor table of a process: small numbers to open files.
//!
//! # Invariants
//! 1. A descriptor is *used* from its reservation to its removal; the lowest number not used is given out.
//! 2. A reserved descriptor is not visible: it leads to no open file until it is installed, and a reservation that is
//!    dropped leaves no trace.
//! 3. Open files are let go of after the lock is released: the last handle may do real work.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::sync::SpinLock;
use linux_abi::errno::Errno;
use linux_abi::limits::NR_OPEN_MAX;

use super::OpenFile;
use crate::lock_order;
use crate::memory::{fallible, reserve};

/// Descriptors in a word of the bitmaps.
const WORD: usize = u64::BITS as usize;

/// Memory that what a descriptor leads to takes of the kernel, roughly.
const FILE_COST: usize = 1024;

/// A descriptor table; shared by threads (`CLONE_FILES`).
pub struct FileTable {
    slots: SpinLock<Slots>,
}

#[derive(Default)]
struct Slots {
    files: Vec<Option<Arc<OpenFile>>>,
    used: Vec<u64>,
    close_on_exec: Vec<u64>,
    /// No descriptor below is free.
    lowest_free: usize,
}

impl Default for FileTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FileTable {
    /// Makes an empty table.
    pub const fn new() -> Self {
        let slots = Slots { files: Vec::new(), used: Vec::new(), close_on_exec: Vec::new(), lowest_free: 0 };
        Self { slots: SpinLock::new(lock_order::FILE_TABLE, slots) }
    }

    /// Makes a table with the same open files (fork). Reservations in flight are not copied.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn duplicate(&self) -> Result<Arc<Self>, Errno> {
        self.duplicate_below(usize::MAX)
    }

    /// As [`Self::duplicate`], of descriptors below `end` (`CLOSE_RANGE_UNSHARE`).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn duplicate_below(&self, end: usize) -> Result<Arc<Self>, Errno> {
        let old = self.slots.lock();
        let len = old.files.iter().take(end).rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut new = Slots::default();
        new.grow(len)?;
        for (fd, file) in old.files.iter().take(len).enumerate() {
            if let Some(file) = file {
                new.files[fd] = Some(file.clone());
                new.mark_used(fd, old.is_close_on_exec(fd));
            }
        }
        drop(old);
        Ok(Arc::new(Self { slots: SpinLock::new(lock_order::FILE_TABLE, new) }))
    }

    /// Returns the open file behind `fd`, a mere path handle included.
    ///
    /// # Errors
    /// `EBADF`.
    #[inline]
    pub fn get_any(&self, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        // A negative number becomes an index beyond every table.
        let index = fd as u32 as usize;
        self.slots.lock().files.get(index).and_then(Clone::clone).ok_or(Errno::EBADF)
    }

    /// Returns the open file behind `fd`, to be used for more than its place.
    ///
    /// # Errors
    /// `EBADF`: not open, or opened with `O_PATH`.
    #[inline]
    pub fn get(&self, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        let file = self.get_any(fd)?;
        if file.is_path_only() { Err(Errno::EBADF) } else { Ok(file) }
    }

    /// Reserves the `N` lowest free descriptors, all below `limit` (`RLIMIT_NOFILE`).
    ///
    /// # Errors
    /// - `EMFILE`: fewer are free.
    /// - `ENOMEM`.
    pub fn reserve<const N: usize>(&self, close_on_exec: bool, limit: u64) -> Result<Reserved<'_, N>, Errno> {
        self.reserve_from(0, close_on_exec, limit)
    }

    /// As [`Self::reserve`], of descriptors not below `start` (`F_DUPFD`).
    ///
    /// # Errors
    /// Those of [`Self::reserve`].
    pub fn reserve_from<const N: usize>(
        &self,
        start: usize,
        close_on_exec: bool,
        limit: u64,
    ) -> Result<Reserved<'_, N>, Errno> {
        let mut reserved = Reserved { table: self, fds: [0; N], count: 0 };
        let mut slots = self.slots.lock();
        let mut outcome = Ok(());
        for index in 0..N {
            match slots.reserve(start, close_on_exec, limit) {
                Ok(fd) => {
                    reserved.fds[index] = fd as i32;
                    reserved.count = index + 1;
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        drop(slots);
        outcome.map(|()| reserved)
    }

    /// Puts `file` behind the lowest free descriptor below `limit` and returns it.
    ///
    /// # Errors
    /// Those of [`Self::reserve`].
    pub fn insert(&self, file: Arc<OpenFile>, close_on_exec: bool, limit: u64) -> Result<i32, Errno> {
        let mut slots = self.slots.lock();
        let fd = slots.reserve(0, close_on_exec, limit)?;
        slots.files[fd] = Some(file);
        Ok(fd as i32)
    }

    /// Puts `file` behind exactly `fd` (dup2) and returns what was there.
    ///
    /// # Errors
    /// - `EBADF`: `fd` is negative or not below `limit`.
    /// - `EBUSY`: `fd` is being opened by another thread.
    /// - `ENOMEM`.
    pub fn replace(
        &self,
        fd: i32,
        file: Arc<OpenFile>,
        close_on_exec: bool,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if index as u64 >= limit.min(NR_OPEN_MAX) {
            return Err(Errno::EBADF);
        }
        let mut slots = self.slots.lock();
        slots.grow(index + 1)?;
        if slots.is_used(index) && slots.files[index].is_none() {
            return Err(Errno::EBUSY);
        }
        slots.mark_used(index, close_on_exec);
        Ok(slots.files[index].replace(file))
    }

    /// Takes the open file from behind `fd`, which becomes free.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn remove(&self, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let mut slots = self.slots.lock();
        let file = slots.files.get_mut(index).and_then(Option::take).ok_or(Errno::EBADF)?;
        slots.mark_free(index);
        Ok(file)
    }

    /// Takes the open files from behind all descriptors in `first..=last` that satisfy nothing else, one at a time, and
    /// hands them to `each`.
    pub fn remove_range(&self, first: usize, last: usize, mut each: impl FnMut(Arc<OpenFile>)) {
        let mut from = first;
        while let Some((fd, file)) = self.slots.lock().take_next(from, last, |_, _| true) {
            each(file);
            from = fd + 1;
        }
    }

    /// Takes the open files whose descriptors are marked close-on-exec and hands them to `each` (execve).
    pub fn remove_close_on_exec(&self, mut each: impl FnMut(Arc<OpenFile>)) {
        let mut from = 0;
        while let Some((fd, file)) = self.slots.lock().take_next(from, usize::MAX, Slots::is_close_on_exec) {
            each(file);
            from = fd + 1;
        }
    }

    /// Whether `fd` is closed by execve.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn is_close_on_exec(&self, fd: i32) -> Result<bool, Errno> {
        let slots = self.slots.lock();
        let index = slots.index_of(fd)?;
        Ok(slots.is_close_on_exec(index))
    }

    /// Marks `fd` to be closed by execve, or not.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_close_on_exec(&self, fd: i32, on: bool) -> Result<(), Errno> {
        let mut slots = self.slots.lock();
        let index = slots.index_of(fd)?;
        slots.set_close_on_exec(index, on);
        Ok(())
    }

    /// Marks all open descriptors in `first..=last` to be closed by execve.
    pub fn set_close_on_exec_range(&self, first: usize, last: usize) {
        let mut slots = self.slots.lock();
        for index in first..slots.files.len().min(last.saturating_add(1)) {
            if slots.files[index].is_some() {
                slots.set_close_on_exec(index, true);
            }
        }
    }

    /// Returns the lowest open descriptor not below `from` and its open file (`/proc/<pid>/fd`).
    pub fn next_open(&self, from: usize) -> Option<(i32, Arc<OpenFile>)> {
        let slots = self.slots.lock();
        let rest = slots.files.get(from..)?;
        rest.iter().enumerate().find_map(|(i, file)| Some(((from + i) as i32, file.clone()?)))
    }

    /// Whether all descriptors of a set are used: bit 0 of the first word is descriptor 0 (select).
    pub fn are_used(&self, set: impl Iterator<Item = u64>) -> bool {
        let slots = self.slots.lock();
        let mut used = slots.used.iter().copied().chain(core::iter::repeat(0));
        set.zip(&mut used).all(|(wanted, used)| wanted & !used == 0)
    }

    /// Number of descriptors the table has room for (`FDSize` in `/proc/<pid>/status`).
    pub fn capacity(&self) -> usize {
        self.slots.lock().files.len().max(WORD)
    }
}

impl Slots {
    fn reserve(&mut self, start: usize, close_on_exec: bool, limit: u64) -> Result<usize, Errno> {
        let fd = self.find_free(start.max(self.lowest_free));
        if fd as u64 >= limit.min(NR_OPEN_MAX) {
            return Err(Errno::EMFILE);
        }
        reserve::check(FILE_COST)?;
        self.grow(fd + 1)?;
        self.mark_used(fd, close_on_exec);
        if start <= self.lowest_free {
            self.lowest_free = fd + 1;
        }
        Ok(fd)
    }

    /// The lowest number not used from `from` on.
    fn find_free(&self, from: usize) -> usize {
        let mut word = from / WORD;
        let mut below = (1u64 << (from % WORD)) - 1;
        while let Some(bits) = self.used.get(word) {
            let free = !(bits | below);
            if free != 0 {
                return word * WORD + free.trailing_zeros() as usize;
            }
            below = 0;
            word += 1;
        }
        from.max(word * WORD)
    }

    /// Makes room for descriptors below `len`.
    fn grow(&mut self, len: usize) -> Result<(), Errno> {
        if len <= self.files.len() {
            return Ok(());
        }
        let words = len.div_ceil(WORD).max(self.used.len() * 2).min((NR_OPEN_MAX as usize).div_ceil(WORD));
        // The bitmaps first: what is longer than `files` is of no consequence.
        fallible::grow_to(&mut self.used, words, || 0)?;
        fallible::grow_to(&mut self.close_on_exec, words, || 0)?;
        fallible::grow_to(&mut self.files, words * WORD, || None)
    }

    fn is_used(&self, fd: usize) -> bool {
        self.used[fd / WORD] >> (fd % WORD) & 1 != 0
    }

    fn mark_used(&mut self, fd: usize, close_on_exec: bool) {
        self.used[fd / WORD] |= 1 << (fd % WORD);
        self.set_close_on_exec(fd, close_on_exec);
    }

    fn mark_free(&mut self, fd: usize) {
        self.used[fd / WORD] &= !(1 << (fd % WORD));
        self.set_close_on_exec(fd, false);
        self.lowest_free = self.lowest_free.min(fd);
    }

    fn is_close_on_exec(&self, fd: usize) -> bool {
        self.close_on_exec[fd / WORD] >> (fd % WORD) & 1 != 0
    }

    fn set_close_on_exec(&mut self, fd: usize, on: bool) {
        let bit = 1 << (fd % WORD);
        if on {
            self.close_on_exec[fd / WORD] |= bit;
        } else {
            self.close_on_exec[fd / WORD] &= !bit;
        }
    }

    fn index_of(&self, fd: i32) -> Result<usize, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let open = self.files.get(index).is_some_and(Option::is_some);
        if open { Ok(index) } else { Err(Errno::EBADF) }
    }

    fn take_next(
        &mut self,
        first: usize,
        last: usize,
        wanted: impl Fn(&Self, usize) -> bool,
    ) -> Option<(usize, Arc<OpenFile>)> {
        for fd in first..self.files.len().min(last.saturating_add(1)) {
            if self.files[fd].is_some() && wanted(self, fd) {
                let file = self.files[fd].take()?;
                self.mark_free(fd);
                return Some((fd, file));
            }
        }
        None
    }
}

/// Descriptors that are used but not yet visible. Dropped without [`Self::install`], they are free again.
pub struct Reserved<'a, const N: usize> {
    table: &'a FileTable,
    fds: [i32; N],
    /// How many of `fds` are reserved.
    count: usize,
}

impl<const N: usize> Reserved<'_, N> {
    /// The numbers.
    pub fn numbers(&self) -> [i32; N] {
        self.fds
    }

    /// Puts `files` behind the descriptors: now they are visible.
    pub fn install(mut self, files: [Arc<OpenFile>; N]) {
        let mut slots = self.table.slots.lock();
        for (fd, file) in self.fds.iter().zip(files) {
            slots.files[*fd as usize] = Some(file);
        }
        self.count = 0;
    }
}

impl<const N: usize> Drop for Reserved<'_, N> {
    fn drop(&mut self) {
        if self.count > 0 {
            let mut slots = self.table.slots.lock();
            for &fd in &self.fds[..self.count] {
                slots.mark_free(fd as usize);
            }
        }
    }
}
