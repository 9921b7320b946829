//! Time: clocks, timers, and what programs see of both.

pub mod clock_event;
pub mod cpu_clocks;
pub mod timer;
pub mod timer_queue;
pub mod wall_clock;
