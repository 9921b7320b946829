//! mprotect(2).

use super::{Args, Context, SyscallError};

/// mprotect(2): changes the rights of a range.
///
/// # Errors
/// `EINVAL`: a misaligned address or unknown bits. `ENOMEM`: a hole, or too many mappings. `EACCES`: the file was not
/// opened for that.
pub(super) fn mprotect(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().mprotect(args.addr(0), args.size(1), args.uint(2))?;
    Ok(0)
}
