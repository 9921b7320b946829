//! The dentry cache: names in directories, and the inodes they lead to.
//!
//! Each directory in use keeps the names looked up in it, present and absent, in a table of its own. The tables of a
//! file system form a tree, which also says where a directory is: its parent and name. File systems are asked only
//! for names that no table knows.
//!
//! # Invariants
//! 1. A directory inode has at most one dentry in the tree, so parent and name of a directory are well defined.
//! 2. The content of a directory changes only with its [`Dentry::lock_changes`] held; the table follows the file
//!    system before the lock is released.
//! 3. A cached dentry is in exactly one table: its parent's. It leaves it only by removal, rename, or eviction when
//!    nobody else holds it.
//! 4. [`SHAPE`] is held while a dentry gets another parent or name; who holds it sees a consistent tree.
//!
//! # Lock order
//! ```text
//! changes (parent, then child; else by address, with the rename lock held)
//!   SHAPE
//!     children (by address when two)
//!       link
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use hal::PAGE_SIZE;
use hal::sync::{Mutex, MutexGuard, SpinLock};
use hashbrown::HashTable;
use linux_abi::errno::Errno;

use super::name::{Name, hash_name};
use super::{FileType, Inode};
use crate::fs::inotify;
use crate::lock_order;
use crate::memory::physical::buddy_allocator;

hal::machine_static! {
    /// Held while the tree changes shape, and by who must see a whole path at one moment.
    pub(super) static SHAPE: SpinLock<()> = SpinLock::new(lock_order::DENTRY_SHAPE, ());

    /// Names remembered in all tables.
    static CACHED_NAMES: AtomicUsize = AtomicUsize::new(0);

    /// Names in all tables beyond which some are forgotten.
    static TRIM_ABOVE: AtomicUsize = AtomicUsize::new(0);
}

/// Entries come and go by themselves: remember no absence.
const VOLATILE: u32 = 1;
/// The name is gone; the inode lives on for those who hold it.
const REMOVED: u32 = 2;
/// Something is mounted here, in this many places (units of this bit).
const MOUNTED: u32 = 1 << 8;

/// A name that leads to an inode.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    file_type: FileType,
    flags: AtomicU32,
    link: SpinLock<Link>,
    directory: Option<Box<Directory>>,
}

/// Where a dentry hangs.
struct Link {
    /// `None` for the root of a file system and for files that never had a name.
    parent: Option<Arc<Dentry>>,
    name: Name,
}

/// What a dentry that is a directory has beside.
struct Directory {
    changes: Mutex<()>,
    children: SpinLock<HashTable<Child>>,
}

/// A remembered name.
struct Child {
    hash: u64,
    name: Name,
    /// `None`: there is no such entry.
    dentry: Option<Arc<Dentry>>,
}

/// The right to change a directory.
pub type ChangeGuard<'a> = MutexGuard<'a, ()>;

/// What the cache knows about a name.
pub enum Cached {
    /// It leads here.
    Present(Arc<Dentry>),
    /// There is no such entry.
    Absent,
    /// Ask the file system.
    Unknown,
}

impl Dentry {
    /// Makes the root of a tree.
    pub fn new_root(inode: Arc<dyn Inode>) -> Arc<Self> {
        Self::new(inode, None, Name::new())
    }

    /// Makes a dentry that is in no directory but shows `name` as its path: a file without a name.
    pub fn new_unnamed(inode: Arc<dyn Inode>, parent: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        let dentry = Self::new(inode, Some(parent.clone()), Name::from_slice(name));
        dentry.flags.fetch_or(REMOVED, Ordering::Relaxed);
        dentry
    }

    fn new(inode: Arc<dyn Inode>, parent: Option<Arc<Self>>, name: Name) -> Arc<Self> {
        let mode = inode.ownership().mode;
        let file_type = FileType::of_mode(mode).unwrap_or(FileType::Regular);
        let directory = (file_type == FileType::Directory).then(|| {
            Box::new(Directory {
                changes: Mutex::new(lock_order::DIRECTORY_CHANGES, ()),
                children: SpinLock::new(lock_order::DENTRY_CHILDREN, HashTable::new()),
            })
        });
        let flags = AtomicU32::new(if directory.is_some() && inode.is_volatile() { VOLATILE } else { 0 });
        let link = SpinLock::new(lock_order::DENTRY_LINK, Link { parent, name });
        Arc::new(Self { inode, file_type, flags, link, directory })
    }

    /// The inode the name leads to.
    #[inline]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The type of the inode.
    #[inline]
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// Whether this is a directory.
    #[inline]
    pub fn is_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Whether this is a symbolic link.
    #[inline]
    pub fn is_symlink(&self) -> bool {
        self.file_type == FileType::Symlink
    }

    /// Whether the name is gone.
    #[inline]
    pub fn is_removed(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & REMOVED != 0
    }

    /// Whether something may be mounted here (in some mount of this tree).
    #[inline]
    pub fn is_mount_point(&self) -> bool {
        self.flags.load(Ordering::Relaxed) >= MOUNTED
    }

    /// Notes one more mount here.
    pub(super) fn add_mount(&self) {
        self.flags.fetch_add(MOUNTED, Ordering::Relaxed);
    }

    /// Notes one mount less here.
    pub(super) fn remove_mount(&self) {
        self.flags.fetch_sub(MOUNTED, Ordering::Relaxed);
    }

    /// The directory that holds the name; `None` for a root.
    pub fn parent(&self) -> Option<Arc<Self>> {
        self.link.lock().parent.clone()
    }

    /// Calls `f` with parent and name.
    pub(in crate::fs) fn with_link<R>(&self, f: impl FnOnce(Option<&Arc<Self>>, &[u8]) -> R) -> R {
        let link = self.link.lock();
        f(link.parent.as_ref(), &link.name)
    }

    /// The name, as it is now.
    pub fn name(&self) -> Name {
        self.link.lock().name.clone()
    }

    /// Whether `self` is `other` or a directory above it.
    ///
    /// The answer holds as long as the caller prevents renames of directories (the rename lock).
    pub fn is_ancestor_of(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut at = other.clone();
        loop {
            if Arc::ptr_eq(self, &at) {
                return true;
            }
            match at.parent() {
                Some(parent) => at = parent,
                None => return false,
            }
        }
    }

    /// Waits for the right to change this directory.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory.
    pub fn lock_changes(&self) -> Result<ChangeGuard<'_>, Errno> {
        Ok(self.directory.as_ref().ok_or(Errno::ENOTDIR)?.changes.lock())
    }

    /// Returns what the cache knows of `name`, whose [`hash_name`] is `hash`. Not a directory: nothing.
    #[inline]
    pub fn cached(&self, name: &[u8], hash: u64) -> Cached {
        let Some(directory) = &self.directory else { return Cached::Unknown };
        let children = directory.children.lock();
        match children.find(hash, |child| child.hash == hash && *child.name == *name) {
            Some(Child { dentry: Some(dentry), .. }) => Cached::Present(dentry.clone()),
            Some(_) => Cached::Absent,
            None => Cached::Unknown,
        }
    }

    /// Finds the entry `name`, in the cache or in the file system; `None` when there is none.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory. `ENOENT`: there is none and cannot be. Else those of [`Inode::lookup`].
    #[inline]
    pub fn lookup(self: &Arc<Self>, name: &[u8]) -> Result<Option<Arc<Self>>, Errno> {
        let hash = hash_name(name);
        match self.cached(name, hash) {
            Cached::Present(dentry) => Ok(Some(dentry)),
            Cached::Absent => Ok(None),
            Cached::Unknown => self.lookup_in_file_system(name, hash),
        }
    }

    #[cold]
    fn lookup_in_file_system(self: &Arc<Self>, name: &[u8], hash: u64) -> Result<Option<Arc<Self>>, Errno> {
        let changes = self.lock_changes()?;
        let found = self.lookup_locked(name, hash);
        drop(changes);
        trim_cache();
        found
    }

    /// As [`Self::lookup`] for a caller that holds the right to change this directory.
    ///
    /// # Errors
    /// Those of [`Inode::lookup`].
    pub fn lookup_locked(self: &Arc<Self>, name: &[u8], hash: u64) -> Result<Option<Arc<Self>>, Errno> {
        match self.cached(name, hash) {
            Cached::Present(dentry) => return Ok(Some(dentry)),
            Cached::Absent => return Ok(None),
            Cached::Unknown => {}
        }
        if name.len() > linux_abi::limits::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if self.is_removed() {
            return Ok(None);
        }
        match self.inode.lookup(name) {
            Ok(inode) => {
                self.make_room()?;
                Ok(Some(self.attach(name, hash, inode)))
            }
            Err(Errno::ENOENT) => {
                if self.inode.is_closed() {
                    return Err(Errno::ENOENT);
                }
                // Room for the name: it may be about to be made.
                self.make_room()?;
                if self.flags.load(Ordering::Relaxed) & VOLATILE == 0 {
                    self.remember(name, hash, None);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the dentry of `inode`, which the file system has under `name` in this directory. The caller holds the
    /// right to change this directory.
    pub fn attach(self: &Arc<Self>, name: &[u8], hash: u64, inode: Arc<dyn Inode>) -> Arc<Self> {
        let keep = self.flags.load(Ordering::Relaxed) & VOLATILE == 0 || inode.is_cacheable();
        let dentry = Self::new(inode, Some(self.clone()), Name::from_slice(name));
        if keep {
            self.remember(name, hash, Some(dentry.clone()));
        }
        dentry
    }

    /// Puts a dentry that was not remembered into its parent's table, so that mounts on it are found.
    pub(super) fn pin_in_parent(self: &Arc<Self>) {
        let (parent, name) = self.with_link(|parent, name| (parent.cloned(), Name::from_slice(name)));
        if let Some(parent) = parent.filter(|_| !self.is_removed()) {
            let hash = hash_name(&name);
            if matches!(parent.cached(&name, hash), Cached::Unknown) {
                parent.remember(&name, hash, Some(self.clone()));
            }
        }
    }

    /// Notes that the entry of `dentry` is gone from this directory. The caller holds the right to change it.
    pub fn detach(&self, dentry: &Self) {
        let name = dentry.name();
        dentry.flags.fetch_or(REMOVED, Ordering::Relaxed);
        let hash = hash_name(&name);
        if self.flags.load(Ordering::Relaxed) & VOLATILE != 0 {
            drop(self.forget(&name, hash));
        } else {
            self.remember(&name, hash, None);
        }
    }

    /// Notes that `dentry` moved from this directory to `new_name` in `new_parent`, where it takes the place of
    /// `replaced`, which is gone. The caller holds the right to change both directories.
    pub fn moved(
        self: &Arc<Self>,
        dentry: &Arc<Self>,
        new_parent: &Arc<Self>,
        new_name: &[u8],
        replaced: Option<&Self>,
    ) {
        if let Some(replaced) = replaced {
            replaced.flags.fetch_or(REMOVED, Ordering::Relaxed);
        }
        let _shape = SHAPE.lock();
        let old_name = dentry.name();
        drop(self.forget(&old_name, hash_name(&old_name)));
        dentry.relink(new_parent, new_name);
        new_parent.remember(new_name, hash_name(new_name), Some(dentry.clone()));
    }

    /// Notes that `first`, an entry of this directory, and `second`, an entry of `other`, changed places. The caller
    /// holds the right to change both directories.
    pub fn exchanged(self: &Arc<Self>, first: &Arc<Self>, other: &Arc<Self>, second: &Arc<Self>) {
        let _shape = SHAPE.lock();
        let (first_name, second_name) = (first.name(), second.name());
        first.relink(other, &second_name);
        second.relink(self, &first_name);
        self.remember(&first_name, hash_name(&first_name), Some(second.clone()));
        other.remember(&second_name, hash_name(&second_name), Some(first.clone()));
    }

    fn relink(&self, parent: &Arc<Self>, name: &[u8]) {
        let new = Link { parent: Some(parent.clone()), name: Name::from_slice(name) };
        let old = core::mem::replace(&mut *self.link.lock(), new);
        drop(old);
    }

    /// Makes sure that the table has room for one more name; the caller holds the right to change this directory, so it
    /// stays.
    fn make_room(&self) -> Result<(), Errno> {
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.children.lock().try_reserve(1, |child| child.hash).map_err(|_| Errno::ENOMEM)
    }

    /// Enters `dentry` under `name`, in place of what was there. A name that was looked up before has room.
    fn remember(&self, name: &[u8], hash: u64, dentry: Option<Arc<Self>>) {
        let Some(directory) = &self.directory else { return };
        let old = {
            let mut children = directory.children.lock();
            if let Some(child) = children.find_mut(hash, |child| child.hash == hash && *child.name == *name) {
                core::mem::replace(&mut child.dentry, dentry)
            } else {
                children.insert_unique(hash, Child { hash, name: Name::from_slice(name), dentry }, |child| {
                    child.hash
                });
                CACHED_NAMES.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        drop(old);
    }

    /// Removes what is known of `name`.
    fn forget(&self, name: &[u8], hash: u64) -> Option<Arc<Self>> {
        let mut children = self.directory.as_ref()?.children.lock();
        let found = children.find_entry(hash, |child| child.hash == hash && *child.name == *name).ok()?;
        let (child, _) = found.remove();
        CACHED_NAMES.fetch_sub(1, Ordering::Relaxed);
        child.dentry
    }

    /// Forgets everything below this dentry that nobody uses, until `wanted` names are gone; returns how many are.
    pub(super) fn evict_below(self: &Arc<Self>, wanted: usize) -> usize {
        let mut evicted = 0;
        let mut pending = alloc::vec![self.clone()];
        while evicted < wanted {
            let Some(dentry) = pending.pop() else { break };
            let Some(directory) = &dentry.directory else { continue };
            let mut unused = Vec::new();
            directory.children.lock().retain(|child| {
                let Some(dentry) = &child.dentry else {
                    evicted += 1;
                    return false;
                };
                if dentry.directory.as_ref().is_some_and(|directory| !directory.children.lock().is_empty()) {
                    pending.push(dentry.clone());
                } else if evicted < wanted && Arc::strong_count(dentry) == 1 && !dentry.is_mount_point() {
                    evicted += 1;
                    unused.extend(child.dentry.take());
                    return false;
                }
                true
            });
            drop(unused);
        }
        CACHED_NAMES.fetch_sub(evicted, Ordering::Relaxed);
        evicted
    }

    /// Takes the tree below this dentry apart: its file system is going away.
    pub(super) fn dismantle(self: &Arc<Self>) {
        let mut pending = alloc::vec![self.clone()];
        while let Some(dentry) = pending.pop() {
            let Some(directory) = &dentry.directory else { continue };
            let children = core::mem::take(&mut *directory.children.lock());
            CACHED_NAMES.fetch_sub(children.len(), Ordering::Relaxed);
            pending.extend(children.into_iter().filter_map(|child| child.dentry));
        }
    }
}

impl Drop for Dentry {
    /// Tells of the end of a file whose last name this was, and lets go of the parents one by one: a deep tree must not
    /// become a deep recursion.
    fn drop(&mut self) {
        if inotify::is_in_use() && self.is_removed() && self.inode.metadata().link_count == 0 {
            inotify::removed(&self.inode);
        }
        let mut next = self.link.get_mut().parent.take();
        while let Some(parent) = next {
            next = Arc::into_inner(parent).and_then(|mut parent| parent.link.get_mut().parent.take());
        }
    }
}

/// Names remembered beyond which some are forgotten: one for four pages of memory.
fn cache_limit() -> usize {
    (buddy_allocator::total_bytes() / PAGE_SIZE / 4).max(1024)
}

/// Forgets names that nobody uses when there are too many: a quarter, so that it is seldom. The caller holds no lock
/// of any directory.
pub(super) fn trim_cache() {
    if cached_names() > TRIM_ABOVE.load(Ordering::Relaxed) {
        let limit = cache_limit();
        if cached_names() > limit {
            forget_unused(limit / 4);
        }
        // Where most names are in use, trimming again at once would look at all of them in vain.
        TRIM_ABOVE.store(limit.max(cached_names() + limit / 4), Ordering::Relaxed);
    }
}

/// Forgets up to `wanted` names that nobody uses; returns how many were forgotten. The caller holds no lock of any
/// directory.
pub fn forget_unused(wanted: usize) -> usize {
    let mut forgotten = 0;
    super::mount::for_each_super_block(|super_block| {
        if forgotten < wanted {
            forgotten += super_block.root().evict_below(wanted - forgotten);
        }
    });
    forgotten
}

/// Number of names remembered now.
pub fn cached_names() -> usize {
    CACHED_NAMES.load(Ordering::Relaxed)
}

/// Flags that opening a directory accepts are checked elsewhere; reading one as a file is refused here.
impl super::File for Dentry {
    fn is_spliced_from(&self) -> bool {
        false
    }

    fn read(&self, _: &mut u64, _: &mut crate::uio::Sink<'_>, _: super::IoFlags) -> Result<usize, Errno> {
        Err(if self.is_directory() { Errno::EISDIR } else { Errno::EBADF })
    }

    fn seek(&self, current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        use linux_abi::seek::{SEEK_CUR, SEEK_SET};
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => i64::try_from(current).map_err(|_| Errno::EOVERFLOW)?,
            _ => return Err(Errno::EINVAL),
        };
        base.checked_add(offset).and_then(|sum| u64::try_from(sum).ok()).ok_or(Errno::EINVAL)
    }
}
