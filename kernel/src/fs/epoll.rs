//! Watching many open files: epoll(7).
//!
//! # Terms
//! - *Interest*: an open file, by the descriptor it was added with, and the events the program asks for.
//! - *Ready list*: interests that may be ready. An interest comes there when a wait queue of its file is woken, and
//!   leaves when a look finds it not ready, or, edge-triggered, when it was reported.
//!
//! # Invariants
//! 1. An interest is in the ready list if and only if its `is_listed` is set; both change under the list's lock, which
//!    turns interrupts off, because wake-ups come from anywhere.
//! 2. Files are looked at (`File::poll`) with neither the list nor the map locked by a wait, so that a file may be an
//!    epoll instance too. Chains of them are at most [`MAX_DEPTH`] long and have no cycle.
//! 3. An interest does not keep its file open. When the last descriptor is closed, the interest is dead, and dropped
//!    when it is met.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::ops::Bound;
use core::sync::atomic::{AtomicBool, Ordering};

use hal::sync::{Mutex, SpinLock, SpinLockIrq};
use linux_abi::epoll::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN,
    EPOLLONESHOT, EPOLLOUT, EPOLLWAKEUP, EpollEvent,
};
use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use smallvec::SmallVec;

use crate::fs::vfs::anonymous::AnonymousInode;
use crate::fs::vfs::{File, FileType, OpenFile, PollEvents};
use crate::list::{Linked, Links, List};
use crate::lock_order;
use crate::memory::reserve;
use crate::scheduler::wait::{PollTable, PollTarget, WaitQueue};

/// Bits of the events word that are no events.
const MODES: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
/// Instances that may watch one another in a chain.
const MAX_DEPTH: usize = 5;
/// Kernel memory that an interest takes, roughly, bytes.
const INTEREST_COST: usize = 512;

/// So many events at once take no memory of their own.
const FEW: usize = 16;

/// Events to report.
pub type Events = SmallVec<[EpollEvent; FEW]>;

/// What the program wants of a file.
#[derive(Clone, Copy)]
struct Wish {
    events: u32,
    data: u64,
}

/// The kind of link by which an interest is in the ready list.
struct ReadyLink;

/// A watched file.
struct Interest {
    file: Weak<OpenFile>,
    wish: SpinLock<Wish>,
    ready: Arc<ReadyQueue>,
    links: Links<Interest>,
    /// Guarded by the lock of the ready list.
    is_listed: AtomicBool,
}

impl Linked<ReadyLink> for Interest {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Interests that may be ready, and who waits for one.
struct ReadyQueue {
    list: SpinLockIrq<List<Interest, ReadyLink>>,
    waiters: WaitQueue,
}

impl ReadyQueue {
    fn push(&self, interest: &Arc<Interest>) {
        self.put_back([interest.clone()]);
    }

    fn pop(&self) -> Option<Arc<Interest>> {
        let mut list = self.list.lock();
        let interest = list.pop_front()?;
        interest.is_listed.store(false, Ordering::Relaxed);
        Some(interest)
    }

    fn remove(&self, interest: &Interest) {
        let mut list = self.list.lock();
        if interest.is_listed.swap(false, Ordering::Relaxed) {
            list.remove(interest);
        }
    }

    /// Puts `interests` at the end and answers whether any are listed now.
    fn put_back(&self, interests: impl IntoIterator<Item = Arc<Interest>>) -> bool {
        let mut list = self.list.lock();
        for interest in interests {
            if !interest.is_listed.swap(true, Ordering::Relaxed) {
                list.push_back(interest);
            }
        }
        !list.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.list.lock().is_empty()
    }
}

/// What a wait queue tells. It holds the interest, so that none is ever dropped by an interrupt handler.
struct Notifier(Arc<Interest>);

impl PollTarget for Notifier {
    fn notify(&self) {
        self.0.ready.push(&self.0);
        self.0.ready.waiters.wake_one();
    }
}

impl Interest {
    /// The events the file is ready for, of those wanted: none when it is closed.
    fn look(&self) -> u32 {
        let wanted = self.wish.lock().events & !MODES;
        match self.file.upgrade() {
            Some(file) if wanted != 0 => file.poll(None).bits() & (wanted | EPOLLERR | EPOLLHUP),
            _ => 0,
        }
    }
}

/// An interest with its registration at the file's wait queues.
struct Entry {
    interest: Arc<Interest>,
    _registration: PollTable,
}

/// Descriptor and address of the open file: one file may be added through several descriptors.
type Key = (i32, usize);

/// An epoll instance.
pub struct Epoll {
    interests: Mutex<BTreeMap<Key, Entry>>,
    ready: Arc<ReadyQueue>,
}

impl Epoll {
    /// Makes an instance and opens it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open() -> Result<Arc<OpenFile>, Errno> {
        reserve::check(size_of::<Self>())?;
        let epoll = Arc::new(Self::new());
        Ok(OpenFile::anonymous(epoll, AnonymousInode::of("[eventpoll]"), OpenFlags::O_RDWR))
    }

    fn new() -> Self {
        let list = SpinLockIrq::new(lock_order::EPOLL_READY, List::new());
        Self {
            interests: Mutex::new(lock_order::EPOLL, BTreeMap::new()),
            ready: Arc::new(ReadyQueue { list, waiters: WaitQueue::new() }),
        }
    }

    /// Adds, changes or removes the interest in `file`, open at `fd` (epoll_ctl).
    ///
    /// # Errors
    /// - `EEXIST`, `ENOENT`: added already, not added.
    /// - `EINVAL`: the instance itself, an unknown operation, or `EPOLLEXCLUSIVE` where it cannot be.
    /// - `EPERM`: a regular file or a directory.
    /// - `ELOOP`: instances would watch one another in a circle or too deep a chain.
    /// - `ENOMEM`.
    pub fn control(
        &self,
        operation: u32,
        fd: i32,
        file: &Arc<OpenFile>,
        event: EpollEvent,
    ) -> Result<(), Errno> {
        let (events, data) = (event.events, event.data);
        if !can_be_watched(file) {
            return Err(Errno::EPERM);
        }
        let nested = file.file().as_epoll();
        if nested.is_some_and(|other| core::ptr::eq(other, self)) {
            return Err(Errno::EINVAL);
        }
        let is_exclusive = events & EPOLLEXCLUSIVE != 0;
        if is_exclusive && operation != EPOLL_CTL_DEL {
            let allowed = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
            if operation == EPOLL_CTL_MOD || nested.is_some() || events & !allowed != 0 {
                return Err(Errno::EINVAL);
            }
        }
        let wish = Wish { events, data };
        let key = (fd, Arc::as_ptr(file).addr());
        match operation {
            EPOLL_CTL_ADD => {
                if let Some(nested) = nested {
                    nested.check_chain(self, MAX_DEPTH - 1)?;
                }
                self.add(key, file, wish)
            }
            EPOLL_CTL_MOD => self.change(key, wish),
            EPOLL_CTL_DEL => self.remove(key),
            _ => Err(Errno::EINVAL),
        }
    }

    fn add(&self, key: Key, file: &Arc<OpenFile>, wish: Wish) -> Result<(), Errno> {
        reserve::check(INTEREST_COST)?;
        let mut interests = self.interests.lock();
        match interests.get(&key) {
            // Another file was at this address and is closed.
            Some(entry) if entry.interest.file.upgrade().is_none() => {
                self.ready.remove(&entry.interest);
                interests.remove(&key);
            }
            Some(_) => return Err(Errno::EEXIST),
            None => {}
        }
        let interest = Arc::new(Interest {
            file: Arc::downgrade(file),
            wish: SpinLock::new(lock_order::EPOLL_WISH, wish),
            ready: self.ready.clone(),
            links: Links::new(),
            is_listed: AtomicBool::new(false),
        });
        let mut registration = PollTable::with_target(Arc::new(Notifier(interest.clone())));
        let now = file.poll(Some(&mut registration));
        registration.check()?;
        interests.insert(key, Entry { interest: interest.clone(), _registration: registration });
        drop(interests);
        self.announce(&interest, now, wish.events);
        Ok(())
    }

    fn change(&self, key: Key, wish: Wish) -> Result<(), Errno> {
        let interest = {
            let interests = self.interests.lock();
            let entry = interests.get(&key).ok_or(Errno::ENOENT)?;
            if entry.interest.wish.lock().events & EPOLLEXCLUSIVE != 0 {
                return Err(Errno::EINVAL);
            }
            *entry.interest.wish.lock() = wish;
            entry.interest.clone()
        };
        let now = interest.file.upgrade().map_or(PollEvents::empty(), |file| file.poll(None));
        self.announce(&interest, now, wish.events);
        Ok(())
    }

    fn remove(&self, key: Key) -> Result<(), Errno> {
        let entry = self.interests.lock().remove(&key).ok_or(Errno::ENOENT)?;
        self.ready.remove(&entry.interest);
        Ok(())
    }

    fn announce(&self, interest: &Arc<Interest>, now: PollEvents, wanted: u32) {
        if now.bits() & (wanted | EPOLLERR | EPOLLHUP) & !MODES != 0 {
            self.ready.push(interest);
            self.ready.waiters.wake_one();
        }
    }

    /// Checks that `watcher` may watch this instance: it is not below it, and the chain is not too long.
    fn check_chain(&self, watcher: &Self, depth: usize) -> Result<(), Errno> {
        if core::ptr::eq(self, watcher) || depth == 0 {
            return Err(Errno::ELOOP);
        }
        let mut after = Bound::Unbounded;
        while let Some((key, file)) = self.next_interest(after) {
            after = Bound::Excluded(key);
            if let Some(below) = file.as_ref().and_then(|file| file.file().as_epoll()) {
                below.check_chain(watcher, depth - 1)?;
            }
        }
        Ok(())
    }

    /// The first interest with a key in a range that has only this lower bound, and its file if that is open.
    fn next_interest(&self, from: Bound<Key>) -> Option<(Key, Option<Arc<OpenFile>>)> {
        let interests = self.interests.lock();
        let (key, entry) = interests.range((from, Bound::Unbounded)).next()?;
        Some((*key, entry.interest.file.upgrade()))
    }

    /// Waits until a file is ready or the clock reaches `deadline` (nanoseconds, monotonic; 0 has passed); adds up to
    /// `max` events to `found`, none after the deadline.
    ///
    /// # Errors
    /// `EINTR`: a signal.
    pub fn wait(&self, max: usize, deadline: Option<u64>, found: &mut Events) -> Result<(), Errno> {
        loop {
            self.collect(max, found);
            if !found.is_empty() || deadline.is_some_and(|at| at == 0 || at <= hal::time::now_ns()) {
                return Ok(());
            }
            let woken =
                self.ready.waiters.wait_deadline(deadline, || (!self.ready.is_empty()).then_some(()))?;
            if woken.is_none() {
                self.collect(max, found);
                return Ok(());
            }
        }
    }

    /// Looks at what may be ready, each once, as far as memory for the answer goes.
    fn collect(&self, max: usize, found: &mut Events) {
        let mut again = SmallVec::<[Arc<Interest>; FEW]>::new();
        while found.len() < max
            && found.try_reserve(1).is_ok()
            && again.try_reserve(1).is_ok()
            && let Some(interest) = self.ready.pop()
        {
            let events = interest.look();
            if events == 0 {
                continue;
            }
            let mut wish = interest.wish.lock();
            found.push(EpollEvent { events, data: wish.data });
            if wish.events & EPOLLONESHOT != 0 {
                wish.events &= MODES;
            } else if wish.events & EPOLLET == 0 {
                drop(wish);
                // Level-triggered: it is ready until a look says otherwise.
                again.push(interest);
            }
        }
        if !found.is_empty() && self.ready.put_back(again.drain(..)) {
            self.ready.waiters.wake_one();
        }
    }
}

/// Whether `file` can be watched: a regular file or directory is always ready, so Linux refuses it.
fn can_be_watched(file: &OpenFile) -> bool {
    !matches!(
        FileType::of_mode(file.inode().ownership().mode),
        Some(FileType::Regular | FileType::Directory | FileType::Symlink)
    )
}

impl File for Epoll {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seek(&self) -> bool {
        true
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(&self.ready.waiters);
        }
        while let Some(interest) = self.ready.pop() {
            if interest.look() != 0 {
                self.ready.push(&interest);
                return PollEvents::READABLE;
            }
        }
        PollEvents::empty()
    }

    fn as_epoll(&self) -> Option<&Epoll> {
        Some(self)
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        self.interests.get_mut().clear();
        // The links of listed interests hold each other.
        while self.ready.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::fs::vfs::IoFlags;
    use crate::ipc::eventfd::EventCounter;
    use crate::uio::{Sink, Source};

    fn counter(count: u32) -> Arc<OpenFile> {
        EventCounter::open(count, false, OpenFlags::O_NONBLOCK).unwrap()
    }

    fn event(events: u32, data: u64) -> EpollEvent {
        EpollEvent { events, data }
    }

    fn add(file: &OpenFile) {
        file.write(&mut Source::kernel(&1u64.to_le_bytes()), IoFlags::empty()).unwrap();
    }

    fn take(file: &OpenFile) {
        file.read(&mut Sink::kernel(&mut [0; 8]), IoFlags::empty()).unwrap();
    }

    fn ready(epoll: &Epoll) -> Vec<u64> {
        let mut found = Events::new();
        epoll.wait(10, Some(0), &mut found).unwrap();
        found.iter().map(|event| event.data).collect()
    }

    #[test]
    fn level_triggered_files_are_reported_while_they_are_ready() {
        let epoll = Epoll::new();
        let (a, b) = (counter(0), counter(5));
        epoll.control(EPOLL_CTL_ADD, 3, &a, event(EPOLLIN, 100)).unwrap();
        epoll.control(EPOLL_CTL_ADD, 4, &b, event(EPOLLIN, 200)).unwrap();
        assert_eq!(ready(&epoll), [200]);
        assert_eq!(ready(&epoll), [200]);
        add(&a);
        let mut both = ready(&epoll);
        both.sort_unstable();
        assert_eq!(both, [100, 200]);
        take(&a);
        take(&b);
        assert_eq!(ready(&epoll), []);
        assert_eq!(epoll.poll(None), PollEvents::empty());
    }

    #[test]
    fn edge_triggered_files_are_reported_once_for_each_change() {
        let epoll = Epoll::new();
        let a = counter(1);
        epoll.control(EPOLL_CTL_ADD, 3, &a, event(EPOLLIN | EPOLLET, 1)).unwrap();
        assert_eq!(ready(&epoll), [1]);
        assert_eq!(ready(&epoll), []);
        add(&a);
        assert_eq!(ready(&epoll), [1]);
        assert_eq!(ready(&epoll), []);
    }

    #[test]
    fn one_shot_interests_sleep_until_they_are_changed() {
        let epoll = Epoll::new();
        let a = counter(1);
        epoll.control(EPOLL_CTL_ADD, 3, &a, event(EPOLLIN | EPOLLONESHOT, 1)).unwrap();
        assert_eq!(ready(&epoll), [1]);
        add(&a);
        assert_eq!(ready(&epoll), []);
        epoll.control(EPOLL_CTL_MOD, 3, &a, event(EPOLLIN | EPOLLONESHOT, 2)).unwrap();
        assert_eq!(ready(&epoll), [2]);
    }

    #[test]
    fn interests_are_added_once_and_end_with_the_file() {
        let epoll = Epoll::new();
        let a = counter(1);
        let e = event(EPOLLIN, 1);
        assert_eq!(epoll.control(EPOLL_CTL_MOD, 3, &a, e), Err(Errno::ENOENT));
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 3, &a, e), Ok(()));
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 3, &a, e), Err(Errno::EEXIST));
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 4, &a, e), Ok(()));
        assert_eq!(epoll.control(EPOLL_CTL_DEL, 4, &a, e), Ok(()));
        assert_eq!(epoll.control(EPOLL_CTL_DEL, 4, &a, e), Err(Errno::ENOENT));
        assert_eq!(epoll.control(9, 4, &a, e), Err(Errno::EINVAL));
        drop(a);
        assert_eq!(ready(&epoll), []);
    }

    #[test]
    fn instances_watch_instances_but_not_in_circles() {
        let outer = Epoll::open().unwrap();
        let inner = Epoll::open().unwrap();
        let a = counter(0);
        let (o, i) = (outer.file().as_epoll().unwrap(), inner.file().as_epoll().unwrap());
        let e = event(EPOLLIN, 1);
        o.control(EPOLL_CTL_ADD, 3, &inner, e).unwrap();
        assert_eq!(o.control(EPOLL_CTL_ADD, 4, &outer, e), Err(Errno::EINVAL));
        assert_eq!(i.control(EPOLL_CTL_ADD, 4, &outer, e), Err(Errno::ELOOP));
        i.control(EPOLL_CTL_ADD, 5, &a, e).unwrap();
        assert_eq!(ready(o), []);
        add(&a);
        assert_eq!(ready(o), [1]);
        take(&a);
        assert_eq!(ready(o), []);
    }
}
