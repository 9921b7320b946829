//! signalfd(2).

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;
use linux_abi::signal::SigSet;

use super::{Args, Context, SyscallError};
use crate::process::signal::signal_fd::SignalFd;

/// signalfd(2) without flags. Errors as signalfd4.
pub(super) fn signalfd(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    set(cx, args, OpenFlags::empty())
}

/// signalfd4(2): makes a descriptor that reads the signals of a set, or changes the set of one there is.
///
/// # Errors
/// - `EINVAL`: an unknown flag, a wrong set size, or a descriptor of something else.
/// - `EFAULT`: the set cannot be read. `EBADF`: no such descriptor.
/// - `EMFILE`: no descriptor left. `ENOMEM`.
pub(super) fn signalfd4(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    // `SFD_NONBLOCK` and `SFD_CLOEXEC` are the flags of open(2).
    let flags = OpenFlags::from_bits_retain(args.uint(3));
    if !(OpenFlags::O_NONBLOCK | OpenFlags::O_CLOEXEC).contains(flags) {
        return Err(Errno::EINVAL);
    }
    set(cx, args, flags)
}

fn set(cx: &Context, args: &Args, flags: OpenFlags) -> Result<usize, SyscallError> {
    let fd = args.int(0);
    if args.size(2) != size_of::<SigSet>() {
        return Err(Errno::EINVAL);
    }
    let signals = args.user_ptr::<SigSet>(1).read()?.difference(SigSet::UNBLOCKABLE);
    if fd == -1 {
        let file = SignalFd::open(signals, flags)?;
        let limit = cx.process().limit(RLIMIT_NOFILE);
        let fd = cx.files().insert(file, flags.contains(OpenFlags::O_CLOEXEC), limit)?;
        return Ok(fd as usize);
    }
    let file = cx.open_file(args.fd(0))?;
    file.file().as_signal_fd().ok_or(Errno::EINVAL)?.set_signals(signals);
    Ok(args.size(0))
}
