//! What the memory area needs to know of processes when memory runs out.

use core::sync::atomic::Ordering::Relaxed;

use linux_abi::signal::Signal;

use super::signal::send::send_kernel_signal;
use super::{Process, exit, tree};
use crate::memory::oom::{self, Candidate, Name, Victims};

struct Processes;

/// Offers the processes to [`oom`]; to be called once at boot.
pub fn register() {
    oom::register(&Processes);
}

impl Victims for Processes {
    fn next(&self, after: i32) -> Option<Candidate> {
        let mut pid = after;
        loop {
            let process = tree::next_process(pid)?;
            pid = process.pid;
            if let Some(candidate) = describe(&process) {
                return Some(candidate);
            }
        }
    }

    fn kill(&self, pid: i32) {
        if let Some(process) = tree::find_process(pid) {
            send_kernel_signal(&process, Signal::SIGKILL);
        }
    }
}

/// Describes a process that has memory.
fn describe(process: &Process) -> Option<Candidate> {
    let space = process.look_at_memory()?;
    let usage = space.usage();
    Some(Candidate {
        pid: process.pid,
        name: Name::from_slice(process.name().as_bytes()),
        uid: process.real_uid(),
        total_pages: usage.total,
        pages: [usage.anonymous, usage.file, usage.shared],
        table_pages: space.table_pages(),
        score_adj: process.oom_score_adj.load(Relaxed),
        is_ending: exit::is_ending(process),
        is_vital: process.pid == 1,
    })
}
