//! The clock that runs on a battery: read once, at boot.
//!
//! Source: Motorola MC146818A data sheet; ACPI 6.5, 5.2.9 (century).

use core::sync::atomic::{AtomicU64, Ordering};

use clock_math::{Date, SECOND_NS};
use firmware::acpi::Acpi;

use super::{io, time};

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATING: u8 = 1 << 7;
const IS_24_HOURS: u8 = 1 << 1;
const IS_BINARY: u8 = 1 << 2;
const IS_PM: u8 = 1 << 7;
/// Polls for the end of an update, which takes 2 ms.
const PATIENCE: u32 = 100_000;
/// The index of the century on machines that do not say.
const USUAL_CENTURY: u8 = 0x32;

/// What to add to the monotonic clock for the nanoseconds since 1970.
static OFFSET_NS: AtomicU64 = AtomicU64::new(0);

pub(super) fn offset_ns() -> u64 {
    OFFSET_NS.load(Ordering::Relaxed)
}

fn read(index: u8) -> u8 {
    // SAFETY: chooses a register of the clock; bit 7 clear leaves NMIs on.
    unsafe { io::write_u8(INDEX, index) };
    // SAFETY: reads it.
    unsafe { io::read_u8(DATA) }
}

/// Reads the clock and remembers the offset; leaves it at 0 if there is no clock.
pub(super) fn init(acpi: &Acpi) {
    if let Some(seconds) = now(acpi.century) {
        OFFSET_NS.store((seconds * SECOND_NS).saturating_sub(time::now_ns()), Ordering::Relaxed);
    }
}

fn now(century: u8) -> Option<u64> {
    let century = if century == 0 { USUAL_CENTURY } else { century };
    let sample = || {
        let mut left = PATIENCE;
        while read(STATUS_A) & UPDATING != 0 {
            left = left.checked_sub(1)?;
        }
        Some([0, 2, 4, 7, 8, 9, century].map(read))
    };
    // An update may begin between two registers: two readings that agree had none.
    let mut last = sample()?;
    let registers = (0..4).find_map(|_| {
        let next = sample()?;
        let is_stable = next == last;
        last = next;
        is_stable.then_some(next)
    })?;
    decode(registers, read(STATUS_B)).unix_seconds()
}

fn decode(registers: [u8; 7], status: u8) -> Date {
    let number = |value: u8| {
        u32::from(if status & IS_BINARY != 0 { value } else { (value >> 4) * 10 + (value & 0xf) })
    };
    let [second, minute, hour, day, month, year, century] = registers;
    let mut hours = number(hour & !IS_PM);
    if status & IS_24_HOURS == 0 {
        hours = hours % 12 + if hour & IS_PM != 0 { 12 } else { 0 };
    }
    let century = match number(century) {
        century @ 19..=99 => century,
        _ if number(year) >= 70 => 19,
        _ => 20,
    };
    Date {
        year: century * 100 + number(year),
        month: number(month),
        day: number(day),
        hour: hours,
        minute: number(minute),
        second: number(second),
    }
}
