//! A thread: what the files that are modelled use of `kernel/src/scheduler/thread/thread.rs`.

#[path = "../../../kernel/src/scheduler/thread/futex_waiting.rs"]
mod futex_waiting;
#[path = "../../../kernel/src/scheduler/thread/sleeping.rs"]
mod sleeping;
#[path = "../../../kernel/src/scheduler/thread/state.rs"]
pub(crate) mod state;

pub(crate) use futex_waiting::{FutexWaiting, WaitKind};

pub(crate) mod thread {
    use alloc::sync::Arc;

    use super::futex_waiting::FutexWaiting;
    use super::state::State;
    use crate::list::{Linked, Links};
    use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
    use crate::task::Task;

    pub struct WaitLink;
    pub(crate) struct ParkLink;

    pub(crate) struct Entity;

    impl Entity {
        pub(crate) fn rank(&self) -> u8 {
            0
        }
    }

    /// A timer that never ends.
    pub(crate) struct Timer;

    impl Timer {
        pub(crate) fn arm(&self, _: u64) {}
        pub(crate) fn disarm(&self) {}
    }

    pub struct Thread {
        pub task: Task,
        pub(super) state: AtomicU32,
        pub(super) is_active: AtomicBool,
        cpu: usize,
        pub(super) is_waiting: AtomicBool,
        pub(crate) park_key: AtomicUsize,
        pub(crate) futex: FutexWaiting,
        wait_links: Links<Thread>,
        park_links: Links<Thread>,
        /// Told when the thread comes into a run queue.
        pub(crate) go: loom::sync::Notify,
    }

    impl Linked<WaitLink> for Thread {
        fn links(&self) -> &Links<Self> {
            &self.wait_links
        }
    }

    impl Linked<ParkLink> for Thread {
        fn links(&self) -> &Links<Self> {
            &self.park_links
        }
    }

    impl Thread {
        pub(crate) fn new(cpu: usize) -> Arc<Self> {
            Arc::new(Self {
                task: Task::default(),
                state: AtomicU32::new(State::RUNNABLE.bits()),
                is_active: AtomicBool::new(true),
                cpu,
                is_waiting: AtomicBool::new(false),
                park_key: AtomicUsize::new(0),
                futex: FutexWaiting::new(),
                wait_links: Links::new(),
                park_links: Links::new(),
                go: loom::sync::Notify::new(),
            })
        }
        pub(crate) fn entity(&self) -> &Entity {
            &Entity
        }
        pub(crate) fn timer(&self) -> &Timer {
            &Timer
        }
        pub(crate) fn cpu(&self) -> usize {
            self.cpu
        }
        pub(crate) fn set_cpu(&self, _: usize) {
            unreachable!("threads stay on their CPUs");
        }
    }
}
