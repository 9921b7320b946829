//! The heart of the scheduler: pure decisions, driven by whatever clock the caller has, and the few lines that act.
//!
//! | Module | Decides |
//! | --- | --- |
//! | [`policy`] | what Linux's attributes mean: weights, priorities, slices, the three queues |
//! | [`entity`] | what is known of one thread |
//! | [`run_queue`], `ring` | who runs next on one CPU, for how long, who pre-empts whom |
//! | [`placement`] | on which CPU a thread becomes ready |
//! | [`list`] | the intrusive list all queues are made of |
//!
//! [`scheduler`] acts on what they decide: it switches, sends interrupts, sets the clock.

pub mod entity;
pub mod list;
pub mod placement;
pub mod policy;
mod ring;
pub mod run_queue;
pub mod scheduler;

#[cfg(test)]
mod handover;
#[cfg(test)]
mod simulation;
