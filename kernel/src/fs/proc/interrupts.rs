//! `/proc/interrupts`, `/proc/softirqs`, and the lines of `/proc/stat` about both.

use core::fmt::{self, Write};

use hal::irq::{self, Irq};

use crate::drivers::serial;
use crate::fs::vfs::text::Text;
use crate::scheduler;
use crate::time::clock_event;

/// Lines that `/proc/stat` lists: those of the first interrupt controller.
const LISTED: u32 = 24;

/// What Linux does in interrupts that it raises itself. Here an interrupt does its work, or a thread does it, so there are
/// none of any kind.
const SOFT_KINDS: [&str; 10] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

fn lines() -> impl Iterator<Item = Irq> {
    (0..irq::MAX_LINES as u32).filter_map(Irq::global)
}

fn write_header(text: &mut Text, indent: usize) -> fmt::Result {
    write!(text, "{:indent$}", "")?;
    for cpu in hal::cpu::all() {
        write!(text, "CPU{:<8}", cpu.index())?;
    }
    writeln!(text)
}

fn write_counts(text: &mut Text, counts: impl Iterator<Item = u64>) -> fmt::Result {
    for count in counts {
        write!(text, "{count:>10} ")?;
    }
    Ok(())
}

/// `interrupts`: how often each line interrupted each CPU, and who listens.
pub(super) fn interrupts(text: &mut Text) -> fmt::Result {
    write_header(text, 11)?;
    for line in lines().filter(|&line| irq::is_handled(line)) {
        write!(text, "{:>3}: ", line.index())?;
        write_counts(text, irq::counts(line))?;
        write!(text, " {:>8} {:>3}-{:<8}", "IO-APIC", line.index(), "edge")?;
        for (position, index) in serial::ports_on(line).enumerate() {
            write!(text, "{}ttyS{index}", if position == 0 { "  " } else { ", " })?;
        }
        writeln!(text)?;
    }
    write!(text, "LOC: ")?;
    write_counts(text, clock_event::counts())?;
    write!(text, "  Local timer interrupts\nRES: ")?;
    write_counts(text, scheduler::reschedule_interrupts())?;
    writeln!(text, "  Rescheduling interrupts")
}

/// `softirqs`: how often each kind of work was done in an interrupt of the kernel's own.
pub(super) fn soft_interrupts(text: &mut Text) -> fmt::Result {
    write_header(text, 20)?;
    for kind in SOFT_KINDS {
        write!(text, "{kind:>12}:")?;
        for _ in hal::cpu::all() {
            write!(text, " {:>10}", 0)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

/// The line `intr` of `stat`: all interrupts, then those of each line.
pub(super) fn write_sums(text: &mut Text) -> fmt::Result {
    let of_line = |line: Irq| irq::counts(line).sum::<u64>();
    let own: u64 = clock_event::counts().chain(scheduler::reschedule_interrupts()).sum();
    write!(text, "intr {}", own + lines().map(of_line).sum::<u64>())?;
    for line in (0..LISTED).filter_map(Irq::global) {
        write!(text, " {}", of_line(line))?;
    }
    writeln!(text)
}

/// The line `softirq` of `stat`.
pub(super) fn write_soft_sums(text: &mut Text) -> fmt::Result {
    write!(text, "softirq 0")?;
    SOFT_KINDS.iter().try_for_each(|_| write!(text, " 0"))?;
    writeln!(text)
}
