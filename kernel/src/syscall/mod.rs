//! The system-call layer: a table of 512 slots, one handler type, one file per man page.
//!
//! A call travels `hal` entry -> [`dispatch()`] -> table slot -> handler. The handler sees a [`Context`] (who calls)
//! and [`Args`] (the six argument registers, decoded at the top of the handler by the width Linux gives them), and
//! answers with a value or an [`SyscallError`], which `dispatch` negates in the one place that does so.
//!
//! # Invariants
//! 1. [`register_syscall`] is the one door into the table; [`init`] walks the rows of [`table`] through it.
//! 2. A handler publishes what it made (a descriptor, a process) only after its last step that can fail.
//! 3. A handler that sleeps returns `EINTR` when a signal wants attention. Whether the program sees that error or the
//!    call is made again is not the handler's business: it is the [`Restart`] attribute of the row.
//! 4. Calls that need every user register (fork, execve, rt_sigreturn, ...) are *full-frame* rows: their fast handler
//!    only raises `Work::FULL_FRAME`, and [`dispatch::dispatch_full`] runs the real one on the slow exit path. So do all
//!    calls of a thread that somebody watches ([`watch`](crate::process::watch)).

mod args;
mod context;
mod dispatch;
pub mod syscall_numbers;
pub mod table;

mod acct;
mod adjtimex;
mod arch_prctl;
mod attributes;
mod bind;
mod brk;
mod capget;
mod clock_gettime;
mod clone;
mod connect;
mod control;
mod directory;
mod epoll;
mod eventfd;
mod execve;
mod exit;
mod fcntl;
mod futex;
mod getcpu;
mod getpid;
mod getpriority;
mod getrandom;
mod getrusage;
mod getsockopt;
mod gettimeofday;
mod inotify_init;
mod ioprio_set;
mod kill;
mod madvise;
mod membarrier;
mod memfd_create;
mod mempolicy;
mod mincore;
mod mlock;
mod mmap;
mod mount;
mod mprotect;
mod mremap;
mod msgget;
mod msync;
mod munmap;
mod names;
mod nanosleep;
mod open;
mod pidfd;
mod pipe;
mod pkey_alloc;
mod place;
mod poll;
mod prctl;
mod process_vm;
mod ptrace;
mod read;
mod reboot;
mod recv;
mod remap_file_pages;
mod rlimit;
mod rseq;
mod sched_setscheduler;
mod seccomp;
mod semget;
mod send;
mod setitimer;
mod setpgid;
mod setuid;
mod shmget;
mod sigaction;
mod signalfd;
mod sigreturn;
mod socket;
mod splice;
mod stat;
mod strace;
mod sysinfo;
mod syslog;
mod timer_create;
mod timerfd_create;
mod uname;
mod vhangup;
mod wait;

pub use args::{Args, PathBuffer};
pub use context::Context;
pub use dispatch::{
    FullHandler, SyscallError, SyscallHandler, TABLE_SLOTS, dispatch, dispatch_full, init,
    register_full_syscall, register_syscall, restart_of,
};
pub use table::{Restart, Support};
