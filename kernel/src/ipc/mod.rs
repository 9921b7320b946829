//! Communication between threads and processes.

pub mod futex;
pub mod pipe;
