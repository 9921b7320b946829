//! A user program's registers as they lie at the top of the kernel stack.
//!
//! [`UserRegs`] is the full frame, [`SyscallFrame`] the same memory when only a part of it has been stored: the SYSCALL
//! entry stores what it must, the exit path completes the frame when there is work to do. Entry assembly relies on the
//! offsets asserted below.

use core::mem::{MaybeUninit, offset_of};

use crate::addr::USER_END;

/// All registers of a user program, lowest address first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "named after the registers")]
pub struct UserRegs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r9: u64,
    pub r8: u64,
    pub r10: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// The number of the system call; -1 after an interrupt or exception.
    pub orig_rax: u64,
    pub rax: u64,
    pub rcx: u64,
    pub r11: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Words in a full frame.
pub(crate) const FRAME_WORDS: usize = 21;

const _: () = {
    assert!(size_of::<UserRegs>() == FRAME_WORDS * 8);
    assert!(size_of::<SyscallFrame>() == size_of::<UserRegs>());
    assert!(offset_of!(UserRegs, r9) == 48 && offset_of!(SyscallFrame, r9) == 48);
    assert!(offset_of!(UserRegs, rdi) == 88 && offset_of!(SyscallFrame, rdi) == 88);
    assert!(offset_of!(UserRegs, orig_rax) == 96 && offset_of!(SyscallFrame, number) == 96);
    assert!(offset_of!(UserRegs, rax) == 104);
    assert!(offset_of!(UserRegs, rip) == 128 && offset_of!(SyscallFrame, rip) == 128);
    assert!(offset_of!(UserRegs, rflags) == 144 && offset_of!(SyscallFrame, rflags) == 144);
    assert!(offset_of!(UserRegs, rsp) == 152 && offset_of!(SyscallFrame, rsp) == 152);
};

/// Flags that a user program may set itself: carry, parity, adjust, zero, sign, trap, direction, overflow, nested task,
/// alignment check, identification.
const USER_FLAGS: u64 =
    0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x4000 | 0x4_0000 | 0x20_0000;
/// Bit 1 is always set, and user mode always has interrupts on.
const FIXED_FLAGS: u64 = 0x2 | 0x200;

/// Selector of user code (64 bit).
pub(crate) const USER_CS: u64 = 0x33;
/// Selector of user data.
pub(crate) const USER_SS: u64 = 0x2b;

impl UserRegs {
    /// Value of `orig_rax` outside a system call.
    pub const NO_SYSCALL: u64 = u64::MAX;

    /// Makes the registers of a program's first instruction: all zero but these two.
    pub fn start(rip: usize, rsp: usize) -> Self {
        let mut regs =
            Self { rip: rip as u64, rsp: rsp as u64, orig_rax: Self::NO_SYSCALL, ..Self::default() };
        regs.sanitise();
        regs
    }

    /// Returns number, arguments and place of the call that this full frame is from, for a handler on the exit path.
    pub fn syscall_frame(&self) -> SyscallFrame {
        SyscallFrame {
            callee_saved: [MaybeUninit::uninit(); 6],
            r9: self.r9,
            r8: self.r8,
            r10: self.r10,
            rdx: self.rdx,
            rsi: self.rsi,
            rdi: self.rdi,
            number: self.orig_rax,
            skipped: [MaybeUninit::uninit(); 3],
            rip: self.rip,
            cs: MaybeUninit::uninit(),
            rflags: self.rflags,
            rsp: self.rsp,
            ss: MaybeUninit::uninit(),
        }
    }

    /// Corrects what user mode must not have. The instruction pointer stays canonical and in the user half, so that
    /// neither IRET nor SYSRET can fault in the kernel; a bad one faults in user mode.
    pub fn sanitise(&mut self) {
        self.cs = USER_CS;
        self.ss = USER_SS;
        self.rflags = (self.rflags & USER_FLAGS) | FIXED_FLAGS;
        if self.rip > USER_END as u64 {
            self.rip = USER_END as u64;
        }
    }
}

/// What the system-call entry has stored: the rest of the frame is undefined. Only the entry path makes one.
#[derive(Debug)]
#[repr(C)]
pub struct SyscallFrame {
    callee_saved: [MaybeUninit<u64>; 6],
    r9: u64,
    r8: u64,
    r10: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    number: u64,
    skipped: [MaybeUninit<u64>; 3],
    rip: u64,
    cs: MaybeUninit<u64>,
    rflags: u64,
    rsp: u64,
    ss: MaybeUninit<u64>,
}

impl SyscallFrame {
    /// Returns the number of the call, all 64 bits of rax.
    #[inline(always)]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns argument 0 to 5; 0 beyond.
    #[inline(always)]
    pub fn arg(&self, i: usize) -> u64 {
        match i {
            0 => self.rdi,
            1 => self.rsi,
            2 => self.rdx,
            3 => self.r10,
            4 => self.r8,
            5 => self.r9,
            _ => 0,
        }
    }

    /// Returns all six arguments.
    #[inline(always)]
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// Returns the address of the instruction after SYSCALL.
    #[inline(always)]
    pub fn user_rip(&self) -> u64 {
        self.rip
    }

    /// Returns the user stack pointer.
    #[inline(always)]
    pub fn user_rsp(&self) -> u64 {
        self.rsp
    }

    /// Returns the user flags.
    #[inline(always)]
    pub fn user_flags(&self) -> u64 {
        self.rflags
    }

    /// Makes a frame from its parts, for tests of a dispatcher.
    #[cfg(not(target_os = "none"))]
    pub fn for_test(number: u64, args: [u64; 6]) -> Self {
        let regs = UserRegs {
            orig_rax: number,
            rdi: args[0],
            rsi: args[1],
            rdx: args[2],
            r10: args[3],
            r8: args[4],
            r9: args[5],
            ..UserRegs::default()
        };
        // SAFETY: the two have one layout (asserted above), and every field of the target allows any value.
        unsafe { core::mem::transmute::<UserRegs, SyscallFrame>(regs) }
    }

    /// Looks at a full frame as the system-call entry's.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn of(regs: &mut UserRegs) -> &mut SyscallFrame {
        // SAFETY: one layout (asserted above); all fields of the result allow any value, and it can only be read.
        unsafe { &mut *(&raw mut *regs).cast() }
    }
}
