//! `fcntl(2)` and `flock(2)`: commands, record locks, leases.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Duplicate the descriptor, lowest free number from the argument on.
pub const F_DUPFD: u32 = 0;
/// Return the descriptor's flags.
pub const F_GETFD: u32 = 1;
/// Set the descriptor's flags.
pub const F_SETFD: u32 = 2;
/// Return the open file's flags.
pub const F_GETFL: u32 = 3;
/// Set the open file's flags.
pub const F_SETFL: u32 = 4;
/// Find a record lock in the way.
pub const F_GETLK: u32 = 5;
/// Set or clear a record lock, without waiting.
pub const F_SETLK: u32 = 6;
/// Set or clear a record lock, waiting.
pub const F_SETLKW: u32 = 7;
/// Set who gets `SIGIO`.
pub const F_SETOWN: u32 = 8;
/// Return who gets `SIGIO`.
pub const F_GETOWN: u32 = 9;
/// Set the signal sent instead of `SIGIO`.
pub const F_SETSIG: u32 = 10;
/// Return the signal sent instead of `SIGIO`.
pub const F_GETSIG: u32 = 11;
/// Set who gets `SIGIO`, by [`FOwnerEx`].
pub const F_SETOWN_EX: u32 = 15;
/// Return who gets `SIGIO`, as [`FOwnerEx`].
pub const F_GETOWN_EX: u32 = 16;
/// As [`F_GETLK`], the lock belongs to the open file.
pub const F_OFD_GETLK: u32 = 36;
/// As [`F_SETLK`], the lock belongs to the open file.
pub const F_OFD_SETLK: u32 = 37;
/// As [`F_SETLKW`], the lock belongs to the open file.
pub const F_OFD_SETLKW: u32 = 38;
/// Take or give up a lease.
pub const F_SETLEASE: u32 = 1024;
/// Return the lease held.
pub const F_GETLEASE: u32 = 1025;
/// Watch a directory by signals.
pub const F_NOTIFY: u32 = 1026;
/// As [`F_DUPFD`], with close-on-exec set.
pub const F_DUPFD_CLOEXEC: u32 = 1030;
/// Set the capacity of a pipe.
pub const F_SETPIPE_SZ: u32 = 1031;
/// Return the capacity of a pipe.
pub const F_GETPIPE_SZ: u32 = 1032;
/// Add seals.
pub const F_ADD_SEALS: u32 = 1033;
/// Return the seals.
pub const F_GET_SEALS: u32 = 1034;
/// Return the write lifetime hint of the inode.
pub const F_GET_RW_HINT: u32 = 1035;
/// Set the write lifetime hint of the inode.
pub const F_SET_RW_HINT: u32 = 1036;

/// Descriptor flag: close on exec.
pub const FD_CLOEXEC: u32 = 1;

/// Record lock or lease: shared.
pub const F_RDLCK: i16 = 0;
/// Record lock or lease: exclusive.
pub const F_WRLCK: i16 = 1;
/// Record lock or lease: none.
pub const F_UNLCK: i16 = 2;

/// `flock`: shared.
pub const LOCK_SH: u32 = 1;
/// `flock`: exclusive.
pub const LOCK_EX: u32 = 2;
/// `flock`, a bit: do not wait.
pub const LOCK_NB: u32 = 4;
/// `flock`: unlock.
pub const LOCK_UN: u32 = 8;

/// `f_owner_ex`: a thread.
pub const F_OWNER_TID: i32 = 0;
/// `f_owner_ex`: a process.
pub const F_OWNER_PID: i32 = 1;
/// `f_owner_ex`: a process group.
pub const F_OWNER_PGRP: i32 = 2;

/// `struct flock`: a record lock.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Flock {
    /// `F_RDLCK`, `F_WRLCK`, `F_UNLCK`.
    pub l_type: i16,
    /// `SEEK_*`: what `l_start` counts from.
    pub l_whence: i16,
    /// Zero.
    pub _pad0: i32,
    /// First byte.
    pub l_start: i64,
    /// Bytes; 0: to the end; negative: before `l_start`.
    pub l_len: i64,
    /// Owner, an answer of `F_GETLK`.
    pub l_pid: i32,
    /// Zero.
    pub _pad1: i32,
}

const _: () = assert!(size_of::<Flock>() == 32);

/// `struct f_owner_ex`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FOwnerEx {
    /// `F_OWNER_*`.
    pub kind: i32,
    /// Id.
    pub pid: i32,
}

/// `fallocate`: do not change the size.
pub const FALLOC_FL_KEEP_SIZE: u32 = 0x01;
/// `fallocate`: make a hole.
pub const FALLOC_FL_PUNCH_HOLE: u32 = 0x02;
/// `fallocate`: cut a range out.
pub const FALLOC_FL_COLLAPSE_RANGE: u32 = 0x08;
/// `fallocate`: fill with zeros.
pub const FALLOC_FL_ZERO_RANGE: u32 = 0x10;
/// `fallocate`: shift the rest up.
pub const FALLOC_FL_INSERT_RANGE: u32 = 0x20;
/// `fallocate`: give shared blocks their own copies.
pub const FALLOC_FL_UNSHARE_RANGE: u32 = 0x40;

/// `fadvise64`: no advice.
pub const POSIX_FADV_NORMAL: i32 = 0;
/// `fadvise64`: random access.
pub const POSIX_FADV_RANDOM: i32 = 1;
/// `fadvise64`: sequential access.
pub const POSIX_FADV_SEQUENTIAL: i32 = 2;
/// `fadvise64`: needed soon.
pub const POSIX_FADV_WILLNEED: i32 = 3;
/// `fadvise64`: not needed.
pub const POSIX_FADV_DONTNEED: i32 = 4;
/// `fadvise64`: used once.
pub const POSIX_FADV_NOREUSE: i32 = 5;

/// `splice`, `tee`: move pages.
pub const SPLICE_F_MOVE: u32 = 1;
/// `splice`, `tee`: do not wait.
pub const SPLICE_F_NONBLOCK: u32 = 2;
/// `splice`, `tee`: more will come.
pub const SPLICE_F_MORE: u32 = 4;
/// `vmsplice`: the pages are a gift.
pub const SPLICE_F_GIFT: u32 = 8;
