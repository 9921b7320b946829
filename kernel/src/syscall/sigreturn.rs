//! rt_sigreturn(2), sigaltstack(2).

use hal::task::UserRegs;
use linux_abi::errno::Errno;
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, Signal, StackT};

use super::{Args, Context, SyscallError};
use crate::process::UserThread;
use crate::process::signal::{force_fault, frame};

/// rt_sigreturn(2): goes back to where a signal handler interrupted the program. A frame that cannot be read ends it
/// with SIGSEGV.
pub(super) fn rt_sigreturn(cx: &Context, _args: &Args, regs: &mut UserRegs) -> Result<usize, SyscallError> {
    match frame::pop(regs) {
        Ok(returned) => {
            super::sigaction::set_blocked(cx, returned.mask);
            // As on Linux, a stack that cannot be restored is left as it is.
            let _ = set_alternate_stack(cx.user(), &returned.stack, regs.rsp as usize);
        }
        Err(_) => force_fault(&cx.thread_arc(), SigInfo::kernel(Signal::SIGSEGV)),
    }
    Ok(regs.rax as usize)
}

/// sigaltstack(2): reads and replaces the alternate signal stack.
///
/// # Errors
/// - `EINVAL`: an unknown flag. `ENOMEM`: smaller than `MINSIGSTKSZ`.
/// - `EPERM`: the thread runs on the stack now. `EFAULT`: bad pointers.
pub(super) fn sigaltstack(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    let (new_in, old_out) = (args.user_ptr::<StackT>(0), args.user_ptr::<StackT>(1));
    let rsp = args.user_rsp();
    let mut old = cx.user().signals.lock().alternate_stack;
    old.ss_flags = frame::reported_flags(&old, rsp);

    if !new_in.is_null() {
        let new = new_in.read()?;
        set_alternate_stack(cx.user(), &new, rsp)?;
    }
    if !old_out.is_null() {
        old_out.write(&old)?;
    }
    Ok(0)
}

fn set_alternate_stack(user: &UserThread, new: &StackT, rsp: usize) -> Result<(), Errno> {
    let mut own = user.signals.lock();
    if frame::is_on(&own.alternate_stack, rsp) {
        return Err(Errno::EPERM);
    }
    own.alternate_stack = match new.ss_flags & !SS_AUTODISARM {
        SS_DISABLE => StackT { ss_flags: SS_DISABLE, ..StackT::default() },
        0 | SS_ONSTACK if new.ss_size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
        0 | SS_ONSTACK => StackT { ss_flags: new.ss_flags & SS_AUTODISARM, ..*new },
        _ => return Err(Errno::EINVAL),
    };
    Ok(())
}
