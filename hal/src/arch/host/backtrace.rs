//! The host's own backtrace.

use core::fmt;

pub(crate) fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "{}", std::backtrace::Backtrace::force_capture())
}

/// The host's libraries give no addresses.
pub(crate) fn capture(_: &mut [usize]) -> usize {
    0
}

pub(crate) fn write_place(out: &mut dyn fmt::Write, addr: usize) -> fmt::Result {
    write!(out, "{addr:#x}")
}
