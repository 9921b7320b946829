//! A thread's registers as a tracer sees them.

use hal::task::UserRegs;
use linux_abi::ptrace::UserRegsStruct;

/// Registers and bases of FS and GS in the layout of ptrace(2).
pub fn to_user_regs(regs: &UserRegs, bases: [usize; 2]) -> UserRegsStruct {
    UserRegsStruct {
        r15: regs.r15,
        r14: regs.r14,
        r13: regs.r13,
        r12: regs.r12,
        rbp: regs.rbp,
        rbx: regs.rbx,
        r11: regs.r11,
        r10: regs.r10,
        r9: regs.r9,
        r8: regs.r8,
        rax: regs.rax,
        rcx: regs.rcx,
        rdx: regs.rdx,
        rsi: regs.rsi,
        rdi: regs.rdi,
        orig_rax: regs.orig_rax,
        rip: regs.rip,
        cs: regs.cs,
        eflags: regs.rflags,
        rsp: regs.rsp,
        ss: regs.ss,
        fs_base: bases[0] as u64,
        gs_base: bases[1] as u64,
        ..UserRegsStruct::default()
    }
}

/// The way back. Selectors stay what they are in user mode; what else user mode must not have is corrected on the way
/// there.
pub fn from_user_regs(from: &UserRegsStruct) -> (UserRegs, [usize; 2]) {
    let mut regs = UserRegs {
        r15: from.r15,
        r14: from.r14,
        r13: from.r13,
        r12: from.r12,
        rbp: from.rbp,
        rbx: from.rbx,
        r11: from.r11,
        r10: from.r10,
        r9: from.r9,
        r8: from.r8,
        rax: from.rax,
        rcx: from.rcx,
        rdx: from.rdx,
        rsi: from.rsi,
        rdi: from.rdi,
        orig_rax: from.orig_rax,
        rip: from.rip,
        rflags: from.eflags,
        rsp: from.rsp,
        ..UserRegs::default()
    };
    regs.sanitise();
    (regs, [from.fs_base as usize, from.gs_base as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_survive_the_way_there_and_back() {
        let mut regs = UserRegs {
            rax: 1,
            rcx: 2,
            r15: 3,
            orig_rax: 39,
            rip: 0x40_0000,
            rsp: 0x7000,
            ..UserRegs::default()
        };
        regs.sanitise();
        let seen = to_user_regs(&regs, [5, 6]);
        assert_eq!((seen.orig_rax, seen.cs, seen.ss, seen.fs_base), (39, 0x33, 0x2b, 5));
        assert_eq!(from_user_regs(&seen), (regs, [5, 6]));
    }

    #[test]
    fn a_tracer_gives_no_rights() {
        let wild = UserRegsStruct { eflags: u64::MAX, rip: u64::MAX, cs: 0x10, ..UserRegsStruct::default() };
        let (regs, _) = from_user_regs(&wild);
        assert_eq!(regs.cs, 0x33);
        assert_eq!(regs.rflags & 0x3000, 0, "no I/O privilege");
        assert!(regs.rip <= hal::USER_END as u64);
    }
}
