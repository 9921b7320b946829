//! Locks, one-time initialisation and per-CPU data.
//!
//! | Type | Waits by | May be taken in interrupt context | While held |
//! | --- | --- | --- | --- |
//! | [`SpinLock`], [`RwSpinLock`] | spinning | no | must not block; interrupts stay on |
//! | [`SpinLockIrq`] | spinning | yes | must not block; interrupts off on this CPU |
//! | [`Mutex`] | sleeping | no | may block |
//!
//! Every lock has a [`LockRank`]; locks are taken in ascending rank. In debug builds and in every host test a breach
//! panics and names both. Guards are not `Send`: what acquired a lock releases it.

mod arc_slot;
pub mod atomic;
mod mutex;
mod once;
mod per_cpu;
mod rank;
mod rw_spin_lock;
mod spin_lock;

pub use arc_slot::ArcSlot;
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use per_cpu::{CpuLocal, PerCpu};
pub use rank::{LockRank, might_sleep};
pub use rw_spin_lock::{ReadGuard, RwSpinLock, WriteGuard};
pub use spin_lock::{SpinLock, SpinLockGuard, SpinLockIrq, SpinLockIrqGuard};

#[cfg(not(target_os = "none"))]
pub use per_cpu::PerMachine;
