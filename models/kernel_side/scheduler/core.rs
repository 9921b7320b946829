//! Wake-ups as they are, over run queues that hold nobody.

#[path = "../../../kernel/src/scheduler/core/wakeup.rs"]
pub(crate) mod wakeup;

pub(crate) mod cpu {
    use alloc::sync::Arc;

    use crate::cpu::CpuId;
    use crate::lock_order;
    use crate::scheduler::Thread;
    use crate::sync::SpinLockIrq;
    use crate::sync::atomic::AtomicBool;

    /// Lets a queued thread run at once.
    pub(crate) struct RunQueue;

    impl RunQueue {
        pub(crate) fn enqueue_woken(&mut self, thread: Arc<Thread>, _: u64) -> bool {
            thread.go.notify();
            true
        }
    }

    pub(crate) struct Cpu {
        pub(crate) queue: SpinLockIrq<RunQueue>,
        pub(crate) must_reschedule: AtomicBool,
    }

    impl Cpu {
        fn new() -> Self {
            Self {
                queue: SpinLockIrq::new(lock_order::RUN_QUEUE, RunQueue),
                must_reschedule: AtomicBool::new(false),
            }
        }
        pub(crate) fn enqueue(
            &self,
            _: usize,
            queue: &mut RunQueue,
            add: impl FnOnce(&mut RunQueue) -> bool,
        ) {
            add(queue);
        }
        pub(crate) fn interrupt(&self, _: usize) {}
    }

    pub(crate) struct Cpus;

    loom::lazy_static! {
        static ref ALL: [Cpu; 4] = core::array::from_fn(|_| Cpu::new());
    }

    impl Cpus {
        pub(crate) fn on(&self, cpu: CpuId) -> &'static Cpu {
            &ALL[cpu.index()]
        }
        pub(crate) fn get(&self) -> &'static Cpu {
            self.on(crate::cpu::id())
        }
    }

    pub(crate) static CPUS: Cpus = Cpus;

    pub(crate) fn rebase_between(_: &Thread, _: usize, _: usize) {}
}

pub(crate) mod scheduler {
    use alloc::sync::Arc;
    use core::cell::RefCell;

    use crate::scheduler::Thread;
    use crate::task::Current;

    loom::thread_local! {
        static CURRENT: RefCell<Option<Arc<Thread>>> = RefCell::new(None);
    }

    /// The thread that runs this code.
    pub(crate) fn current() -> Current<Thread> {
        CURRENT.with(|thread| Current(thread.borrow().clone().expect("made by `start`")))
    }

    /// Makes the calling thread of loom's one of the kernel's, on this CPU.
    pub(crate) fn start(thread: Arc<Thread>) {
        CURRENT.with(|current| *current.borrow_mut() = Some(thread));
    }

    pub(crate) struct Scheduler;

    impl Scheduler {
        pub(crate) fn place(&self, _: &Thread, index: usize, _: usize) -> usize {
            index
        }
    }

    pub(crate) static SCHEDULER: Scheduler = Scheduler;
}

pub(crate) mod switch {
    use super::cpu::CPUS;
    use super::scheduler::current;
    use crate::cpu::CpuId;
    use crate::scheduler::thread::state::State;

    /// Step 4 of `thread::state`: looks at the state under the lock of the run queue, as `choose_next` does.
    pub(crate) fn schedule() {
        let me = current();
        let queue = CPUS.on(CpuId::new(me.cpu())).queue.lock();
        if me.state() == State::RUNNABLE {
            return;
        }
        me.set_active(false);
        drop(queue);
        me.go.wait();
    }
}
