//! A file system in memory: `tmpfs`, and the root file system that the initial archive is unpacked into.
//!
//! # Terms
//! - [`Tmpfs`]: one mounted file system: its limits and what of them is used.
//! - [`Node`]: one inode. Nodes own what is below them: a directory holds its entries, an entry its node.
//!
//! # Accounts
//! Pages of files and of long symbolic links count against `size=`, inodes and hard links against `nr_inodes=`. What
//! is removed but still open counts until it is closed. Names and inodes are kernel memory; before one is made,
//! `memory::reserve` is asked.
//!
//! # Lock order
//! ```text
//! (directory changes, by the virtual file system)
//!   writing (one writer of a file; user memory is touched under it)
//!     directory entries
//!     attributes
//!     extended attributes
//!     page cache
//! ```

mod directory;
mod file;
mod node;
mod options;
mod super_block;
#[cfg(test)]
mod tests;
mod xattr;

use alloc::sync::Arc;

use linux_abi::errno::Errno;

pub use self::node::Node;
pub use self::options::Options;
pub use self::super_block::Tmpfs;
use super::vfs::{FileSystem, FileSystemType, MountRequest};

/// The type `tmpfs`.
pub static TMPFS: FileSystemType = FileSystemType { name: "tmpfs", needs_no_device: true, mount };

/// The type `ramfs`: `tmpfs` without limits.
pub static RAMFS: FileSystemType =
    FileSystemType { name: "ramfs", needs_no_device: true, mount: mount_unlimited };

fn mount(request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    let options = Options::parse(request.options, Options::tmpfs())?;
    Ok(Tmpfs::new("tmpfs", options)?)
}

fn mount_unlimited(request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    // Like Linux, ramfs knows the mode and ignores everything else.
    let mut options = Options::ramfs();
    for option in request.options.split(|&byte| byte == b',') {
        if option.starts_with(b"mode=") {
            options = Options::parse(option, options)?;
        }
    }
    Ok(Tmpfs::new("ramfs", options)?)
}
