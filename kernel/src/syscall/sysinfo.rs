//! sysinfo(2), times(2).

use linux_abi::sysinfo::Sysinfo;
use linux_abi::time::Tms;

use super::{Args, Context, SyscallError};
use crate::memory::page_cache;
use crate::memory::physical::buddy_allocator;
use crate::process::tree;
use crate::scheduler::{self, SCHEDULER};

/// Fixed-point shift of the load averages sysinfo(2) reports (`SI_LOAD_SHIFT`).
const LOAD_SHIFT: u32 = 16;
/// Nanoseconds in a tick of `sysconf(_SC_CLK_TCK)`.
const NS_PER_TICK: u64 = 10_000_000;

/// sysinfo(2): uptime, load, memory, processes. Errors: `EFAULT`.
pub(super) fn sysinfo(_cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let loads = SCHEDULER.load_average().map(|load| load << (LOAD_SHIFT - scheduler::LOAD_SHIFT));
    let info = Sysinfo {
        uptime: (hal::time::now_ns() / 1_000_000_000).cast_signed(),
        loads,
        totalram: buddy_allocator::total_bytes() as u64,
        freeram: buddy_allocator::free_bytes() as u64,
        sharedram: page_cache::cached_bytes() as u64,
        procs: tree::lock().thread_count().min(usize::from(u16::MAX)) as u16,
        mem_unit: 1,
        ..Sysinfo::default()
    };
    args.user_ptr::<Sysinfo>(0).write(&info)?;
    Ok(0)
}

/// times(2): CPU time of the process and its children, and the clock, all in ticks. Errors: `EFAULT`.
pub(super) fn times(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let out = args.user_ptr::<Tms>(0);
    if !out.is_null() {
        let (own, children) = (cx.process().times(), cx.process().children_times());
        let ticks = |ns: u64| (ns / NS_PER_TICK).cast_signed();
        out.write(&Tms {
            tms_utime: ticks(own.user_ns),
            tms_stime: ticks(own.system_ns),
            tms_cutime: ticks(children.user_ns),
            tms_cstime: ticks(children.system_ns),
        })?;
    }
    Ok((hal::time::now_ns() / NS_PER_TICK) as usize)
}
