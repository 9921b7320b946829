//! adjtimex(2), clock_adjtime(2).

use linux_abi::cap::CAP_SYS_TIME;
use linux_abi::errno::Errno;
use linux_abi::time::{NSEC_PER_SEC, NSEC_PER_USEC};
use linux_abi::timex::{ADJ_NANO, ADJ_SETOFFSET, STA_UNSYNC, TIME_ERROR, Timex};

use super::{Args, Context, SyscallError};
use crate::time::clock::Clock;
use crate::time::wall_clock;

/// adjtimex(2): tells how well the wall clock keeps time, and moves it.
///
/// # Errors
/// As [`clock_adjtime`].
pub(super) fn adjtimex(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    adjust(cx, args.addr(0))
}

/// clock_adjtime(2): the same for a given clock.
///
/// # Errors
/// - `EINVAL`: no such clock, or not a valid offset. `EFAULT`: a bad pointer.
/// - `EPERM`: a change without `CAP_SYS_TIME`.
/// - `EOPNOTSUPP`: another clock than the wall clock; another change than `ADJ_SETOFFSET`: nothing disciplines the clock.
pub(super) fn clock_adjtime(cx: &Context, args: &Args) -> Result<usize, SyscallError> {
    match Clock::from_id(args.int(0))? {
        Clock::Realtime => adjust(cx, args.addr(1)),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn adjust(cx: &Context, addr: usize) -> Result<usize, SyscallError> {
    /// What Linux says of a clock that nobody has set by a better one.
    const MAX_ERROR_US: i64 = 16_000_000;

    let user = hal::user::UserPtr::<Timex>::new(addr);
    let given = user.read()?;
    if given.modes != 0 {
        cx.credentials().require(CAP_SYS_TIME)?;
        if given.modes & !ADJ_NANO != ADJ_SETOFFSET {
            return Err(Errno::EOPNOTSUPP);
        }
        move_clock(&given)?;
    }
    let now_ns = wall_clock::now_ns();
    let answer = Timex {
        modes: given.modes,
        maxerror: MAX_ERROR_US,
        esterror: MAX_ERROR_US,
        status: STA_UNSYNC,
        constant: 2,
        precision: 1,
        tolerance: 500 << 16,
        time_seconds: (now_ns / NSEC_PER_SEC).cast_signed(),
        time_fraction: (now_ns % NSEC_PER_SEC / NSEC_PER_USEC).cast_signed(),
        tick: 10_000,
        ..Timex::default()
    };
    user.write(&answer)?;
    Ok(TIME_ERROR)
}

/// Moves the wall clock by an offset, whose fraction counts upwards even if the offset is negative.
fn move_clock(given: &Timex) -> Result<(), Errno> {
    let unit_ns = if given.modes & ADJ_NANO != 0 { 1 } else { NSEC_PER_USEC };
    let fraction_ns = u64::try_from(given.time_fraction)
        .ok()
        .and_then(|fraction| fraction.checked_mul(unit_ns))
        .filter(|&fraction_ns| fraction_ns < NSEC_PER_SEC)
        .ok_or(Errno::EINVAL)?;
    let offset_ns = i128::from(given.time_seconds) * i128::from(NSEC_PER_SEC) + i128::from(fraction_ns);
    let target_ns = i128::from(wall_clock::now_ns()) + offset_ns;
    wall_clock::set(u64::try_from(target_ns).map_err(|_| Errno::EINVAL)?)
}
