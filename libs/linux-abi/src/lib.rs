//! The vocabulary of the Linux system-call ABI on x86-64: numbers, flags and structures, by subject.
//!
//! One module per subject, named as the header or the manual page is; Linux terms keep Linux names. Structures are
//! `repr(C)` without implicit padding and convert to and from bytes through `zerocopy`, so copying one to user space
//! leaks nothing and every bit pattern that comes from there is a valid value. Nothing here acts: a few pure helpers
//! decode what the kernel of Linux decodes.
//!
//! Source: the user-space headers (`uapi`) and sections 2 and 7 of the Linux manual pages. The tests compare with the
//! `libc` crate.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

/// Declares documented constants of one type, one a line.
macro_rules! consts {
    ($type:ty; $($name:ident = $value:expr, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub const $name: $type = $value;
        )*
    };
}

pub mod access;
pub mod auxv;
pub mod cap;
pub mod cpu_features;
pub mod dirent;
pub mod epoll;
pub mod errno;
pub mod eventfd;
pub mod fcntl;
pub mod futex;
pub mod inotify;
pub mod ioctl;
pub mod ipc;
pub mod limits;
pub mod mempolicy;
pub mod mman;
pub mod mount;
pub mod nr;
pub mod open;
pub mod personality;
pub mod poll;
pub mod prctl;
pub mod ptrace;
pub mod random;
pub mod reboot;
pub mod resource;
pub mod rseq;
pub mod sched;
pub mod seccomp;
pub mod seek;
pub mod select;
pub mod sigframe;
pub mod siginfo;
pub mod signal;
pub mod socket;
pub mod stat;
pub mod statfs;
pub mod sysinfo;
pub mod syslog;
pub mod termios;
pub mod time;
pub mod timex;
pub mod uio;
pub mod utsname;
pub mod wait;
pub mod xattr;
