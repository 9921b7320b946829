//! The monotonic clock and each CPU's one-shot timer.
//!
//! The clock is the time stamp counter where that runs at a constant rate, or where a hypervisor or emulator makes it the
//! best there is; else the HPET; else ACPI's timer. Its frequency is asked of the CPU, or measured across the work that
//! start-up does anyway and refined once a longer time has passed. The timer is the TSC deadline, or the local APIC's
//! counter measured in the same way.

use core::cell::UnsafeCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, Ordering};

use clock_math::{SECOND_NS, Scale};
use firmware::acpi::{Acpi, Register};

use super::calibrate::{self, Extended, Hpet, Reference, Sample};
use super::features::{self, Below};
use super::mmio::Mmio;
use super::{apic, area, asm, boot, registers, rtc};
use crate::console::EarlyConsole;
use crate::cpu::CpuId;
use crate::sync::Once;
use crate::upcall::bound;

pub(crate) use super::registers::tsc;

/// Fraction of a second over which a first measurement goes at least.
const FIRST_PART: u64 = 4000;
/// Nanoseconds after which it is refined, and after which ACPI's timer may have turned.
const REFINE_FROM: u64 = SECOND_NS / 5;
const REFINE_UNTIL: u64 = 4 * SECOND_NS;
/// Assumed where nothing can be found out.
const DEFAULT_HZ: u64 = SECOND_NS;
/// Longest wait programmed when the clock is a counter that turns: it has to be read meanwhile.
const NARROW_LIMIT_NS: u64 = 2 * SECOND_NS;
const NO_DEADLINE: u64 = u64::MAX;

const SOURCE_TSC: u8 = 0;
const SOURCE_HPET: u8 = 1;
const SOURCE_PM: u8 = 2;

static SOURCE: AtomicU8 = AtomicU8::new(SOURCE_TSC);
static HPET: Once<Hpet> = Once::new();
static PM_TIMER: Once<Extended> = Once::new();
static TSC_HZ: AtomicU64 = AtomicU64::new(DEFAULT_HZ);
/// Ticks of the local APIC's counter in a second.
static TIMER_HZ: AtomicU64 = AtomicU64::new(0);

/// Ticks of the source to nanoseconds, from a base on.
#[derive(Clone, Copy)]
struct Clock {
    base_ticks: u64,
    base_ns: u64,
    to_ns: Scale,
    to_ticks: Scale,
}

/// The two clocks, of which one is in use. The other is written once, by `refine`.
struct Clocks([UnsafeCell<Clock>; 2]);

// SAFETY: a clock is written before it is published through `CURRENT`, and not again.
unsafe impl Sync for Clocks {}

const UNSET: Clock = Clock {
    base_ticks: 0,
    base_ns: 0,
    to_ns: Scale::new(DEFAULT_HZ, SECOND_NS),
    to_ticks: Scale::new(SECOND_NS, DEFAULT_HZ),
};

static CLOCKS: Clocks = Clocks([UnsafeCell::new(UNSET), UnsafeCell::new(UNSET)]);
static CURRENT: AtomicPtr<Clock> = AtomicPtr::new(CLOCKS.0[0].get());

/// The measurement under way: touched by the boot CPU alone.
struct Measurement {
    reference: UnsafeCell<Option<(Reference, Sample)>>,
    timer_start: AtomicU64,
    is_refined: AtomicBool,
}

// SAFETY: `reference` is used during start-up and in the boot CPU's timer interrupt, never at once.
unsafe impl Sync for Measurement {}

static MEASUREMENT: Measurement = Measurement {
    reference: UnsafeCell::new(None),
    timer_start: AtomicU64::new(0),
    is_refined: AtomicBool::new(true),
};

fn ticks() -> u64 {
    match SOURCE.load(Ordering::Relaxed) {
        SOURCE_HPET => HPET.get().map_or(0, |hpet| hpet.read()),
        SOURCE_PM => PM_TIMER.get().map_or(0, Extended::read),
        _ => tsc(),
    }
}

#[inline(always)]
fn clock() -> &'static Clock {
    // SAFETY: `CURRENT` points to one of `CLOCKS`, complete before it was published and never written again.
    unsafe { &*CURRENT.load(Ordering::Acquire) }
}

#[inline(always)]
pub(crate) fn now_ns() -> u64 {
    let clock = clock();
    let ticks = if SOURCE.load(Ordering::Relaxed) == SOURCE_TSC { tsc() } else { ticks() };
    // Another CPU's counter may be a little behind the base.
    clock.base_ns + clock.to_ns.apply(ticks.saturating_sub(clock.base_ticks))
}

pub(crate) fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

pub(crate) fn wall_clock_offset_ns() -> u64 {
    rtc::offset_ns()
}

pub(crate) fn busy_wait_ns(ns: u64) {
    let start = now_ns();
    while now_ns() - start < ns {
        super::cpu::relax();
    }
}

/// Makes a clock and puts it into use.
///
/// # Safety
/// Called by one CPU at a time, once for each slot.
unsafe fn publish(slot: usize, clock: Clock) {
    let place = CLOCKS.0[slot].get();
    // SAFETY: the caller's duty: nobody reads this slot yet.
    unsafe { place.write(clock) };
    CURRENT.store(place, Ordering::Release);
}

/// Tells the code that programs call what the clock is. Called by the boot CPU alone, with interrupts off.
pub(super) fn publish_to_programs() {
    let clock = clock();
    let is_counter = SOURCE.load(Ordering::Relaxed) == SOURCE_TSC;
    super::vdso::update(is_counter, clock.base_ticks, clock.base_ns, clock.to_ns.bits());
}

fn make_clock(base_ticks: u64, base_ns: u64, hz: u64) -> Clock {
    Clock { base_ticks, base_ns, to_ns: Scale::new(hz, SECOND_NS), to_ticks: Scale::new(SECOND_NS, hz) }
}

/// Begins to measure the time stamp counter: as early as the reference is known.
pub(super) fn start_measuring(pm_timer: Option<(Register, bool)>) {
    let reference = Reference::choose(pm_timer);
    // SAFETY: start-up, on the boot CPU.
    unsafe { *MEASUREMENT.reference.get() = Some((reference, reference.sample())) };
}

/// Begins to measure the local APIC's timer.
pub(super) fn start_measuring_timer() {
    if !features::get().tsc_deadline {
        apic::start_timer(u32::MAX);
        MEASUREMENT.timer_start.store(tsc(), Ordering::Relaxed);
    }
}

/// Ends the measurements and sets the clock.
pub(super) fn init(acpi: &Acpi) {
    // SAFETY: start-up, on the boot CPU.
    let measurement = unsafe { *MEASUREMENT.reference.get() };
    let hz = calibrate::told_tsc_hz().or_else(|| {
        let (reference, start) = measurement?;
        MEASUREMENT.is_refined.store(reference.bits() < 24, Ordering::Relaxed);
        reference.measure(start, FIRST_PART)
    });
    let hz = hz.unwrap_or_else(|| {
        let _ = writeln!(EarlyConsole, "time: the frequency of the time stamp counter is unknown");
        DEFAULT_HZ
    });
    TSC_HZ.store(hz, Ordering::Relaxed);
    choose_source(acpi, measurement.map(|(reference, _)| reference));
    // The clock begins with the kernel's first instruction, if it is the counter that was read there.
    let (base, hz) = match SOURCE.load(Ordering::Relaxed) {
        SOURCE_HPET => (ticks(), HPET.get().map_or(DEFAULT_HZ, |hpet| hpet.hz())),
        SOURCE_PM => (ticks(), PM_TIMER.get().map_or(DEFAULT_HZ, Extended::hz)),
        _ => (asm::hal_entry_tsc, hz),
    };
    // SAFETY: start-up; the first slot.
    unsafe { publish(0, make_clock(base, 0, hz)) };
    measure_timer();
}

fn choose_source(acpi: &Acpi, reference: Option<Reference>) {
    if features::get().invariant_tsc || features::get().below != Below::Nothing {
        return;
    }
    // SAFETY: the firmware says that an HPET is there.
    let map = |addr| unsafe { Mmio::map(addr, 0x400, &mut boot::early_table) }.ok();
    if let Some(hpet) = acpi.hpet.and_then(map).and_then(Hpet::start) {
        // Nothing set it before.
        let _ = HPET.set(hpet);
        SOURCE.store(SOURCE_HPET, Ordering::Relaxed);
    } else if let Some(reference @ Reference::PmTimer(..)) = reference {
        drop(PM_TIMER.set(Extended::new(reference)));
        SOURCE.store(SOURCE_PM, Ordering::Relaxed);
    }
}

fn measure_timer() {
    if features::get().tsc_deadline {
        return;
    }
    let start = MEASUREMENT.timer_start.load(Ordering::Relaxed);
    let hz = tsc_hz();
    while tsc().wrapping_sub(start) < hz / (4 * FIRST_PART) {
        core::hint::spin_loop();
    }
    let passed = tsc().wrapping_sub(start);
    let count = u64::from(u32::MAX - apic::timer_count());
    apic::start_timer(0);
    TIMER_HZ.store(clock_math::frequency(count, passed, hz).unwrap_or(DEFAULT_HZ), Ordering::Relaxed);
}

/// Sets this CPU's one-shot timer.
#[inline]
pub(crate) fn set_deadline(deadline_ns: Option<u64>) {
    let deadline = deadline_ns.unwrap_or(NO_DEADLINE);
    crate::irq::disabled(|| {
        area::this().deadline_ns.store(deadline, Ordering::Relaxed);
        program(deadline);
    });
}

fn program(deadline: u64) {
    if features::get().tsc_deadline && SOURCE.load(Ordering::Relaxed) == SOURCE_TSC {
        let clock = clock();
        let ticks = if deadline == NO_DEADLINE {
            0
        } else {
            let ticks = clock.to_ticks.apply(deadline.saturating_sub(clock.base_ns));
            clock.base_ticks.saturating_add(ticks).max(1)
        };
        // SAFETY: the CPU has the register; the interrupt has its entry.
        unsafe { registers::write_msr(registers::TSC_DEADLINE, ticks) };
        return;
    }
    if deadline == NO_DEADLINE && SOURCE.load(Ordering::Relaxed) != SOURCE_PM {
        return stop_timer();
    }
    let mut wait = deadline.saturating_sub(now_ns());
    if SOURCE.load(Ordering::Relaxed) == SOURCE_PM {
        wait = wait.min(NARROW_LIMIT_NS);
    }
    start_timer(wait);
}

fn stop_timer() {
    if features::get().tsc_deadline {
        // SAFETY: as in `program`.
        unsafe { registers::write_msr(registers::TSC_DEADLINE, 0) };
    } else {
        apic::start_timer(0);
    }
}

fn start_timer(wait_ns: u64) {
    if features::get().tsc_deadline {
        let ticks = Scale::new(SECOND_NS, tsc_hz()).apply(wait_ns).max(1);
        // SAFETY: as in `program`.
        unsafe { registers::write_msr(registers::TSC_DEADLINE, tsc().saturating_add(ticks)) };
    } else {
        static SCALE: Once<Scale> = Once::new();
        let scale = SCALE.get_or_init(|| Scale::new(SECOND_NS, TIMER_HZ.load(Ordering::Relaxed)));
        // A longer wait than the counter holds ends early, and is set again then.
        apic::start_timer(scale.apply(wait_ns).clamp(1, u32::MAX.into()) as u32);
    }
}

/// Handles the timer's interrupt.
pub(super) fn timer_interrupt() {
    let area = area::this();
    if !MEASUREMENT.is_refined.load(Ordering::Relaxed) && area::id() == CpuId::BOOT.index() {
        refine();
    }
    let deadline = area.deadline_ns.load(Ordering::Relaxed);
    if now_ns() < deadline {
        // Early, or of a request that was withdrawn.
        return program(deadline);
    }
    area.deadline_ns.store(NO_DEADLINE, Ordering::Relaxed);
    bound::timer_interrupt();
}

/// Measures once more, over a longer time, and goes on from now with the better frequency.
fn refine() {
    // SAFETY: start-up is over, and this runs in the boot CPU's timer interrupt alone.
    let slot = unsafe { &mut *MEASUREMENT.reference.get() };
    let Some((reference, start)) = *slot else { return };
    let hz = tsc_hz();
    let passed_ns = Scale::new(hz, SECOND_NS).apply(tsc().wrapping_sub(start.tsc));
    if passed_ns < REFINE_FROM {
        return;
    }
    let end = reference.sample();
    if passed_ns >= REFINE_UNTIL {
        *slot = Some((reference, end));
        return;
    }
    MEASUREMENT.is_refined.store(true, Ordering::Relaxed);
    // A result that is far off was disturbed: the first one stays.
    let Some(better) = reference.tsc_hz(start, end).filter(|better| better.abs_diff(hz) < hz / 50) else {
        return;
    };
    if SOURCE.load(Ordering::Relaxed) == SOURCE_TSC {
        let now = tsc();
        let clock = clock();
        let now_ns = clock.base_ns + clock.to_ns.apply(now.saturating_sub(clock.base_ticks));
        // SAFETY: the second slot, once.
        unsafe { publish(1, make_clock(now, now_ns, better)) };
        publish_to_programs();
    }
    TSC_HZ.store(better, Ordering::Relaxed);
}
