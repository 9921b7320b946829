//! No vDSO: simulated programs are Rust functions, which read the clock by system calls.

use crate::error::Error;
use crate::frame::Frame;
use crate::vdso::Function;

pub(crate) fn code() -> &'static [u8] {
    &[]
}

pub(crate) fn functions() -> impl Iterator<Item = Function> {
    core::iter::empty()
}

pub(crate) fn publish_clock(_page: &Frame) -> Result<(), Error> {
    Ok(())
}

pub(crate) fn set_wall_clock_offset_ns(_offset_ns: u64) {}
