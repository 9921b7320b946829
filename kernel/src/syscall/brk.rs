//! brk(2).

use super::{Args, Context, SyscallError};

/// brk(2): moves the end of the heap; answers where it is. Never fails: an end that cannot be had leaves the old one.
pub(super) fn brk(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    Ok(cx.address_space().brk(args.addr(0)))
}
