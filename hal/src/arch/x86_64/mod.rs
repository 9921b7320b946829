//! The PC: x86-64, entered by PVH, one to 64 CPUs.
//!
//! # Address space
//!
//! ```text
//! 0 .. USER_END                  the user program of the loaded space
//! ffff_8000_0000_0000 + phys     direct map of all RAM, largest pages, no-execute; the image's own frames read-only
//! ffff_a000_0000_0000            kernel stacks, each above an unmapped guard
//! ffff_a800_0000_0000            device registers, uncached
//! ffff_ffff_8000_0000 + phys     the image: code read and execute, constants read, data read and write
//! ```
//!
//! # Start
//!
//! `asm/boot.s` enters long mode on crude page tables; [`boot`] reads the start info and ACPI's tables while those still
//! reach all memory below 4 GiB, takes early memory, gives every CPU its [`area`], makes the final tables
//! ([`kernel_map`]), sets the CPU up ([`setup`]), measures the clocks ([`time`]) and calls the kernel.
//!
//! # Stacks
//!
//! ```text
//! end of stack   floating-point state of the task (fpu.rs)
//! frame top      UserRegs, 168 bytes; entries from user mode begin here (TSS.RSP0)
//!                what the kernel calls
//! bottom
//! guard          unmapped: an overflow is a double fault, which has a stack of its own
//! ```
//!
//! ## Hazards
//!
//! 1. **SYSRET to a non-canonical address** faults in ring 0 on the user's stack. No page at the end of the user half is
//!    ever mapped (`USER_END`), so the address after a SYSCALL is canonical; every other new rip goes through
//!    `UserRegs::sanitise`.
//! 2. **NMI, #MC and #DB between an entry and its SWAPGS** (or between loading the user's rsp and SYSRET). They run on
//!    stacks of their own (IST) and set GS by its MSR, never by SWAPGS.
//! 3. **The user's GS base may be a kernel address** (WRGSBASE), so its sign proves nothing. What the kernel's GS base is
//!    lies above each IST stack.
//! 4. **MOV SS defers a debug trap** to the first kernel instruction after SYSCALL: hence #DB has an IST stack too.
//! 5. **The direction flag is the user's** on every entry but SYSCALL: CLD before any string instruction.
//! 6. **The alignment-check flag lifts SMAP** and survives interrupt entry: CLAC on every entry.
//! 7. **Another CPU's stale translation.** Frames go back only after every CPU that may have them cached has confirmed a
//!    flush; whoever spins with interrupts off serves such requests ([`shootdown`]).
//! 8. **The registers may hold another task's floating-point state.** `fpu_owner` of the CPU and `cpu` of the state must
//!    name each other; whoever changes the state in memory clears the latter.
//! 9. **XRSTOR of a hostile image faults.** The header and MXCSR are checked first, and the instruction has a fix-up.
//! 10. **A page fault inside a user copy may sleep** and come back on another CPU: nothing per-CPU is kept across one.
//! 11. **CR2 is overwritten by the next fault**: it is read before interrupts go on.
//! 12. **NMIs stay blocked until IRET**, and any IRET unblocks them: the NMI path takes no fault and prints little.
//! 13. **An SMI or a host's scheduler may stop the CPU between two readings of two clocks**: calibration takes the pair of
//!     readings that lie closest together.
//! 14. **Two writes make one xAPIC command**: interrupts are off between them.
//! 15. **A processor that starts too late** must not find another one's stack: the start word is taken by exchange.
//! 16. **Meltdown, L1TF**: held entries have inverted addresses (paging); the kernel half is mapped in user mode, which
//!     is safe only on CPUs that do not speculate across the privilege check.

mod apic;
mod area;
mod asm;
pub(crate) mod backtrace;
pub(crate) mod boot;
mod calibrate;
pub(crate) mod console;
pub(crate) mod cpu;
mod cpu_info;
mod exceptions;
mod features;
mod fpu;
pub(crate) mod io;
mod io_apic;
pub(crate) mod irq;
mod kernel_map;
pub(crate) mod memory;
mod mmio;
pub(crate) mod paging;
mod panic;
mod power;
mod registers;
mod rtc;
mod setup;
mod shootdown;
mod smp;
mod stack;
mod symbols;
mod tables;
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod user;
pub(crate) mod vdso;
