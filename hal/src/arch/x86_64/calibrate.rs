//! Counters of known frequency, and the measurement of others against them.

use core::sync::atomic::{AtomicU64, Ordering};

use clock_math::{confirm, extend, frequency};
use firmware::acpi::Register;

use super::features::{self, Below};
use super::registers::{cpuid, tsc};
use super::{io, mmio::Mmio};

/// Frequency of the ACPI power-management timer.
pub(super) const PM_TIMER_HZ: u64 = 3_579_545;
const PIT_HZ: u64 = 1_193_182;
/// Pairs of readings of which the closest is taken (hazard 13).
const TRIES: usize = 3;
/// Time stamps after which a reference that does not move is given up.
const PATIENCE: u64 = 1 << 28;

const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
const PIT_GATE: u16 = 0x61;

/// A counter of known frequency.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    /// ACPI's timer at a port, 24 or 32 bits.
    PmTimer(u16, u32),
    /// Channel 2 of the interval timer, 16 bits, started by [`Reference::choose`].
    Pit,
}

/// The time stamp counter and a reference at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) tsc: u64,
    ticks: u64,
}

fn read_pit() -> u16 {
    // SAFETY: latches channel 2, which nothing else uses.
    unsafe { io::write_u8(PIT_COMMAND, 0x80) };
    // SAFETY: reads what was latched, the low byte first.
    let low = unsafe { io::read_u8(PIT_CHANNEL_2) };
    // SAFETY: then the high one.
    let high = unsafe { io::read_u8(PIT_CHANNEL_2) };
    u16::from_le_bytes([low, high])
}

fn start_pit() {
    // SAFETY: the gate of channel 2 and the speaker.
    let gate = unsafe { io::read_u8(PIT_GATE) };
    // SAFETY: gate on, speaker off.
    unsafe { io::write_u8(PIT_GATE, gate & !2 | 1) };
    for (port, value) in [(PIT_COMMAND, 0xb0), (PIT_CHANNEL_2, 0xff), (PIT_CHANNEL_2, 0xff)] {
        // SAFETY: channel 2 counts down from 65535; it raises no interrupt.
        unsafe { io::write_u8(port, value) };
    }
}

impl Reference {
    /// Chooses what there is and starts it.
    pub(super) fn choose(pm_timer: Option<(Register, bool)>) -> Reference {
        match pm_timer {
            Some((Register::Port(port), wide)) => Reference::PmTimer(port, if wide { 32 } else { 24 }),
            _ => {
                start_pit();
                Reference::Pit
            }
        }
    }

    pub(super) fn bits(self) -> u32 {
        match self {
            Reference::PmTimer(_, bits) => bits,
            Reference::Pit => 16,
        }
    }

    pub(super) fn hz(self) -> u64 {
        match self {
            Reference::PmTimer(..) => PM_TIMER_HZ,
            Reference::Pit => PIT_HZ,
        }
    }

    /// Reads the counter, as one that counts up.
    pub(super) fn read(self) -> u64 {
        match self {
            // SAFETY: the port that ACPI names as the timer.
            Reference::PmTimer(port, _) => u64::from(unsafe { io::read_u32(port) }),
            Reference::Pit => u64::from(!read_pit()),
        }
    }

    /// Reads both counters as close together as can be.
    pub(super) fn sample(self) -> Sample {
        let mut best = (u64::MAX, Sample { tsc: 0, ticks: 0 });
        for _ in 0..TRIES {
            let before = tsc();
            let ticks = self.read();
            let after = tsc();
            let width = after.wrapping_sub(before);
            if width < best.0 {
                best = (width, Sample { tsc: before.wrapping_add(width / 2), ticks });
            }
        }
        best.1
    }

    fn ticks_between(self, start: Sample, end: Sample) -> u64 {
        extend(start.ticks, end.ticks, self.bits()) - start.ticks
    }

    /// Returns the frequency of the time stamp counter between two samples less than a turn apart.
    pub(super) fn tsc_hz(self, start: Sample, end: Sample) -> Option<u64> {
        frequency(end.tsc.wrapping_sub(start.tsc), self.ticks_between(start, end), self.hz())
    }

    /// Measures the time stamp counter from `start` on, over at least a fraction of a second, `1 / part`; `None` if the
    /// reference does not move.
    pub(super) fn measure(self, start: Sample, part: u64) -> Option<u64> {
        let over = |start| self.tsc_hz(start, self.wait(start, part)?);
        let first = over(start)?;
        // A short counter turns while a hypervisor runs something else.
        let may_have_turned = self.bits() < 24;
        Some(if may_have_turned { confirm(first, || over(self.sample())) } else { first })
    }

    /// Waits until at least a fraction of a second, `1 / part`, has passed since a sample; `None` if the reference does
    /// not move.
    pub(super) fn wait(self, start: Sample, part: u64) -> Option<Sample> {
        loop {
            let now = self.sample();
            if self.ticks_between(start, now) >= self.hz() / part {
                return Some(now);
            }
            if now.tsc.wrapping_sub(start.tsc) > PATIENCE {
                return None;
            }
            core::hint::spin_loop();
        }
    }
}

/// Returns the frequency of the time stamp counter if the CPU or the hypervisor tells it.
pub(super) fn told_tsc_hz() -> Option<u64> {
    if cpuid(0, 0)[0] >= 0x15 {
        let [denominator, numerator, crystal_hz, _] = cpuid(0x15, 0);
        if denominator != 0 && numerator != 0 && crystal_hz != 0 {
            return Some(u64::from(crystal_hz) * u64::from(numerator) / u64::from(denominator));
        }
    }
    if features::get().below == Below::Hypervisor && cpuid(0x4000_0000, 0)[0] >= 0x4000_0010 {
        let khz = cpuid(0x4000_0010, 0)[0];
        return (khz != 0).then_some(u64::from(khz) * 1000);
    }
    None
}

/// The high-precision event timer, as a counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hpet {
    registers: Mmio,
    hz: u64,
}

impl Hpet {
    const PERIOD: usize = 4;
    const CONFIGURATION: usize = 0x10;
    const COUNTER: usize = 0xf0;

    /// Starts the counter behind registers; `None` if it is no sane one of 64 bits.
    pub(super) fn start(registers: Mmio) -> Option<Hpet> {
        let period_fs = registers.read(Self::PERIOD);
        let has_64_bits = registers.read(0) & 1 << 13 != 0;
        if period_fs == 0 || period_fs > 100_000_000 || !has_64_bits {
            return None;
        }
        let configuration = registers.read(Self::CONFIGURATION);
        // SAFETY: enables the counter; no interrupt, no legacy routing.
        unsafe { registers.write(Self::CONFIGURATION, configuration & !2 | 1) };
        Some(Hpet { registers, hz: 1_000_000_000_000_000 / u64::from(period_fs) })
    }

    pub(super) fn hz(self) -> u64 {
        self.hz
    }

    pub(super) fn read(self) -> u64 {
        self.registers.read_u64(Self::COUNTER)
    }
}

/// A narrow counter read often enough to be extended to 64 bits.
pub(super) struct Extended {
    reference: Reference,
    last: AtomicU64,
}

impl Extended {
    pub(super) fn new(reference: Reference) -> Self {
        Self { reference, last: AtomicU64::new(reference.read()) }
    }

    pub(super) fn hz(&self) -> u64 {
        self.reference.hz()
    }

    /// Returns the extended value; never less than another CPU has got.
    pub(super) fn read(&self) -> u64 {
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let now = extend(last, self.reference.read(), self.reference.bits());
            match self.last.compare_exchange_weak(last, now, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return now,
                Err(seen) => last = seen,
            }
        }
    }
}
