//! Small values that inodes, files and their callers exchange.

use linux_abi::stat::{self, Mode};
use linux_abi::time::Timespec;

/// The kind of a file, as the type bits of `st_mode` name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum FileType {
    /// A named pipe.
    Fifo = stat::S_IFIFO,
    /// A character device.
    CharDevice = stat::S_IFCHR,
    /// A directory.
    Directory = stat::S_IFDIR,
    /// A block device.
    BlockDevice = stat::S_IFBLK,
    /// A regular file.
    Regular = stat::S_IFREG,
    /// A symbolic link.
    Symlink = stat::S_IFLNK,
    /// A socket.
    Socket = stat::S_IFSOCK,
}

impl FileType {
    /// Returns the type that the type bits of `mode` name; `None` for a pattern Linux does not know (an anonymous
    /// file such as an eventfd has no type bits at all).
    pub const fn of_mode(mode: Mode) -> Option<Self> {
        Some(match mode.file_type() {
            stat::S_IFIFO => Self::Fifo,
            stat::S_IFCHR => Self::CharDevice,
            stat::S_IFDIR => Self::Directory,
            stat::S_IFBLK => Self::BlockDevice,
            stat::S_IFREG => Self::Regular,
            stat::S_IFLNK => Self::Symlink,
            stat::S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// Returns the `S_IF*` bits.
    pub const fn mode_bits(self) -> u32 {
        self as u32
    }

    /// Returns the `DT_*` number of directory entries.
    pub const fn dirent_type(self) -> u8 {
        (self as u32 >> 12) as u8
    }
}

/// A device number in Linux's user-space encoding (`st_rdev`, `st_dev`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeviceNumber(pub u32);

impl DeviceNumber {
    /// No device.
    pub const NONE: Self = Self(0);

    /// Builds a number from `major` (12 bits) and `minor` (20 bits).
    pub const fn new(major: u32, minor: u32) -> Self {
        Self(stat::makedev(major, minor) as u32)
    }

    /// Returns the major number.
    pub const fn major(self) -> u32 {
        stat::major(self.0 as u64)
    }

    /// Returns the minor number.
    pub const fn minor(self) -> u32 {
        stat::minor(self.0 as u64)
    }
}

/// What a permission check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// Type and permissions.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// All that `stat(2)` and `statx(2)` say about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// Device that holds the file.
    pub device: DeviceNumber,
    /// Inode number, unique on the device.
    pub inode_number: u64,
    /// Type and permissions.
    pub mode: Mode,
    /// Hard links.
    pub link_count: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device that the file is, if it is one.
    pub represents: DeviceNumber,
    /// Size in bytes.
    pub size: u64,
    /// Good size for reads and writes, bytes.
    pub block_size: u32,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub accessed: Timespec,
    /// Last change of the contents.
    pub modified: Timespec,
    /// Last change of the metadata.
    pub changed: Timespec,
    /// Creation; `None` where the file system does not record it.
    pub created: Option<Timespec>,
}

impl Metadata {
    /// Metadata of a file of `mode` on `device`: owned by root, one link, empty, all times `now`.
    pub const fn new(device: DeviceNumber, inode_number: u64, mode: Mode, now: Timespec) -> Self {
        Self {
            device,
            inode_number,
            mode,
            link_count: 1,
            uid: 0,
            gid: 0,
            represents: DeviceNumber::NONE,
            size: 0,
            block_size: 4096,
            blocks: 0,
            accessed: now,
            modified: now,
            changed: now,
            created: None,
        }
    }

    /// Returns what permission checks look at.
    pub const fn ownership(&self) -> Ownership {
        Ownership { mode: self.mode, uid: self.uid, gid: self.gid }
    }
}

/// Attributes to change; `None` leaves one as it is. The file system sets the change time itself, to `changed`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributeChanges {
    /// New permission and special bits (the type bits are ignored).
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New access time.
    pub accessed: Option<Timespec>,
    /// New modification time.
    pub modified: Option<Timespec>,
    /// The moment of this change: the new change time.
    pub changed: Timespec,
}

/// What kind of node [`Inode::create`](super::Inode::create) makes.
#[derive(Clone, Copy, Debug)]
pub enum NodeKind<'a> {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link with this text.
    Symlink(&'a [u8]),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
}

impl NodeKind<'_> {
    /// Returns the type of the node.
    pub const fn file_type(&self) -> FileType {
        match self {
            Self::Regular => FileType::Regular,
            Self::Directory => FileType::Directory,
            Self::Symlink(_) => FileType::Symlink,
            Self::Fifo => FileType::Fifo,
            Self::Socket => FileType::Socket,
            Self::CharDevice(_) => FileType::CharDevice,
            Self::BlockDevice(_) => FileType::BlockDevice,
        }
    }
}

/// A node to be made. Mode and owner are final: umask and set-group-id directories are already applied.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// Its kind.
    pub kind: NodeKind<'a>,
    /// Permission and special bits.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl NewNode<'_> {
    /// Returns type and permissions together.
    pub const fn mode(&self) -> Mode {
        Mode::new(self.kind.file_type().mode_bits(), self.permissions)
    }
}

/// How a rename treats an existing target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameMode {
    /// It is replaced.
    Replace,
    /// Source and target change places (`RENAME_EXCHANGE`).
    Exchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_keep_both_parts() {
        let device = DeviceNumber::new(0xabc, 0xf_1234);
        assert_eq!((device.major(), device.minor()), (0xabc, 0xf_1234));
        assert_eq!(DeviceNumber::new(4, 64).0, 0x440);
    }

    #[test]
    fn every_type_survives_the_trip_through_a_mode() {
        for kind in [
            FileType::Fifo,
            FileType::CharDevice,
            FileType::Directory,
            FileType::BlockDevice,
            FileType::Regular,
            FileType::Symlink,
            FileType::Socket,
        ] {
            assert_eq!(FileType::of_mode(Mode::new(kind.mode_bits(), 0o7777)), Some(kind));
        }
        assert_eq!(FileType::of_mode(Mode(0)), None);
        assert_eq!(FileType::of_mode(Mode(0o170_000)), None);
        assert_eq!(FileType::Directory.dirent_type(), 4);
    }
}
