//! File systems as a whole: what can be mounted, and by which name.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hal::sync::SpinLock;
use linux_abi::errno::Errno;

use super::{Dentry, DeviceNumber, Inode};
use crate::fs::inotify;
use crate::lock_order;
use crate::memory::fallible;

/// Space and inodes of a file system, as `statfs(2)` says them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Magic number of the type.
    pub magic: i64,
    /// Size of a block, bytes.
    pub block_size: u32,
    /// Blocks in all; 0: not limited, not counted.
    pub blocks: u64,
    /// Blocks free.
    pub free_blocks: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes free.
    pub free_inodes: u64,
    /// Longest name, bytes.
    pub name_max: u32,
}

impl Usage {
    /// Usage of a file system that stores nothing: `magic`, and all counts 0.
    pub const fn of_pseudo(magic: i64) -> Self {
        Self { magic, block_size: 4096, blocks: 0, free_blocks: 0, inodes: 0, free_inodes: 0, name_max: 255 }
    }
}

/// A file system that can be mounted.
pub trait FileSystem: Send + Sync {
    /// Returns the name of the type: `"tmpfs"`.
    fn type_name(&self) -> &'static str;

    /// Returns the device number that `st_dev` of all its inodes shows.
    fn device(&self) -> DeviceNumber;

    /// Returns the root directory.
    fn root(&self) -> Arc<dyn Inode>;

    /// Returns what `statfs(2)` says.
    fn usage(&self) -> Usage;

    /// Writes the mount options of this type as `/proc/mounts` shows them, each with a comma before it.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_options(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }

    /// Changes options of the mounted file system (`MS_REMOUNT`). Ignored by default, as by Linux's pseudo file
    /// systems.
    ///
    /// # Errors
    /// `EINVAL`: an option that is unknown or cannot change.
    fn remount(&self, _options: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    /// Writes what is only in memory to the device. Nothing to do by default.
    ///
    /// # Errors
    /// `EIO`.
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }
}

/// A file system that stores nothing: it shows what the kernel knows, has no options and no size.
struct PseudoFileSystem {
    type_name: &'static str,
    magic: i64,
    device: DeviceNumber,
    root: Arc<dyn Inode>,
}

/// Makes a file system that stores nothing, of type `type_name` with root directory `root`, whose inodes say that they
/// are on `device`; `magic` is what `statfs(2)` calls it.
pub fn pseudo_file_system(
    type_name: &'static str,
    magic: i64,
    device: DeviceNumber,
    root: Arc<dyn Inode>,
) -> Arc<dyn FileSystem> {
    Arc::new(PseudoFileSystem { type_name, magic, device, root })
}

impl FileSystem for PseudoFileSystem {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn device(&self) -> DeviceNumber {
        self.device
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn usage(&self) -> Usage {
        Usage::of_pseudo(self.magic)
    }
}

/// What `mount(2)` asks of a type.
pub struct MountRequest<'a> {
    /// The first argument: a device, or a word without meaning.
    pub source: &'a [u8],
    /// The last argument: options, separated by commas.
    pub options: &'a [u8],
    /// Whether the file system is to be read-only.
    pub is_read_only: bool,
}

/// A type of file system: a name and a way to make one.
pub struct FileSystemType {
    /// The name `mount -t` takes.
    pub name: &'static str,
    /// Whether it needs no device (`nodev` in `/proc/filesystems`).
    pub needs_no_device: bool,
    /// Makes or finds the file system a request names.
    pub mount: fn(&MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno>,
}

hal::machine_static! {
    static TYPES: SpinLock<Vec<&'static FileSystemType>> = SpinLock::new(lock_order::FILE_SYSTEM_TYPES, Vec::new());
}

/// Makes `new` known to `mount(2)`. A second type of the same name is ignored.
pub fn register(new: &'static FileSystemType) {
    let mut types = TYPES.lock();
    if types.iter().all(|known| known.name != new.name) {
        types.push(new);
    }
}

/// Returns the type called `name`.
///
/// # Errors
/// `ENODEV`: there is none.
pub fn find_type(name: &[u8]) -> Result<&'static FileSystemType, Errno> {
    TYPES.lock().iter().find(|known| known.name.as_bytes() == name).copied().ok_or(Errno::ENODEV)
}

/// Writes the text of `/proc/filesystems`.
///
/// # Errors
/// Those of `out`.
pub fn write_types(out: &mut dyn fmt::Write) -> fmt::Result {
    let types = TYPES.lock().clone();
    types.iter().try_for_each(|known| {
        writeln!(out, "{}\t{}", if known.needs_no_device { "nodev" } else { "" }, known.name)
    })
}

/// Returns a device number for a file system without a device: major 0, minors from 1.
pub fn new_anonymous_device() -> DeviceNumber {
    hal::machine_static! {
        static NEXT: AtomicU32 = AtomicU32::new(1);
    }
    DeviceNumber::new(0, NEXT.fetch_add(1, Ordering::Relaxed) & 0xf_ffff)
}

/// A mounted file system: one for all mounts of it.
pub struct SuperBlock {
    file_system: Arc<dyn FileSystem>,
    root: Arc<Dentry>,
    read_only: AtomicBool,
    /// The last round of visits in which it was met.
    round: AtomicU32,
}

/// The super blocks that [`SuperBlock::of`] made, by the address of their file system.
static SHARED: SpinLock<Vec<(usize, Weak<SuperBlock>)>> =
    SpinLock::new(lock_order::FILE_SYSTEM_TYPES, Vec::new());

impl SuperBlock {
    /// Returns the super block of `file_system`, a new one if it has none: however often a file system is mounted,
    /// there is one tree of names, and so one lock for each directory.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn of(file_system: Arc<dyn FileSystem>, is_read_only: bool) -> Result<Arc<Self>, Errno> {
        let address = Arc::as_ptr(&file_system).addr();
        // Made before the lock is taken, for making it asks the file system; dropped after, if it is not needed.
        let new = Self::new(file_system, is_read_only);
        let mut shared = SHARED.lock();
        let known = shared.iter().find(|known| known.0 == address).and_then(|known| known.1.upgrade());
        if let Some(known) = known {
            return Ok(known);
        }
        // What is left of others has ended with its file system, whose address may be used again.
        shared.retain(|known| known.1.strong_count() > 0);
        fallible::push(&mut shared, (address, Arc::downgrade(&new)))?;
        Ok(new)
    }

    /// Notes a round of visits; answers whether this is the first time in it.
    pub(super) fn meet(&self, round: u32) -> bool {
        self.round.swap(round, Ordering::Relaxed) != round
    }

    /// Prepares `file_system` for mounting.
    pub fn new(file_system: Arc<dyn FileSystem>, is_read_only: bool) -> Arc<Self> {
        let root = Dentry::new_root(file_system.root());
        Arc::new(Self {
            file_system,
            root,
            read_only: AtomicBool::new(is_read_only),
            round: AtomicU32::new(0),
        })
    }

    /// The file system.
    pub fn file_system(&self) -> &Arc<dyn FileSystem> {
        &self.file_system
    }

    /// The root of its tree of names.
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// Whether nothing in it may change, through whatever mount.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Makes it read-only, or no longer so.
    pub fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Relaxed);
    }
}

impl Drop for SuperBlock {
    fn drop(&mut self) {
        if inotify::is_in_use() {
            inotify::unmounted(core::ptr::from_ref(self).addr());
        }
        self.root.dismantle();
    }
}
