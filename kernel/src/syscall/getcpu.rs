//! getcpu(2), membarrier(2).

use core::sync::atomic::{Ordering, fence};

use linux_abi::errno::Errno;
use linux_abi::rseq::{
    MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_QUERY, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
};

use super::{Args, Context, SyscallError};
use crate::scheduler;

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

/// membarrier(2): makes every running thread pass a memory barrier.
///
/// Every other CPU is interrupted, and has passed one when it has answered; so registering is not needed, and is
/// accepted.
///
/// # Errors
/// `EINVAL`: another command, or flags.
pub(super) fn membarrier(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    const SUPPORTED: u32 = MEMBARRIER_CMD_GLOBAL
        | MEMBARRIER_CMD_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    if args.uint(1) != 0 {
        return Err(Errno::EINVAL);
    }
    match args.uint(0) {
        MEMBARRIER_CMD_QUERY => Ok(SUPPORTED as usize),
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED => Ok(0),
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED => {
            fence(Ordering::SeqCst);
            scheduler::barrier_on_all_cpus();
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
