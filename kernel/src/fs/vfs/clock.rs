//! The wall clock as file times need it.

use linux_abi::time::Timespec;

/// Nanoseconds after which a relative access time is renewed in any case.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Returns the present.
pub fn now() -> Timespec {
    crate::time::wall_clock::now()
}

/// Whether a relative access time (`relatime`) must change when the file is read at `now`.
pub fn access_time_is_old(accessed: Timespec, modified: Timespec, changed: Timespec, now: Timespec) -> bool {
    accessed <= modified || accessed <= changed || now.tv_sec.saturating_sub(accessed.tv_sec) >= DAY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timespec {
        Timespec { tv_sec: seconds, tv_nsec: 0 }
    }

    #[test]
    fn relative_access_times_follow_changes_and_days() {
        assert!(access_time_is_old(at(5), at(5), at(1), at(6)));
        assert!(access_time_is_old(at(5), at(1), at(6), at(7)));
        assert!(!access_time_is_old(at(5), at(4), at(4), at(6)));
        assert!(access_time_is_old(at(5), at(4), at(4), at(5 + DAY_SECONDS)));
    }
}
