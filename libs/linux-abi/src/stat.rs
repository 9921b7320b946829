//! File metadata: `struct stat`, modes, device numbers, `statx`, `statfs`.

use crate::time::Timespec;
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Type and permissions of a file (`st_mode`): four bits of type, three special bits, nine permission bits.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mode(pub u32);

/// Bits of the file type.
pub const S_IFMT: u32 = 0o170_000;
/// Type: socket.
pub const S_IFSOCK: u32 = 0o140_000;
/// Type: symbolic link.
pub const S_IFLNK: u32 = 0o120_000;
/// Type: regular file.
pub const S_IFREG: u32 = 0o100_000;
/// Type: block device.
pub const S_IFBLK: u32 = 0o060_000;
/// Type: directory.
pub const S_IFDIR: u32 = 0o040_000;
/// Type: character device.
pub const S_IFCHR: u32 = 0o020_000;
/// Type: named pipe.
pub const S_IFIFO: u32 = 0o010_000;
/// Set user id on execution.
pub const S_ISUID: u32 = 0o4000;
/// Set group id on execution; on a directory: new files take its group.
pub const S_ISGID: u32 = 0o2000;
/// Sticky: only owners remove files from this directory.
pub const S_ISVTX: u32 = 0o1000;
/// Owner may read, write, execute.
pub const S_IRWXU: u32 = 0o700;
/// Owner may read.
pub const S_IRUSR: u32 = 0o400;
/// Owner may write.
pub const S_IWUSR: u32 = 0o200;
/// Owner may execute.
pub const S_IXUSR: u32 = 0o100;
/// Group may read, write, execute.
pub const S_IRWXG: u32 = 0o070;
/// Group may read.
pub const S_IRGRP: u32 = 0o040;
/// Group may write.
pub const S_IWGRP: u32 = 0o020;
/// Group may execute.
pub const S_IXGRP: u32 = 0o010;
/// Others may read, write, execute.
pub const S_IRWXO: u32 = 0o007;
/// Others may read.
pub const S_IROTH: u32 = 0o004;
/// Others may write.
pub const S_IWOTH: u32 = 0o002;
/// Others may execute.
pub const S_IXOTH: u32 = 0o001;
/// Permission and special bits: what `chmod` sets.
pub const S_IALLUGO: u32 = 0o7777;
/// Permission bits of owner, group and others.
pub const S_IRWXUGO: u32 = 0o777;

impl Mode {
    /// Builds a mode from a type (`S_IFREG`…) and the permission and special bits of `bits`.
    pub const fn new(file_type: u32, bits: u32) -> Self {
        Self(file_type & S_IFMT | bits & S_IALLUGO)
    }

    /// Returns the type bits, `S_IFREG`….
    pub const fn file_type(self) -> u32 {
        self.0 & S_IFMT
    }

    /// Returns the permission and special bits.
    pub const fn permissions(self) -> u32 {
        self.0 & S_IALLUGO
    }

    /// Returns the mode with the permission and special bits replaced by those of `bits`.
    #[must_use]
    pub const fn with_permissions(self, bits: u32) -> Self {
        Self(self.0 & !S_IALLUGO | bits & S_IALLUGO)
    }

    /// Tells whether this is a regular file.
    pub const fn is_regular(self) -> bool {
        self.file_type() == S_IFREG
    }

    /// Tells whether this is a directory.
    pub const fn is_directory(self) -> bool {
        self.file_type() == S_IFDIR
    }

    /// Tells whether this is a symbolic link.
    pub const fn is_symlink(self) -> bool {
        self.file_type() == S_IFLNK
    }

    /// Tells whether this is a character device.
    pub const fn is_char_device(self) -> bool {
        self.file_type() == S_IFCHR
    }

    /// Tells whether this is a block device.
    pub const fn is_block_device(self) -> bool {
        self.file_type() == S_IFBLK
    }

    /// Tells whether this is a device of either kind.
    pub const fn is_device(self) -> bool {
        self.is_char_device() || self.is_block_device()
    }

    /// Tells whether this is a pipe.
    pub const fn is_fifo(self) -> bool {
        self.file_type() == S_IFIFO
    }

    /// Tells whether this is a socket.
    pub const fn is_socket(self) -> bool {
        self.file_type() == S_IFSOCK
    }

    /// Returns the `DT_*` number that directory entries carry for this type.
    pub const fn dirent_type(self) -> u8 {
        (self.file_type() >> 12) as u8
    }

    /// Returns the three permission bits (read 4, write 2, execute 1) of the owner.
    pub const fn owner_bits(self) -> u32 {
        self.0 >> 6 & 7
    }

    /// Returns the three permission bits of the group.
    pub const fn group_bits(self) -> u32 {
        self.0 >> 3 & 7
    }

    /// Returns the three permission bits of others.
    pub const fn other_bits(self) -> u32 {
        self.0 & 7
    }

    /// Tells whether anybody at all may execute.
    pub const fn is_executable_by_any(self) -> bool {
        self.0 & 0o111 != 0
    }

    /// Tells whether executing this file changes the user id.
    pub const fn has_setuid(self) -> bool {
        self.0 & S_ISUID != 0
    }

    /// Tells whether executing this file changes the group id: without group execution the bit means something else.
    pub const fn has_setgid(self) -> bool {
        self.0 & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
    }

    /// Tells whether the sticky bit is set.
    pub const fn has_sticky(self) -> bool {
        self.0 & S_ISVTX != 0
    }
}

/// Writes the mode in octal.
impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#o}", self.0)
    }
}

/// Encodes a device number as user space sees it (`st_rdev`, `mknod`): 12 bits of major, 20 bits of minor in 32 bits.
///
/// The widths are Linux's own, so `major` is taken modulo 2^12 and `minor` modulo 2^20.
pub const fn makedev(major: u32, minor: u32) -> u64 {
    (minor & 0xff | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12) as u64
}

/// Returns the major number of an encoded device number.
pub const fn major(device: u64) -> u32 {
    (device >> 8 & 0xfff) as u32
}

/// Returns the minor number of an encoded device number.
pub const fn minor(device: u64) -> u32 {
    (device & 0xff | device >> 12 & 0xf_ff00) as u32
}

/// `struct stat` as `stat`, `fstat`, `lstat` and `newfstatat` fill it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Stat {
    /// Device that holds the file.
    pub st_dev: u64,
    /// Inode number.
    pub st_ino: u64,
    /// Hard links.
    pub st_nlink: u64,
    /// Type and permissions.
    pub st_mode: Mode,
    /// Owner.
    pub st_uid: u32,
    /// Group.
    pub st_gid: u32,
    /// Zero.
    pub _pad0: u32,
    /// Device that the file is, if it is one.
    pub st_rdev: u64,
    /// Size in bytes.
    pub st_size: i64,
    /// Good size for reads and writes, bytes.
    pub st_blksize: i64,
    /// Space taken, in units of 512 bytes.
    pub st_blocks: i64,
    /// Last access.
    pub st_atim: Timespec,
    /// Last change of the contents.
    pub st_mtim: Timespec,
    /// Last change of the metadata.
    pub st_ctim: Timespec,
    /// Zero.
    pub _unused: [i64; 3],
}

const _: () = assert!(size_of::<Stat>() == 144);

/// A time inside [`Statx`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct StatxTimestamp {
    /// Seconds since 1970.
    pub tv_sec: i64,
    /// Nanoseconds, below 10^9.
    pub tv_nsec: u32,
    /// Zero.
    pub _pad: i32,
}

impl From<Timespec> for StatxTimestamp {
    fn from(time: Timespec) -> Self {
        Self { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec as u32, _pad: 0 }
    }
}

/// `struct statx`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Statx {
    /// `STATX_*`: which fields hold something.
    pub stx_mask: u32,
    /// Good size for reads and writes, bytes.
    pub stx_blksize: u32,
    /// `STATX_ATTR_*` that are set.
    pub stx_attributes: u64,
    /// Hard links.
    pub stx_nlink: u32,
    /// Owner.
    pub stx_uid: u32,
    /// Group.
    pub stx_gid: u32,
    /// Type and permissions: [`Mode`] in 16 bits.
    pub stx_mode: u16,
    /// Zero.
    pub _spare0: u16,
    /// Inode number.
    pub stx_ino: u64,
    /// Size in bytes.
    pub stx_size: u64,
    /// Space taken, in units of 512 bytes.
    pub stx_blocks: u64,
    /// `STATX_ATTR_*` that the file system knows.
    pub stx_attributes_mask: u64,
    /// Last access.
    pub stx_atime: StatxTimestamp,
    /// Creation.
    pub stx_btime: StatxTimestamp,
    /// Last change of the metadata.
    pub stx_ctime: StatxTimestamp,
    /// Last change of the contents.
    pub stx_mtime: StatxTimestamp,
    /// Major number of the device that the file is.
    pub stx_rdev_major: u32,
    /// Minor number of the device that the file is.
    pub stx_rdev_minor: u32,
    /// Major number of the device that holds the file.
    pub stx_dev_major: u32,
    /// Minor number of the device that holds the file.
    pub stx_dev_minor: u32,
    /// Mount that the path led to.
    pub stx_mnt_id: u64,
    /// Alignment of buffers for direct I/O, bytes.
    pub stx_dio_mem_align: u32,
    /// Alignment of offsets for direct I/O, bytes.
    pub stx_dio_offset_align: u32,
    /// Zero.
    pub _spare3: [u64; 12],
}

const _: () = assert!(size_of::<Statx>() == 256);

/// `stx_mode`, the type.
pub const STATX_TYPE: u32 = 0x1;
/// `stx_mode`, the permissions.
pub const STATX_MODE: u32 = 0x2;
/// `stx_nlink`.
pub const STATX_NLINK: u32 = 0x4;
/// `stx_uid`.
pub const STATX_UID: u32 = 0x8;
/// `stx_gid`.
pub const STATX_GID: u32 = 0x10;
/// `stx_atime`.
pub const STATX_ATIME: u32 = 0x20;
/// `stx_mtime`.
pub const STATX_MTIME: u32 = 0x40;
/// `stx_ctime`.
pub const STATX_CTIME: u32 = 0x80;
/// `stx_ino`.
pub const STATX_INO: u32 = 0x100;
/// `stx_size`.
pub const STATX_SIZE: u32 = 0x200;
/// `stx_blocks`.
pub const STATX_BLOCKS: u32 = 0x400;
/// All that `stat` gives.
pub const STATX_BASIC_STATS: u32 = 0x7ff;
/// `stx_btime`.
pub const STATX_BTIME: u32 = 0x800;
/// `stx_mnt_id`.
pub const STATX_MNT_ID: u32 = 0x1000;
/// `stx_dio_mem_align` and `stx_dio_offset_align`.
pub const STATX_DIOALIGN: u32 = 0x2000;
/// All that `stat` gives and the creation time.
pub const STATX_ALL: u32 = 0xfff;
/// Reserved: a mask with this bit is refused.
pub const STATX_RESERVED: u32 = 0x8000_0000;

/// The file is compressed.
pub const STATX_ATTR_COMPRESSED: u64 = 0x4;
/// The file cannot be changed.
pub const STATX_ATTR_IMMUTABLE: u64 = 0x10;
/// The file can only grow.
pub const STATX_ATTR_APPEND: u64 = 0x20;
/// The file is left out of backups.
pub const STATX_ATTR_NODUMP: u64 = 0x40;
/// The file is encrypted.
pub const STATX_ATTR_ENCRYPTED: u64 = 0x800;
/// The directory mounts something when entered.
pub const STATX_ATTR_AUTOMOUNT: u64 = 0x1000;
/// The file is the root of a mount.
pub const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;
/// The file is protected by fs-verity.
pub const STATX_ATTR_VERITY: u64 = 0x10_0000;
/// The file is on persistent memory and mapped directly.
pub const STATX_ATTR_DAX: u64 = 0x20_0000;
