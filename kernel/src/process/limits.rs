//! Resource limits of a process (getrlimit(2)).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use linux_abi::errno::Errno;
use linux_abi::resource::{self, Rlimit64};
use linux_abi::time::NSEC_PER_SEC;

use crate::memory::physical::buddy_allocator;

/// Number of limits Linux has.
pub const LIMIT_COUNT: usize = 16;

/// Threads that the system has room for, unless root says otherwise (`kernel.threads-max`): their kernel stacks, of 16 KiB
/// on Linux, take an eighth of the memory.
pub fn default_max_threads() -> usize {
    (buddy_allocator::total_bytes() / (8 * 16 * 1024)).max(MIN_THREADS)
}

/// The smallest value of the limit on all threads.
pub const MIN_THREADS: usize = 20;

hal::machine_static! {
    static MAX_THREADS: AtomicUsize = AtomicUsize::new(usize::MAX);
}

/// Threads that may exist at once, zombies included.
pub fn max_threads() -> usize {
    MAX_THREADS.load(Relaxed)
}

/// Changes how many threads may exist at once.
pub fn set_max_threads(limit: usize) {
    MAX_THREADS.store(limit, Relaxed);
}

/// How CPU time compares with `RLIMIT_CPU`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuLimit {
    /// There is no limit.
    None,
    /// It is below the limit.
    Below,
    /// It has reached the soft limit.
    Soft,
    /// It has reached the hard limit.
    Hard,
}

/// The soft and hard value of every limit. A copy is the same table until one of the two changes.
#[derive(Clone)]
pub struct Limits(Arc<[Rlimit64; LIMIT_COUNT]>);

const fn limit(soft: u64, hard: u64) -> Rlimit64 {
    Rlimit64 { rlim_cur: soft, rlim_max: hard }
}

impl Limits {
    /// What process 1 starts with, as on Linux: `max_processes` is `threads-max / 2`.
    pub fn initial(max_processes: u64) -> Self {
        const INFINITY: u64 = u64::MAX;
        let mut limits = [limit(INFINITY, INFINITY); LIMIT_COUNT];
        limits[resource::RLIMIT_STACK as usize] = limit(8 << 20, INFINITY);
        limits[resource::RLIMIT_CORE as usize] = limit(0, INFINITY);
        limits[resource::RLIMIT_NPROC as usize] = limit(max_processes, max_processes);
        limits[resource::RLIMIT_NOFILE as usize] = limit(1024, 4096);
        limits[resource::RLIMIT_MEMLOCK as usize] = limit(8 << 20, 8 << 20);
        limits[resource::RLIMIT_SIGPENDING as usize] = limit(max_processes, max_processes);
        limits[resource::RLIMIT_MSGQUEUE as usize] = limit(819_200, 819_200);
        limits[resource::RLIMIT_NICE as usize] = limit(0, 0);
        limits[resource::RLIMIT_RTPRIO as usize] = limit(0, 0);
        Self(Arc::new(limits))
    }

    /// The limit numbered `which`, or `EINVAL`.
    pub fn get(&self, which: u32) -> Result<Rlimit64, Errno> {
        self.0.get(which as usize).copied().ok_or(Errno::EINVAL)
    }

    /// The soft value of the limit numbered `which`; `u64::MAX` means none.
    pub fn soft(&self, which: u32) -> u64 {
        self.0.get(which as usize).map_or(u64::MAX, |limit| limit.rlim_cur)
    }

    /// Compares the time a real-time thread has run without blocking with `RLIMIT_RTTIME`. A soft limit that was reached
    /// grows by a second, as that of CPU time.
    pub fn check_real_time(&mut self, burst_ns: u64) -> CpuLimit {
        let limit = self.0[resource::RLIMIT_RTTIME as usize];
        let has_reached = |micros: u64| burst_ns >= micros.saturating_mul(1_000);
        if limit.rlim_cur == u64::MAX {
            CpuLimit::None
        } else if limit.rlim_max != u64::MAX && has_reached(limit.rlim_max) {
            CpuLimit::Hard
        } else if has_reached(limit.rlim_cur) {
            let limit = &mut Arc::make_mut(&mut self.0)[resource::RLIMIT_RTTIME as usize];
            limit.rlim_cur = limit.rlim_cur.saturating_add(1_000_000);
            CpuLimit::Soft
        } else {
            CpuLimit::Below
        }
    }

    /// Compares CPU time with `RLIMIT_CPU`. A soft limit that was reached grows by a second, so that it is reached again
    /// every second; programs can see that, as on Linux.
    pub fn check_cpu_time(&mut self, cpu_ns: u64) -> CpuLimit {
        let limit = self.0[resource::RLIMIT_CPU as usize];
        let has_reached = |seconds: u64| cpu_ns >= seconds.saturating_mul(NSEC_PER_SEC);
        if limit.rlim_cur == u64::MAX {
            CpuLimit::None
        } else if limit.rlim_max != u64::MAX && has_reached(limit.rlim_max) {
            CpuLimit::Hard
        } else if has_reached(limit.rlim_cur) {
            Arc::make_mut(&mut self.0)[resource::RLIMIT_CPU as usize].rlim_cur += 1;
            CpuLimit::Soft
        } else {
            CpuLimit::Below
        }
    }

    /// Replaces a limit; `may_raise` is `CAP_SYS_RESOURCE`.
    ///
    /// # Errors
    /// - `EINVAL`: no such limit, or the soft value is above the hard one.
    /// - `EPERM`: the hard value would grow and `may_raise` is false, or `RLIMIT_NOFILE` above 1,048,576.
    pub fn set(&mut self, which: u32, new: Rlimit64, may_raise: bool) -> Result<(), Errno> {
        let old = self.get(which)?;
        if new.rlim_cur > new.rlim_max {
            return Err(Errno::EINVAL);
        }
        if which == resource::RLIMIT_NOFILE && new.rlim_max > 1 << 20 {
            return Err(Errno::EPERM);
        }
        if new.rlim_max > old.rlim_max && !may_raise {
            return Err(Errno::EPERM);
        }
        Arc::make_mut(&mut self.0)[which as usize] = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_limit_only_shrinks_without_the_capability() {
        let mut limits = Limits::initial(100);
        assert_eq!(limits.set(resource::RLIMIT_NOFILE, limit(10, 20), false), Ok(()));
        assert_eq!(limits.set(resource::RLIMIT_NOFILE, limit(10, 21), false), Err(Errno::EPERM));
        assert_eq!(limits.set(resource::RLIMIT_NOFILE, limit(10, 21), true), Ok(()));
        assert_eq!(limits.set(resource::RLIMIT_NOFILE, limit(22, 21), true), Err(Errno::EINVAL));
        assert_eq!(limits.set(16, limit(0, 0), true), Err(Errno::EINVAL));
    }

    #[test]
    fn a_real_time_thread_is_warned_every_second_and_then_stopped() {
        let mut limits = Limits::initial(100);
        assert_eq!(limits.check_real_time(u64::MAX), CpuLimit::None);
        limits.set(resource::RLIMIT_RTTIME, limit(500_000, 2_000_000), false).unwrap();
        let at = [499_999_999, 500_000_000, 500_000_001, 1_500_000_000, 2_000_000_000];
        let expected = [CpuLimit::Below, CpuLimit::Soft, CpuLimit::Below, CpuLimit::Soft, CpuLimit::Hard];
        assert_eq!(at.map(|burst_ns| limits.check_real_time(burst_ns)), expected);
    }

    #[test]
    fn the_soft_limit_of_cpu_time_is_reached_once_a_second_until_the_hard_one_is() {
        let mut limits = Limits::initial(100);
        assert_eq!(limits.check_cpu_time(u64::MAX), CpuLimit::None);
        limits.set(resource::RLIMIT_CPU, limit(1, 3), false).unwrap();
        assert_eq!(limits.check_cpu_time(NSEC_PER_SEC - 1), CpuLimit::Below);
        assert_eq!(limits.check_cpu_time(NSEC_PER_SEC), CpuLimit::Soft);
        assert_eq!(limits.check_cpu_time(NSEC_PER_SEC + 1), CpuLimit::Below);
        assert_eq!(limits.check_cpu_time(2 * NSEC_PER_SEC), CpuLimit::Soft);
        assert_eq!(limits.check_cpu_time(3 * NSEC_PER_SEC), CpuLimit::Hard);
        assert_eq!(limits.check_cpu_time(4 * NSEC_PER_SEC), CpuLimit::Hard);
    }
}
