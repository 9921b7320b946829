//! pkey_alloc(2), pkey_free(2), pkey_mprotect(2), on a processor whose protection keys are not used.

use linux_abi::errno::Errno;
use linux_abi::mman::{PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE};

use super::{Args, Context, SyscallError};

/// The key of all memory.
const DEFAULT_KEY: i32 = 0;

/// pkey_alloc(2): there is no key to be had.
///
/// # Errors
/// `ENOSPC`; `EINVAL`: flags, or unknown rights.
pub(super) fn pkey_alloc(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if args.u64(0) != 0 || args.u64(1) & !u64::from(PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE) != 0 {
        return Err(Errno::EINVAL);
    }
    Err(Errno::ENOSPC)
}

/// pkey_free(2): no key has been had.
///
/// # Errors
/// `EINVAL`.
pub(super) fn pkey_free(_cx: &Context, _args: &Args) -> Result<usize, SyscallError> {
    Err(Errno::EINVAL)
}

/// pkey_mprotect(2): mprotect, without a key or with that of all memory.
///
/// # Errors
/// `EINVAL`: another key. Those of mprotect.
pub(super) fn pkey_mprotect(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    if !matches!(args.int(3), -1 | DEFAULT_KEY) {
        return Err(Errno::EINVAL);
    }
    super::mprotect::mprotect(cx, args)
}
