//! Arithmetic of clocks: scales, counters that wrap, dates.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// A ratio of two frequencies as a fixed-point number with 32 bits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(u64);

impl Scale {
    /// Makes the factor that turns ticks of `from_hz` into ticks of `to_hz`. Both are at least 1, and their ratio is
    /// below 2^32.
    pub const fn new(from_hz: u64, to_hz: u64) -> Scale {
        let from = if from_hz == 0 { 1 } else { from_hz };
        let factor = ((to_hz as u128) << 32) / from as u128;
        Scale(if factor > u64::MAX as u128 { u64::MAX } else { factor as u64 })
    }

    /// The factor itself.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Converts a number of ticks; saturates.
    #[inline(always)]
    pub const fn apply(self, ticks: u64) -> u64 {
        ((ticks as u128 * self.0 as u128) >> 32) as u64
    }
}

/// Returns the frequency of a counter that advanced by `ticks` while a reference of `reference_hz` advanced by
/// `reference_ticks`.
pub fn frequency(ticks: u64, reference_ticks: u64, reference_hz: u64) -> Option<u64> {
    if reference_ticks == 0 {
        return None;
    }
    u64::try_from(u128::from(ticks) * u128::from(reference_hz) / u128::from(reference_ticks))
        .ok()
        .filter(|&hz| hz > 0)
}

/// Takes the frequency measured first, unless it hides that the reference turned unnoticed, because the CPU stood still:
/// then it is too high. Measures `again` until two agree, or takes the lowest of some.
pub fn confirm(first: u64, mut again: impl FnMut() -> Option<u64>) -> u64 {
    const TRIES: usize = 5;

    let mut lowest = first;
    for _ in 0..TRIES {
        let Some(hz) = again() else { break };
        if hz.abs_diff(lowest) < lowest / 50 {
            break;
        }
        lowest = lowest.min(hz);
    }
    lowest
}

/// Extends a reading of a counter of `bits` bits to 64 bits, given an extended earlier value less than a turn ago.
#[inline]
pub fn extend(last: u64, reading: u64, bits: u32) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    last + (reading.wrapping_sub(last) & mask)
}

/// A moment as a calendar and a wall clock show it, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// From 1970 on.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
}

impl Date {
    /// Returns the seconds since 1970; `None` for what is no date from then on.
    pub fn unix_seconds(self) -> Option<u64> {
        let is_sane = (1970..10_000).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 61;
        if !is_sane {
            return None;
        }
        // Days since 1 March of year 0, so that the leap day is a year's last.
        let (year, month) =
            if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + self.day - 1;
        let days = u64::from(days) - 719_468;
        Some(
            days * 86_400
                + u64::from(self.hour) * 3600
                + u64::from(self.minute) * 60
                + u64::from(self.second),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_across_an_unnoticed_turn_is_found_out() {
        let confirmed = |first, others: &[u64]| {
            let mut others = others.iter().copied();
            confirm(first, || others.next())
        };
        assert_eq!(confirmed(2_000_000, &[2_010_000, 1]), 2_000_000);
        assert_eq!(confirmed(24_000_000, &[2_000_000, 2_001_000, 1]), 2_000_000);
        assert_eq!(confirmed(2_000_000, &[24_000_000, 2_001_000, 1]), 2_000_000);
        assert_eq!(confirmed(24_000_000, &[30_000_000, 48_000_000, 2_000_000]), 2_000_000);
        assert_eq!(confirmed(2_000_000, &[]), 2_000_000);
    }

    #[test]
    fn scales_are_exact_enough_for_years() {
        let scale = Scale::new(2_999_999_999, SECOND_NS);
        let year = 2_999_999_999 * 86_400 * 365;
        let error = scale.apply(year).abs_diff(86_400 * 365 * SECOND_NS);
        assert!(error < 30_000_000, "{error} ns in a year");
        assert_eq!(Scale::new(SECOND_NS, SECOND_NS).apply(u64::MAX), u64::MAX);
        assert_eq!(Scale::new(0, SECOND_NS).apply(1), SECOND_NS);
    }

    #[test]
    fn frequencies_come_from_ratios() {
        assert_eq!(frequency(3_000_000, 3580, 3_579_545), Some(2_999_618_715));
        assert_eq!(frequency(1, 0, 1), None);
        assert_eq!(frequency(0, 5, 1), None);
    }

    #[test]
    fn narrow_counters_are_extended_across_the_wrap() {
        assert_eq!(extend(0xff_fff0, 0x10, 24), 0x100_0010);
        assert_eq!(extend(0x1_00ff_fff0, 0xff_fff5, 24), 0x1_00ff_fff5);
        assert_eq!(extend(7, 9, 64), 9);
    }

    #[test]
    fn dates_become_unix_time() {
        let date = |year, month, day, hour, minute, second| Date { year, month, day, hour, minute, second };
        assert_eq!(date(1970, 1, 1, 0, 0, 0).unix_seconds(), Some(0));
        assert_eq!(date(2000, 2, 29, 23, 59, 59).unix_seconds(), Some(951_868_799));
        assert_eq!(date(2026, 11, 24, 12, 0, 0).unix_seconds(), Some(1_795_521_600));
        for wrong in [date(1969, 12, 31, 0, 0, 0), date(2020, 13, 1, 0, 0, 0), date(2020, 1, 1, 24, 0, 0)] {
            assert_eq!(wrong.unix_seconds(), None);
        }
    }
}
