//! The list of supported system calls: number, handler, behaviour when interrupted, and how much of it works.

use super::syscall_numbers as nr;
use super::{FullHandler, SyscallHandler};
use super::{
    acct, adjtimex, arch_prctl, attributes, bind, brk, capget, clock_gettime, clone, connect, directory,
    epoll, eventfd, execve, exit, fcntl, futex, getcpu, getpid, getpriority, getrandom, getrusage,
    getsockopt, gettimeofday, ioprio_set, kill, madvise, membarrier, memfd_create, mincore, mlock, mmap,
    mount, mprotect, mremap, msync, munmap, names, nanosleep, open, pipe, poll, prctl, process_vm, read,
    reboot, recv, rlimit, rseq, sched_setscheduler, send, setitimer, setpgid, setuid, shmget, sigaction,
    signalfd, sigreturn, socket, stat, sysinfo, syslog, timer_create, timerfd_create, uname, vhangup, wait,
};

/// What happens to a call that a signal interrupted (its handler returned `EINTR`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Made again whatever runs meanwhile.
    Always,
    /// Made again when no signal handler runs, or when the handler that runs was installed with `SA_RESTART`.
    IfSaRestart,
    /// Made again only when no signal handler runs.
    IfNoHandler,
    /// The program sees `EINTR`.
    Never,
}

/// How much of a call works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// All of it, as on Linux.
    Full,
    /// All but what the text names.
    Partial(&'static str),
}

/// A row of the table: one system call.
pub struct Row {
    /// Linux's number.
    pub number: usize,
    /// Its handler.
    pub handler: SyscallHandler,
    /// What an interrupting signal does to it.
    pub restart: Restart,
    /// How much of it works.
    pub support: Support,
}

/// A row whose handler needs the full register frame.
pub struct FullRow {
    /// Linux's number.
    pub number: usize,
    /// Its handler.
    pub handler: FullHandler,
    /// How much of it works.
    pub support: Support,
}

use Restart::{IfNoHandler, IfSaRestart, Never};
use Support::{Full, Partial};

const fn row(number: usize, handler: SyscallHandler, restart: Restart, support: Support) -> Row {
    Row { number, handler, restart, support }
}

const fn full(number: usize, handler: FullHandler, support: Support) -> FullRow {
    FullRow { number, handler, support }
}

/// Every call that runs on the fast path. One line each, grouped by subject.
#[rustfmt::skip]
pub static ROWS: &[Row] = &[
    // Processes.
    row(nr::GETPID,            getpid::getpid,             Never,       Full),
    row(nr::GETPPID,           getpid::getppid,            Never,       Full),
    row(nr::GETTID,            getpid::gettid,             Never,       Full),
    row(nr::SETPGID,           setpgid::setpgid,           Never,       Full),
    row(nr::GETPGID,           setpgid::getpgid,           Never,       Full),
    row(nr::GETPGRP,           setpgid::getpgrp,           Never,       Full),
    row(nr::SETSID,            setpgid::setsid,            Never,       Full),
    row(nr::VHANGUP,           vhangup::vhangup,           Never,       Full),
    row(nr::GETSID,            setpgid::getsid,            Never,       Full),
    row(nr::EXIT,              exit::exit,                 Never,       Full),
    row(nr::EXIT_GROUP,        exit::exit_group,           Never,       Full),
    row(nr::WAIT4,             wait::wait4,                IfSaRestart, Full),
    row(nr::WAITID,            wait::waitid,               IfSaRestart, Partial("no P_PIDFD")),
    row(nr::SET_TID_ADDRESS,   arch_prctl::set_tid_address, Never,      Full),
    row(nr::ARCH_PRCTL,        arch_prctl::arch_prctl,     Never,       Partial("FS and GS base only")),
    row(nr::PERSONALITY,       arch_prctl::personality,    Never,       Partial("ADDR_NO_RANDOMIZE counts; the others are kept, without effect")),
    row(nr::PRCTL,             prctl::prctl,               Never,       Partial("no PR_SET_MM, PR_SET_VMA, PR_SET_PTRACER, timer slack, seccomp, speculation controls")),
    row(nr::GETRUSAGE,         getrusage::getrusage,       Never,       Full),
    row(nr::TIMES,             sysinfo::times,             Never,       Full),
    row(nr::GETRLIMIT,         rlimit::getrlimit,          Never,       Full),
    row(nr::SETRLIMIT,         rlimit::setrlimit,          Never,       Partial("RLIMIT_CORE, RLIMIT_MSGQUEUE have no effect")),
    row(nr::PRLIMIT64,         rlimit::prlimit64,          Never,       Partial("as setrlimit")),
    // Files: reading and writing.
    row(nr::READ,              read::read,                 IfSaRestart, Full),
    row(nr::WRITE,             read::write,                IfSaRestart, Full),
    row(nr::PREAD64,           read::pread64,              IfSaRestart, Full),
    row(nr::PWRITE64,          read::pwrite64,             IfSaRestart, Full),
    row(nr::READV,             read::readv,                IfSaRestart, Full),
    row(nr::WRITEV,            read::writev,               IfSaRestart, Full),
    row(nr::PREADV,            read::preadv,               IfSaRestart, Full),
    row(nr::PWRITEV,           read::pwritev,              IfSaRestart, Full),
    row(nr::PREADV2,           read::preadv2,              IfSaRestart, Partial("RWF_HIPRI has no effect")),
    row(nr::PWRITEV2,          read::pwritev2,             IfSaRestart, Partial("RWF_HIPRI has no effect")),
    row(nr::SENDFILE,          read::sendfile,             IfSaRestart, Full),
    row(nr::COPY_FILE_RANGE,   read::copy_file_range,      IfSaRestart, Full),
    row(nr::LSEEK,             fcntl::lseek,               Never,       Full),
    // Files: descriptors.
    row(nr::OPEN,              open::open,                 IfSaRestart, Full),
    row(nr::OPENAT,            open::openat,               IfSaRestart, Full),
    row(nr::OPENAT2,           open::openat2,              IfSaRestart, Full),
    row(nr::CREAT,             open::creat,                IfSaRestart, Full),
    row(nr::CLOSE,             open::close,                Never,       Full),
    row(nr::CLOSE_RANGE,       open::close_range,          Never,       Full),
    row(nr::UMASK,             open::umask,                Never,       Full),
    row(nr::DUP,               fcntl::dup,                 Never,       Full),
    row(nr::DUP2,              fcntl::dup2,                Never,       Full),
    row(nr::DUP3,              fcntl::dup3,                Never,       Full),
    row(nr::FCNTL,             fcntl::fcntl,               IfSaRestart, Partial("no leases, F_NOTIFY, F_SETOWN_EX, write hints; O_ASYNC sends no signal")),
    row(nr::FLOCK,             fcntl::flock,               IfSaRestart, Full),
    row(nr::IOCTL,             fcntl::ioctl,               IfSaRestart, Partial("no FIOASYNC")),
    row(nr::PIPE,              pipe::pipe,                 Never,       Full),
    row(nr::PIPE2,             pipe::pipe2,                Never,       Full),
    row(nr::POLL,              poll::poll,                 IfNoHandler, Full),
    row(nr::PPOLL,             poll::ppoll,                IfNoHandler, Full),
    row(nr::SELECT,            poll::select,               IfNoHandler, Full),
    row(nr::PSELECT6,          poll::pselect6,             IfNoHandler, Full),
    row(nr::EVENTFD,           eventfd::eventfd,           Never,       Full),
    row(nr::EVENTFD2,          eventfd::eventfd2,          Never,       Full),
    row(nr::EPOLL_CREATE,      epoll::epoll_create,        Never,       Full),
    row(nr::EPOLL_CREATE1,     epoll::epoll_create1,       Never,       Full),
    row(nr::EPOLL_CTL,         epoll::epoll_ctl,           Never,       Full),
    row(nr::EPOLL_WAIT,        epoll::epoll_wait,          Never,       Full),
    row(nr::EPOLL_PWAIT,       epoll::epoll_pwait,         Never,       Full),
    row(nr::EPOLL_PWAIT2,      epoll::epoll_pwait2,        Never,       Full),
    // Files: attributes.
    row(nr::STAT,              stat::stat,                 Never,       Full),
    row(nr::LSTAT,             stat::lstat,                Never,       Full),
    row(nr::FSTAT,             stat::fstat,                Never,       Full),
    row(nr::NEWFSTATAT,        stat::newfstatat,           Never,       Full),
    row(nr::STATX,             stat::statx,                Never,       Full),
    row(nr::STATFS,            stat::statfs,               Never,       Full),
    row(nr::FSTATFS,           stat::fstatfs,              Never,       Full),
    row(nr::ACCESS,            stat::access,               Never,       Full),
    row(nr::FACCESSAT,         stat::faccessat,            Never,       Full),
    row(nr::FACCESSAT2,        stat::faccessat2,           Never,       Full),
    row(nr::CHMOD,             attributes::chmod,          Never,       Full),
    row(nr::FCHMOD,            attributes::fchmod,         Never,       Full),
    row(nr::FCHMODAT,          attributes::fchmodat,       Never,       Full),
    row(nr::FCHMODAT2,         attributes::fchmodat2,      Never,       Full),
    row(nr::CHOWN,             attributes::chown,          Never,       Full),
    row(nr::LCHOWN,            attributes::lchown,         Never,       Full),
    row(nr::FCHOWN,            attributes::fchown,         Never,       Full),
    row(nr::FCHOWNAT,          attributes::fchownat,       Never,       Full),
    row(nr::UTIME,             attributes::utime,          Never,       Full),
    row(nr::UTIMES,            attributes::utimes,         Never,       Full),
    row(nr::FUTIMESAT,         attributes::futimesat,      Never,       Full),
    row(nr::UTIMENSAT,         attributes::utimensat,      Never,       Full),
    row(nr::TRUNCATE,          attributes::truncate,       Never,       Full),
    row(nr::FTRUNCATE,         attributes::ftruncate,      Never,       Full),
    row(nr::FALLOCATE,         attributes::fallocate,      Never,       Full),
    row(nr::FADVISE64,         attributes::fadvise64,      Never,       Full),
    row(nr::READAHEAD,         attributes::readahead,      Never,       Full),
    row(nr::FSYNC,             attributes::fsync,          Never,       Full),
    row(nr::FDATASYNC,         attributes::fdatasync,      Never,       Full),
    row(nr::SYNC,              attributes::sync,           Never,       Full),
    row(nr::SYNCFS,            attributes::syncfs,         Never,       Full),
    row(nr::SETXATTR,          attributes::setxattr,       Never,       Partial("no access control lists")),
    row(nr::LSETXATTR,         attributes::lsetxattr,      Never,       Partial("no access control lists")),
    row(nr::FSETXATTR,         attributes::fsetxattr,      Never,       Partial("no access control lists")),
    row(nr::GETXATTR,          attributes::getxattr,       Never,       Full),
    row(nr::LGETXATTR,         attributes::lgetxattr,      Never,       Full),
    row(nr::FGETXATTR,         attributes::fgetxattr,      Never,       Full),
    row(nr::LISTXATTR,         attributes::listxattr,      Never,       Full),
    row(nr::LLISTXATTR,        attributes::llistxattr,     Never,       Full),
    row(nr::FLISTXATTR,        attributes::flistxattr,     Never,       Full),
    row(nr::REMOVEXATTR,       attributes::removexattr,    Never,       Full),
    row(nr::LREMOVEXATTR,      attributes::lremovexattr,   Never,       Full),
    row(nr::FREMOVEXATTR,      attributes::fremovexattr,   Never,       Full),
    // Files: names and directories.
    row(nr::MKDIR,             names::mkdir,               Never,       Full),
    row(nr::MKDIRAT,           names::mkdirat,             Never,       Full),
    row(nr::MKNOD,             names::mknod,               Never,       Full),
    row(nr::MKNODAT,           names::mknodat,             Never,       Full),
    row(nr::SYMLINK,           names::symlink,             Never,       Full),
    row(nr::SYMLINKAT,         names::symlinkat,           Never,       Full),
    row(nr::LINK,              names::link,                Never,       Full),
    row(nr::LINKAT,            names::linkat,              Never,       Full),
    row(nr::UNLINK,            names::unlink,              Never,       Full),
    row(nr::UNLINKAT,          names::unlinkat,            Never,       Full),
    row(nr::RMDIR,             names::rmdir,               Never,       Full),
    row(nr::RENAME,            names::rename,              Never,       Full),
    row(nr::RENAMEAT,          names::renameat,            Never,       Full),
    row(nr::RENAMEAT2,         names::renameat2,           Never,       Partial("no RENAME_WHITEOUT")),
    row(nr::READLINK,          names::readlink,            Never,       Full),
    row(nr::READLINKAT,        names::readlinkat,          Never,       Full),
    row(nr::GETDENTS,          directory::getdents,        Never,       Full),
    row(nr::GETDENTS64,        directory::getdents64,      Never,       Full),
    row(nr::CHDIR,             directory::chdir,           Never,       Full),
    row(nr::FCHDIR,            directory::fchdir,          Never,       Full),
    row(nr::CHROOT,            directory::chroot,          Never,       Full),
    row(nr::GETCWD,            directory::getcwd,          Never,       Full),
    row(nr::MOUNT,             mount::mount,               Never,       Partial("one mount namespace; mounts are private: EINVAL for MS_SHARED, MS_UNBINDABLE")),
    row(nr::UMOUNT2,           mount::umount2,             Never,       Partial("no MNT_EXPIRE")),
    row(nr::PIVOT_ROOT,        mount::pivot_root,          Never,       Full),
    // Sockets.
    row(nr::SOCKET,            socket::socket,             Never,       Partial("Unix sockets only: EAFNOSUPPORT for every other family")),
    row(nr::SOCKETPAIR,        socket::socketpair,         Never,       Partial("as socket")),
    row(nr::SHUTDOWN,          socket::shutdown,           Never,       Full),
    row(nr::BIND,              bind::bind,                 Never,       Full),
    row(nr::LISTEN,            bind::listen,               Never,       Full),
    row(nr::GETSOCKNAME,       bind::getsockname,          Never,       Full),
    row(nr::GETPEERNAME,       bind::getpeername,          Never,       Full),
    row(nr::CONNECT,           connect::connect,           IfSaRestart, Full),
    row(nr::ACCEPT,            connect::accept,            IfSaRestart, Full),
    row(nr::ACCEPT4,           connect::accept4,           IfSaRestart, Full),
    row(nr::SENDTO,            send::sendto,               IfSaRestart, Partial("no MSG_OOB: EOPNOTSUPP")),
    row(nr::SENDMSG,           send::sendmsg,              IfSaRestart, Partial("as sendto")),
    row(nr::SENDMMSG,          send::sendmmsg,             IfSaRestart, Partial("as sendto")),
    row(nr::RECVFROM,          recv::recvfrom,             IfSaRestart, Partial("no MSG_OOB: EINVAL")),
    row(nr::RECVMSG,           recv::recvmsg,              IfSaRestart, Partial("as recvfrom")),
    row(nr::RECVMMSG,          recv::recvmmsg,             IfSaRestart, Partial("as recvfrom")),
    row(nr::GETSOCKOPT,        getsockopt::getsockopt,     Never,       Partial("no filters, time stamps, busy polling, device binding: ENOPROTOOPT")),
    row(nr::SETSOCKOPT,        getsockopt::setsockopt,     Never,       Partial("as getsockopt")),
    // Memory.
    row(nr::BRK,                 brk::brk,                    Never,       Full),
    row(nr::MMAP,                mmap::mmap,                  Never,       Partial("no huge pages: MAP_HUGETLB is ENOMEM")),
    row(nr::MUNMAP,              munmap::munmap,              Never,       Full),
    row(nr::MPROTECT,            mprotect::mprotect,          Never,       Full),
    row(nr::MREMAP,              mremap::mremap,              Never,       Full),
    row(nr::MADVISE,             madvise::madvise,            Never,       Partial("advice about merging and paging out is only noted")),
    row(nr::MSYNC,               msync::msync,                Never,       Full),
    row(nr::MINCORE,             mincore::mincore,            Never,       Full),
    row(nr::MLOCK,               mlock::mlock,                Never,       Full),
    row(nr::MLOCK2,              mlock::mlock2,               Never,       Full),
    row(nr::MUNLOCK,             mlock::munlock,              Never,       Full),
    row(nr::MLOCKALL,            mlock::mlockall,             Never,       Full),
    row(nr::MUNLOCKALL,          mlock::munlockall,           Never,       Full),
    row(nr::MEMFD_CREATE,        memfd_create::memfd_create,  Never,       Partial("no huge pages; the name is not shown")),
    row(nr::SHMGET,              shmget::shmget,              Never,       Partial("no huge pages: SHM_HUGETLB is ENOMEM")),
    row(nr::SHMAT,               shmget::shmat,               Never,       Full),
    row(nr::SHMDT,               shmget::shmdt,               Never,       Full),
    row(nr::SHMCTL,              shmget::shmctl,              Never,       Full),
    row(nr::PROCESS_VM_READV,    process_vm::process_vm_readv, Never,       Full),
    row(nr::PROCESS_VM_WRITEV,   process_vm::process_vm_writev, Never,       Full),
    // Signals.
    row(nr::KILL,              kill::kill,                 Never,       Full),
    row(nr::TKILL,             kill::tkill,                Never,       Full),
    row(nr::TGKILL,            kill::tgkill,               Never,       Full),
    row(nr::RT_SIGQUEUEINFO,   kill::rt_sigqueueinfo,      Never,       Full),
    row(nr::RT_TGSIGQUEUEINFO, kill::rt_tgsigqueueinfo,    Never,       Full),
    row(nr::RT_SIGACTION,      sigaction::rt_sigaction,    Never,       Full),
    row(nr::RT_SIGPROCMASK,    sigaction::rt_sigprocmask,  Never,       Full),
    row(nr::RT_SIGPENDING,     sigaction::rt_sigpending,   Never,       Full),
    row(nr::RT_SIGSUSPEND,     sigaction::rt_sigsuspend,   IfNoHandler, Full),
    row(nr::PAUSE,             sigaction::pause,           IfNoHandler, Full),
    row(nr::RT_SIGTIMEDWAIT,   sigaction::rt_sigtimedwait, Never,       Full),
    row(nr::SIGALTSTACK,       sigreturn::sigaltstack,     Never,       Full),
    // Users, groups, capabilities.
    row(nr::GETUID,            setuid::getuid,             Never,       Full),
    row(nr::GETEUID,           setuid::geteuid,            Never,       Full),
    row(nr::GETGID,            setuid::getgid,             Never,       Full),
    row(nr::GETEGID,           setuid::getegid,            Never,       Full),
    row(nr::SETUID,            setuid::setuid,             Never,       Full),
    row(nr::SETGID,            setuid::setgid,             Never,       Full),
    row(nr::SETREUID,          setuid::setreuid,           Never,       Full),
    row(nr::SETREGID,          setuid::setregid,           Never,       Full),
    row(nr::SETRESUID,         setuid::setresuid,          Never,       Full),
    row(nr::SETRESGID,         setuid::setresgid,          Never,       Full),
    row(nr::GETRESUID,         setuid::getresuid,          Never,       Full),
    row(nr::GETRESGID,         setuid::getresgid,          Never,       Full),
    row(nr::SETFSUID,          setuid::setfsuid,           Never,       Full),
    row(nr::SETFSGID,          setuid::setfsgid,           Never,       Full),
    row(nr::GETGROUPS,         setuid::getgroups,          Never,       Full),
    row(nr::SETGROUPS,         setuid::setgroups,          Never,       Full),
    row(nr::CAPGET,            capget::capget,             Never,       Full),
    row(nr::CAPSET,            capget::capset,             Never,       Full),
    // Time, scheduling, futexes.
    row(nr::CLOCK_GETTIME,       clock_gettime::clock_gettime,                  Never,       Full),
    row(nr::CLOCK_SETTIME,       clock_gettime::clock_settime,                  Never,       Full),
    row(nr::CLOCK_GETRES,        clock_gettime::clock_getres,                   Never,       Full),
    row(nr::FUTEX,               futex::futex,                                  IfSaRestart, Full),
    row(nr::FUTEX_WAITV,         futex::futex_waitv,                            IfSaRestart, Full),
    row(nr::SET_ROBUST_LIST,     futex::set_robust_list,                        Never,       Full),
    row(nr::GET_ROBUST_LIST,     futex::get_robust_list,                        Never,       Full),
    row(nr::GETCPU,              getcpu::getcpu,                                Never,       Full),
    row(nr::MEMBARRIER,          membarrier::membarrier,                        Never,       Full),
    row(nr::RSEQ,                rseq::rseq,                                    Never,       Full),
    row(nr::GETPRIORITY,         getpriority::getpriority,                      Never,       Full),
    row(nr::SETPRIORITY,         getpriority::setpriority,                      Never,       Full),
    row(nr::IOPRIO_SET,          ioprio_set::ioprio_set,                        Never,       Partial("kept, without effect: there is no disk")),
    row(nr::IOPRIO_GET,          ioprio_set::ioprio_get,                        Never,       Full),
    row(nr::GETTIMEOFDAY,        gettimeofday::gettimeofday,                    Never,       Full),
    row(nr::SETTIMEOFDAY,        gettimeofday::settimeofday,                    Never,       Full),
    row(nr::TIME,                gettimeofday::time,                            Never,       Full),
    row(nr::NANOSLEEP,           nanosleep::nanosleep,                          IfNoHandler, Full),
    row(nr::CLOCK_NANOSLEEP,     nanosleep::clock_nanosleep,                    IfNoHandler, Full),
    row(nr::SCHED_YIELD,         sched_setscheduler::sched_yield,               Never,       Full),
    row(nr::SCHED_SETSCHEDULER,  sched_setscheduler::sched_setscheduler,        Never,       Partial("no SCHED_DEADLINE")),
    row(nr::SCHED_GETSCHEDULER,  sched_setscheduler::sched_getscheduler,        Never,       Full),
    row(nr::SCHED_SETPARAM,      sched_setscheduler::sched_setparam,            Never,       Full),
    row(nr::SCHED_GETPARAM,      sched_setscheduler::sched_getparam,            Never,       Full),
    row(nr::SCHED_SETATTR,       sched_setscheduler::sched_setattr,             Never,       Partial("no SCHED_DEADLINE, no utilisation clamps")),
    row(nr::SCHED_GETATTR,       sched_setscheduler::sched_getattr,             Never,       Full),
    row(nr::SCHED_GET_PRIORITY_MAX, sched_setscheduler::sched_get_priority_max,    Never,       Full),
    row(nr::SCHED_GET_PRIORITY_MIN, sched_setscheduler::sched_get_priority_min,    Never,       Full),
    row(nr::SCHED_RR_GET_INTERVAL, sched_setscheduler::sched_rr_get_interval,     Never,       Full),
    row(nr::SCHED_SETAFFINITY,   sched_setscheduler::sched_setaffinity,         Never,       Full),
    row(nr::SCHED_GETAFFINITY,   sched_setscheduler::sched_getaffinity,         Never,       Full),
    row(nr::GETITIMER,           setitimer::getitimer,                          Never,       Full),
    row(nr::SETITIMER,           setitimer::setitimer,                          Never,       Full),
    row(nr::ALARM,               setitimer::alarm,                              Never,       Full),
    row(nr::TIMER_CREATE,        timer_create::timer_create,                    Never,       Full),
    row(nr::TIMER_SETTIME,       timer_create::timer_settime,                   Never,       Full),
    row(nr::TIMER_GETTIME,       timer_create::timer_gettime,                   Never,       Full),
    row(nr::TIMER_GETOVERRUN,    timer_create::timer_getoverrun,                Never,       Full),
    row(nr::SIGNALFD,            signalfd::signalfd,                            Never,       Full),
    row(nr::SIGNALFD4,           signalfd::signalfd4,                           Never,       Full),
    row(nr::TIMERFD_CREATE,      timerfd_create::timerfd_create,                Never,       Full),
    row(nr::TIMERFD_SETTIME,     timerfd_create::timerfd_settime,               Never,       Partial("setting the clock cancels nothing")),
    row(nr::TIMERFD_GETTIME,     timerfd_create::timerfd_gettime,               Never,       Full),
    row(nr::TIMER_DELETE,        timer_create::timer_delete,                    Never,       Full),
    row(nr::ADJTIMEX,            adjtimex::adjtimex,                            Never,       Partial("only ADJ_SETOFFSET changes anything")),
    row(nr::CLOCK_ADJTIME,       adjtimex::clock_adjtime,                       Never,       Partial("only ADJ_SETOFFSET changes anything")),
    // The system.
    row(nr::ACCT,              acct::acct,                 Never,       Partial("cannot be switched on")),
    row(nr::SWAPON,            acct::swapon,               Never,       Partial("nothing can be swapped to")),
    row(nr::SWAPOFF,           acct::swapoff,              Never,       Full),
    row(nr::UNAME,             uname::uname,               Never,       Full),
    row(nr::SETHOSTNAME,       uname::sethostname,         Never,       Full),
    row(nr::SETDOMAINNAME,     uname::setdomainname,       Never,       Full),
    row(nr::SYSINFO,           sysinfo::sysinfo,           Never,       Full),
    row(nr::SYSLOG,            syslog::syslog,             IfSaRestart, Full),
    row(nr::GETRANDOM,         getrandom::getrandom,       IfSaRestart, Full),
    row(nr::REBOOT,            reboot::reboot,             Never,       Partial("no kexec, no suspend")),
];

/// Every call that needs the full register frame.
#[rustfmt::skip]
pub static FULL_ROWS: &[FullRow] = &[
    full(nr::FORK,         clone::fork,             Full),
    full(nr::VFORK,        clone::vfork,            Full),
    full(nr::CLONE,        clone::clone,            Partial("no namespaces, no pidfd, no CLONE_SIGHAND without CLONE_THREAD")),
    full(nr::CLONE3,       clone::clone3,           Partial("as clone; no set_tid, no cgroup")),
    full(nr::EXECVE,       execve::execve,          Full),
    full(nr::EXECVEAT,     execve::execveat,        Full),
    full(nr::RT_SIGRETURN, sigreturn::rt_sigreturn, Full),
];
