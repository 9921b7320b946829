//! madvise(2).

use super::{Args, Context, SyscallError};

/// madvise(2): gives advice about a range.
///
/// # Errors
/// `EINVAL`: unknown advice, or advice that does not fit. `ENOMEM`: a hole. `EACCES`: `MADV_REMOVE` without the right to
/// write.
pub(super) fn madvise(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().madvise(args.addr(0), args.size(1), args.uint(2))?;
    Ok(0)
}
