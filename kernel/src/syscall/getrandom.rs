//! getrandom(2).

use linux_abi::errno::Errno;
use linux_abi::random::GetrandomFlags;

use super::{Args, Context, SyscallError};
use crate::random;
use crate::scheduler;

/// getrandom(2): fills a buffer with random bytes. The generator is seeded at boot, so it never waits.
///
/// # Errors
/// `EINVAL`: an unknown flag, or both sources at once. `EFAULT`: not writable. `EINTR`: a signal came before the
/// first byte.
pub(super) fn getrandom(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (out, len, flags) = (args.addr(0), args.size(1), args.uint(2));
    let flags = GetrandomFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags.contains(GetrandomFlags::GRND_RANDOM | GetrandomFlags::GRND_INSECURE) {
        return Err(Errno::EINVAL);
    }
    let len = len.min(i32::MAX as usize);
    let mut done = 0;
    let mut chunk = [0u8; 256];
    while done < len {
        let part = (len - done).min(chunk.len());
        random::fill(&mut chunk[..part]);
        if let Err(fault) = hal::user::copy_out(out.wrapping_add(done), &chunk[..part]) {
            done += fault.copied;
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
        }
        done += part;
        if done < len && done % 4096 == 0 {
            scheduler::cond_resched();
            if cx.thread().has_pending_signal() {
                break;
            }
        }
    }
    Ok(done)
}
