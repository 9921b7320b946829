//! mremap(2).

use linux_abi::cap::CAP_IPC_LOCK;

use super::{Args, Context, SyscallError};

/// mremap(2): grows, shrinks or moves a mapping.
///
/// # Errors
/// `EINVAL`: arguments that make no sense together. `EFAULT`: not one mapping. `ENOMEM`: no room. `EAGAIN`: the limit on
/// locked memory.
pub(super) fn mremap(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let may_lock = cx.credentials().has(CAP_IPC_LOCK);
    cx.address_space().mremap(args.addr(0), args.size(1), args.size(2), args.uint(3), args.addr(4), may_lock)
}
