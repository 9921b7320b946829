//! The virtual file system: what every file system offers, and what Linux builds on top of it.
//!
//! # Terms
//! - *Inode* ([`Inode`]): a file without a name. File systems implement it.
//! - *File* ([`File`]): something that can be read, written, polled. An open inode, a pipe end, a terminal.
//! - *Open file* ([`OpenFile`]): Linux's "open file description": a [`File`] with a position and status flags, shared
//!   by the descriptors that `dup` and `fork` made of it.
//! - *Dentry* ([`Dentry`]): a name in a directory and the inode it leads to, cached. The tree of dentries of a file
//!   system is the only place where names, parents and mount points live; inodes know nothing of them.
//! - *Mount* ([`Mount`]): a (part of a) tree of dentries made visible at a place. *Path* ([`Path`]): a mount and a
//!   dentry, what a name resolves to.
//!
//! # Who does what
//! A file system stores and finds: `lookup`, `create`, `read_dir`. Everything that is the same for all is here: the
//! walk with symbolic links, mounts and `..`; permission checks; the meaning of open flags; read-only mounts;
//! which locks are held during a change of a directory. A file system sees only requests that are allowed, one at a
//! time for each directory.

pub mod access;
pub mod anonymous;
mod attributes;
pub mod clock;
mod context;
mod dentry;
pub mod device;
mod file;
mod file_system;
mod file_table;
mod inode;
pub mod locks;
mod mapped_file;
pub mod mount;
pub mod name;
mod names;
mod open;
mod open_file;
mod path;
mod state;
#[cfg(test)]
pub(crate) mod tests;
pub mod text;
mod types;
mod walk;
pub mod write_checks;

pub use attributes::{NewTime, drop_set_id, truncate};
pub use context::{Base, Caller, FsContext};
pub use dentry::{Cached, ChangeGuard, Dentry, cached_names, forget_unused};
pub use file::{File, IoFlags, OpenRequest, PollEvents};
pub use file_system::{
    FileSystem, FileSystemType, MountRequest, SuperBlock, Usage, find_type, new_anonymous_device,
    pseudo_file_system, register, write_types,
};
pub use file_table::{FileTable, Reserved};
pub use inode::{DirectoryEntry, DirectorySink, FIRST_ENTRY, Inode, LinkTarget};
pub use mapped_file::MappedFile;
pub use mount::{Mount, MountOptions};
pub use names::Removal;
pub use open::OpenParameters;
pub use open_file::{OpenFile, SignalOwner};
pub use path::{Backwards, Path};
pub use state::InodeState;
pub use types::{
    AttributeChanges, DeviceNumber, FileType, Metadata, NewNode, NodeKind, Ownership, RenameMode,
};
pub use walk::{Last, Parent, Walked};
