//! membarrier(2).

use core::sync::atomic::{Ordering, fence};

use linux_abi::errno::Errno;
use linux_abi::rseq::{
    MEMBARRIER_CMD_FLAG_CPU, MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};

use super::{Args, Context, SyscallError};
use crate::scheduler::{Barrier, SCHEDULER, barrier_on};

/// The commands that Linux 6.1 has.
const SUPPORTED: u32 = MEMBARRIER_CMD_GLOBAL
    | MEMBARRIER_CMD_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;

/// membarrier(2): makes running threads pass a memory barrier, fetch instructions anew, or restart their sequences.
///
/// CPUs are interrupted, and have passed when they have answered: all for the commands about every process, else those
/// that have the caller's memory loaded.
///
/// # Errors
/// `EINVAL`: another command, or flags it does not have. `EPERM`: the process has not registered for it.
pub(super) fn membarrier(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (command, flags, cpu) = (args.uint(0), args.uint(1), args.int(2));
    let known_flags =
        if command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ { MEMBARRIER_CMD_FLAG_CPU } else { 0 };
    if flags & !known_flags != 0 {
        return Err(Errno::EINVAL);
    }
    let registered = &cx.process().barriers;
    let barrier = match command {
        MEMBARRIER_CMD_QUERY => return Ok(SUPPORTED as usize),
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
        | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ => {
            registered.fetch_or(command, Ordering::Relaxed);
            return Ok(0);
        }
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED => {
            fence(Ordering::SeqCst);
            barrier_on(SCHEDULER.online_cpus() & !own_cpu(), Barrier::Memory);
            return Ok(0);
        }
        MEMBARRIER_CMD_PRIVATE_EXPEDITED => Barrier::Memory,
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE => Barrier::Instructions,
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ => Barrier::Sequences,
        _ => return Err(Errno::EINVAL),
    };
    // Each command to register is the bit above the one it is for.
    if registered.load(Ordering::Relaxed) & command << 1 == 0 {
        return Err(Errno::EPERM);
    }
    fence(Ordering::SeqCst);
    let mut mask = cx.address_space().space().loaded_elsewhere();
    if barrier == Barrier::Instructions {
        mask |= own_cpu();
    }
    if let (MEMBARRIER_CMD_FLAG_CPU, Ok(cpu)) = (flags, u32::try_from(cpu)) {
        mask &= 1_u64.checked_shl(cpu).unwrap_or(0);
    }
    barrier_on(mask, barrier);
    fence(Ordering::SeqCst);
    Ok(0)
}

fn own_cpu() -> u64 {
    1 << hal::cpu::id().index()
}
