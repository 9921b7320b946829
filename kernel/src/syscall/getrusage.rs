//! getrusage(2).

use linux_abi::errno::Errno;
use linux_abi::resource::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, Rusage};
use linux_abi::time::Timeval;

use super::{Args, Context, SyscallError};
use crate::process::Times;

/// getrusage(2): CPU time and counts of the process, its waited-for children, or the thread.
///
/// # Errors
/// `EINVAL`: another `who`. `EFAULT`: not writable.
pub(super) fn getrusage(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (who, out) = (args.int(0), args.user_ptr::<Rusage>(1));
    let times = match who {
        RUSAGE_SELF => cx.process().usage(),
        RUSAGE_CHILDREN => cx.process().children_times(),
        // A thread has no memory of its own: the process's counts.
        RUSAGE_THREAD => Times { max_rss_kib: cx.process().usage().max_rss_kib, ..Times::of(cx.thread()) },
        _ => return Err(Errno::EINVAL),
    };
    out.write(&to_rusage(&times))?;
    Ok(0)
}

/// `struct rusage` of an account; fields Linux does not maintain are zero there too.
pub(super) fn to_rusage(times: &Times) -> Rusage {
    Rusage {
        ru_utime: Timeval::from_ns(times.user_ns),
        ru_stime: Timeval::from_ns(times.system_ns),
        ru_maxrss: times.max_rss_kib.cast_signed(),
        ru_minflt: times.minor_faults.cast_signed(),
        ru_majflt: times.major_faults.cast_signed(),
        ru_nvcsw: times.voluntary_switches.cast_signed(),
        ru_nivcsw: times.involuntary_switches.cast_signed(),
        ..Rusage::default()
    }
}
