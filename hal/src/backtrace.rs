//! Where we are: return addresses of the calling functions, and names for them.

use core::fmt;

use crate::arch;

/// Writes one line per calling function, innermost first, at most 32; safe on a damaged stack.
pub fn write(out: &mut dyn fmt::Write) -> fmt::Result {
    arch::backtrace::write(out)
}
