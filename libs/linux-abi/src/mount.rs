//! `mount(2)` and `umount2(2)`.

use bitflags::bitflags;

/// Upper half of the flags that old programs set; Linux drops it when it is there.
pub const MS_MGC_VAL: u64 = 0xc0ed_0000;
/// Mask over the upper half of the flags.
pub const MS_MGC_MSK: u64 = 0xffff_0000;

bitflags! {
    /// Flags of `mount`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct MountFlags: u64 {
        /// Read only.
        const MS_RDONLY = 1;
        /// Ignore set-user-id bits.
        const MS_NOSUID = 1 << 1;
        /// Refuse device files.
        const MS_NODEV = 1 << 2;
        /// Refuse execution.
        const MS_NOEXEC = 1 << 3;
        /// Write through at once.
        const MS_SYNCHRONOUS = 1 << 4;
        /// Change the flags of a mount.
        const MS_REMOUNT = 1 << 5;
        /// Allow mandatory locks.
        const MS_MANDLOCK = 1 << 6;
        /// Change directories through at once.
        const MS_DIRSYNC = 1 << 7;
        /// Follow no symbolic link.
        const MS_NOSYMFOLLOW = 1 << 8;
        /// Keep no access times.
        const MS_NOATIME = 1 << 10;
        /// Keep no access times of directories.
        const MS_NODIRATIME = 1 << 11;
        /// Show a subtree at another place.
        const MS_BIND = 1 << 12;
        /// Move a mount.
        const MS_MOVE = 1 << 13;
        /// Whole subtree.
        const MS_REC = 1 << 14;
        /// Say less.
        const MS_SILENT = 1 << 15;
        /// POSIX access control lists.
        const MS_POSIXACL = 1 << 16;
        /// The mount cannot be bound elsewhere.
        const MS_UNBINDABLE = 1 << 17;
        /// The mount keeps events to itself.
        const MS_PRIVATE = 1 << 18;
        /// The mount receives events only.
        const MS_SLAVE = 1 << 19;
        /// The mount shares events.
        const MS_SHARED = 1 << 20;
        /// Keep access times relative to modification.
        const MS_RELATIME = 1 << 21;
        /// Count inode versions.
        const MS_I_VERSION = 1 << 23;
        /// Keep access times always.
        const MS_STRICTATIME = 1 << 24;
        /// Store times lazily.
        const MS_LAZYTIME = 1 << 25;
    }
}

bitflags! {
    /// Flags of `umount2`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct UmountFlags: u32 {
        /// Even if busy.
        const MNT_FORCE = 1;
        /// Detach now, finish when no longer busy.
        const MNT_DETACH = 2;
        /// Only if unused since the last such call.
        const MNT_EXPIRE = 4;
        /// Do not follow the last symbolic link.
        const UMOUNT_NOFOLLOW = 8;
    }
}
