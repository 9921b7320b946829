//! The locks of `hal`, with nobody to check their ranks.

#[path = "../../hal/src/sync/arc_slot.rs"]
mod arc_slot;
#[path = "../../hal/src/sync/atomic.rs"]
pub mod atomic;
#[path = "../../hal/src/sync/mutex.rs"]
mod mutex;
#[path = "../../hal/src/sync/once.rs"]
mod once;
#[path = "../../hal/src/sync/rw_spin_lock.rs"]
mod rw_spin_lock;
#[path = "../../hal/src/sync/spin_lock.rs"]
mod spin_lock;

pub use arc_slot::ArcSlot;
pub use mutex::Mutex;
pub use once::Once;
pub use rank::{LockRank, might_sleep};
pub use rw_spin_lock::RwSpinLock;
pub use spin_lock::{SpinLock, SpinLockGuard, SpinLockIrq};

mod rank {
    //! In place of `hal/src/sync/rank.rs`: loom's threads share one stack of held locks.

    #[derive(Clone, Copy, Debug)]
    pub struct LockRank;

    impl LockRank {
        pub const fn new(_: u16, _: &'static str) -> Self {
            Self
        }
        pub const fn nesting(_: u16, _: &'static str) -> Self {
            Self
        }
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(super) enum Kind {
        Spin,
        SpinIrq,
        Sleep,
    }

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Rank;

    impl Rank {
        pub(super) const fn new(_: LockRank) -> Self {
            Self
        }
        pub(super) fn acquire(self, _: Kind, _: bool) {}
        pub(super) fn release(self, _: Kind) {}
    }

    pub fn might_sleep() {}
}
