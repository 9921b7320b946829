//! Automatic groups: the processes of a session share the processors with other sessions as one (sched(7), "autogroup").

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicI8, AtomicU32};

use super::{Process, tree};
use crate::scheduler::SCHEDULER;
use crate::scheduler::core::groups::slot_of;

hal::machine_static! {
    static LAST: AtomicU32 = AtomicU32::new(0);
}

/// The group a process is in.
#[derive(Debug)]
pub struct AutoGroup {
    /// Its number; 0: none.
    number: AtomicU32,
    /// Which share it gets.
    nice: AtomicI8,
}

impl AutoGroup {
    pub(super) const fn new() -> Self {
        Self { number: AtomicU32::new(0), nice: AtomicI8::new(0) }
    }

    /// Takes over the group of the process that made this one. The thread has it from its maker.
    pub(super) fn inherit(&self, parent: &Self) {
        self.number.store(parent.number.load(Relaxed), Relaxed);
        self.nice.store(parent.nice.load(Relaxed), Relaxed);
    }

    /// Number and nice value, if there is a group.
    pub fn get(&self) -> Option<(u32, i8)> {
        let number = self.number.load(Relaxed);
        (number != 0).then(|| (number, self.nice.load(Relaxed)))
    }
}

/// Puts a process, which has begun a session, into a group of its own.
pub fn begin(process: &Process) {
    let number = LAST.fetch_add(1, Relaxed).wrapping_add(1).max(1);
    process.autogroup.number.store(number, Relaxed);
    process.autogroup.nice.store(0, Relaxed);
    apply(process, number, 0);
}

/// Changes the share of the group a process is in.
pub fn set_nice(process: &Process, nice: i8) {
    let Some((number, _)) = process.autogroup.get() else { return };
    for member in tree::processes() {
        if member.autogroup.number.load(Relaxed) == number {
            member.autogroup.nice.store(nice, Relaxed);
            apply(&member, number, nice);
        }
    }
}

fn apply(process: &Process, number: u32, nice: i8) {
    process.for_each_thread(|thread| SCHEDULER.set_group(thread, slot_of(number), nice));
}
