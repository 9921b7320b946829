//! madvise(2), process_madvise(2).

use alloc::sync::Arc;

use linux_abi::cap::CAP_SYS_NICE;
use linux_abi::errno::Errno;
use linux_abi::mman::{MADV_COLD, MADV_HWPOISON, MADV_PAGEOUT, MADV_SOFT_OFFLINE, MADV_WILLNEED};

use super::{Args, Context, SyscallError, pidfd};
use crate::process::inspect::{Identity, may_inspect};
use crate::scheduler;
use crate::uio::copy_iovecs;

/// madvise(2): gives advice about a range.
///
/// # Errors
/// `EINVAL`: unknown advice, or advice that does not fit. `ENOMEM`: a hole. `EACCES`: `MADV_REMOVE` without the right to
/// write. `EPERM`: a page is to be taken out of service.
pub(super) fn madvise(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if matches!(args.uint(2), MADV_HWPOISON | MADV_SOFT_OFFLINE) {
        cx.credentials().require(linux_abi::cap::CAP_SYS_ADMIN)?;
    }
    cx.address_space().madvise(args.addr(0), args.size(1), args.uint(2))?;
    Ok(0)
}

/// process_madvise(2): gives advice about ranges of the process behind a descriptor; returns their bytes, as far as it got.
///
/// # Errors
/// - `EINVAL`: a flag, advice that is not for others, too many ranges. `EBADF`: no descriptor of a process. `ESRCH`.
/// - `EACCES`, `EPERM`: not to be looked into, or no `CAP_SYS_NICE`. `EFAULT`, and those of madvise.
pub(super) fn process_madvise(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let advice = args.uint(3);
    if args.uint(4) != 0 {
        return Err(Errno::EINVAL);
    }
    let ranges = copy_iovecs(args.addr(1), args.size(2))?;
    let file = cx.open_file(args.fd(0))?;
    let process = pidfd::of(&file)?.process()?;
    if !matches!(advice, MADV_COLD | MADV_PAGEOUT | MADV_WILLNEED) {
        return Err(Errno::EINVAL);
    }
    if !may_inspect(cx.user(), process, Identity::FileSystem) {
        return Err(Errno::EACCES);
    }
    let space = process.try_address_space().ok_or(Errno::ESRCH)?;
    if !Arc::ptr_eq(&space, &cx.address_space()) {
        cx.credentials().require(CAP_SYS_NICE)?;
    }
    let mut done = 0;
    for range in &ranges {
        match space.madvise(range.iov_base as usize, range.iov_len as usize, advice) {
            Ok(()) => done += range.iov_len as usize,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        scheduler::cond_resched();
    }
    Ok(done)
}
