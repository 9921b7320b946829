//! The discipline of the wall clock (adjtimex(2)).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct timex`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timex {
    /// What to change: `ADJ_*`.
    pub modes: u32,
    /// Padding.
    pub padding: u32,
    /// Offset that is being worked off, microseconds.
    pub offset: i64,
    /// Correction of the rate, millionths with 16 binary places.
    pub freq: i64,
    /// Largest error, microseconds.
    pub maxerror: i64,
    /// Estimated error, microseconds.
    pub esterror: i64,
    /// `STA_*`.
    pub status: i32,
    /// Padding.
    pub padding2: u32,
    /// Time constant of the loop.
    pub constant: i64,
    /// What the clock resolves, microseconds.
    pub precision: i64,
    /// Largest correction of the rate.
    pub tolerance: i64,
    /// The wall clock, or the offset to move it by: seconds.
    pub time_seconds: i64,
    /// The fraction, in microseconds, or nanoseconds with `ADJ_NANO`.
    pub time_fraction: i64,
    /// Microseconds between two ticks.
    pub tick: i64,
    /// Pulses per second: frequency, jitter, shift, stability, and four counts.
    pub pulses: [i64; 8],
    /// Offset of international atomic time, seconds.
    pub tai: i32,
    /// Padding.
    pub reserved: [u32; 11],
}

const _: () = assert!(size_of::<Timex>() == 208);

/// Move the wall clock by an offset at once.
pub const ADJ_SETOFFSET: u32 = 0x0100;
/// The fraction counts nanoseconds.
pub const ADJ_NANO: u32 = 0x2000;

/// Status: nothing better has set the clock.
pub const STA_UNSYNC: i32 = 0x0040;

/// Answer of the call: the clock is not synchronised.
pub const TIME_ERROR: usize = 5;
