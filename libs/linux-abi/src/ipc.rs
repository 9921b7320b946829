//! System V IPC: what semaphores, messages and shared memory have in common, and `struct shmid64_ds`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Key: always a new object.
pub const IPC_PRIVATE: i32 = 0;

consts! { u32;
    IPC_CREAT = 0o1000, "Creates if there is none.";
    IPC_EXCL = 0o2000, "Fails if there is one.";
    IPC_NOWAIT = 0o4000, "Does not wait.";
    IPC_RMID = 0, "Removes.";
    IPC_SET = 1, "Sets permissions.";
    IPC_STAT = 2, "Returns the description.";
    IPC_INFO = 3, "Returns limits.";
    SHM_RDONLY = 0o10000, "`shmat`: read only.";
    SHM_RND = 0o20000, "`shmat`: round the address down.";
    SHM_REMAP = 0o40000, "`shmat`: replace what is there.";
    SHM_EXEC = 0o100_000, "`shmat`: executable.";
    SHM_DEST = 0o1000, "In the mode: removed with the last detach.";
    SHM_LOCKED = 0o2000, "In the mode: locked.";
    SHM_HUGETLB = 0o4000, "`shmget`: huge pages.";
    SHM_NORESERVE = 0o10000, "`shmget`: nothing is promised.";
    SHM_LOCK = 11, "`shmctl`: locks into memory.";
    SHM_UNLOCK = 12, "`shmctl`: unlocks.";
    SHM_STAT = 13, "`shmctl`: as `IPC_STAT`, by place in the table.";
    SHM_INFO = 14, "`shmctl`: what all use.";
    SHM_STAT_ANY = 15, "`shmctl`: as `SHM_STAT`, whatever the permissions.";
}

/// `struct ipc64_perm`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Ipc64Perm {
    /// Key.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Creator.
    pub cuid: u32,
    /// Creator's group.
    pub cgid: u32,
    /// Permissions.
    pub mode: u32,
    /// Sequence number.
    pub seq: u16,
    /// Zero.
    pub _pad0: u16,
    /// Zero.
    pub _pad1: u32,
    /// Zero.
    pub _unused: [u64; 2],
}

const _: () = assert!(size_of::<Ipc64Perm>() == 48);

/// `struct shmid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Shmid64Ds {
    /// Owner and permissions.
    pub shm_perm: Ipc64Perm,
    /// Size, bytes.
    pub shm_segsz: u64,
    /// Last attach, seconds.
    pub shm_atime: i64,
    /// Last detach, seconds.
    pub shm_dtime: i64,
    /// Last change, seconds.
    pub shm_ctime: i64,
    /// Creator.
    pub shm_cpid: i32,
    /// Last process that attached or detached.
    pub shm_lpid: i32,
    /// Attachments.
    pub shm_nattch: u64,
    /// Zero.
    pub _unused: [u64; 2],
}

const _: () = assert!(size_of::<Shmid64Ds>() == 112);

/// `struct shminfo64`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Shminfo64 {
    /// Bytes of a segment at most.
    pub shmmax: u64,
    /// At least.
    pub shmmin: u64,
    /// Segments at most.
    pub shmmni: u64,
    /// Segments of a process at most.
    pub shmseg: u64,
    /// Pages of all segments at most.
    pub shmall: u64,
    /// Zero.
    pub _unused: [u64; 4],
}

/// `struct shm_info`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ShmInfo {
    /// Segments (an `int` and its padding).
    pub used_ids: u64,
    /// Their pages.
    pub shm_tot: u64,
    /// Pages in memory.
    pub shm_rss: u64,
    /// Pages swapped out.
    pub shm_swp: u64,
    /// Unused.
    pub swap_attempts: u64,
    /// Unused.
    pub swap_successes: u64,
}
