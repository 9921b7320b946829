//! Inodes outside the tree of files: what `fstat` sees of a pipe, an eventfd, an epoll instance.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::stat::Mode;
use linux_abi::statfs::ANON_INODE_FS_MAGIC;

use super::mount::MountOptions;
use super::{
    AttributeChanges, Dentry, DeviceNumber, Inode, InodeState, Metadata, Mount, Path, SuperBlock, clock,
    new_anonymous_device, pseudo_file_system,
};
use crate::lock_order;

/// Returns an inode number for a file outside the tree; never the same twice.
pub fn new_inode_number() -> u64 {
    hal::machine_static! {
        static NEXT: AtomicU64 = AtomicU64::new(1);
    }
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Attributes kept in memory.
pub struct Attributes {
    metadata: SpinLock<Metadata>,
}

impl Attributes {
    /// Makes attributes that start as `metadata`.
    pub const fn new(metadata: Metadata) -> Self {
        Self { metadata: SpinLock::new(lock_order::ATTRIBUTES, metadata) }
    }

    /// Returns all of them.
    pub fn get(&self) -> Metadata {
        *self.metadata.lock()
    }

    /// Changes some of them.
    pub fn change(&self, changes: &AttributeChanges) {
        apply(&mut self.metadata.lock(), changes);
    }

    /// Calls `f` with all of them.
    pub fn with<R>(&self, f: impl FnOnce(&mut Metadata) -> R) -> R {
        f(&mut self.metadata.lock())
    }
}

/// Applies `changes` to `metadata`.
pub fn apply(metadata: &mut Metadata, changes: &AttributeChanges) {
    if let Some(mode) = changes.mode {
        metadata.mode = metadata.mode.with_permissions(mode);
    }
    metadata.uid = changes.uid.unwrap_or(metadata.uid);
    metadata.gid = changes.gid.unwrap_or(metadata.gid);
    metadata.accessed = changes.accessed.unwrap_or(metadata.accessed);
    metadata.modified = changes.modified.unwrap_or(metadata.modified);
    metadata.changed = changes.changed;
}

/// Device number of inodes outside the tree.
pub fn device() -> DeviceNumber {
    hal::machine_static! {
        static DEVICE: Once<DeviceNumber> = Once::new();
    }
    *DEVICE.get_or_init(new_anonymous_device)
}

/// Returns a place for `inode` outside the tree, so that it can be opened again through `/proc/self/fd`.
pub fn place_of(inode: Arc<dyn Inode>) -> Path {
    hal::machine_static! {
        static MOUNT: Once<Arc<Mount>> = Once::new();
    }
    let mount = MOUNT.get_or_init(|| {
        let root = AnonymousInode::new("root");
        let file_system = pseudo_file_system("anon_inodefs", ANON_INODE_FS_MAGIC, device(), root);
        let super_block = SuperBlock::new(file_system, false);
        let root = super_block.root().clone();
        Mount::new(super_block, root, b"anon_inodefs", MountOptions::empty())
    });
    Path { mount: mount.clone(), dentry: Dentry::new_root(inode) }
}

/// An inode with nothing but attributes: of an eventfd, an epoll instance, a timerfd.
pub struct AnonymousInode {
    kind: &'static str,
    attributes: Attributes,
    state: InodeState,
}

impl AnonymousInode {
    /// Returns the inode of all files of this kind, which `/proc/<pid>/fd` shows as `anon_inode:kind`. Like Linux's, it
    /// has no file type and permissions 0600.
    pub fn of(kind: &'static str) -> Arc<Self> {
        hal::machine_static! {
            static KINDS: SpinLock<Vec<Arc<AnonymousInode>>> = SpinLock::new(lock_order::LEAF, Vec::new());
        }
        let find = |known: &[Arc<Self>]| known.iter().find(|inode| inode.kind == kind).cloned();
        if let Some(inode) = find(&KINDS.lock()) {
            return inode;
        }
        let fresh = Self::new(kind);
        let mut known = KINDS.lock();
        find(&known).unwrap_or_else(|| {
            known.push(fresh.clone());
            fresh
        })
    }

    fn new(kind: &'static str) -> Arc<Self> {
        let metadata = Metadata::new(device(), new_inode_number(), Mode(0o600), clock::now());
        Arc::new(Self { kind, attributes: Attributes::new(metadata), state: InodeState::new() })
    }
}

impl Inode for AnonymousInode {
    fn metadata(&self) -> Metadata {
        self.attributes.get()
    }

    fn state(&self) -> &InodeState {
        &self.state
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.attributes.change(changes);
        Ok(())
    }

    fn anonymous_name(&self) -> Vec<u8> {
        format!("anon_inode:{}", self.kind).into_bytes()
    }
}
