//! munmap(2).

use super::{Args, Context, SyscallError};

/// munmap(2): removes the mappings of a range.
///
/// # Errors
/// `EINVAL`: a misaligned address, or a range that is empty or leaves user space. `ENOMEM`: too many mappings.
pub(super) fn munmap(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    cx.address_space().munmap(args.addr(0), args.size(1))?;
    Ok(0)
}
