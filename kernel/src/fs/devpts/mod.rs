//! devpts (pts(4)): a node for the slave of every pseudo-terminal, and `ptmx`, which makes them.
//!
//! Pseudo-terminals are numbered for the whole system, so there is one devpts, however often it is mounted: a further
//! mount shows the same nodes, `newinstance` or not, and its options apply to all.

mod options;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;

use hal::sync::{Once, SpinLock};
use linux_abi::errno::Errno;
use linux_abi::stat::Mode;
use linux_abi::statfs::DEVPTS_SUPER_MAGIC;

use self::options::Options;
use super::vfs::anonymous::Attributes;
use super::vfs::{
    AttributeChanges, DeviceNumber, DirectoryEntry, DirectorySink, FIRST_ENTRY, FileSystem, FileSystemType,
    FileType, Inode, InodeState, Metadata, MountRequest, Usage, clock, new_anonymous_device,
};
use crate::drivers::tty::pty;
use crate::lock_order;

/// The type `mount -t devpts` names.
pub static TYPE: FileSystemType = FileSystemType { name: "devpts", needs_no_device: true, mount };

const ROOT_NUMBER: u64 = 1;
const PTMX_NUMBER: u64 = 2;
/// Inode number of slave 0.
const FIRST_SLAVE_NUMBER: u64 = 3;
/// Position of slave 0 in the directory: behind `ptmx`.
const FIRST_SLAVE: u64 = FIRST_ENTRY + 1;

static INSTANCE: Once<Arc<DevPts>> = Once::new();

fn instance() -> &'static Arc<DevPts> {
    INSTANCE.get_or_init(|| {
        let device = new_anonymous_device();
        let options = Options::default();
        let ptmx = Node::new(device, PTMX_NUMBER, FileType::CharDevice, options.ptmx_mode);
        ptmx.attributes.with(|metadata| metadata.represents = DeviceNumber::new(5, 2));
        let root = Node::new(device, ROOT_NUMBER, FileType::Directory, 0o755);
        root.attributes.with(|metadata| metadata.link_count = 2);
        Arc::new(DevPts {
            device,
            options: SpinLock::new(lock_order::ATTRIBUTES, options),
            root: Arc::new(Root {
                node: root,
                ptmx: Arc::new(ptmx),
                slaves: SpinLock::new(lock_order::TMPFS_DIRECTORY, BTreeMap::new()),
            }),
        })
    })
}

fn mount(request: &MountRequest<'_>) -> Result<Arc<dyn FileSystem>, Errno> {
    let instance = instance();
    instance.remount(request.options)?;
    Ok(instance.clone())
}

/// Makes the node of a new pair: owned by `uid` and `gid`, unless the mount options say otherwise.
pub fn add_slave(index: usize, uid: u32, gid: u32) {
    let instance = instance();
    let options = *instance.options.lock();
    let number = FIRST_SLAVE_NUMBER + index as u64;
    let node = Node::new(instance.device, number, FileType::CharDevice, options.mode);
    node.attributes.with(|metadata| {
        metadata.represents = DeviceNumber::new(pty::SLAVE_MAJOR, index as u32);
        metadata.uid = options.uid.unwrap_or(uid);
        metadata.gid = options.gid.unwrap_or(gid);
    });
    // It takes the place of that of an earlier pair, which has ended and does not show any more.
    let old = instance.root.slaves.lock().insert(index, Arc::new(node));
    drop(old);
}

/// The file system.
struct DevPts {
    device: DeviceNumber,
    options: SpinLock<Options>,
    root: Arc<Root>,
}

impl FileSystem for DevPts {
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
        Usage::of_pseudo(DEVPTS_SUPER_MAGIC)
    }

    fn write_options(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let options = *self.options.lock();
        options.write(out)
    }

    fn remount(&self, options: &[u8]) -> Result<(), Errno> {
        let new = Options::parse(options)?;
        *self.options.lock() = new;
        self.root
            .ptmx
            .attributes
            .with(|metadata| metadata.mode = metadata.mode.with_permissions(new.ptmx_mode));
        Ok(())
    }
}

/// A node: attributes, and nothing that differs between the kinds.
struct Node {
    attributes: Attributes,
    state: InodeState,
}

impl Node {
    fn new(device: DeviceNumber, number: u64, file_type: FileType, permissions: u32) -> Self {
        let mode = Mode::new(file_type.mode_bits(), permissions);
        let mut metadata = Metadata::new(device, number, mode, clock::now());
        metadata.block_size = 1024;
        Self { attributes: Attributes::new(metadata), state: InodeState::new() }
    }
}

impl Inode for Node {
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

    /// A number is used again: a remembered name would lead to the node of a pair that has ended.
    fn is_cacheable(&self) -> bool {
        false
    }
}

/// The root, the only directory.
struct Root {
    node: Node,
    ptmx: Arc<Node>,
    slaves: SpinLock<BTreeMap<usize, Arc<Node>>>,
}

/// Reads the name of a slave: a decimal number without leading zeroes.
fn parse_index(name: &[u8]) -> Option<usize> {
    let is_plain = name.iter().all(u8::is_ascii_digit) && (name.len() == 1 || name.first() != Some(&b'0'));
    if is_plain { core::str::from_utf8(name).ok()?.parse().ok() } else { None }
}

impl Inode for Root {
    fn metadata(&self) -> Metadata {
        self.node.metadata()
    }

    fn state(&self) -> &InodeState {
        self.node.state()
    }

    fn set_attributes(&self, changes: &AttributeChanges) -> Result<(), Errno> {
        self.node.set_attributes(changes)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        if name == b"ptmx" {
            return Ok(self.ptmx.clone());
        }
        let index = parse_index(name).filter(|&index| pty::slave(index).is_some()).ok_or(Errno::ENOENT)?;
        let node = self.slaves.lock().get(&index).cloned();
        Ok(node.ok_or(Errno::ENOENT)?)
    }

    fn read_dir(&self, from: u64, sink: &mut DirectorySink<'_>) -> Result<(), Errno> {
        if from <= FIRST_ENTRY {
            let entry = DirectoryEntry {
                name: b"ptmx",
                inode_number: PTMX_NUMBER,
                file_type: FileType::CharDevice,
                next: FIRST_SLAVE,
            };
            if sink(&entry).is_break() {
                return Ok(());
            }
        }
        let start = from.saturating_sub(FIRST_SLAVE);
        let mut next = usize::try_from(start).ok().and_then(pty::next_index);
        while let Some(index) = next {
            next = pty::next_index(index + 1);
            let index = index as u64;
            let name = alloc::format!("{index}");
            let entry = DirectoryEntry {
                name: name.as_bytes(),
                inode_number: FIRST_SLAVE_NUMBER + index,
                file_type: FileType::CharDevice,
                next: FIRST_SLAVE + index + 1,
            };
            if sink(&entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn is_volatile(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_slaves_are_plain_numbers() {
        assert_eq!(parse_index(b"0"), Some(0));
        assert_eq!(parse_index(b"4095"), Some(4095));
        for name in [&b"00"[..], b"+1", b"1x", b"", b"99999999999999999999999"] {
            assert_eq!(parse_index(name), None);
        }
    }

    #[test]
    fn a_slave_lives_as_long_as_its_pair_and_belongs_to_its_maker() {
        let master = pty::open_master().unwrap();
        let index = master.index();
        add_slave(index, 1000, 5);
        let name = alloc::format!("{index}");
        let root = instance().root();
        let metadata = root.lookup(name.as_bytes()).unwrap().metadata();
        assert_eq!((metadata.uid, metadata.gid), (1000, 5));
        assert_eq!(metadata.represents, DeviceNumber::new(136, index as u32));
        let listed = |root: &Arc<dyn Inode>| {
            let mut names = alloc::vec::Vec::new();
            root.read_dir(FIRST_ENTRY, &mut |entry| {
                names.push(entry.name.to_vec());
                core::ops::ControlFlow::Continue(())
            })
            .unwrap();
            names
        };
        assert!(listed(&root).iter().any(|found| found == name.as_bytes()));
        assert_eq!(listed(&root)[0], b"ptmx");
        drop(master);
        assert!(matches!(root.lookup(name.as_bytes()), Err(Errno::ENOENT)));
    }
}
