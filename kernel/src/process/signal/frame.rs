//! The frame a signal handler finds on the user stack, and the way back from it (rt_sigreturn(2)).
//!
//! Layout, from the stack pointer the handler sees upwards, as programs for Linux on x86-64 expect it:
//!
//! ```text
//! rsp ->  return address (sa_restorer)          8 bytes
//!         struct ucontext                       uc_flags, uc_link, uc_stack, sigcontext, uc_sigmask
//!         siginfo_t                             128 bytes
//!         (gap)
//!         xsave area, 64-byte aligned           referenced by sigcontext.fpstate
//! ```
//! `rsp + 8` is 16-byte aligned, as after a call. 128 bytes below the interrupted stack pointer stay untouched: the
//! ABI's red zone.

use core::mem::offset_of;

use hal::task::{self, UserRegs};
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::sigframe::{
    RtSigframe, SigContext, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UContext,
};
use linux_abi::siginfo::SigInfo;
use linux_abi::signal::{
    KernelSigaction, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, SaFlags, SigSet, Signal, StackT,
};

const RED_ZONE: usize = 128;

/// Pushes a frame and points the registers at the handler.
///
/// `mask_after` is the mask rt_sigreturn will restore; `stack` is the thread's alternate stack, disarmed here when
/// the program asked for `SS_AUTODISARM`.
///
/// # Errors
/// `EFAULT`: the frame does not fit on the stack, or the program gave no restorer. The registers are unchanged.
pub fn push(
    regs: &mut UserRegs,
    signal: Signal,
    info: &SigInfo,
    action: &KernelSigaction,
    mask_after: SigSet,
    stack: &mut StackT,
) -> Result<(), Errno> {
    if action.flags & SaFlags::SA_RESTORER.bits() == 0 {
        return Err(Errno::EFAULT);
    }
    let rsp = regs.rsp as usize;
    let mut top = rsp.wrapping_sub(RED_ZONE);
    let enters_alternate = action.flags & SaFlags::SA_ONSTACK.bits() != 0
        && stack.ss_flags & SS_DISABLE == 0
        && !is_on(stack, rsp);
    if enters_alternate {
        top = (stack.ss_sp as usize).wrapping_add(stack.ss_size as usize);
    }
    let fpu_len = task::fpu_frame_size();
    let fpu_addr = top.checked_sub(fpu_len).ok_or(Errno::EFAULT)? & !63;
    let frame_addr =
        (fpu_addr.checked_sub(size_of::<RtSigframe>()).ok_or(Errno::EFAULT)? & !15).wrapping_sub(8);
    let leaves_stack = is_on(stack, rsp) || enters_alternate;
    if leaves_stack && stack.ss_flags & SS_DISABLE == 0 && frame_addr < stack.ss_sp as usize {
        return Err(Errno::EFAULT);
    }

    task::save_fpu_to_user(fpu_addr)?;
    let mut saved_stack = *stack;
    saved_stack.ss_flags = reported_flags(stack, rsp);
    let frame = RtSigframe {
        pretcode: action.restorer,
        uc: UContext {
            uc_flags: UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
            uc_link: 0,
            uc_stack: saved_stack,
            uc_mcontext: to_sigcontext(regs, fpu_addr as u64, mask_after),
            uc_sigmask: mask_after,
        },
        info: *info,
    };
    UserPtr::<RtSigframe>::new(frame_addr).write(&frame)?;

    if stack.ss_flags & SS_AUTODISARM != 0 {
        *stack = StackT { ss_flags: SS_DISABLE, ..StackT::default() };
    }
    regs.rdi = u64::from(signal.number());
    regs.rsi = (frame_addr + offset_of!(RtSigframe, info)) as u64;
    regs.rdx = (frame_addr + offset_of!(RtSigframe, uc)) as u64;
    regs.rax = 0;
    regs.rip = action.handler;
    regs.rsp = frame_addr as u64;
    regs.rflags &= !HANDLER_CLEARS;
    Ok(())
}

/// The most that [`push`] takes of a stack, bytes (`AT_MINSIGSTKSZ`).
pub fn max_size() -> usize {
    let alignment = 63 + 15;
    (task::fpu_frame_size() + size_of::<RtSigframe>() + alignment).next_multiple_of(16)
}

/// Direction, resume and trap flag: a handler starts without them.
const HANDLER_CLEARS: u64 = 1 << 10 | 1 << 16 | 1 << 8;
/// The flags a program may set through a signal frame: the arithmetic ones, TF, DF, AC, RF.
const FIXABLE_FLAGS: u64 = 0xdd5 | 1 << 16 | 1 << 18;

/// What rt_sigreturn found on the stack.
pub struct Returned {
    /// The mask to restore.
    pub mask: SigSet,
    /// The alternate stack to restore.
    pub stack: StackT,
}

/// Undoes [`push`]: restores the registers and the FPU state from the frame at the stack pointer.
///
/// # Errors
/// `EFAULT`: the frame or the FPU state cannot be read or is not one a CPU can load. `regs` may be partly changed;
/// the caller ends the program with SIGSEGV.
pub fn pop(regs: &mut UserRegs) -> Result<Returned, Errno> {
    let frame_addr = (regs.rsp as usize).wrapping_sub(8);
    let context = UserPtr::<UContext>::new(frame_addr.wrapping_add(offset_of!(RtSigframe, uc))).read()?;
    from_sigcontext(regs, &context.uc_mcontext);
    match context.uc_mcontext.fpstate as usize {
        0 => task::reset_fpu_current(),
        fpu_addr => task::restore_fpu_from_user(fpu_addr)?,
    }
    Ok(Returned { mask: context.uc_sigmask, stack: context.uc_stack })
}

/// Whether `rsp` lies on the alternate stack.
pub fn is_on(stack: &StackT, rsp: usize) -> bool {
    if stack.ss_flags & (SS_AUTODISARM | SS_DISABLE) != 0 {
        return false;
    }
    let base = stack.ss_sp as usize;
    rsp > base && rsp - base <= stack.ss_size as usize
}

/// `ss_flags` as sigaltstack(2) reports them to a thread whose stack pointer is `rsp`.
pub fn reported_flags(stack: &StackT, rsp: usize) -> u32 {
    if stack.ss_flags & SS_DISABLE != 0 {
        SS_DISABLE
    } else if is_on(stack, rsp) {
        SS_ONSTACK
    } else {
        stack.ss_flags & SS_AUTODISARM
    }
}

fn to_sigcontext(regs: &UserRegs, fpstate: u64, mask: SigSet) -> SigContext {
    SigContext {
        r8: regs.r8,
        r9: regs.r9,
        r10: regs.r10,
        r11: regs.r11,
        r12: regs.r12,
        r13: regs.r13,
        r14: regs.r14,
        r15: regs.r15,
        rdi: regs.rdi,
        rsi: regs.rsi,
        rbp: regs.rbp,
        rbx: regs.rbx,
        rdx: regs.rdx,
        rax: regs.rax,
        rcx: regs.rcx,
        rsp: regs.rsp,
        rip: regs.rip,
        eflags: regs.rflags,
        cs: regs.cs as u16,
        ss: regs.ss as u16,
        oldmask: mask.0,
        fpstate,
        ..SigContext::default()
    }
}

fn from_sigcontext(regs: &mut UserRegs, context: &SigContext) {
    regs.r8 = context.r8;
    regs.r9 = context.r9;
    regs.r10 = context.r10;
    regs.r11 = context.r11;
    regs.r12 = context.r12;
    regs.r13 = context.r13;
    regs.r14 = context.r14;
    regs.r15 = context.r15;
    regs.rdi = context.rdi;
    regs.rsi = context.rsi;
    regs.rbp = context.rbp;
    regs.rbx = context.rbx;
    regs.rdx = context.rdx;
    regs.rax = context.rax;
    regs.rcx = context.rcx;
    regs.rsp = context.rsp;
    regs.rip = context.rip;
    regs.rflags = regs.rflags & !FIXABLE_FLAGS | context.eflags & FIXABLE_FLAGS;
    regs.orig_rax = UserRegs::NO_SYSCALL;
}
