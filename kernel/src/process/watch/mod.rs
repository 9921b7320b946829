//! Who looks at the system calls of a thread.
//!
//! A watched thread carries [`Work::WATCHED`]. Its calls all go the way of full-frame calls, on which
//! [`dispatch_full`](crate::syscall::dispatch_full) asks each watcher before and after; for any other thread being watched
//! costs the test of that flag.

pub mod selection;

use bitflags::bitflags;
use hal::task::Work;

use crate::scheduler::Thread;

bitflags! {
    /// Those who may look at a thread's calls.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Watchers: u8 {
        /// The kernel's own log of calls.
        const STRACE = 1 << 0;
        /// What confines it ([`seccomp`](super::seccomp)).
        const SECCOMP = 1 << 1;
        /// The thread's tracer, which wants to be told of each.
        const PTRACE = 1 << 2;
    }
}

/// Who looks at the calls of `thread`.
pub fn watchers(thread: &Thread) -> Watchers {
    thread.user.as_ref().map_or(Watchers::empty(), |user| *user.watchers.lock())
}

/// Lets `watcher` look at the calls of `thread` from its next one on; a kernel thread makes none.
pub fn add(thread: &Thread, watcher: Watchers) {
    change(thread, |watchers| watchers | watcher);
}

/// Lets `watcher` look away, from the next call on.
pub fn remove(thread: &Thread, watcher: Watchers) {
    change(thread, |watchers| watchers - watcher);
}

/// Lets those look at the calls of `child` that look at those of `parent` and follow its children.
pub fn inherit(parent: &Thread, child: &Thread) {
    let inherited = watchers(parent) - Watchers::PTRACE;
    if !inherited.is_empty() {
        add(child, inherited);
    }
}

/// Changes who looks; the flag changes under the same lock, so that it is raised as long as there is one.
fn change(thread: &Thread, change: impl FnOnce(Watchers) -> Watchers) {
    let Some(user) = &thread.user else { return };
    let mut watchers = user.watchers.lock();
    *watchers = change(*watchers);
    if watchers.is_empty() {
        thread.task.lower(Work::WATCHED);
    } else {
        thread.task.raise(Work::WATCHED);
    }
}
