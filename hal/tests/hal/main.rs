//! Tests of `hal` on the simulated machine, through its public interface and without unsafe code.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod test_kernel;
mod user;

mod addr;
mod arc_slot;
mod frame;
mod heap;
mod io;
mod paging;
mod sharing;
mod sync;
mod task;
