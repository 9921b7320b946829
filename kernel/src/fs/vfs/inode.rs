//! What a file system implements: inodes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::ControlFlow;

use linux_abi::errno::Errno;

use super::{
    AttributeChanges, File, FileType, InodeState, Metadata, NewNode, OpenRequest, Ownership, Path, RenameMode,
};
use crate::ipc::pipe::Pipe;

/// Where a symbolic link leads.
pub enum LinkTarget {
    /// A path, walked from the directory of the link.
    Text(Arc<[u8]>),
    /// A place, no matter how it can be reached by name: the links of `/proc/self/fd`, `exe`, `cwd`, `root`.
    Jump(Path),
}

/// One entry that [`Inode::read_dir`] reports.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry<'a> {
    /// Its name, without `/` and NUL.
    pub name: &'a [u8],
    /// Its inode number.
    pub inode_number: u64,
    /// Its type.
    pub file_type: FileType,
    /// The position from which the entry after this one is read.
    pub next: u64,
}

/// Takes the entries of a directory; `Break` means that the entry was not taken and no other is wanted.
pub type DirectorySink<'a> = dyn FnMut(&DirectoryEntry<'_>) -> ControlFlow<()> + 'a;

/// The first position [`Inode::read_dir`] sees; below it are `.` and `..`, which the virtual file system supplies.
pub const FIRST_ENTRY: u64 = 2;

/// A file without a name: what a file system stores.
///
/// Names are bytes, never empty, never `.` or `..`, at most 255 long, without `/` and NUL. Permissions, read-only
/// mounts and the existence of names have been checked before a method that changes something is called, and no two
/// such calls on one directory overlap. Methods may sleep. The defaults answer what Linux answers for a file that does
/// not know the operation.
pub trait Inode: Any + Send + Sync {
    /// Returns all attributes.
    fn metadata(&self) -> Metadata;

    /// Returns what permission checks look at. Called for each directory of each path: keep it cheap.
    fn ownership(&self) -> Ownership {
        self.metadata().ownership()
    }

    /// Returns the state the virtual file system keeps with every inode: embed an [`InodeState`].
    fn state(&self) -> &InodeState;

    /// Changes attributes. The size is not among them: see [`File::set_size`].
    ///
    /// # Errors
    /// `EPERM` by default.
    fn set_attributes(&self, _changes: &AttributeChanges) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    // Directories.

    /// Finds an entry of a directory.
    ///
    /// # Errors
    /// `ENOENT`: there is none. `ENOTDIR` by default.
    fn lookup(&self, _name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Reports the entries of a directory from position `from` on ([`FIRST_ENTRY`] is the first) until `sink` breaks
    /// or the directory ends; `.` and `..` are not among them. Positions stay valid while entries come and go: an
    /// entry present all the time is reported exactly once. The directory may be locked meanwhile: `sink` must not
    /// sleep, and breaks when it has enough for once.
    ///
    /// # Errors
    /// `ENOTDIR` by default.
    fn read_dir(&self, _from: u64, _sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Makes a node and its entry.
    ///
    /// # Errors
    /// `EPERM` by default; `ENOSPC`, `ENOMEM`.
    fn create(&self, _name: &[u8], _node: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }

    /// Makes a regular file without a name (`O_TMPFILE`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` by default.
    fn create_unnamed(&self, _node: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Makes another entry for `target`, an inode of the same file system that is no directory.
    ///
    /// # Errors
    /// `EPERM` by default; `EMLINK`, `ENOSPC`.
    fn link(&self, _name: &[u8], _target: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Removes the entry `name`, which leads to `target`, no directory.
    ///
    /// # Errors
    /// `EPERM` by default.
    fn unlink(&self, _name: &[u8], _target: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Removes the entry `name`, which leads to the directory `target`.
    ///
    /// # Errors
    /// `ENOTEMPTY`: it has entries. `EPERM` by default.
    fn rmdir(&self, _name: &[u8], _target: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Moves the entry `name`, which leads to `source`, to `new_name` in `new_directory` (maybe this one), where
    /// `existing` is the entry there is now. Types fit, and a replaced directory has been found empty or is refused
    /// here.
    ///
    /// # Errors
    /// `ENOTEMPTY`: a directory to be replaced has entries. `EPERM` by default.
    fn rename(
        &self,
        _name: &[u8],
        _source: &Arc<dyn Inode>,
        _new_directory: &Arc<dyn Inode>,
        _new_name: &[u8],
        _existing: Option<&Arc<dyn Inode>>,
        _mode: RenameMode,
    ) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Whether entries come and go without the virtual file system's doing (processes in `/proc`). Of such a
    /// directory only entries whose inode says [`is_cacheable`](Self::is_cacheable) are remembered, and no absence.
    fn is_volatile(&self) -> bool {
        false
    }

    /// Whether a name that leads here may be remembered in a volatile directory.
    fn is_cacheable(&self) -> bool {
        true
    }

    /// Whether nothing can be added to this directory by name: a name that is not there does not exist, whatever is to
    /// be done with it, and whoever asks.
    fn is_closed(&self) -> bool {
        false
    }

    // Symbolic links.

    /// Returns where a symbolic link leads.
    ///
    /// # Errors
    /// `EINVAL` by default: no symbolic link.
    fn read_link(&self) -> Result<LinkTarget, Errno> {
        Err(Errno::EINVAL)
    }

    /// Returns the text of a symbolic link for `readlink(2)`, where that differs from the path of the place it jumps
    /// to (`pipe:[7]`); `None` for an ordinary link.
    fn link_text(&self) -> Option<Result<Vec<u8>, Errno>> {
        None
    }

    /// Returns what `/proc/<pid>/fd` shows for an open file that is outside the tree: `pipe:[7]`.
    fn anonymous_name(&self) -> Vec<u8> {
        b"anon_inode:inode".to_vec()
    }

    // Contents.

    /// Opens the file. Not called for directories, devices, named pipes and sockets, which the virtual file system
    /// opens itself.
    ///
    /// # Errors
    /// `ENXIO` by default; what else the file has against it.
    fn open(self: Arc<Self>, _request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        Err(Errno::ENXIO)
    }

    /// Returns the pipe behind a FIFO.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn fifo(self: Arc<Self>) -> Result<Arc<Pipe>, Errno> {
        self.state().fifo()
    }

    // Extended attributes.

    /// Returns the value of the extended attribute `name` (with its name space).
    ///
    /// # Errors
    /// `ENODATA`: not set. `EOPNOTSUPP` by default.
    fn extended_attribute(&self, _name: &[u8]) -> Result<Box<[u8]>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets the extended attribute `name`, or removes it when `value` is `None`. `flags` are `XATTR_CREATE`,
    /// `XATTR_REPLACE`.
    ///
    /// # Errors
    /// `EEXIST`, `ENODATA`: refused by `flags`, or nothing to remove. `ENOSPC`. `EOPNOTSUPP` by default.
    fn set_extended_attribute(&self, _name: &[u8], _value: Option<&[u8]>, _flags: u32) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Calls `each` with the name of every extended attribute. None by default.
    fn for_each_extended_attribute(&self, _each: &mut dyn FnMut(&[u8])) {}

    /// Writes what is only in memory to the device. Nothing to do by default.
    ///
    /// # Errors
    /// `EIO`.
    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Ok(())
    }
}
