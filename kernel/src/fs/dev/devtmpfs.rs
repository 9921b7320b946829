//! devtmpfs: a tmpfs that has a node for every device when it is mounted first. There is one, however often it is
//! mounted.

use alloc::sync::Arc;

use hal::sync::Once;
use linux_abi::errno::Errno;

use crate::fs::tmpfs::{Options, Tmpfs};
use crate::fs::vfs::{FileSystem, FileSystemType, MountRequest, NewNode, NodeKind};

/// The type `mount -t devtmpfs` names.
pub static TYPE: FileSystemType = FileSystemType { name: "devtmpfs", needs_no_device: true, mount };

static INSTANCE: Once<Arc<Tmpfs>> = Once::new();

fn mount(request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    if let Some(instance) = INSTANCE.get() {
        // A further mount shows what there is; its options change the instance.
        instance.remount(request.options)?;
        return Ok(instance.clone());
    }
    let options = Options::parse(request.options, Options { mode: 0o755, ..Options::tmpfs() })?;
    let new = populate(Tmpfs::new(TYPE.name, options)?)?;
    // Whoever comes first wins; the loser's instance goes.
    Ok(INSTANCE.get_or_init(|| new).clone())
}

/// Makes the nodes in `empty`, which nobody else sees yet.
fn populate(empty: Arc<Tmpfs>) -> Result<Arc<Tmpfs>, Errno> {
    let root = empty.root();
    for device in super::all() {
        let node = NewNode {
            kind: NodeKind::CharDevice(device.number),
            permissions: device.permissions,
            uid: 0,
            gid: 0,
        };
        root.create(device.name.as_bytes(), &node)?;
    }
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::vfs::{DeviceNumber, SuperBlock};

    #[test]
    fn mounting_again_shows_the_same_tree() {
        let request =
            MountRequest { source: b"devtmpfs", options: b"size=1m,nr_inodes=100", is_read_only: false };
        let first = SuperBlock::of(mount(&request).unwrap(), false).unwrap();
        let again = SuperBlock::of(mount(&request).unwrap(), false).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        drop((first, again));
        let other = SuperBlock::of(mount(&request).unwrap(), false).unwrap();
        assert!(other.root().lookup(b"null").unwrap().is_some());
    }

    #[test]
    fn nodes_have_the_numbers_and_permissions_of_linux() {
        let tree = populate(Tmpfs::new("devtmpfs", Options::ramfs()).unwrap()).unwrap();
        for (name, number, mode) in [
            ("null", (1, 3), 0o20_666),
            ("urandom", (1, 9), 0o20_666),
            ("kmsg", (1, 11), 0o20_644),
            ("tty", (5, 0), 0o20_666),
            ("console", (5, 1), 0o20_600),
            ("ptmx", (5, 2), 0o20_666),
        ] {
            let metadata = tree.root().lookup(name.as_bytes()).unwrap().metadata();
            assert_eq!(
                (metadata.represents, metadata.mode.0),
                (DeviceNumber::new(number.0, number.1), mode),
                "{name}"
            );
        }
        assert!(matches!(tree.root().lookup(b"ttyS3"), Err(Errno::ENOENT)), "no port answers under test");
    }
}
