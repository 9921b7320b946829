//! Models of the lock-free parts: loom runs each in every order of steps that the language's memory model allows, up to
//! a bound of preemptions. `cargo xtask test --loom`.
//!
//! What is checked is the code of `hal` and `kernel` itself: their files are modules of this crate too. Around them are
//! stand-ins for what loom cannot run (a machine, threads of the kernel), as small as the files let them be:
//!
//! | Where | Real | Stand-in |
//! | --- | --- | --- |
//! | `sync` | all locks, `Once`, `ArcSlot` | ranks |
//! | `frame`, `task` | which frames are taken, their handles, whose a task is | |
//! | `pc` | the shoot-down of translations | CPUs, their areas, the interrupt |
//! | `scheduler` | wake-up, wait queues, polling, sleeping locks, lists | run queue (who is queued runs), switch |
//! | `ipc` | the table of futexes | |
//!
//! The atomics of all of them come from `hal/src/sync/atomic.rs`. What locks guard is a `Tracked` value here, so an
//! access that does not happen after the last one fails the model, though the values be right.
//!
//! Loom takes sequentially consistent loads and stores for acquire and release; only fences order all. So two protocols
//! cannot be modelled as they are: the CPU mask of an address space against its page-table entries, which a processor
//! walks (`hal/src/paging/space.rs`), and the set of idle CPUs (`kernel/src/scheduler/core/idle.rs`); simulations and the
//! tests on several CPUs have these.
#![cfg(all(loom, test))]
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::all,
    reason = "the files of other crates are only partly used here, and linted where they belong"
)]

extern crate alloc;
// The kernel's files find here what they look for in `hal`.
extern crate self as hal;

mod kernel_side;
mod machine;

#[path = "hal_side/frame.rs"]
mod frame;
#[path = "hal_side/paging.rs"]
mod paging;
#[path = "hal_side/pc.rs"]
mod pc;
#[path = "hal_side/sync.rs"]
pub mod sync;
#[path = "hal_side/task.rs"]
mod task;

use kernel_side::{ipc, list, lock_order, memory, scheduler, time};
use machine::{arch, cpu, irq, upcall};
#[path = "../hal/src/addr.rs"]
mod addr;
#[path = "../hal/src/error.rs"]
mod error;
#[path = "checks/locks.rs"]
mod locks;
#[path = "checks/sleeping.rs"]
mod sleeping;
#[path = "checks/translations.rs"]
mod translations;

/// A value whose every access must happen after the last one that conflicts with it. The mutex, which loom does not see,
/// orders nothing: it only makes the cell one to be shared.
#[derive(Debug)]
struct Tracked(std::sync::Mutex<loom::cell::Cell<u32>>);

impl Tracked {
    fn new(value: u32) -> Self {
        Self(std::sync::Mutex::new(loom::cell::Cell::new(value)))
    }

    fn get(&self) -> u32 {
        self.0.lock().expect("no model goes on after a panic").get()
    }

    fn set(&self, new: u32) {
        self.0.lock().expect("no model goes on after a panic").set(new);
    }

    fn add_one(&self) {
        self.set(self.get() + 1);
    }
}

/// Runs a model in every order. `LOOM_MAX_PREEMPTIONS` sets another bound than two.
fn model(steps: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.max_branches = 10_000;
    builder.check(steps);
}
