//! The host's own backtrace.

use core::fmt;

pub(crate) fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "{}", std::backtrace::Backtrace::force_capture())
}
