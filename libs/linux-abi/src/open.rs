//! `open(2)` and its relatives: open flags, `AT_*` flags, `struct open_how`.

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`OpenFlags`] that hold the access mode.
pub const O_ACCMODE: u32 = 0o3;

bitflags! {
    /// Flags of `open`. The access mode is a number in the two lowest bits, not a set: ask
    /// [`readable`](Self::readable) and [`writable`](Self::writable), never `contains`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct OpenFlags: u32 {
        /// Access mode 1: write only. (Mode 0 is `O_RDONLY`, no bit.)
        const O_WRONLY = 0o1;
        /// Access mode 2: read and write.
        const O_RDWR = 0o2;
        /// Create the file if there is none.
        const O_CREAT = 0o100;
        /// Fail if the file exists.
        const O_EXCL = 0o200;
        /// Do not become the controlling terminal.
        const O_NOCTTY = 0o400;
        /// Cut the file to length 0.
        const O_TRUNC = 0o1000;
        /// Every write goes to the end.
        const O_APPEND = 0o2000;
        /// Do not wait: `EAGAIN` instead.
        const O_NONBLOCK = 0o4000;
        /// Writes wait until the data is stored.
        const O_DSYNC = 0o10000;
        /// Signal I/O.
        const FASYNC = 0o20000;
        /// Bypass the page cache; a pipe: keep packets apart.
        const O_DIRECT = 0o40000;
        /// Large offsets; no meaning in a 64-bit system, kept because `F_GETFL` shows it.
        const O_LARGEFILE = 0o100000;
        /// Fail unless it is a directory.
        const O_DIRECTORY = 0o200000;
        /// Fail if the last component is a symbolic link.
        const O_NOFOLLOW = 0o400000;
        /// Leave the access time alone.
        const O_NOATIME = 0o1000000;
        /// Close on exec.
        const O_CLOEXEC = 0o2000000;
        /// The second bit of `O_SYNC`.
        const __O_SYNC = 0o4000000;
        /// Writes wait until data and metadata are stored.
        const O_SYNC = 0o4010000;
        /// A mere place in the tree: no access to the contents.
        const O_PATH = 0o10000000;
        /// The second bit of `O_TMPFILE`.
        const __O_TMPFILE = 0o20000000;
        /// An unnamed file in the named directory.
        const O_TMPFILE = 0o20200000;
    }
}

impl OpenFlags {
    /// Read only: access mode 0.
    pub const O_RDONLY: Self = Self::empty();

    /// Flags that `F_SETFL` changes.
    pub const SETTABLE: Self = Self::O_APPEND
        .union(Self::O_NONBLOCK)
        .union(Self::FASYNC)
        .union(Self::O_DIRECT)
        .union(Self::O_NOATIME);

    /// Flags that act while opening and are not remembered by the open file (`F_GETFL` does not show them).
    pub const ONLY_AT_OPEN: Self =
        Self::O_CREAT.union(Self::O_EXCL).union(Self::O_NOCTTY).union(Self::O_TRUNC).union(Self::O_CLOEXEC);

    /// Flags that keep a meaning beside `O_PATH`; Linux drops all others.
    pub const WITH_PATH: Self =
        Self::O_PATH.union(Self::O_DIRECTORY).union(Self::O_NOFOLLOW).union(Self::O_CLOEXEC);

    /// Returns the access mode: 0 read, 1 write, 2 both, 3 neither (device control only; needs both permissions).
    pub const fn access_mode(self) -> u32 {
        self.bits() & O_ACCMODE
    }

    /// Tells whether the access mode allows reading. `O_PATH` files have access mode 0: check that first.
    pub const fn readable(self) -> bool {
        matches!(self.access_mode(), 0 | 2)
    }

    /// Tells whether the access mode allows writing.
    pub const fn writable(self) -> bool {
        matches!(self.access_mode(), 1 | 2)
    }
}

/// Instead of a directory's descriptor: the working directory.
pub const AT_FDCWD: i32 = -100;

bitflags! {
    /// Flags of the `…at` calls. Each call accepts its own subset; the number 0x200 has two meanings.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct AtFlags: u32 {
        /// Do not follow the last symbolic link.
        const AT_SYMLINK_NOFOLLOW = 0x100;
        /// `unlinkat`: remove a directory.
        const AT_REMOVEDIR = 0x200;
        /// `faccessat2`: use effective ids.
        const AT_EACCESS = 0x200;
        /// `linkat`: follow the last symbolic link.
        const AT_SYMLINK_FOLLOW = 0x400;
        /// Do not trigger automounts.
        const AT_NO_AUTOMOUNT = 0x800;
        /// An empty path means the descriptor itself.
        const AT_EMPTY_PATH = 0x1000;
        /// `statx`: do not ask a remote server.
        const AT_STATX_FORCE_SYNC = 0x2000;
        /// `statx`: accept what is cached.
        const AT_STATX_DONT_SYNC = 0x4000;
        /// `open_tree`, `mount_setattr`: whole tree.
        const AT_RECURSIVE = 0x8000;
    }
}

/// `struct open_how` of `openat2`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct OpenHow {
    /// [`OpenFlags`]; unknown bits are an error here, other than in `open`.
    pub flags: u64,
    /// Permissions of a new file.
    pub mode: u64,
    /// [`ResolveFlags`].
    pub resolve: u64,
}

/// Size of the first version of [`OpenHow`].
pub const OPEN_HOW_SIZE_VER0: usize = 24;
const _: () = assert!(size_of::<OpenHow>() == OPEN_HOW_SIZE_VER0);

bitflags! {
    /// `RESOLVE_*` flags of `openat2`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct ResolveFlags: u64 {
        /// Do not cross mounts.
        const RESOLVE_NO_XDEV = 0x1;
        /// Do not follow links that are no paths (`/proc/self/fd`).
        const RESOLVE_NO_MAGICLINKS = 0x2;
        /// Follow no symbolic link.
        const RESOLVE_NO_SYMLINKS = 0x4;
        /// Do not leave the starting directory.
        const RESOLVE_BENEATH = 0x8;
        /// The starting directory is the root.
        const RESOLVE_IN_ROOT = 0x10;
        /// Use only what is cached.
        const RESOLVE_CACHED = 0x20;
    }
}

/// `close_range`: give the process its own descriptor table first.
pub const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
/// `close_range`: mark close-on-exec instead of closing.
pub const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

/// `renameat2`: fail if the new name exists.
pub const RENAME_NOREPLACE: u32 = 1;
/// `renameat2`: exchange both.
pub const RENAME_EXCHANGE: u32 = 2;
/// `renameat2`: leave a whiteout.
pub const RENAME_WHITEOUT: u32 = 4;
