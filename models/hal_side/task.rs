//! Whose a task is; and what the kernel's files take of tasks.

#[path = "../../hal/src/task/owner.rs"]
pub(crate) mod owner;

#[path = "../checks/tasks.rs"]
mod checks;

use alloc::sync::Arc;
use core::ops::Deref;

use crate::sync::atomic::{AtomicU32, Ordering};

bitflags::bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Work: u32 {
        const RESCHEDULE = 1 << 0;
        const SIGNAL = 1 << 1;
        const EXIT = 1 << 3;
    }
}

/// The flags of a task, which is always on its CPU: one that sleeps keeps it.
#[derive(Debug, Default)]
pub struct Task(AtomicU32);

impl Task {
    pub fn raise(&self, work: Work) {
        self.0.fetch_or(work.bits(), Ordering::AcqRel);
    }
    pub fn work(&self) -> Work {
        Work::from_bits_truncate(self.0.load(Ordering::Acquire))
    }
    pub fn is_on_cpu(&self) -> bool {
        true
    }
}

/// The thread that runs.
pub struct Current<T>(pub(crate) Arc<T>);

impl<T> Current<T> {
    pub fn arc(&self) -> Arc<T> {
        self.0.clone()
    }
}

impl<T> Deref for Current<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
