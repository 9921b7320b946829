//! One inotify instance: its watches, the events to be read, and the file they are read from.

use alloc::collections::{BTreeMap, LinkedList};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use hal::sync::SpinLock;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::inotify::*;
use linux_abi::ioctl::FIONREAD;
use linux_abi::open::OpenFlags;
use zerocopy::IntoBytes;

use super::limits::{self, MAX_QUEUED_EVENTS, WATCH_COST};
use super::notify::WATCHES;
use super::watch::Watch;
use crate::fs::vfs::anonymous::AnonymousInode;
use crate::fs::vfs::name::Name;
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, IoFlags, OpenFile, Path, PollEvents};
use crate::lock_order;
use crate::memory::{fallible, reserve};
use crate::scheduler::wait::{PollTable, WaitQueue};
use crate::uio::Sink;

/// Bytes before the name of an event; the name is filled up to a multiple of as many.
const HEADER: usize = size_of::<InotifyEvent>();
/// Bytes that an event may take.
const EVENT_COST: usize = size_of::<Event>() + 300;

/// What happened to a watched file.
pub(super) struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Name,
}

impl Event {
    pub(super) fn new(watch: i32, mask: u32, cookie: u32, name: &[u8]) -> Self {
        // That the file which moved or went is a directory has never been told.
        let hidden = if mask & (IN_MOVE_SELF | IN_DELETE_SELF) != 0 { IN_ISDIR } else { 0 };
        Self { watch, mask: mask & !hidden, cookie, name: Name::from_slice(name) }
    }

    /// Whether `next` says the same. What ties a rename together does not count; the end of a watch is always told.
    fn says_the_same(&self, next: &Self) -> bool {
        let same = self.mask == next.mask && self.watch == next.watch && self.name == next.name;
        same && self.mask & IN_IGNORED == 0
    }

    /// Bytes of the name as it is read, with zeros behind it.
    fn name_len(&self) -> usize {
        if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(HEADER) }
    }

    fn len(&self) -> usize {
        HEADER + self.name_len()
    }

    fn put(&self, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        let len = self.name_len();
        let header = InotifyEvent { wd: self.watch, mask: self.mask, cookie: self.cookie, len: len as u32 };
        sink.put(header.as_bytes())?;
        sink.put(&self.name)?;
        sink.put_zeros(len - self.name.len())?;
        Ok(HEADER + len)
    }
}

#[derive(Default)]
struct Queue {
    events: LinkedList<Event>,
    /// Whether one of the events says that others were lost.
    tells_overflow: bool,
}

struct Watches {
    by_number: BTreeMap<i32, Arc<Watch>>,
    /// The number given out last.
    last: i32,
}

/// The watches of an instance and the events to be read.
pub struct Group {
    uid: u32,
    max_queued: usize,
    watches: SpinLock<Watches>,
    queue: SpinLock<Queue>,
    readers: WaitQueue,
}

hal::machine_static! {
    /// All groups, for the end of a file system.
    static GROUPS: SpinLock<Vec<Weak<Group>>> = SpinLock::new(lock_order::INOTIFY_USERS, Vec::new());
}

impl Group {
    fn new(uid: u32) -> Result<Arc<Self>, Errno> {
        reserve::check(size_of::<Self>())?;
        limits::add_group(uid)?;
        let group = Arc::new(Self {
            uid,
            max_queued: MAX_QUEUED_EVENTS.load(Relaxed) as usize,
            watches: SpinLock::new(
                lock_order::INOTIFY_WATCHES,
                Watches { by_number: BTreeMap::new(), last: 0 },
            ),
            queue: SpinLock::new(lock_order::INOTIFY_QUEUE, Queue::default()),
            readers: WaitQueue::new(),
        });
        let mut groups = GROUPS.lock();
        groups.retain(|group| group.strong_count() > 0);
        if let Err(error) = fallible::push(&mut groups, Arc::downgrade(&group)) {
            drop(groups);
            limits::remove_group(uid);
            return Err(error);
        }
        Ok(group)
    }

    /// Adds an event, unless the last one says the same. What there is no room for is lost, which is told once.
    pub(super) fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        if queue.events.len() >= self.max_queued || reserve::check(EVENT_COST).is_err() {
            if !core::mem::replace(&mut queue.tells_overflow, true) {
                queue.events.push_back(Event::new(-1, IN_Q_OVERFLOW, 0, b""));
            }
        } else if queue.events.back().is_some_and(|last| last.says_the_same(&event)) {
            return;
        } else {
            queue.events.push_back(event);
        }
        drop(queue);
        self.readers.wake_one();
    }

    /// Takes the next event, if it fits into `room` bytes.
    ///
    /// # Errors
    /// `EINVAL`: it does not.
    fn take(&self, room: usize) -> Option<Result<Event, Errno>> {
        let mut queue = self.queue.lock();
        if queue.events.front()?.len() > room {
            return Some(Err(Errno::EINVAL));
        }
        let event = queue.events.pop_front()?;
        if event.mask == IN_Q_OVERFLOW {
            queue.tells_overflow = false;
        }
        Some(Ok(event))
    }

    /// Ends a watch, which the group is told of.
    pub(super) fn end(&self, watch: &Arc<Watch>) {
        let Some(gone) = self.watches.lock().by_number.remove(&watch.number) else { return };
        self.forget(&gone);
        self.push(Event::new(watch.number, IN_IGNORED, 0, b""));
    }

    /// Takes a watch, which is no longer in the table, from its inode.
    fn forget(&self, watch: &Arc<Watch>) {
        let gone = watch.inode.state().remove_watch(watch);
        limits::remove_watches(self.uid, 1);
        WATCHES.fetch_sub(1, Relaxed);
        drop(gone);
    }

    /// Makes a watch of the file at `place`, or changes the one there is; returns its number.
    fn watch(self: &Arc<Self>, place: &Path, mask: u32) -> Result<i32, Errno> {
        let inode = place.inode();
        // Held until the watch is in the list of the inode, so that there is one for each inode.
        let mut watches = self.watches.lock();
        if let Some(number) = inode.state().update_watch(self, mask)? {
            return Ok(number);
        }
        reserve::check(WATCH_COST)?;
        let number = watches.next_number().ok_or(Errno::ENOSPC)?;
        limits::add_watch(self.uid)?;
        let super_block = Arc::as_ptr(place.mount.super_block()).addr();
        let watch = Arc::new(Watch::new(self.clone(), number, inode.clone(), super_block, mask));
        if let Err(error) = inode.state().add_watch(watch.clone()) {
            limits::remove_watches(self.uid, 1);
            return Err(error);
        }
        watches.by_number.insert(number, watch);
        WATCHES.fetch_add(1, Relaxed);
        Ok(number)
    }

    /// The last watch below `number`.
    fn watch_below(&self, number: i32) -> Option<Arc<Watch>> {
        self.watches.lock().by_number.range(..number).next_back().map(|(_, watch)| watch.clone())
    }

    /// The first watch from `number` on.
    fn watch_from(&self, number: i32) -> Option<Arc<Watch>> {
        self.watches.lock().by_number.range(number..).next().map(|(_, watch)| watch.clone())
    }
}

impl Watches {
    /// A number that no watch has: the next one, so that a number is not soon given out again.
    fn next_number(&mut self) -> Option<i32> {
        // One of so many numbers is free.
        for _ in 0..=self.by_number.len() {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.by_number.contains_key(&self.last) {
                return Some(self.last);
            }
        }
        None
    }
}

/// Ends all watches of files in the file system whose super block was at this address.
pub(super) fn end_watches_of(super_block: usize) {
    let mut index = 0;
    loop {
        let next = GROUPS.lock().get(index).cloned();
        let Some(group) = next else { return };
        index += 1;
        let Some(group) = group.upgrade() else { continue };
        let mut end = i32::MAX;
        // The latest first: what is below a directory is mostly newer.
        while let Some(watch) = group.watch_below(end) {
            end = watch.number;
            if watch.super_block == super_block {
                let kind = if watch.inode.ownership().mode.is_directory() { IN_ISDIR } else { 0 };
                group.push(Event::new(watch.number, IN_UNMOUNT | kind, 0, b""));
                group.end(&watch);
            }
        }
    }
}

/// The file of an instance. When the last descriptor of it is closed, its watches end.
pub struct Inotify {
    group: Arc<Group>,
}

impl Inotify {
    /// Makes an instance for the user `uid`, and opens it. `flags` may hold `O_NONBLOCK`.
    ///
    /// # Errors
    /// `EMFILE`: the user has as many as it may. `ENOMEM`.
    pub fn open(uid: u32, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let inotify = Arc::new(Self { group: Group::new(uid)? });
        Ok(OpenFile::anonymous(inotify, AnonymousInode::of("inotify"), flags & OpenFlags::O_NONBLOCK))
    }

    /// Watches the file at `place` for what `mask` (`IN_*`) says; returns the number of the watch.
    ///
    /// # Errors
    /// `EEXIST`: `IN_MASK_CREATE`, and it is watched. `ENOSPC`: the user has as many watches as it may. `ENOMEM`.
    pub fn watch(&self, place: &Path, mask: u32) -> Result<i32, Errno> {
        self.group.watch(place, mask)
    }

    /// Ends the watch of this number.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn end_watch(&self, number: i32) -> Result<(), Errno> {
        let watch = self.group.watches.lock().by_number.get(&number).cloned().ok_or(Errno::EINVAL)?;
        self.group.end(&watch);
        Ok(())
    }

    /// Bytes that a read would return, were there room.
    fn readable_len(&self) -> usize {
        self.group.queue.lock().events.iter().map(Event::len).sum()
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        while let Some(watch) = self.group.watch_from(0) {
            let gone = self.group.watches.lock().by_number.remove(&watch.number);
            if gone.is_some() {
                self.group.forget(&watch);
            }
        }
        limits::remove_group(self.group.uid);
    }
}

impl File for Inotify {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seek(&self) -> bool {
        true
    }

    /// Reads as many events as there is room for; waits for the first. An event that a bad address met is lost.
    fn read(&self, _: &mut u64, sink: &mut Sink<'_>, flags: IoFlags) -> Result<usize, Errno> {
        let room = sink.remaining();
        let mut next = match self.group.take(room) {
            Some(event) => event,
            None if flags.contains(IoFlags::NONBLOCK) => return Err(Errno::EAGAIN),
            None => self.group.readers.wait_interruptible(|| self.group.take(room))?,
        };
        let mut read = 0;
        loop {
            match next {
                Ok(event) => read += event.put(sink)?,
                Err(errno) if read == 0 => return Err(errno),
                Err(_) => return Ok(read),
            }
            match self.group.take(sink.remaining()) {
                Some(event) => next = event,
                None => return Ok(read),
            }
        }
    }

    fn poll(&self, table: Option<&mut PollTable>) -> PollEvents {
        if let Some(table) = table {
            table.register(&self.group.readers);
        }
        let is_empty = self.group.queue.lock().events.is_empty();
        if is_empty { PollEvents::empty() } else { PollEvents::READABLE }
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        match command {
            FIONREAD => {
                let len = i32::try_from(self.readable_len()).unwrap_or(i32::MAX);
                UserPtr::<i32>::new(argument).write(&len)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn describe(&self, text: &mut Text) {
        let mut from = 0;
        while let Some(watch) = self.group.watch_from(from) {
            let file = watch.inode.metadata();
            let device = file.device.major() << 20 | file.device.minor();
            // A text that has become too long says so itself.
            let _ = writeln!(
                text,
                "inotify wd:{:x} ino:{:x} sdev:{device:x} mask:{:x} ignored_mask:0 ",
                watch.number,
                file.inode_number,
                watch.mask()
            );
            match watch.number.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
    }

    fn as_inotify(&self) -> Option<&Inotify> {
        Some(self)
    }
}
