//! A machine as far as loom can be one: no interrupts, and whoever spins lets others run.

pub(crate) mod arch {
    pub(crate) mod cpu {
        pub(crate) fn relax() {
            loom::thread::yield_now();
        }
        pub(crate) fn relax_irq_off() {
            loom::thread::yield_now();
        }
    }
    pub(crate) mod irq {
        pub(crate) fn disable() -> bool {
            true
        }
        pub(crate) fn restore(_: bool) {}
    }
}

pub(crate) mod irq {
    pub fn in_interrupt() -> bool {
        false
    }
}

pub(crate) mod cpu {
    pub const MAX_CPUS: usize = 64;

    /// The number of a CPU.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CpuId(usize);

    impl CpuId {
        pub const fn new(index: usize) -> Self {
            Self(index)
        }
        pub const fn index(self) -> usize {
            self.0
        }
    }

    /// Every thread has a CPU of its own.
    pub fn id() -> CpuId {
        CpuId(crate::scheduler::current().cpu())
    }

    pub fn relax() {
        loom::thread::yield_now();
    }

    pub fn all() -> impl Iterator<Item = CpuId> {
        (0..2).map(CpuId)
    }
}

pub(crate) mod upcall {
    pub(crate) mod bound {
        use crate::scheduler::parking;
        use crate::sync::atomic::AtomicU32;

        pub(crate) fn mutex_wait(word: &AtomicU32, expected: u32) {
            parking::mutex_wait(word, expected);
        }
        pub(crate) fn mutex_wake(word: &AtomicU32, n: usize) {
            parking::mutex_wake(word, n);
        }
    }
}

/// Statics of the machine: one for each order of steps.
#[macro_export]
macro_rules! machine_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = [const $init:block; $n:expr];) => {
        loom::lazy_static! { $(#[$meta])* static ref $name: $type = core::array::from_fn(|_| $init); }
    };
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        loom::lazy_static! { $(#[$meta])* static ref $name: $type = $init; }
    };
}
