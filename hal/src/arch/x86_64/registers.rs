//! Model-specific registers by name, and the instructions no library wraps.

use core::arch::asm;

use x86_64::registers::model_specific::Msr;

/// Local APIC: base address and mode.
pub(super) const APIC_BASE: u32 = 0x1b;
/// TSC value at which the local APIC interrupts.
pub(super) const TSC_DEADLINE: u32 = 0x6e0;
/// Selectors of SYSCALL and SYSRET.
pub(super) const STAR: u32 = 0xc000_0081;
/// Target of SYSCALL.
pub(super) const LSTAR: u32 = 0xc000_0082;
/// Flags that SYSCALL clears.
pub(super) const SFMASK: u32 = 0xc000_0084;
/// Base of FS.
pub(super) const FS_BASE: u32 = 0xc000_0100;
/// Base of GS: the CPU's area while the kernel runs.
pub(super) const GS_BASE: u32 = 0xc000_0101;
/// What SWAPGS exchanges with it: the user's while the kernel runs.
pub(super) const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// Reads a model-specific register.
///
/// # Safety
/// The CPU has it.
#[inline]
pub(super) unsafe fn read_msr(number: u32) -> u64 {
    // SAFETY: the caller's duty.
    unsafe { Msr::new(number).read() }
}

/// Writes a model-specific register.
///
/// # Safety
/// The CPU has it, takes this value, and the effect breaks no memory safety.
#[inline]
pub(super) unsafe fn write_msr(number: u32, value: u64) {
    // SAFETY: the caller's duty.
    unsafe { Msr::new(number).write(value) };
}

/// Reads the time stamp counter, after all loads before it have been done.
#[inline(always)]
pub(crate) fn tsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: harmless on every x86-64 CPU.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Runs CPUID; `[eax, ebx, ecx, edx]`.
pub(super) fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let (a, b, c, d): (u32, u64, u32, u32);
    // SAFETY: harmless on every x86-64 CPU. RBX belongs to LLVM, so it goes through another register.
    unsafe {
        asm!("mov {b}, rbx", "cpuid", "xchg {b}, rbx", b = out(reg) b, inout("eax") leaf => a,
            inout("ecx") subleaf => c, out("edx") d, options(nomem, nostack, preserves_flags));
    }
    [a, b as u32, c, d]
}

/// Returns the current frame pointer.
#[inline(always)]
pub(super) fn frame_pointer() -> usize {
    let value;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Returns the current stack pointer.
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let value;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}
