//! Communication between processes.

pub mod pipe;
