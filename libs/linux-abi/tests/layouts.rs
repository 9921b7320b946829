//! Compares sizes and offsets of structures with the C library of the host.

use linux_abi::*;
use std::mem::{offset_of, size_of};

/// Size, and offset and size of each field, of a pair of structures.
macro_rules! same {
    ($($ours:path = $theirs:path { $($field:ident $(= $their_field:ident)?),* $(,)? })*) => {$(
        assert_eq!(size_of::<$ours>(), size_of::<$theirs>(), stringify!($ours));
        $(same!(@field $ours, $theirs, $field $(, $their_field)?);)*
    )*};
    (@field $ours:path, $theirs:path, $field:ident) => { same!(@field $ours, $theirs, $field, $field) };
    (@field $ours:path, $theirs:path, $field:ident, $their_field:ident) => {
        assert_eq!(
            offset_of!($ours, $field),
            offset_of!($theirs, $their_field),
            concat!(stringify!($ours), ".", stringify!($field)),
        );
    };
}

#[test]
fn file_structures_have_the_layout_of_libc() {
    same! {
        stat::Stat = libc::stat {
            st_dev, st_ino, st_nlink, st_mode, st_uid, st_gid, st_rdev, st_size, st_blksize, st_blocks,
            st_atim = st_atime, st_mtim = st_mtime, st_ctim = st_ctime,
        }
        stat::Statx = libc::statx {
            stx_mask, stx_blksize, stx_attributes, stx_nlink, stx_uid, stx_gid, stx_mode, stx_ino, stx_size,
            stx_blocks, stx_attributes_mask, stx_atime, stx_btime, stx_ctime, stx_mtime, stx_rdev_major,
            stx_rdev_minor, stx_dev_major, stx_dev_minor, stx_mnt_id, stx_dio_mem_align, stx_dio_offset_align,
        }
        stat::StatxTimestamp = libc::statx_timestamp { tv_sec, tv_nsec }
        statfs::Statfs = libc::statfs {
            f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid, f_namelen, f_frsize,
        }
        open::OpenHow = libc::open_how { flags, mode, resolve }
        fcntl::Flock = libc::flock { l_type, l_whence, l_start, l_len, l_pid }
        uio::Iovec = libc::iovec { iov_base, iov_len }
        poll::Pollfd = libc::pollfd { fd, events, revents }
        epoll::EpollEvent = libc::epoll_event { events, data = u64 }
        inotify::InotifyEvent = libc::inotify_event { wd, mask, cookie, len }
    }
    assert_eq!(dirent::DIRENT64_NAME_OFFSET, offset_of!(libc::dirent64, d_name));
    assert_eq!(offset_of!(libc::dirent64, d_type), 18);
}

#[test]
fn time_and_process_structures_have_the_layout_of_libc() {
    same! {
        time::Timespec = libc::timespec { tv_sec, tv_nsec }
        time::Timeval = libc::timeval { tv_sec, tv_usec }
        time::Itimerspec = libc::itimerspec { it_interval, it_value }
        time::Itimerval = libc::itimerval { it_interval, it_value }
        time::Tms = libc::tms { tms_utime, tms_stime, tms_cutime, tms_cstime }
        time::Utimbuf = libc::utimbuf { actime, modtime }
        time::Sigevent = libc::sigevent {
            sigev_value, sigev_signo, sigev_notify, sigev_notify_thread_id,
        }
        resource::Rlimit64 = libc::rlimit64 { rlim_cur, rlim_max }
        resource::Rusage = libc::rusage {
            ru_utime, ru_stime, ru_maxrss, ru_minflt, ru_majflt, ru_inblock, ru_oublock, ru_nvcsw, ru_nivcsw,
        }
        sched::CloneArgs = libc::clone_args {
            flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup,
        }
        sched::SchedParam = libc::sched_param { sched_priority }
        utsname::Utsname = libc::utsname { sysname, nodename, release, version, machine, domainname }
        sysinfo::Sysinfo = libc::sysinfo {
            uptime, loads, totalram, freeram, sharedram, bufferram, totalswap, freeswap, procs, totalhigh, freehigh,
            mem_unit,
        }
        termios::Winsize = libc::winsize { ws_row, ws_col, ws_xpixel, ws_ypixel }
        termios::Termios2 = libc::termios2 {
            c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, c_ispeed, c_ospeed,
        }
    }
}

#[test]
fn signal_structures_have_the_layout_of_libc() {
    same! {
        siginfo::SigInfo = libc::siginfo_t { si_signo, si_errno, si_code }
        siginfo::SignalfdSiginfo = libc::signalfd_siginfo {
            ssi_signo, ssi_errno, ssi_code, ssi_pid, ssi_uid, ssi_fd, ssi_tid, ssi_band, ssi_overrun, ssi_trapno,
            ssi_status, ssi_int, ssi_ptr, ssi_utime, ssi_stime, ssi_addr, ssi_addr_lsb, ssi_syscall, ssi_call_addr,
            ssi_arch,
        }
        signal::StackT = libc::stack_t { ss_sp, ss_flags, ss_size }
    }
    // The C library's ucontext_t begins as the kernel's does and goes on with its own copies.
    assert_eq!(offset_of!(sigframe::UContext, uc_stack), offset_of!(libc::ucontext_t, uc_stack));
    assert_eq!(offset_of!(sigframe::UContext, uc_mcontext), offset_of!(libc::ucontext_t, uc_mcontext));
    assert_eq!(offset_of!(sigframe::UContext, uc_sigmask), offset_of!(libc::ucontext_t, uc_sigmask));
    let greg = |register: i32| register as usize * 8;
    use sigframe::SigContext;
    for (ours, theirs) in [
        (offset_of!(SigContext, r8), libc::REG_R8),
        (offset_of!(SigContext, r15), libc::REG_R15),
        (offset_of!(SigContext, rdi), libc::REG_RDI),
        (offset_of!(SigContext, rsi), libc::REG_RSI),
        (offset_of!(SigContext, rbp), libc::REG_RBP),
        (offset_of!(SigContext, rbx), libc::REG_RBX),
        (offset_of!(SigContext, rdx), libc::REG_RDX),
        (offset_of!(SigContext, rax), libc::REG_RAX),
        (offset_of!(SigContext, rcx), libc::REG_RCX),
        (offset_of!(SigContext, rsp), libc::REG_RSP),
        (offset_of!(SigContext, rip), libc::REG_RIP),
        (offset_of!(SigContext, eflags), libc::REG_EFL),
        (offset_of!(SigContext, cs), libc::REG_CSGSFS),
        (offset_of!(SigContext, err), libc::REG_ERR),
        (offset_of!(SigContext, trapno), libc::REG_TRAPNO),
        (offset_of!(SigContext, oldmask), libc::REG_OLDMASK),
        (offset_of!(SigContext, cr2), libc::REG_CR2),
    ] {
        assert_eq!(ours, greg(theirs));
    }
    assert_eq!(offset_of!(SigContext, fpstate), offset_of!(libc::mcontext_t, fpregs));
}

#[test]
fn socket_structures_have_the_layout_of_libc() {
    same! {
        socket::SockaddrUn = libc::sockaddr_un { sun_family, sun_path }
        socket::Msghdr = libc::msghdr {
            msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags,
        }
        socket::Mmsghdr = libc::mmsghdr { msg_hdr, msg_len }
        socket::Cmsghdr = libc::cmsghdr { cmsg_len, cmsg_level, cmsg_type }
        socket::Ucred = libc::ucred { pid, uid, gid }
        socket::Linger = libc::linger { l_onoff, l_linger }
        ipc::Shmid64Ds = libc::shmid_ds {
            shm_perm, shm_segsz, shm_atime, shm_dtime, shm_ctime, shm_cpid, shm_lpid, shm_nattch,
        }
    }
}

#[test]
fn siginfo_builders_put_fields_where_libc_reads_them() {
    use signal::Signal;
    use zerocopy::IntoBytes;
    let bytes = |info: &siginfo::SigInfo, at: usize, len: usize| info.as_bytes()[at..at + len].to_vec();

    let kill = siginfo::SigInfo::kill(Signal::SIGTERM, 11, 22);
    assert_eq!(bytes(&kill, 16, 8), [11, 0, 0, 0, 22, 0, 0, 0]);
    let queue = siginfo::SigInfo::queue(Signal::SIGUSR1, 11, 22, 0x0102_0304_0506_0708);
    assert_eq!(bytes(&queue, 24, 8), [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(queue.value(), 0x0102_0304_0506_0708);
    let fault = siginfo::SigInfo::fault(Signal::SIGSEGV, siginfo::SEGV_MAPERR, 0x7fff_dead_b000);
    assert_eq!(bytes(&fault, 16, 8), 0x7fff_dead_b000_u64.to_le_bytes());
    assert_eq!(fault.address(), 0x7fff_dead_b000);
    let child = siginfo::SigInfo::child(siginfo::CLD_EXITED, 7, 0, 3, 5, -6);
    assert_eq!(bytes(&child, 24, 4), [3, 0, 0, 0]);
    assert_eq!(bytes(&child, 32, 8), 5_i64.to_le_bytes());
    assert_eq!(bytes(&child, 40, 8), (-6_i64).to_le_bytes());
    let timer = siginfo::SigInfo::timer(Signal::SIGALRM, 4, 9, 77);
    assert_eq!(bytes(&timer, 16, 16), [4, 0, 0, 0, 9, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
    let poll = siginfo::SigInfo::poll(Signal::SIGIO, siginfo::POLL_IN, 65, 5);
    assert_eq!(bytes(&poll, 16, 12), [65, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(kill.signal(), Some(Signal::SIGTERM));
}
