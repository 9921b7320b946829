//! From a fault of the CPU to a resolved page or a signal.

use hal::task::UserRegs;
use hal::upcall::{PageFault, UserException};
use linux_abi::siginfo::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTINV, FPE_INTDIV, ILL_ILLOPN, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, SigInfo,
    TRAP_TRACE,
};
use linux_abi::signal::Signal;

use super::exit;
use super::signal::force_fault;
use crate::memory::address_space::{FaultError, FaultKind};
use crate::memory::oom;
use crate::scheduler;

/// Resolves a fault at a user address. Remembers why it could not, for the exception that follows in user mode.
///
/// # Errors
/// `Fault`: the program must not access the address; a copy by the kernel answers `EFAULT`.
pub fn page_fault(fault: &PageFault) -> Result<(), hal::Error> {
    let thread = scheduler::current();
    let Some(user) = thread.user.as_ref() else { return Err(hal::Error::Fault) };
    let Some(space) = user.process.try_address_space() else { return Err(hal::Error::Fault) };
    let waits_before = thread.switches().0;
    match space.fault(fault) {
        Ok(kind) => {
            if thread.switches().0 != waits_before {
                thread.note_lost_cpu();
            }
            match kind {
                FaultKind::Minor => thread.count_minor_fault(),
                FaultKind::Major => thread.count_major_fault(),
            }
            Ok(())
        }
        Err(FaultError::OutOfMemory) => {
            let outcome = oom::make_room();
            // The victim may be this very process: it ends on its way out. Otherwise the access is made again, once
            // the victim has had a chance to end.
            if outcome == oom::Outcome::Nobody || exit::is_ending(&user.process) {
                return Err(hal::Error::OutOfMemory);
            }
            scheduler::SCHEDULER.yield_now();
            Ok(())
        }
        Err(error) => {
            user.last_fault.store(error as u8, core::sync::atomic::Ordering::Relaxed);
            Err(hal::Error::Fault)
        }
    }
}

/// Raises the signal of an exception in user mode.
pub fn user_exception(exception: &UserException, _regs: &mut UserRegs) {
    let thread = scheduler::current().arc();
    let Some(user) = thread.user.as_ref() else { return };
    let at = exception.address as u64;
    let info = match exception.vector {
        0 => SigInfo::fault(Signal::SIGFPE, FPE_INTDIV, at),
        1 => SigInfo::fault(Signal::SIGTRAP, TRAP_TRACE, at),
        3 => SigInfo::fault(Signal::SIGTRAP, SI_KERNEL, 0),
        6 => SigInfo::fault(Signal::SIGILL, ILL_ILLOPN, at),
        16 | 19 => SigInfo::fault(Signal::SIGFPE, FPE_FLTINV, at),
        17 => SigInfo::fault(Signal::SIGBUS, BUS_ADRALN, 0),
        11 | 12 => SigInfo::fault(Signal::SIGBUS, SI_KERNEL, 0),
        14 => page_fault_info(user.last_fault.swap(0, core::sync::atomic::Ordering::Relaxed), at),
        _ => SigInfo::fault(Signal::SIGSEGV, SI_KERNEL, 0),
    };
    if exit::is_ending(&user.process) {
        return;
    }
    force_fault(&thread, info);
}

fn page_fault_info(reason: u8, at: u64) -> SigInfo {
    if reason == FaultError::Access as u8 {
        SigInfo::fault(Signal::SIGSEGV, SEGV_ACCERR, at)
    } else if reason == FaultError::BusError as u8 {
        SigInfo::fault(Signal::SIGBUS, BUS_ADRERR, at)
    } else {
        SigInfo::fault(Signal::SIGSEGV, SEGV_MAPERR, at)
    }
}
