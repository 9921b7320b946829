//! sysfs (sysfs(5)): the devices and processors of the system as a tree of small files.
//!
//! The tree is made when it is mounted first and does not change: devices are found at boot.
//!
//! - [`node`]: the three kinds of inodes; [`tree`]: what is where.

mod node;
mod tree;

use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;
use linux_abi::statfs::SYSFS_MAGIC;

use super::vfs::{FileSystem, FileSystemType, MountRequest, new_anonymous_device, pseudo_file_system};

/// The type `mount -t sysfs` names.
pub static TYPE: FileSystemType = FileSystemType { name: "sysfs", needs_no_device: true, mount };

/// There is one sysfs, however often it is mounted.
static INSTANCE: Once<Arc<dyn FileSystem>> = Once::new();

fn mount(_request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    let make = || {
        let device = new_anonymous_device();
        pseudo_file_system(TYPE.name, SYSFS_MAGIC, device, tree::build().finish(device))
    };
    Ok(INSTANCE.get_or_init(make).clone())
}
