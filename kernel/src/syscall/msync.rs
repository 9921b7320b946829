//! msync(2).

use super::{Args, Context, SyscallError};

/// msync(2): writes the changes of shared mappings to their files.
///
/// # Errors
/// `EINVAL`: flags that make no sense, or a misaligned address. `ENOMEM`: a hole. `EBUSY`: locked. `EIO`.
pub(super) fn msync(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().msync(args.addr(0), args.size(1), args.uint(2))?;
    Ok(0)
}
