//! On which CPU a thread becomes ready. Pure decisions over bit masks: bit n stands for CPU n.

/// What is known when a thread wakes.
#[derive(Clone, Copy, Debug)]
pub struct Wakeup {
    /// CPUs the thread may run on.
    pub affinity: u64,
    /// CPUs that run threads at all.
    pub online: u64,
    /// CPUs with nothing to do.
    pub idle: u64,
    /// The CPU the thread ran on last.
    pub previous: usize,
    /// The CPU that wakes it.
    pub waker: usize,
}

impl Wakeup {
    /// The CPU for the thread: where it ran last if that is idle (its data may still be in the caches), else another
    /// idle one, else where it ran last.
    ///
    /// When no CPU that is online is allowed, the affinity is ignored: a thread must run somewhere.
    pub fn place(&self) -> usize {
        let allowed = self.allowed();
        let previous = 1_u64.checked_shl(self.previous as u32).unwrap_or(0);
        let idle = self.idle & allowed;
        if idle & previous != 0 {
            return self.previous;
        }
        if idle != 0 {
            // The nearest above the previous one, going round: neighbours in number are neighbours in cache.
            let from = self.previous as u32 % 64;
            return ((idle.rotate_right(from).trailing_zeros() + from) % 64) as usize;
        }
        if allowed & previous != 0 {
            return self.previous;
        }
        let waker = 1_u64.checked_shl(self.waker as u32).unwrap_or(0);
        if allowed & waker != 0 { self.waker } else { allowed.trailing_zeros() as usize }
    }

    /// The CPU for a real-time thread of priority `rank`: as [`Self::place`] if a CPU is idle or the thread may run at once
    /// where it ran last, else the one that runs the least urgent thread (`running` tells its priority).
    pub fn place_urgent(&self, rank: u8, running: impl Fn(usize) -> u8) -> usize {
        let allowed = self.allowed();
        let previous_is_allowed = allowed.checked_shr(self.previous as u32).unwrap_or(0) & 1 != 0;
        if self.idle & allowed != 0 || previous_is_allowed && running(self.previous) < rank {
            return self.place();
        }
        let cpus = (0..u64::BITS as usize).filter(|cpu| allowed >> cpu & 1 != 0);
        match cpus.map(|cpu| (running(cpu), cpu)).min() {
            Some((least, cpu)) if least < rank => cpu,
            _ => self.place(),
        }
    }

    fn allowed(&self) -> u64 {
        match self.affinity & self.online {
            0 => self.online,
            mask => mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Wakeup = Wakeup { affinity: u64::MAX, online: 0b1111, idle: 0, previous: 2, waker: 0 };

    #[test]
    fn prefers_the_idle_previous_cpu_then_an_idle_one_then_the_previous_one() {
        assert_eq!(Wakeup { idle: 0b1100, ..BASE }.place(), 2);
        assert_eq!(Wakeup { idle: 0b1001, ..BASE }.place(), 3);
        assert_eq!(Wakeup { idle: 0b0001, ..BASE }.place(), 0);
        assert_eq!(BASE.place(), 2);
    }

    #[test]
    fn an_urgent_thread_goes_where_the_least_urgent_one_runs() {
        let running = |cpu: usize| [0, 50, 30, 20][cpu];
        assert_eq!(Wakeup { idle: 0b1000, ..BASE }.place_urgent(10, running), 3);
        assert_eq!(BASE.place_urgent(31, running), 2);
        assert_eq!(BASE.place_urgent(30, running), 0);
        assert_eq!(Wakeup { affinity: 0b1110, ..BASE }.place_urgent(25, running), 3);
        assert_eq!(Wakeup { affinity: 0b1110, ..BASE }.place_urgent(20, running), 2);
    }

    #[test]
    fn keeps_to_the_affinity() {
        assert_eq!(Wakeup { affinity: 0b0010, idle: 0b1101, ..BASE }.place(), 1);
        assert_eq!(Wakeup { affinity: 0b0011, idle: 0b1101, ..BASE }.place(), 0);
        assert_eq!(Wakeup { affinity: 0b0001, ..BASE }.place(), 0);
    }

    #[test]
    fn an_affinity_without_a_running_cpu_is_ignored() {
        assert_eq!(Wakeup { affinity: 1 << 40, idle: 0b0001, ..BASE }.place(), 0);
        assert_eq!(Wakeup { affinity: 0, online: 1, previous: 63, ..BASE }.place(), 0);
    }
}
