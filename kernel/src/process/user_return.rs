//! What a thread does on its way back to user mode when work is due.

use hal::task::{UserRegs, Work};

use super::{exit, ptrace, signal};
use crate::scheduler;
use crate::syscall;

/// Does the work that `work` names; `hal` calls it again as long as more has come up.
///
/// Runs at the bottom of the thread's kernel stack, interrupts on. Does not return when the thread ends.
pub fn exit_to_user(regs: &mut UserRegs, work: Work) {
    {
        let thread = scheduler::current();
        if work.contains(Work::FULL_FRAME) {
            thread.task.lower(Work::FULL_FRAME);
            syscall::dispatch_full(regs);
        }
        if work.contains(Work::DEFERRED) {
            crate::time::cpu_clocks::check_current();
        }
        if thread.task.work().contains(Work::SIGNAL) {
            signal::delivery::deliver(&thread.arc(), regs);
        }
        if !thread.task.work().contains(Work::EXIT) {
            if work.contains(Work::RESCHEDULE) {
                // It may have lost the CPU when it comes back, which is looked at then.
                scheduler::schedule();
            } else if work.contains(Work::RSEQ) {
                thread.task.lower(Work::RSEQ);
                signal::delivery::restart_sequence(&thread.arc(), regs);
            }
            return;
        }
        if let Some(user) = thread.user.as_ref() {
            ptrace::at_end(&thread.arc(), user, regs, exit::status_of(user));
        }
    }
    exit::exit_thread();
}
