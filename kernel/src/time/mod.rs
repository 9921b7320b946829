//! Time: clocks, timers, and what programs see of both.

pub mod clock;
pub mod clock_event;
pub mod cpu_clocks;
pub mod cpu_watch;
pub mod posix_timers;
pub mod process_timers;
pub mod timer;
pub mod timer_queue;
pub mod wall_clock;

pub use process_timers::ProcessTimers;
