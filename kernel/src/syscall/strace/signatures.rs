//! What the arguments of each call are. A call that is not listed is shown with six numbers.

use linux_abi::mman::{MemfdFlags, MlockallFlags, MremapFlags, MsyncFlags, Prot};
use linux_abi::mount::{MountFlags, UmountFlags};
use linux_abi::nr;
use linux_abi::open::{AtFlags, OpenFlags};
use linux_abi::random::GetrandomFlags;
use linux_abi::sched::CloneFlags;
use linux_abi::uio::RwFlags;
use linux_abi::wait::WaitOptions;

use super::arguments::Kind::{self, *};
use super::names::{self, AccessMode, MessageFlags, set};

/// What a call answers when it succeeds.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// A number.
    Number,
    /// An address.
    Address,
    /// Nothing: it does not come back.
    None,
}

/// What a call takes and answers.
#[derive(Clone, Copy)]
pub(super) struct Signature {
    /// Its arguments.
    pub(super) kinds: &'static [Kind],
    /// Its answer.
    pub(super) answer: Answer,
}

/// What call `number` takes and answers.
pub(super) fn signature(number: usize) -> Signature {
    let found = CALLS.iter().find(|call| call.0 == number);
    let kinds = found.map_or(&[Hex; 6] as &[Kind], |call| call.1);
    let answer = match number {
        nr::BRK | nr::MMAP | nr::MREMAP | nr::SHMAT => Answer::Address,
        nr::EXIT | nr::EXIT_GROUP => Answer::None,
        _ => Answer::Number,
    };
    Signature { kinds, answer }
}

const OPEN: Kind = Set(names::open);
/// Flags of a new descriptor, in which the bits of the access mode mean nothing.
const NEW: Kind = Set(set::<OpenFlags>);
const AT: Kind = Set(set::<AtFlags>);
const PROT: Kind = Set(set::<Prot>);
const RW: Kind = Set(set::<RwFlags>);
const MSG: Kind = Set(set::<MessageFlags>);
const ACCESS: Kind = Set(set::<AccessMode>);
const CLOCK: Kind = One(names::CLOCK);
const FAMILY: Kind = One(names::FAMILY);
const TYPE: Kind = Set(names::socket_type);

/// One line each, grouped as the table of calls is.
#[rustfmt::skip]
static CALLS: &[(usize, &[Kind])] = &[
    // Processes.
    (nr::GETPID,            &[]),
    (nr::GETPPID,           &[]),
    (nr::GETTID,            &[]),
    (nr::SETPGID,           &[Int, Int]),
    (nr::GETPGID,           &[Int]),
    (nr::GETPGRP,           &[]),
    (nr::SETSID,            &[]),
    (nr::GETSID,            &[Int]),
    (nr::VHANGUP,           &[]),
    (nr::EXIT,              &[Int]),
    (nr::EXIT_GROUP,        &[Int]),
    (nr::WAIT4,             &[Int, Stored, Set(set::<WaitOptions>), Hex]),
    (nr::WAITID,            &[Uint, Int, Hex, Set(set::<WaitOptions>), Hex]),
    (nr::SET_TID_ADDRESS,   &[Hex]),
    (nr::ARCH_PRCTL,        &[One(names::ARCH), Hex]),
    (nr::PERSONALITY,       &[Hex]),
    (nr::PRCTL,             &[One(names::PRCTL), Hex, Hex, Hex, Hex]),
    (nr::SECCOMP,           &[Uint, Hex, Hex]),
    (nr::GETRUSAGE,         &[Int, Hex]),
    (nr::TIMES,             &[Hex]),
    (nr::GETRLIMIT,         &[One(names::LIMIT), Hex]),
    (nr::SETRLIMIT,         &[One(names::LIMIT), Hex]),
    (nr::PRLIMIT64,         &[Int, One(names::LIMIT), Hex, Hex]),
    (nr::FORK,              &[]),
    (nr::VFORK,             &[]),
    (nr::CLONE,             &[Set(set::<CloneFlags>), Hex, Hex, Hex, Hex]),
    (nr::CLONE3,            &[Hex, Size]),
    (nr::EXECVE,            &[Path, Strings, Hex]),
    (nr::EXECVEAT,          &[Directory, Path, Strings, Hex, AT]),
    (nr::RT_SIGRETURN,      &[]),
    (nr::PTRACE,            &[Hex, Int, Hex, Hex]),
    (nr::PIDFD_OPEN,        &[Int, Hex]),
    (nr::PIDFD_SEND_SIGNAL, &[Int, Sig, Hex, Hex]),
    (nr::PIDFD_GETFD,       &[Int, Int, Hex]),
    // Files: reading and writing.
    (nr::READ,              &[Int, Filled, Size]),
    (nr::WRITE,             &[Int, Bytes(2), Size]),
    (nr::PREAD64,           &[Int, Filled, Size, Long]),
    (nr::PWRITE64,          &[Int, Bytes(2), Size, Long]),
    (nr::READV,             &[Int, Hex, Int]),
    (nr::WRITEV,            &[Int, Hex, Int]),
    (nr::PREADV,            &[Int, Hex, Int, Long]),
    (nr::PWRITEV,           &[Int, Hex, Int, Long]),
    (nr::PREADV2,           &[Int, Hex, Int, Long, Hex, RW]),
    (nr::PWRITEV2,          &[Int, Hex, Int, Long, Hex, RW]),
    (nr::SENDFILE,          &[Int, Int, Hex, Size]),
    (nr::COPY_FILE_RANGE,   &[Int, Hex, Int, Hex, Size, Hex]),
    (nr::SPLICE,            &[Int, Hex, Int, Hex, Size, Hex]),
    (nr::TEE,               &[Int, Int, Size, Hex]),
    (nr::VMSPLICE,          &[Int, Hex, Size, Hex]),
    (nr::LSEEK,             &[Int, Long, One(names::WHENCE)]),
    // Files: descriptors.
    (nr::OPEN,              &[Path, OPEN, Octal]),
    (nr::OPENAT,            &[Directory, Path, OPEN, Octal]),
    (nr::OPENAT2,           &[Directory, Path, Hex, Size]),
    (nr::CREAT,             &[Path, Octal]),
    (nr::CLOSE,             &[Int]),
    (nr::CLOSE_RANGE,       &[Uint, Uint, Hex]),
    (nr::UMASK,             &[Octal]),
    (nr::DUP,               &[Int]),
    (nr::DUP2,              &[Int, Int]),
    (nr::DUP3,              &[Int, Int, NEW]),
    (nr::FCNTL,             &[Int, One(names::FCNTL), Hex]),
    (nr::FLOCK,             &[Int, Set(names::lock)]),
    (nr::IOCTL,             &[Int, One(names::IOCTL), Hex]),
    (nr::PIPE,              &[Pair]),
    (nr::PIPE2,             &[Pair, NEW]),
    (nr::POLL,              &[Hex, Uint, Int]),
    (nr::PPOLL,             &[Hex, Uint, Time, Hex, Size]),
    (nr::SELECT,            &[Int, Hex, Hex, Hex, Hex]),
    (nr::PSELECT6,          &[Int, Hex, Hex, Hex, Time, Hex]),
    (nr::EVENTFD,           &[Uint]),
    (nr::EVENTFD2,          &[Uint, NEW]),
    (nr::INOTIFY_INIT,      &[]),
    (nr::INOTIFY_INIT1,     &[NEW]),
    (nr::INOTIFY_ADD_WATCH, &[Int, Path, Hex]),
    (nr::INOTIFY_RM_WATCH,  &[Int, Int]),
    (nr::SIGNALFD,          &[Int, Hex, Size]),
    (nr::SIGNALFD4,         &[Int, Hex, Size, NEW]),
    (nr::TIMERFD_CREATE,    &[CLOCK, NEW]),
    (nr::TIMERFD_SETTIME,   &[Int, Hex, Hex, Hex]),
    (nr::TIMERFD_GETTIME,   &[Int, Hex]),
    (nr::EPOLL_CREATE,      &[Int]),
    (nr::EPOLL_CREATE1,     &[NEW]),
    (nr::EPOLL_CTL,         &[Int, One(names::EPOLL), Int, Hex]),
    (nr::EPOLL_WAIT,        &[Int, Hex, Int, Int]),
    (nr::EPOLL_PWAIT,       &[Int, Hex, Int, Int, Hex, Size]),
    (nr::EPOLL_PWAIT2,      &[Int, Hex, Int, Time, Hex, Size]),
    // Files: attributes.
    (nr::STAT,              &[Path, Hex]),
    (nr::LSTAT,             &[Path, Hex]),
    (nr::FSTAT,             &[Int, Hex]),
    (nr::NEWFSTATAT,        &[Directory, Path, Hex, AT]),
    (nr::STATX,             &[Directory, Path, AT, Hex, Hex]),
    (nr::STATFS,            &[Path, Hex]),
    (nr::FSTATFS,           &[Int, Hex]),
    (nr::ACCESS,            &[Path, ACCESS]),
    (nr::FACCESSAT,         &[Directory, Path, ACCESS]),
    (nr::FACCESSAT2,        &[Directory, Path, ACCESS, AT]),
    (nr::CHMOD,             &[Path, Octal]),
    (nr::FCHMOD,            &[Int, Octal]),
    (nr::FCHMODAT,          &[Directory, Path, Octal]),
    (nr::FCHMODAT2,         &[Directory, Path, Octal, AT]),
    (nr::CHOWN,             &[Path, Int, Int]),
    (nr::LCHOWN,            &[Path, Int, Int]),
    (nr::FCHOWN,            &[Int, Int, Int]),
    (nr::FCHOWNAT,          &[Directory, Path, Int, Int, AT]),
    (nr::UTIME,             &[Path, Hex]),
    (nr::UTIMES,            &[Path, Hex]),
    (nr::FUTIMESAT,         &[Directory, Path, Hex]),
    (nr::UTIMENSAT,         &[Directory, Path, Hex, AT]),
    (nr::TRUNCATE,          &[Path, Long]),
    (nr::FTRUNCATE,         &[Int, Long]),
    (nr::FALLOCATE,         &[Int, Hex, Long, Long]),
    (nr::FADVISE64,         &[Int, Long, Size, Int]),
    (nr::READAHEAD,         &[Int, Long, Size]),
    (nr::FSYNC,             &[Int]),
    (nr::FDATASYNC,         &[Int]),
    (nr::SYNC,              &[]),
    (nr::SYNCFS,            &[Int]),
    (nr::SETXATTR,          &[Path, Path, Bytes(3), Size, Hex]),
    (nr::LSETXATTR,         &[Path, Path, Bytes(3), Size, Hex]),
    (nr::FSETXATTR,         &[Int, Path, Bytes(3), Size, Hex]),
    (nr::GETXATTR,          &[Path, Path, Filled, Size]),
    (nr::LGETXATTR,         &[Path, Path, Filled, Size]),
    (nr::FGETXATTR,         &[Int, Path, Filled, Size]),
    (nr::LISTXATTR,         &[Path, Filled, Size]),
    (nr::LLISTXATTR,        &[Path, Filled, Size]),
    (nr::FLISTXATTR,        &[Int, Filled, Size]),
    (nr::REMOVEXATTR,       &[Path, Path]),
    (nr::LREMOVEXATTR,      &[Path, Path]),
    (nr::FREMOVEXATTR,      &[Int, Path]),
    // Files: names and directories.
    (nr::MKDIR,             &[Path, Octal]),
    (nr::MKDIRAT,           &[Directory, Path, Octal]),
    (nr::MKNOD,             &[Path, Octal, Hex]),
    (nr::MKNODAT,           &[Directory, Path, Octal, Hex]),
    (nr::SYMLINK,           &[Path, Path]),
    (nr::SYMLINKAT,         &[Path, Directory, Path]),
    (nr::LINK,              &[Path, Path]),
    (nr::LINKAT,            &[Directory, Path, Directory, Path, AT]),
    (nr::UNLINK,            &[Path]),
    (nr::UNLINKAT,          &[Directory, Path, AT]),
    (nr::RMDIR,             &[Path]),
    (nr::RENAME,            &[Path, Path]),
    (nr::RENAMEAT,          &[Directory, Path, Directory, Path]),
    (nr::RENAMEAT2,         &[Directory, Path, Directory, Path, Hex]),
    (nr::READLINK,          &[Path, Filled, Size]),
    (nr::READLINKAT,        &[Directory, Path, Filled, Size]),
    (nr::GETDENTS,          &[Int, Hex, Size]),
    (nr::GETDENTS64,        &[Int, Hex, Size]),
    (nr::CHDIR,             &[Path]),
    (nr::FCHDIR,            &[Int]),
    (nr::CHROOT,            &[Path]),
    (nr::GETCWD,            &[Filled, Size]),
    (nr::MOUNT,             &[Path, Path, Path, Set(set::<MountFlags>), Hex]),
    (nr::UMOUNT2,           &[Path, Set(set::<UmountFlags>)]),
    (nr::PIVOT_ROOT,        &[Path, Path]),
    // Sockets.
    (nr::SOCKET,            &[FAMILY, TYPE, Int]),
    (nr::SOCKETPAIR,        &[FAMILY, TYPE, Int, Pair]),
    (nr::SHUTDOWN,          &[Int, One(names::SHUT)]),
    (nr::BIND,              &[Int, Bytes(2), Uint]),
    (nr::LISTEN,            &[Int, Int]),
    (nr::GETSOCKNAME,       &[Int, Hex, Hex]),
    (nr::GETPEERNAME,       &[Int, Hex, Hex]),
    (nr::CONNECT,           &[Int, Bytes(2), Uint]),
    (nr::ACCEPT,            &[Int, Hex, Hex]),
    (nr::ACCEPT4,           &[Int, Hex, Hex, NEW]),
    (nr::SENDTO,            &[Int, Bytes(2), Size, MSG, Hex, Uint]),
    (nr::SENDMSG,           &[Int, Hex, MSG]),
    (nr::SENDMMSG,          &[Int, Hex, Uint, MSG]),
    (nr::RECVFROM,          &[Int, Filled, Size, MSG, Hex, Hex]),
    (nr::RECVMSG,           &[Int, Hex, MSG]),
    (nr::RECVMMSG,          &[Int, Hex, Uint, MSG, Hex]),
    (nr::GETSOCKOPT,        &[Int, Int, Int, Hex, Hex]),
    (nr::SETSOCKOPT,        &[Int, Int, Int, Bytes(4), Uint]),
    // Memory.
    (nr::BRK,               &[Hex]),
    (nr::MMAP,              &[Hex, Size, PROT, Set(names::map), Int, Hex]),
    (nr::MUNMAP,            &[Hex, Size]),
    (nr::MPROTECT,          &[Hex, Size, PROT]),
    (nr::MREMAP,            &[Hex, Size, Size, Set(set::<MremapFlags>), Hex]),
    (nr::MADVISE,           &[Hex, Size, One(names::ADVICE)]),
    (nr::MSYNC,             &[Hex, Size, Set(set::<MsyncFlags>)]),
    (nr::MINCORE,           &[Hex, Size, Hex]),
    (nr::MLOCK,             &[Hex, Size]),
    (nr::MLOCK2,            &[Hex, Size, Hex]),
    (nr::MUNLOCK,           &[Hex, Size]),
    (nr::MLOCKALL,          &[Set(set::<MlockallFlags>)]),
    (nr::MUNLOCKALL,        &[]),
    (nr::MEMFD_CREATE,      &[Path, Set(set::<MemfdFlags>)]),
    (nr::SHMGET,            &[Hex, Size, Octal]),
    (nr::SHMAT,             &[Int, Hex, Hex]),
    (nr::SHMDT,             &[Hex]),
    (nr::SHMCTL,            &[Int, Int, Hex]),
    (nr::SEMGET,            &[Int, Int, Hex]),
    (nr::SEMOP,             &[Int, Hex, Uint]),
    (nr::SEMTIMEDOP,        &[Int, Hex, Uint, Time]),
    (nr::SEMCTL,            &[Int, Int, Int, Hex]),
    (nr::MSGGET,            &[Int, Hex]),
    (nr::MSGSND,            &[Int, Hex, Size, Hex]),
    (nr::MSGRCV,            &[Int, Hex, Size, Long, Hex]),
    (nr::MSGCTL,            &[Int, Int, Hex]),
    (nr::PROCESS_VM_READV,  &[Int, Hex, Size, Hex, Size, Hex]),
    (nr::PROCESS_VM_WRITEV, &[Int, Hex, Size, Hex, Size, Hex]),
    (nr::PROCESS_MADVISE,   &[Int, Hex, Size, One(names::ADVICE), Hex]),
    (nr::REMAP_FILE_PAGES,  &[Hex, Size, PROT, Size, Set(names::map)]),
    (nr::PKEY_MPROTECT,     &[Hex, Size, PROT, Int]),
    (nr::PKEY_ALLOC,        &[Hex, Hex]),
    (nr::PKEY_FREE,         &[Int]),
    (nr::SET_MEMPOLICY,     &[Int, Hex, Size]),
    (nr::GET_MEMPOLICY,     &[Hex, Hex, Size, Hex, Hex]),
    (nr::MBIND,             &[Hex, Size, Int, Hex, Size, Hex]),
    (nr::SET_MEMPOLICY_HOME_NODE, &[Hex, Size, Size, Hex]),
    (nr::MIGRATE_PAGES,     &[Int, Size, Hex, Hex]),
    (nr::MOVE_PAGES,        &[Int, Size, Hex, Hex, Hex, Hex]),
    // Signals.
    (nr::KILL,              &[Int, Sig]),
    (nr::TKILL,             &[Int, Sig]),
    (nr::TGKILL,            &[Int, Int, Sig]),
    (nr::RT_SIGQUEUEINFO,   &[Int, Sig, Hex]),
    (nr::RT_TGSIGQUEUEINFO, &[Int, Int, Sig, Hex]),
    (nr::RT_SIGACTION,      &[Sig, Hex, Hex, Size]),
    (nr::RT_SIGPROCMASK,    &[One(names::HOW), Hex, Hex, Size]),
    (nr::RT_SIGPENDING,     &[Hex, Size]),
    (nr::RT_SIGSUSPEND,     &[Hex, Size]),
    (nr::PAUSE,             &[]),
    (nr::RT_SIGTIMEDWAIT,   &[Hex, Hex, Time, Size]),
    (nr::SIGALTSTACK,       &[Hex, Hex]),
    // Users, groups, capabilities.
    (nr::GETUID,            &[]),
    (nr::GETEUID,           &[]),
    (nr::GETGID,            &[]),
    (nr::GETEGID,           &[]),
    (nr::SETUID,            &[Int]),
    (nr::SETGID,            &[Int]),
    (nr::SETREUID,          &[Int, Int]),
    (nr::SETREGID,          &[Int, Int]),
    (nr::SETRESUID,         &[Int, Int, Int]),
    (nr::SETRESGID,         &[Int, Int, Int]),
    (nr::GETRESUID,         &[Stored, Stored, Stored]),
    (nr::GETRESGID,         &[Stored, Stored, Stored]),
    (nr::SETFSUID,          &[Int]),
    (nr::SETFSGID,          &[Int]),
    (nr::GETGROUPS,         &[Int, Hex]),
    (nr::SETGROUPS,         &[Int, Hex]),
    (nr::CAPGET,            &[Hex, Hex]),
    (nr::CAPSET,            &[Hex, Hex]),
    // Time, scheduling, futexes.
    (nr::CLOCK_GETTIME,     &[CLOCK, Hex]),
    (nr::CLOCK_SETTIME,     &[CLOCK, Time]),
    (nr::CLOCK_GETRES,      &[CLOCK, Hex]),
    (nr::FUTEX,             &[Hex, Set(names::futex), Uint, Hex, Hex, Hex]),
    (nr::FUTEX_WAITV,       &[Hex, Uint, Hex, Time, CLOCK]),
    (nr::SET_ROBUST_LIST,   &[Hex, Size]),
    (nr::GET_ROBUST_LIST,   &[Int, Hex, Hex]),
    (nr::GETCPU,            &[Stored, Stored, Hex]),
    (nr::MEMBARRIER,        &[Hex, Hex, Int]),
    (nr::RSEQ,              &[Hex, Uint, Hex, Hex]),
    (nr::GETPRIORITY,       &[Uint, Int]),
    (nr::SETPRIORITY,       &[Uint, Int, Int]),
    (nr::IOPRIO_SET,        &[Uint, Int, Hex]),
    (nr::IOPRIO_GET,        &[Uint, Int]),
    (nr::GETTIMEOFDAY,      &[Hex, Hex]),
    (nr::SETTIMEOFDAY,      &[Hex, Hex]),
    (nr::TIME,              &[Hex]),
    (nr::NANOSLEEP,         &[Time, Hex]),
    (nr::CLOCK_NANOSLEEP,   &[CLOCK, Hex, Time, Hex]),
    (nr::SCHED_YIELD,       &[]),
    (nr::SCHED_SETSCHEDULER, &[Int, Hex, Hex]),
    (nr::SCHED_GETSCHEDULER, &[Int]),
    (nr::SCHED_SETPARAM,    &[Int, Hex]),
    (nr::SCHED_GETPARAM,    &[Int, Hex]),
    (nr::SCHED_SETATTR,     &[Int, Hex, Hex]),
    (nr::SCHED_GETATTR,     &[Int, Hex, Uint, Hex]),
    (nr::SCHED_GET_PRIORITY_MAX, &[Int]),
    (nr::SCHED_GET_PRIORITY_MIN, &[Int]),
    (nr::SCHED_RR_GET_INTERVAL, &[Int, Hex]),
    (nr::SCHED_SETAFFINITY, &[Int, Uint, Hex]),
    (nr::SCHED_GETAFFINITY, &[Int, Uint, Hex]),
    (nr::GETITIMER,         &[One(names::ITIMER), Hex]),
    (nr::SETITIMER,         &[One(names::ITIMER), Hex, Hex]),
    (nr::ALARM,             &[Uint]),
    (nr::TIMER_CREATE,      &[CLOCK, Hex, Stored]),
    (nr::TIMER_SETTIME,     &[Int, Hex, Hex, Hex]),
    (nr::TIMER_GETTIME,     &[Int, Hex]),
    (nr::TIMER_GETOVERRUN,  &[Int]),
    (nr::TIMER_DELETE,      &[Int]),
    (nr::ADJTIMEX,          &[Hex]),
    (nr::CLOCK_ADJTIME,     &[CLOCK, Hex]),
    // The system.
    (nr::ACCT,              &[Path]),
    (nr::SWAPON,            &[Path, Hex]),
    (nr::SWAPOFF,           &[Path]),
    (nr::UNAME,             &[Hex]),
    (nr::SETHOSTNAME,       &[Bytes(1), Size]),
    (nr::SETDOMAINNAME,     &[Bytes(1), Size]),
    (nr::SYSINFO,           &[Hex]),
    (nr::SYSLOG,            &[Int, Hex, Int]),
    (nr::GETRANDOM,         &[Hex, Size, Set(set::<GetrandomFlags>)]),
    (nr::REBOOT,            &[Hex, Hex, Hex, Hex]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::table::{FULL_ROWS, ROWS};

    #[test]
    fn every_supported_call_is_listed_once() {
        let rows = ROWS.iter().map(|row| row.number).chain(FULL_ROWS.iter().map(|row| row.number));
        for number in rows {
            let count = CALLS.iter().filter(|call| call.0 == number).count();
            assert_eq!(count, 1, "{:?} (add its arguments)", nr::name(number));
        }
        assert_eq!(CALLS.len(), ROWS.len() + FULL_ROWS.len());
    }

    #[test]
    fn lengths_of_bytes_are_arguments() {
        for (number, kinds) in CALLS {
            assert!(kinds.len() <= 6, "{number}");
            for kind in *kinds {
                assert!(!matches!(kind, Bytes(length) if *length >= kinds.len()), "{number}");
            }
        }
    }
}
