//! The end of a kernel that has met a bug of its own: it says all it knows, stops the other CPUs, and obeys `panic=`.

use core::fmt::{self, Arguments, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{apic, area, backtrace, cpu, irq, power, registers, time};
use crate::console::EarlyConsole;
use crate::cpu::MAX_CPUS;
use crate::task::UserRegs;
use crate::upcall::bound;

/// Set by the first CPU that panics; the others stop at the next NMI.
static STOPPING: AtomicBool = AtomicBool::new(false);
/// The CPU that panics, plus one.
static PANICKING: AtomicUsize = AtomicUsize::new(0);
/// Looks at the other CPUs before one that does not stop is given up: tenths of a second.
const PATIENCE: u32 = 20_000_000;

/// Tells whether this CPU is to stop.
pub(super) fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed) && PANICKING.load(Ordering::Relaxed) != area::id() + 1
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    match info.location() {
        Some(location) => begin(format_args!("{} at {location}", info.message())),
        None => begin(format_args!("{}", info.message())),
    }
    let mut out = EarlyConsole;
    // The early console knows no errors; so below.
    let frame = registers::frame_pointer();
    let _ = writeln!(out, "rsp {:#018x} rbp {frame:#018x}\nbacktrace:", registers::stack_pointer());
    let _ = backtrace::write_from(&mut out, None, frame);
    finish(&mut out)
}

/// Ends the kernel after an exception in it.
pub(super) fn die(regs: &UserRegs, message: Arguments) -> ! {
    begin(message);
    let mut out = EarlyConsole;
    let _ = write_registers(&mut out, regs);
    let _ = writeln!(out, "backtrace:");
    let _ = backtrace::write_from(&mut out, Some(regs.rip as usize), regs.rbp as usize);
    finish(&mut out)
}

/// Makes this the CPU that panics, stops the others, and says why. A second panic, of this CPU, ends at once.
fn begin(message: Arguments) {
    irq::disable();
    let me = area::id() + 1;
    match PANICKING.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {}
        Err(first) if first == me => {
            let _ = writeln!(EarlyConsole, "\npanic while panicking: {message}");
            end()
        }
        Err(_) => stop(),
    }
    stop_others();
    bound::panic_begin();
    let _ = writeln!(EarlyConsole, "\nkernel panic on cpu {}: {message}", area::id());
}

/// Stops the other CPUs, so that none of them prints into the report.
fn stop_others() {
    STOPPING.store(true, Ordering::Release);
    let others = || {
        let all = (0..cpu::count().min(MAX_CPUS)).filter(|&id| id != area::id()).map(crate::cpu::CpuId::new);
        all.map(area::of).filter(|other| other.is_running())
    };
    for other in others() {
        apic::send(other.apic_id.load(Ordering::Relaxed), apic::Message::Stop);
    }
    let mut left = PATIENCE;
    while others().next().is_some() && left != 0 {
        left -= 1;
        core::hint::spin_loop();
    }
}

/// Stops this CPU, because another one has panicked.
pub(super) fn stop() -> ! {
    irq::disable();
    area::this().presence.store(area::ABSENT, Ordering::Relaxed);
    cpu::halt()
}

fn write_registers(out: &mut dyn Write, regs: &UserRegs) -> fmt::Result {
    let r = regs;
    writeln!(
        out,
        "rip {:#018x} rsp {:#018x} flags {:#010x} cs {:#x} ss {:#x}",
        r.rip, r.rsp, r.rflags, r.cs, r.ss
    )?;
    for row in [
        [("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx), ("rdx", r.rdx)],
        [("rsi", r.rsi), ("rdi", r.rdi), ("rbp", r.rbp), ("r8 ", r.r8)],
        [("r9 ", r.r9), ("r10", r.r10), ("r11", r.r11), ("r12", r.r12)],
        [("r13", r.r13), ("r14", r.r14), ("r15", r.r15), ("cr3", registers_cr3())],
    ] {
        for (name, value) in row {
            write!(out, "{name} {value:#018x} ")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn registers_cr3() -> u64 {
    x86_64::registers::control::Cr3::read().0.start_address().as_u64()
}

fn finish(out: &mut dyn Write) -> ! {
    bound::panic_report(out);
    end()
}

fn end() -> ! {
    let seconds = bound::panic_timeout().unwrap_or(0);
    if seconds == 0 {
        let _ = writeln!(EarlyConsole, "system halted");
        cpu::halt();
    }
    if let Ok(seconds) = u64::try_from(seconds) {
        let _ = writeln!(EarlyConsole, "rebooting in {seconds} seconds");
        time::busy_wait_ns(seconds.saturating_mul(clock_math::SECOND_NS));
    }
    power::reset()
}
