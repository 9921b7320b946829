//! getcpu(2).

use super::{Args, Context, SyscallError};

/// getcpu(2): stores the CPU and the memory node that run the caller; either pointer may be null.
///
/// # Errors
/// `EFAULT`: not writable.
pub(super) fn getcpu(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (cpu_out, node_out) = (args.user_ptr::<u32>(0), args.user_ptr::<u32>(1));
    if !cpu_out.is_null() {
        cpu_out.write(&(hal::cpu::id().index() as u32))?;
    }
    if !node_out.is_null() {
        node_out.write(&0)?;
    }
    Ok(0)
}
