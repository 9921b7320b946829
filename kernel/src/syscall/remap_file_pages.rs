//! remap_file_pages(2).

use hal::addr::page_floor;
use linux_abi::cap::CAP_IPC_LOCK;
use linux_abi::errno::Errno;
use linux_abi::mman::MapFlags;

use super::{Args, Context, SyscallError};

/// remap_file_pages(2): shows other pages of the file in a part of a shared mapping: a mapping of its own, as on Linux.
///
/// # Errors
/// `EINVAL`: rights are given, a range that is empty or wraps, or no shared mapping of one file. `EOVERFLOW`: the offset.
/// Those of mmap.
pub(super) fn remap_file_pages(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (start, len) = (page_floor(args.addr(0)), page_floor(args.size(1)));
    let (page, flags) = (args.u64(3), MapFlags::from_bits_truncate(args.uint(4)));
    if args.u64(2) != 0 {
        return Err(Errno::EINVAL);
    }
    let end = start.checked_add(len).filter(|&end| end > start).ok_or(Errno::EINVAL)?;
    let populates = !flags.contains(MapFlags::MAP_NONBLOCK);
    let may_lock = cx.credentials().has(CAP_IPC_LOCK);
    cx.address_space().remap_file_pages(start..end, page, populates, may_lock)?;
    Ok(0)
}
