//! One mounted file system: limits, what is used of them, the root.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use hal::PAGE_SIZE;
use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::statfs::{RAMFS_MAGIC, TMPFS_MAGIC};

use super::{Node, Options};
use crate::fs::vfs::{DeviceNumber, FileSystem, Inode, NewNode, NodeKind, Usage, new_anonymous_device};
use crate::lock_order;
use crate::memory::page_cache::PageAccount;
use crate::memory::physical::buddy_allocator;

/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// Returns the pages of memory the machine has.
pub(super) fn total_pages() -> u64 {
    (buddy_allocator::total_bytes() / PAGE_SIZE) as u64
}

/// A quantity with a limit.
struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Budget {
    fn new(limit: Option<u64>) -> Self {
        Self { limit: AtomicU64::new(limit.unwrap_or(UNLIMITED)), used: AtomicU64::new(0) }
    }

    fn take(&self, amount: u64) -> Result<(), Errno> {
        let limit = self.limit.load(Ordering::Relaxed);
        let grow = |used: u64| used.checked_add(amount).filter(|&sum| sum <= limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow)
            .map(drop)
            .map_err(|_| Errno::ENOSPC)
    }

    fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|&limit| limit != UNLIMITED)
    }

    fn left(&self) -> u64 {
        self.limit.load(Ordering::Relaxed).saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Replaces the limit.
    fn set_limit(&self, limit: Option<u64>) -> Result<(), Errno> {
        let limit = limit.unwrap_or(UNLIMITED);
        if self.used.load(Ordering::Relaxed) > limit {
            return Err(Errno::EINVAL);
        }
        self.limit.store(limit, Ordering::Relaxed);
        Ok(())
    }
}

/// The account of a file system's pages.
struct Pages(Budget);

impl PageAccount for Pages {
    fn charge(&self, pages: usize) -> Result<(), Errno> {
        self.0.take(pages as u64)
    }

    fn release(&self, pages: usize) {
        self.0.give_back(pages as u64);
    }
}

/// What all nodes of a file system share.
pub(super) struct Shared {
    device: DeviceNumber,
    pages: Arc<Pages>,
    inodes: Budget,
    next_number: AtomicU64,
}

impl Shared {
    pub(super) fn device(&self) -> DeviceNumber {
        self.device
    }

    /// The account for the pages of a file.
    pub(super) fn page_account(&self) -> Arc<dyn PageAccount> {
        self.pages.clone()
    }

    /// Takes pages that are in no file.
    pub(super) fn take_pages(&self, pages: u64) -> Result<(), Errno> {
        self.pages.0.take(pages)
    }

    pub(super) fn give_back_pages(&self, pages: u64) {
        self.pages.0.give_back(pages);
    }

    /// Pages that are left, at most those the machine has.
    pub(super) fn pages_left(&self) -> u64 {
        self.pages.0.left().min(total_pages())
    }

    /// Takes the right to one more inode or name.
    pub(super) fn take_inode(&self) -> Result<(), Errno> {
        self.inodes.take(1)
    }

    pub(super) fn give_back_inode(&self) {
        self.inodes.give_back(1);
    }

    pub(super) fn new_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// A mounted file system in memory.
pub struct Tmpfs {
    type_name: &'static str,
    shared: Arc<Shared>,
    root: Once<Arc<Node>>,
    options: SpinLock<Options>,
}

impl Tmpfs {
    /// Makes an empty file system that calls itself `type_name`.
    ///
    /// # Errors
    /// `ENOSPC`: not even a root fits. `ENOMEM`.
    pub fn new(type_name: &'static str, options: Options) -> Result<Arc<Self>, Errno> {
        let shared = Arc::new(Shared {
            device: new_anonymous_device(),
            pages: Arc::new(Pages(Budget::new(options.max_pages))),
            inodes: Budget::new(options.max_inodes),
            next_number: AtomicU64::new(1),
        });
        let node = NewNode {
            kind: NodeKind::Directory,
            permissions: options.mode,
            uid: options.uid,
            gid: options.gid,
        };
        let root = Node::new(&shared, &node)?;
        let file_system = Self {
            type_name,
            shared,
            root: Once::new(),
            options: SpinLock::new(lock_order::ATTRIBUTES, options),
        };
        file_system.root.get_or_init(|| root);
        Ok(Arc::new(file_system))
    }

    /// Makes a node that is in no directory.
    pub(super) fn new_node(&self, new: &NewNode<'_>) -> Result<Arc<Node>, Errno> {
        Node::new(&self.shared, new)
    }

    /// The root directory.
    fn root_node(&self) -> &Arc<Node> {
        self.root.get().expect("`new` has set the root")
    }
}

impl FileSystem for Tmpfs {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn device(&self) -> DeviceNumber {
        self.shared.device
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root_node().clone()
    }

    fn usage(&self) -> Usage {
        if self.type_name == "ramfs" {
            return Usage::of_pseudo(RAMFS_MAGIC);
        }
        let (pages, inodes) = (&self.shared.pages.0, &self.shared.inodes);
        let limited = |budget: &Budget| budget.limit().map_or((0, 0), |limit| (limit, budget.left()));
        let ((blocks, free_blocks), (inodes, free_inodes)) = (limited(pages), limited(inodes));
        Usage {
            magic: TMPFS_MAGIC,
            block_size: PAGE_SIZE as u32,
            blocks,
            free_blocks,
            inodes,
            free_inodes,
            name_max: linux_abi::limits::NAME_MAX as u32,
        }
    }

    fn write_options(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let options = *self.options.lock();
        if self.type_name == "ramfs" {
            return if options.mode == 0o755 { Ok(()) } else { write!(out, ",mode={:o}", options.mode) };
        }
        let default = Options::tmpfs();
        if options.max_pages != default.max_pages {
            write!(out, ",size={}k", options.max_pages.unwrap_or(0) * (PAGE_SIZE as u64 / 1024))?;
        }
        if options.max_inodes != default.max_inodes {
            write!(out, ",nr_inodes={}", options.max_inodes.unwrap_or(0))?;
        }
        if options.mode != default.mode {
            write!(out, ",mode={:03o}", options.mode)?;
        }
        if options.uid != 0 {
            write!(out, ",uid={}", options.uid)?;
        }
        if options.gid != 0 {
            write!(out, ",gid={}", options.gid)?;
        }
        out.write_str(",inode64")
    }

    fn remount(&self, options: &[u8]) -> Result<(), Errno> {
        if self.type_name == "ramfs" {
            return Ok(());
        }
        let old = *self.options.lock();
        let new = Options::parse(options, old)?;
        // A file system without limit has counted all the same, so a limit can come later; Linux refuses that.
        if (old.max_pages.is_none() && new.max_pages.is_some())
            || (old.max_inodes.is_none() && new.max_inodes.is_some())
        {
            return Err(Errno::EINVAL);
        }
        self.shared.pages.0.set_limit(new.max_pages)?;
        self.shared.inodes.set_limit(new.max_inodes)?;
        // Permissions and owner of the root are what they were made to be since.
        *self.options.lock() = Options { mode: old.mode, uid: old.uid, gid: old.gid, ..new };
        Ok(())
    }
}
