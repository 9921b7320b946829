//! eventfd(2).

use linux_abi::errno::Errno;
use linux_abi::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE};
use linux_abi::open::OpenFlags;
use linux_abi::resource::RLIMIT_NOFILE;

use super::{Args, Context, SyscallError};
use crate::ipc::eventfd::EventCounter;

/// eventfd(2) without flags. Errors as eventfd2.
pub(super) fn eventfd(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, args.uint(0), 0)
}

/// eventfd2(2): makes a counter and returns its descriptor.
///
/// # Errors
/// - `EINVAL`: an unknown flag.
/// - `EMFILE`: no descriptor left. `ENOMEM`.
pub(super) fn eventfd2(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    make(cx, args.uint(0), args.uint(1))
}

fn make(cx: &Context, count: u32, flags: u32) -> Result<usize, SyscallError> {
    if flags & !(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    // `EFD_NONBLOCK` and `EFD_CLOEXEC` are the flags of open(2).
    let open_flags = OpenFlags::from_bits_truncate(flags & EFD_NONBLOCK);
    let counter = EventCounter::open(count, flags & EFD_SEMAPHORE != 0, open_flags)?;
    let limit = cx.process().limit(RLIMIT_NOFILE);
    let fd = cx.files().insert(counter, flags & EFD_CLOEXEC != 0, limit)?;
    Ok(fd as usize)
}
