//! What a signal handler finds on its stack on x86-64: `ucontext_t`, `sigcontext`, the mark behind the FPU state.
//!
//! ```text
//!  higher   FPU state (XSAVE area, 64-byte aligned), FP_XSTATE_MAGIC2 behind it
//!           SigInfo
//!           UContext            <- third argument; second points to SigInfo
//!  rsp ->   return address: the action's restorer
//! ```
//!
//! `rt_sigreturn` finds the frame at `rsp - 8`. `rsp + 8` is a multiple of 16 when the handler starts.

use crate::siginfo::SigInfo;
use crate::signal::{SigSet, StackT};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct sigcontext`: the registers of the interrupted code.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SigContext {
    /// Register r8.
    pub r8: u64,
    /// Register r9.
    pub r9: u64,
    /// Register r10.
    pub r10: u64,
    /// Register r11.
    pub r11: u64,
    /// Register r12.
    pub r12: u64,
    /// Register r13.
    pub r13: u64,
    /// Register r14.
    pub r14: u64,
    /// Register r15.
    pub r15: u64,
    /// Register rdi.
    pub rdi: u64,
    /// Register rsi.
    pub rsi: u64,
    /// Register rbp.
    pub rbp: u64,
    /// Register rbx.
    pub rbx: u64,
    /// Register rdx.
    pub rdx: u64,
    /// Register rax.
    pub rax: u64,
    /// Register rcx.
    pub rcx: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Instruction pointer.
    pub rip: u64,
    /// Flags.
    pub eflags: u64,
    /// Code segment.
    pub cs: u16,
    /// Segment register gs.
    pub gs: u16,
    /// Segment register fs.
    pub fs: u16,
    /// Stack segment; valid when `UC_SIGCONTEXT_SS` is set.
    pub ss: u16,
    /// Error code of the last fault.
    pub err: u64,
    /// Vector of the last fault.
    pub trapno: u64,
    /// Signal mask to restore, as `uc_sigmask`.
    pub oldmask: u64,
    /// Address of the last page fault.
    pub cr2: u64,
    /// Address of the FPU state; 0: none.
    pub fpstate: u64,
    /// Zero.
    pub reserved: [u64; 8],
}

const _: () = assert!(size_of::<SigContext>() == 256);

/// `struct ucontext` as the kernel writes it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UContext {
    /// `UC_*`.
    pub uc_flags: u64,
    /// Zero.
    pub uc_link: u64,
    /// The alternate stack.
    pub uc_stack: StackT,
    /// Registers.
    pub uc_mcontext: SigContext,
    /// Signal mask to restore.
    pub uc_sigmask: SigSet,
}

const _: () = assert!(size_of::<UContext>() == 304);

/// `struct rt_sigframe`: what lies at the stack pointer when the handler starts.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RtSigframe {
    /// Return address of the handler: the action's restorer.
    pub pretcode: u64,
    /// Third argument of the handler.
    pub uc: UContext,
    /// Second argument of the handler.
    pub info: SigInfo,
}

const _: () = assert!(size_of::<RtSigframe>() == 440);

/// `uc_flags`: the FPU state is an XSAVE area.
pub const UC_FP_XSTATE: u64 = 0x1;
/// `uc_flags`: `ss` is saved.
pub const UC_SIGCONTEXT_SS: u64 = 0x2;
/// `uc_flags`: restore `ss` exactly.
pub const UC_STRICT_RESTORE_SS: u64 = 0x4;

/// In [`FpxSwBytes::magic1`]: an XSAVE area follows the legacy one.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// Four bytes behind the XSAVE area.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Size of [`FP_XSTATE_MAGIC2`].
pub const FP_XSTATE_MAGIC2_SIZE: usize = 4;

/// Offset of [`FpxSwBytes`] in the FPU state: the last 48 bytes of the legacy area of 512.
pub const FPX_SW_BYTES_OFFSET: usize = 464;

/// `struct _fpx_sw_bytes`: what the kernel says about the FPU state.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FpxSwBytes {
    /// [`FP_XSTATE_MAGIC1`].
    pub magic1: u32,
    /// Size of the FPU state with the mark behind it, bytes.
    pub extended_size: u32,
    /// Features saved (XCR0 bits).
    pub xfeatures: u64,
    /// Size of the XSAVE area, bytes.
    pub xstate_size: u32,
    /// Zero.
    pub padding: [u32; 7],
}

const _: () = assert!(size_of::<FpxSwBytes>() == 48);
