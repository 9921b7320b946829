//! Threads that have a CPU each: who is in a run queue runs.

#[path = "core.rs"]
pub(crate) mod core;
#[path = "../../../kernel/src/scheduler/parking.rs"]
pub(crate) mod parking;
#[path = "thread.rs"]
pub(crate) mod thread;
#[path = "../../../kernel/src/scheduler/wait/mod.rs"]
pub(crate) mod wait;

pub(crate) use self::core::scheduler::current;
pub(crate) use self::core::wakeup::{interrupt_sleep, wake};
pub(crate) use thread::thread::Thread;

mod trace {
    //! Nothing is traced.
    pub(crate) fn wake(_: &super::Thread, _: usize) {}
}

mod service {
    //! There are no interrupts, in which the last handle of a thread must not go.
    pub(crate) fn bury(_: alloc::sync::Arc<super::Thread>) {
        unreachable!();
    }
}
