//! Where we are: return addresses of the calling functions, and names for them.

use core::fmt;

use crate::arch;

/// Writes one line per calling function, innermost first, at most 32; safe on a damaged stack.
pub fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    arch::backtrace::write(out)
}

/// Notes the addresses of the calling functions, innermost first; returns how many. Safe on a damaged stack.
pub fn capture(calls: &mut [usize]) -> usize {
    arch::backtrace::capture(calls)
}

/// Writes the name of the function that an address lies in, and how far from its start.
pub fn write_place(out: &mut dyn fmt::Write, address: usize) -> fmt::Result {
    arch::backtrace::write_place(out, address)
}
