//! Linux's scheduling attributes and what they mean here: policy, nice, real-time priority, weights, priorities.
//!
//! Linux's view maps onto five priorities. *Realtime* (FIFO, RR) runs before everything else, within a bandwidth.
//! *High*, *Normal*, *Low* are nice below, at and above zero: not ranks but shares, by the weight of the nice value.
//! *Idle* (SCHED_IDLE) has the smallest share and gives way to any other thread that wakes.

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

/// The weight of nice 0.
pub const NICE_0_WEIGHT: u32 = 1024;

/// The weight of SCHED_IDLE.
const IDLE_WEIGHT: u32 = 3;

/// Weight by nice + 20. Each step of nice is a factor of 1.25, so that it moves about a tenth of the CPU between two
/// threads that compete.
const WEIGHTS: [u32; 40] = weights();

const fn weights() -> [u32; 40] {
    let mut table = [0; 40];
    // 1024 * 1.25^n in 16.16 fixed point, away from nice 0 in both directions.
    let mut up = (NICE_0_WEIGHT as u64) << 16;
    let mut down = up;
    let mut step = 0;
    while step <= 20 {
        table[20 - step] = ((up + (1 << 15)) >> 16) as u32;
        if step < 20 {
            table[20 + step] = ((down + (1 << 15)) >> 16) as u32;
        }
        up = up * 5 / 4;
        down = down * 4 / 5;
        step += 1;
    }
    table
}

/// A scheduling policy, with Linux's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Policy {
    /// SCHED_OTHER: shares by nice.
    Other = 0,
    /// SCHED_FIFO: real time, runs until it blocks.
    Fifo = 1,
    /// SCHED_RR: real time, round robin within a priority.
    RoundRobin = 2,
    /// SCHED_BATCH: shares by nice, does not pre-empt when it wakes.
    Batch = 3,
    /// SCHED_IDLE: runs when nobody else wants to.
    Idle = 5,
}

impl Policy {
    /// The policy of a Linux number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Other),
            1 => Some(Self::Fifo),
            2 => Some(Self::RoundRobin),
            3 => Some(Self::Batch),
            5 => Some(Self::Idle),
            _ => None,
        }
    }

    /// Whether threads of the policy run before all others.
    pub const fn is_real_time(self) -> bool {
        matches!(self, Self::Fifo | Self::RoundRobin)
    }
}

/// One of the five priorities.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Priority {
    /// Runs when nobody else wants to.
    Idle,
    /// A smaller share than normal.
    Low,
    /// An ordinary share.
    Normal,
    /// A larger share than normal.
    High,
    /// Before all others.
    Realtime,
}

/// What a program may set about a thread's scheduling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// The policy.
    pub policy: Policy,
    /// -20 (large share) to 19; used by the policies that share, kept by the others.
    pub nice: i8,
    /// 1 (low) to 99 (high) for FIFO and RR, else 0.
    pub real_time_priority: u8,
}

impl Attributes {
    /// What a thread has unless it asks for something else.
    pub const DEFAULT: Self = Self { policy: Policy::Other, nice: 0, real_time_priority: 0 };

    /// The attributes of a share at `priority`, for kernel threads.
    pub const fn at(priority: Priority) -> Self {
        match priority {
            Priority::Idle => Self { policy: Policy::Idle, nice: 0, real_time_priority: 0 },
            Priority::Low => Self { nice: 10, ..Self::DEFAULT },
            Priority::Normal => Self::DEFAULT,
            Priority::High => Self { nice: -10, ..Self::DEFAULT },
            Priority::Realtime => Self { policy: Policy::Fifo, nice: 0, real_time_priority: 50 },
        }
    }

    /// The priority the attributes amount to.
    pub const fn priority(self) -> Priority {
        match self.policy {
            Policy::Fifo | Policy::RoundRobin => Priority::Realtime,
            Policy::Idle => Priority::Idle,
            Policy::Other | Policy::Batch if self.nice < 0 => Priority::High,
            Policy::Other | Policy::Batch if self.nice > 0 => Priority::Low,
            Policy::Other | Policy::Batch => Priority::Normal,
        }
    }

    /// The share, relative to [`NICE_0_WEIGHT`].
    pub const fn weight(self) -> u32 {
        match self.policy {
            Policy::Idle => IDLE_WEIGHT,
            _ => WEIGHTS[nice_index(self.nice)],
        }
    }

    /// How long the thread may run, in nanoseconds, while an equal waits; `None` for without end.
    pub const fn slice_ns(self) -> Option<u64> {
        match self.policy {
            Policy::Other => Some(3 * MS),
            Policy::Batch | Policy::Idle => Some(6 * MS),
            Policy::RoundRobin => Some(100 * MS),
            Policy::Fifo => None,
        }
    }
}

/// The place of a nice value in [`WEIGHTS`]; values outside -20..=19 count as the nearest end.
const fn nice_index(nice: i8) -> usize {
    let nice = if nice < -20 {
        -20
    } else if nice > 19 {
        19
    } else {
        nice
    };
    (nice + 20) as usize
}

/// How long a thread runs before it blocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Heat {
    /// Under 1 ms: interactive.
    Hot,
    /// 1 to 10 ms.
    Normal,
    /// Over 10 ms: computing.
    Cold,
}

impl Heat {
    /// All, the hottest first.
    pub const ALL: [Self; 3] = [Self::Hot, Self::Normal, Self::Cold];

    /// The queue for a mean run time before blocking.
    pub const fn of(run_ns: u64) -> Self {
        if run_ns < MS {
            Self::Hot
        } else if run_ns <= 10 * MS {
            Self::Normal
        } else {
            Self::Cold
        }
    }

    /// How far, in nanoseconds of virtual time, a thread of this queue goes before others of the same virtual time.
    /// Being ahead is a matter of latency, never of share: virtual time charges it.
    pub const fn advance_ns(self) -> u64 {
        match self {
            Self::Hot => 8 * MS,
            Self::Normal => 3 * MS,
            Self::Cold => 0,
        }
    }
}

/// The exponential moving average of run times before blocking: `new = old + (sample - old) / 4`, alpha 1/4.
///
/// A quarter makes a thread hot after about eight short runs however long it computed before, and cold after four
/// long ones.
pub const fn ema(old_ns: u64, sample_ns: u64) -> u64 {
    // Samples are capped so that one long computation is forgotten as fast as any other.
    let sample_ns = if sample_ns > 64 * MS { 64 * MS } else { sample_ns };
    old_ns - old_ns / 4 + sample_ns / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_a_factor_of_a_quarter_apart() {
        assert_eq!(WEIGHTS[20], 1024);
        assert_eq!(WEIGHTS[19], 1280);
        assert_eq!(WEIGHTS[21], 819);
        assert!((88_000..90_000).contains(&WEIGHTS[0]), "{}", WEIGHTS[0]);
        assert!((14..=15).contains(&WEIGHTS[39]), "{}", WEIGHTS[39]);
        for pair in WEIGHTS.windows(2) {
            let ratio = f64::from(pair[0]) / f64::from(pair[1]);
            assert!((1.15..1.35).contains(&ratio), "{pair:?}");
        }
    }

    #[test]
    fn a_thread_turns_hot_and_cold_within_a_few_runs() {
        let mut mean = 64 * MS;
        let runs = (0..)
            .take_while(|_| {
                mean = ema(mean, 10_000);
                Heat::of(mean) != Heat::Hot
            })
            .count();
        assert!(runs <= 16, "{runs}");
        let mut mean = 0;
        let runs = (0..)
            .take_while(|_| {
                mean = ema(mean, 40 * MS);
                Heat::of(mean) != Heat::Cold
            })
            .count();
        assert!(runs <= 4, "{runs}");
    }

    #[test]
    fn attributes_of_a_priority_have_that_priority() {
        for priority in [Priority::Idle, Priority::Low, Priority::Normal, Priority::High, Priority::Realtime]
        {
            assert_eq!(Attributes::at(priority).priority(), priority);
        }
    }
}
