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

consts! { u32;
    GETPID = 11, "`semctl`: who changed it last.";
    GETVAL = 12, "`semctl`: the value.";
    GETALL = 13, "`semctl`: all values.";
    GETNCNT = 14, "`semctl`: how many wait for more.";
    GETZCNT = 15, "`semctl`: how many wait for zero.";
    SETVAL = 16, "`semctl`: sets a value.";
    SETALL = 17, "`semctl`: sets all values.";
    SEM_STAT = 18, "`semctl`: as `IPC_STAT`, by place in the table.";
    SEM_INFO = 19, "`semctl`: what all use.";
    SEM_STAT_ANY = 20, "`semctl`: as `SEM_STAT`, whatever the permissions.";
    MSG_STAT = 11, "`msgctl`: as `IPC_STAT`, by place in the table.";
    MSG_INFO = 12, "`msgctl`: what all use.";
    MSG_STAT_ANY = 13, "`msgctl`: as `MSG_STAT`, whatever the permissions.";
    MSG_NOERROR = 0o10000, "`msgrcv`: cut what is too long.";
    MSG_EXCEPT = 0o20000, "`msgrcv`: any other type.";
    MSG_COPY = 0o40000, "`msgrcv`: leave the message.";
}

/// Flag of a semaphore operation: undone when the process ends.
pub const SEM_UNDO: i16 = 0x1000;

/// `struct sembuf`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sembuf {
    /// Which semaphore (`sem_num`).
    pub number: u16,
    /// What is added; 0: wait for zero (`sem_op`).
    pub change: i16,
    /// `IPC_NOWAIT`, `SEM_UNDO` (`sem_flg`).
    pub flags: i16,
}

/// `struct semid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Semid64Ds {
    /// Owner and permissions.
    pub sem_perm: Ipc64Perm,
    /// Last operation, seconds.
    pub sem_otime: i64,
    /// Zero.
    pub _unused1: u64,
    /// Last change, seconds.
    pub sem_ctime: i64,
    /// Zero.
    pub _unused2: u64,
    /// Semaphores.
    pub sem_nsems: u64,
    /// Zero.
    pub _unused: [u64; 2],
}

const _: () = assert!(size_of::<Semid64Ds>() == 104);

/// `struct seminfo`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Seminfo {
    /// Unused.
    pub semmap: i32,
    /// Sets at most.
    pub semmni: i32,
    /// Semaphores at most.
    pub semmns: i32,
    /// Unused.
    pub semmnu: i32,
    /// Semaphores of a set at most.
    pub semmsl: i32,
    /// Operations of a call at most.
    pub semopm: i32,
    /// Unused.
    pub semume: i32,
    /// Size of an undo structure; `SEM_INFO`: sets.
    pub semusz: i32,
    /// Value at most.
    pub semvmx: i32,
    /// Amount to undo at most; `SEM_INFO`: semaphores.
    pub semaem: i32,
}

/// `struct msqid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Msqid64Ds {
    /// Owner and permissions.
    pub msg_perm: Ipc64Perm,
    /// Last send, seconds.
    pub msg_stime: i64,
    /// Last receive, seconds.
    pub msg_rtime: i64,
    /// Last change, seconds.
    pub msg_ctime: i64,
    /// Bytes in it.
    pub msg_cbytes: u64,
    /// Messages in it.
    pub msg_qnum: u64,
    /// Bytes at most.
    pub msg_qbytes: u64,
    /// Last sender.
    pub msg_lspid: i32,
    /// Last receiver.
    pub msg_lrpid: i32,
    /// Zero.
    pub _unused: [u64; 2],
}

const _: () = assert!(size_of::<Msqid64Ds>() == 120);

/// `struct msginfo`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Msginfo {
    /// KiB of all; `MSG_INFO`: queues.
    pub msgpool: i32,
    /// Unused; `MSG_INFO`: messages.
    pub msgmap: i32,
    /// Bytes of a message at most.
    pub msgmax: i32,
    /// Bytes of a queue at most.
    pub msgmnb: i32,
    /// Queues at most.
    pub msgmni: i32,
    /// Unused.
    pub msgssz: i32,
    /// Unused; `MSG_INFO`: bytes of all messages.
    pub msgtql: i32,
    /// Unused.
    pub msgseg: u16,
    /// Padding.
    pub _pad: u16,
}
