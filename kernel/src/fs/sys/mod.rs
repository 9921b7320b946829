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

use self::node::Node;
use super::vfs::{
    DeviceNumber, FileSystem, FileSystemType, Inode, MountRequest, Usage, new_anonymous_device,
};

/// The type `mount -t sysfs` names.
pub static TYPE: FileSystemType = FileSystemType { name: "sysfs", needs_no_device: true, mount };

/// There is one sysfs, however often it is mounted.
static INSTANCE: Once<Arc<SysFs>> = Once::new();

struct SysFs {
    device: DeviceNumber,
    root: Arc<Node>,
}

fn mount(_request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    let make = || {
        let device = new_anonymous_device();
        Arc::new(SysFs { device, root: tree::build().finish(device) })
    };
    Ok(INSTANCE.get_or_init(make).clone())
}

impl FileSystem for SysFs {
    fn type_name(&self) -> &'static str {
        TYPE.name
    }

    fn device(&self) -> DeviceNumber {
        self.device
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn usage(&self) -> Usage {
        Usage::of_pseudo(SYSFS_MAGIC)
    }
}
