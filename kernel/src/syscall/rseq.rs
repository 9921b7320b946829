//! rseq(2).

use linux_abi::errno::Errno;
use linux_abi::rseq::{RSEQ_ALIGN, RSEQ_FLAG_UNREGISTER, RSEQ_LEN};

use super::{Args, Context, SyscallError};

/// rseq(2): tells where the thread keeps its area for restartable sequences, or that it keeps none any more.
///
/// # Errors
/// - `EINVAL`: a bad size, alignment or flag; to unregister, or a second time, another area than the one registered.
/// - `EPERM`: another signature than the one registered. `EBUSY`: registered already.
/// - `EFAULT`: not an address of the program's.
pub(super) fn rseq(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (addr, len, flags, signature) = (args.addr(0), args.uint(1), args.uint(2), args.uint(3));
    let sequence = &cx.user().rseq;
    if flags & !RSEQ_FLAG_UNREGISTER != 0 {
        return Err(Errno::EINVAL);
    }
    if flags == RSEQ_FLAG_UNREGISTER || sequence.is_registered() {
        if !sequence.is_registered() || !sequence.is_at(addr) || len != RSEQ_LEN {
            return Err(Errno::EINVAL);
        }
        if !sequence.has_signature(signature) {
            return Err(Errno::EPERM);
        }
        return if flags == 0 { Err(Errno::EBUSY) } else { sequence.unregister(cx.thread()).map(|()| 0) };
    }
    if !addr.is_multiple_of(RSEQ_ALIGN as usize) || len != RSEQ_LEN {
        return Err(Errno::EINVAL);
    }
    if addr > hal::USER_END - RSEQ_LEN as usize {
        return Err(Errno::EFAULT);
    }
    sequence.register(cx.thread(), addr, signature);
    Ok(0)
}
