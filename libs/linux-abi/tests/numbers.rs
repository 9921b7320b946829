//! Compares error numbers and call numbers with the C library of the host.

use linux_abi::errno::Errno;
use linux_abi::nr;

#[test]
fn every_errno_round_trips_and_has_the_text_of_the_c_library() {
    for &errno in Errno::ALL {
        assert_eq!(Errno::from_number(errno.number()), Some(errno));
        // The standard library prints the text of strerror(3) and the number.
        let host = std::io::Error::from_raw_os_error(errno.number()).to_string();
        assert_eq!(host, format!("{errno} (os error {})", errno.number()));
        assert_eq!(format!("{errno:?}"), errno.name());
    }
    assert_eq!(Errno::ALL.len(), 131);
    for absent in [i32::MIN, -1, 0, 41, 58, 134, i32::MAX] {
        assert_eq!(Errno::from_number(absent), None);
    }
}

#[test]
fn errnos_have_the_numbers_of_libc() {
    macro_rules! same {
        ($($name:ident)*) => { $(assert_eq!(Errno::$name.number(), libc::$name);)* };
    }
    same! {
        EPERM ENOENT EINTR EIO E2BIG ENOEXEC EBADF ECHILD EAGAIN EWOULDBLOCK ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV
        ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE
        EDEADLK EDEADLOCK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG ENODATA EOVERFLOW ENOTSOCK ENOTSUP
        EOPNOTSUPP ETIMEDOUT ECANCELED EHWPOISON
    }
}

#[test]
fn calls_have_the_numbers_of_libc() {
    macro_rules! same {
        ($($ours:ident $theirs:ident)*) => { $(assert_eq!(nr::$ours, libc::$theirs as usize);)* };
    }
    same! {
        READ SYS_read WRITE SYS_write OPEN SYS_open MMAP SYS_mmap RT_SIGRETURN SYS_rt_sigreturn PIPE SYS_pipe
        CLONE SYS_clone EXECVE SYS_execve ARCH_PRCTL SYS_arch_prctl REBOOT SYS_reboot FUTEX SYS_futex
        EXIT_GROUP SYS_exit_group NEWFSTATAT SYS_newfstatat PRLIMIT64 SYS_prlimit64 GETRANDOM SYS_getrandom
        RSEQ SYS_rseq PIDFD_SEND_SIGNAL SYS_pidfd_send_signal CLONE3 SYS_clone3 FACCESSAT2 SYS_faccessat2
        FUTEX_WAITV SYS_futex_waitv FCHMODAT2 SYS_fchmodat2 MSEAL SYS_mseal
    }
}

#[test]
fn the_table_of_calls_has_no_gap_and_names_itself() {
    let expected = (0..=334).chain(424..=462);
    assert!(nr::ALL.iter().map(|row| row.0).eq(expected));
    for &(number, name) in nr::ALL {
        assert_eq!(nr::name(number), Some(name));
    }
    for absent in [335, 423, 463, usize::MAX] {
        assert_eq!(nr::name(absent), None);
    }
}
