//! File system statistics: `struct statfs`, magic numbers, mount state flags.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct statfs` as `statfs` and `fstatfs` fill it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Statfs {
    /// Magic number of the file system's type.
    pub f_type: i64,
    /// Size of a block, bytes.
    pub f_bsize: i64,
    /// Blocks in all.
    pub f_blocks: u64,
    /// Blocks free.
    pub f_bfree: u64,
    /// Blocks free for unprivileged users.
    pub f_bavail: u64,
    /// Inodes in all.
    pub f_files: u64,
    /// Inodes free.
    pub f_ffree: u64,
    /// Identity of the file system.
    pub f_fsid: [i32; 2],
    /// Longest name of a file, bytes.
    pub f_namelen: i64,
    /// Unit of the block counts, bytes.
    pub f_frsize: i64,
    /// `ST_*` flags.
    pub f_flags: i64,
    /// Zero.
    pub f_spare: [i64; 4],
}

const _: () = assert!(size_of::<Statfs>() == 120);

/// Mounted read-only.
pub const ST_RDONLY: i64 = 0x1;
/// Set-user-id bits are ignored.
pub const ST_NOSUID: i64 = 0x2;
/// Device files are refused.
pub const ST_NODEV: i64 = 0x4;
/// Nothing here can be executed.
pub const ST_NOEXEC: i64 = 0x8;
/// Writes go through at once.
pub const ST_SYNCHRONOUS: i64 = 0x10;
/// The kernel filled `f_flags`; always set by the call.
pub const ST_VALID: i64 = 0x20;
/// Mandatory locks are allowed.
pub const ST_MANDLOCK: i64 = 0x40;
/// Access times are not kept.
pub const ST_NOATIME: i64 = 0x400;
/// Access times of directories are not kept.
pub const ST_NODIRATIME: i64 = 0x800;
/// Access times are kept relative to modification.
pub const ST_RELATIME: i64 = 0x1000;
/// Symbolic links are not followed.
pub const ST_NOSYMFOLLOW: i64 = 0x2000;

/// Magic of tmpfs (and of the initial RAM file system when it is one).
pub const TMPFS_MAGIC: i64 = 0x0102_1994;
/// Magic of ramfs.
pub const RAMFS_MAGIC: i64 = 0x8584_58f6;
/// Magic of devtmpfs: it answers as tmpfs does.
pub const DEVTMPFS_MAGIC: i64 = TMPFS_MAGIC;
/// Magic of procfs.
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// Magic of sysfs.
pub const SYSFS_MAGIC: i64 = 0x6265_6572;
/// Magic of devpts.
pub const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
/// Magic of pipes.
pub const PIPEFS_MAGIC: i64 = 0x5049_5045;
/// Magic of sockets.
pub const SOCKFS_MAGIC: i64 = 0x534f_434b;
/// Magic of eventfd, epoll and their like.
pub const ANON_INODE_FS_MAGIC: i64 = 0x0904_1934;
/// Magic of name spaces.
pub const NSFS_MAGIC: i64 = 0x6e73_6673;
/// Magic of pidfds.
pub const PIDFS_MAGIC: i64 = 0x5049_4446;
/// Magic of ext2, ext3 and ext4.
pub const EXT4_SUPER_MAGIC: i64 = 0xef53;
/// Magic of FAT.
pub const MSDOS_SUPER_MAGIC: i64 = 0x4d44;
/// Magic of ISO 9660.
pub const ISOFS_SUPER_MAGIC: i64 = 0x9660;
/// Magic of overlayfs.
pub const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;
/// Magic of squashfs.
pub const SQUASHFS_MAGIC: i64 = 0x7371_7368;
/// Magic of FUSE.
pub const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;
/// Magic of 9p.
pub const V9FS_MAGIC: i64 = 0x0102_1997;
/// Magic of debugfs.
pub const DEBUGFS_MAGIC: i64 = 0x6462_6720;
/// Magic of tracefs.
pub const TRACEFS_MAGIC: i64 = 0x7472_6163;
/// Magic of securityfs.
pub const SECURITYFS_MAGIC: i64 = 0x7363_6673;
/// Magic of control groups, version 1.
pub const CGROUP_SUPER_MAGIC: i64 = 0x27_e0eb;
/// Magic of control groups, version 2.
pub const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
/// Magic of hugetlbfs.
pub const HUGETLBFS_MAGIC: i64 = 0x9584_58f6;
/// Magic of POSIX message queues.
pub const MQUEUE_MAGIC: i64 = 0x1980_0202;
/// Magic of binfmt_misc.
pub const BINFMTFS_MAGIC: i64 = 0x4249_4e4d;
