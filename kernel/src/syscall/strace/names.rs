//! Names of the flags and numbers that arguments are made of.

use core::fmt::Write;

use bitflags::Flags;
use linux_abi::epoll::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};
use linux_abi::fcntl::*;
use linux_abi::futex::*;
use linux_abi::ioctl::*;
use linux_abi::mman::*;
use linux_abi::open::{O_ACCMODE, OpenFlags};
use linux_abi::prctl::*;
use linux_abi::resource::*;
use linux_abi::seek::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use linux_abi::signal::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use linux_abi::socket::*;
use linux_abi::time::*;

use crate::fs::vfs::text::Text;

/// A list of named numbers, each under the name it has here.
macro_rules! list {
    ($($name:ident),* $(,)?) => { &[$(($name as u64, stringify!($name))),*] };
}

/// Named numbers.
pub(super) type Numbers = &'static [(u64, &'static str)];

pub(super) static WHENCE: Numbers = list![SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE];
pub(super) static HOW: Numbers = list![SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK];
pub(super) static EPOLL: Numbers = list![EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD];
pub(super) static ITIMER: Numbers = list![ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF];
pub(super) static FAMILY: Numbers = list![AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET];
pub(super) static SHUT: Numbers = list![SHUT_RD, SHUT_WR, SHUT_RDWR];
pub(super) static FCNTL: Numbers = list![
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_GETOWN,
    F_SETSIG,
    F_GETSIG,
    F_SETOWN_EX,
    F_GETOWN_EX,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETLEASE,
    F_GETLEASE,
    F_NOTIFY,
    F_DUPFD_CLOEXEC,
    F_SETPIPE_SZ,
    F_GETPIPE_SZ,
    F_ADD_SEALS,
    F_GET_SEALS,
    F_GET_RW_HINT,
    F_SET_RW_HINT,
];
pub(super) static IOCTL: Numbers = list![
    TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCSCTTY, TIOCNOTTY,
    TIOCGPTN, TIOCSPTLCK, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX,
];
pub(super) static ADVICE: Numbers = list![
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_REMOVE,
    MADV_DONTFORK,
    MADV_DOFORK,
    MADV_MERGEABLE,
    MADV_UNMERGEABLE,
    MADV_HUGEPAGE,
    MADV_NOHUGEPAGE,
    MADV_DONTDUMP,
    MADV_DODUMP,
    MADV_WIPEONFORK,
    MADV_KEEPONFORK,
    MADV_COLD,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_COLLAPSE,
];
pub(super) static CLOCK: Numbers = list![
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
];
pub(super) static PRCTL: Numbers = list![
    PR_SET_PDEATHSIG,
    PR_GET_PDEATHSIG,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_GET_KEEPCAPS,
    PR_SET_KEEPCAPS,
    PR_SET_NAME,
    PR_GET_NAME,
    PR_CAPBSET_READ,
    PR_CAPBSET_DROP,
    PR_SET_CHILD_SUBREAPER,
    PR_GET_CHILD_SUBREAPER,
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_CAP_AMBIENT,
    PR_SET_VMA,
];
pub(super) static ARCH: Numbers = list![ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS];
pub(super) static LIMIT: Numbers = list![
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
];

static FUTEX: Numbers = list![
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_REQUEUE,
    FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP,
    FUTEX_LOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_TRYLOCK_PI,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI2,
];
static TYPE: Numbers = list![SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET];
static MAP_KIND: Numbers = list![MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE];
static LOCK: Numbers = list![LOCK_SH, LOCK_EX, LOCK_UN];
static ACCESS: Numbers = &[(0, "O_RDONLY"), (1, "O_WRONLY"), (2, "O_RDWR"), (3, "O_ACCMODE")];

/// Writes a set of flags: `A|B`, what has no name in hexadecimal, `0` for none.
pub(super) fn set<F: Flags<Bits: Into<u64> + TryFrom<u64>>>(bits: u64, text: &mut Text) {
    // Words of 32 bits: what a register holds above them does not count.
    let bits = if size_of::<F::Bits>() == 4 { u64::from(bits as u32) } else { bits };
    write_set::<F>(bits, false, text);
}

/// Writes a set after a name, if `goes_on`.
fn write_set<F: Flags<Bits: Into<u64> + TryFrom<u64>>>(bits: u64, mut goes_on: bool, text: &mut Text) {
    let Ok(word) = F::Bits::try_from(bits) else { return };
    let set = F::from_bits_retain(word);
    let mut rest = bits;
    for (name, flag) in set.iter_names() {
        let _ = write!(text, "{}{name}", if goes_on { "|" } else { "" });
        rest &= !flag.bits().into();
        goes_on = true;
    }
    if rest != 0 {
        let _ = write!(text, "{}{rest:#x}", if goes_on { "|" } else { "" });
    } else if !goes_on {
        text.push(b"0");
    }
}

/// Writes the named number in the bits of `mask`, then a set of other flags.
fn number_and_set<F: Flags<Bits: Into<u64> + TryFrom<u64>>>(
    bits: u64,
    mask: u64,
    names: Numbers,
    text: &mut Text,
) {
    let number = bits & mask;
    let _ = match names.iter().find(|name| name.0 == number) {
        Some((_, name)) => text.write_str(name),
        None => write!(text, "{number:#x}"),
    };
    let rest = u64::from(bits as u32) & !mask;
    if rest != 0 {
        write_set::<F>(rest, true, text);
    }
}

bitflags::bitflags! {
    struct FutexFlags: u32 {
        const FUTEX_PRIVATE_FLAG = FUTEX_PRIVATE_FLAG;
        const FUTEX_CLOCK_REALTIME = FUTEX_CLOCK_REALTIME;
    }

    struct SocketFlags: u32 {
        const SOCK_CLOEXEC = SOCK_CLOEXEC;
        const SOCK_NONBLOCK = SOCK_NONBLOCK;
    }

    struct LockFlags: u32 {
        const LOCK_NB = LOCK_NB;
    }

    /// Flags of calls on sockets.
    pub(super) struct MessageFlags: u32 {
        const MSG_OOB = MSG_OOB;
        const MSG_PEEK = MSG_PEEK;
        const MSG_TRUNC = MSG_TRUNC;
        const MSG_DONTWAIT = MSG_DONTWAIT;
        const MSG_WAITALL = MSG_WAITALL;
        const MSG_NOSIGNAL = MSG_NOSIGNAL;
        const MSG_CMSG_CLOEXEC = MSG_CMSG_CLOEXEC;
    }

    /// What access(2) asks for.
    pub(super) struct AccessMode: u32 {
        const R_OK = 4;
        const W_OK = 2;
        const X_OK = 1;
    }
}

/// Writes the flags of open(2).
pub(super) fn open(bits: u64, text: &mut Text) {
    number_and_set::<OpenFlags>(bits, O_ACCMODE.into(), ACCESS, text);
}

/// Writes the flags of mmap(2).
pub(super) fn map(bits: u64, text: &mut Text) {
    number_and_set::<MapFlags>(bits, MAP_TYPE.into(), MAP_KIND, text);
}

/// Writes the operation of futex(2).
pub(super) fn futex(bits: u64, text: &mut Text) {
    number_and_set::<FutexFlags>(bits, FUTEX_CMD_MASK.into(), FUTEX, text);
}

/// Writes the type of a socket.
pub(super) fn socket_type(bits: u64, text: &mut Text) {
    number_and_set::<SocketFlags>(bits, SOCK_TYPE_MASK.into(), TYPE, text);
}

/// Writes the operation of flock(2).
pub(super) fn lock(bits: u64, text: &mut Text) {
    number_and_set::<LockFlags>(bits, u64::from(LOCK_SH | LOCK_EX | LOCK_UN), LOCK, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(u64, &mut Text), bits: u64) -> alloc::string::String {
        let mut text = Text::new();
        write(bits, &mut text);
        alloc::string::String::from_utf8(text.finish().unwrap()).unwrap()
    }

    #[test]
    fn sets_have_names_and_a_rest() {
        assert_eq!(written(set::<Prot>, 3), "PROT_READ|PROT_WRITE");
        assert_eq!(written(set::<Prot>, 0), "0");
        assert_eq!(written(set::<Prot>, 0x1_0000_0041), "PROT_READ|0x40");
        assert_eq!(written(set::<AccessMode>, 0xffff_ffff_0000_0004), "R_OK");
    }

    #[test]
    fn numbers_inside_sets_come_first() {
        assert_eq!(written(open, 0o2000000), "O_RDONLY|O_CLOEXEC");
        assert_eq!(written(open, 0o102), "O_RDWR|O_CREAT");
        assert_eq!(written(map, 0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(written(futex, 128), "FUTEX_WAIT|FUTEX_PRIVATE_FLAG");
        assert_eq!(written(lock, 6), "LOCK_EX|LOCK_NB");
        assert_eq!(written(socket_type, 0o2000001), "SOCK_STREAM|SOCK_CLOEXEC");
        assert_eq!(written(futex, 99), "0x63");
    }
}
