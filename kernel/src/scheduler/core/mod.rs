//! The heart of the scheduler: pure decisions, driven by whatever clock the caller has, and the few lines that act.
//!
//! | Module | Decides |
//! | --- | --- |
//! | [`policy`] | what Linux's attributes mean: weights, priorities, slices, the three queues |
//! | [`entity`], `account` | what is known of one thread; time that passes |
//! | [`run_queue`], `ring` | who runs next on one CPU, for how long, who pre-empts whom |
//! | [`groups`] | how groups of threads share one CPU |
//! | [`placement`] | on which CPU a thread becomes ready |
//!
//! | Module | Acts |
//! | --- | --- |
//! | [`scheduler`] | what others ask for: spawn, yield, block, unblock, attributes, statistics |
//! | [`cpu`] | what a CPU has for itself; the invariants between CPUs, and the interrupts they send each other |
//! | [`switch`] | leaves the CPU to the thread that was chosen |
//! | [`wakeup`] | makes threads ready that slept |
//! | [`idle`] | starts CPUs; what they do when they have no thread: steal one, or wait |
//! | `tick` | the clock interrupt's part |
//! | `watchdog` | tells of CPUs that hang |

mod account;
pub mod cpu;
pub mod entity;
pub mod groups;
pub mod idle;
pub mod placement;
pub mod policy;
mod ring;
pub mod run_queue;
pub mod scheduler;
pub mod switch;
pub(crate) mod tick;
pub mod wakeup;
mod watchdog;

#[cfg(test)]
mod handover;
#[cfg(test)]
mod simulation;
