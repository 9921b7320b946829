//! mincore(2).

use hal::PAGE_SIZE;
use hal::addr::is_page_aligned;
use hal::user::copy_out;
use linux_abi::errno::Errno;

use super::{Args, Context, SyscallError};
use crate::uio::check_user_range;

/// mincore(2): stores at argument 2 one byte for each page of a range: whether it is in memory.
///
/// # Errors
/// `EINVAL`: a misaligned address. `ENOMEM`: a hole. `EFAULT`: the bytes cannot be stored.
pub(super) fn mincore(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (start, len, out) = (args.addr(0), args.size(1), args.addr(2));
    if !is_page_aligned(start) {
        return Err(Errno::EINVAL);
    }
    check_user_range(start as u64, len as u64).map_err(|_| Errno::ENOMEM)?;
    let pages = len.div_ceil(PAGE_SIZE);
    check_user_range(out as u64, pages as u64)?;
    let space = cx.address_space();
    let mut bytes = [0; 256];
    let mut done = 0;
    while done < pages {
        let n = (pages - done).min(bytes.len());
        let n = space.mincore(start + done * PAGE_SIZE, &mut bytes[..n])?;
        copy_out(out + done, &bytes[..n])?;
        done += n;
    }
    Ok(0)
}
