//! What the memory area needs to know of processes when memory runs out.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::signal::Signal;

use super::signal::send::send_kernel_signal;
use super::{exit, tree};
use crate::memory::oom::{self, Candidate, Victims};

struct Processes;

/// Offers the processes to [`oom`]; to be called once at boot.
pub fn register() {
    oom::register(&Processes);
}

impl Victims for Processes {
    fn candidates(&self) -> Vec<Candidate> {
        let processes = tree::all_processes();
        let describe = |process: &alloc::sync::Arc<super::Process>| {
            let usage = process.try_address_space()?.usage();
            Some(Candidate {
                pid: process.pid,
                name: process.name().as_bytes().to_vec(),
                uid: process.real_uid(),
                total_pages: usage.total,
                resident_pages: usage.resident(),
                score_adj: process.oom_score_adj.load(Relaxed),
                is_ending: exit::is_ending(process),
                is_vital: process.pid == 1,
            })
        };
        processes.iter().filter_map(describe).collect()
    }

    fn kill(&self, pid: i32) {
        if let Some(process) = tree::find_process(pid) {
            send_kernel_signal(&process, Signal::SIGKILL);
        }
    }
}
