//! The vDSO: machine code that programs call instead of the kernel, and the page of clock data it reads.
//!
//! This crate has the code and keeps the data right; the kernel makes a shared object of the code and maps both into
//! programs: the page of data, and right above it the page that holds the code from [`CODE_OFFSET`] on.
//!
//! # Invariants
//! 1. The code computes what [`time::now_ns`](crate::time::now_ns) computes, from the same counter, base and factor, so
//!    that no program sees time go back between the two.
//! 2. Where the time stamp counter is not the clock, the data says so and the code makes the system call.
//! 3. Base and factor change under a sequence counter, odd while they do. The offset of the wall clock is one word.

use core::ops::Range;

use crate::arch;
use crate::error::Error;
use crate::frame::Frame;

/// Where in its page the code lies; what makes a shared object of it goes before.
pub const CODE_OFFSET: usize = 0x800;

/// A function in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name in C: `clock_gettime`.
    pub name: &'static str,
    /// Where it is in the code, bytes.
    pub range: Range<usize>,
}

/// Returns the code, which works wherever it is put as long as the page of data is where the module says. Empty: this
/// machine has none.
pub fn code() -> &'static [u8] {
    arch::vdso::code()
}

/// Returns the functions in the code, ascending.
pub fn functions() -> impl Iterator<Item = Function> {
    arch::vdso::functions()
}

/// Makes `page` the page of clock data, and keeps it right from now on. Called once, by the boot CPU.
///
/// # Errors
/// `InUse`: there is one already.
pub fn publish_clock(page: &Frame) -> Result<(), Error> {
    page.zero();
    arch::vdso::publish_clock(page)
}

/// Tells the code what to add to the monotonic clock to get the wall clock, in nanoseconds.
pub fn set_wall_clock_offset_ns(offset_ns: u64) {
    arch::vdso::set_wall_clock_offset_ns(offset_ns);
}
