//! The kernel proper: all policy and all Linux semantics, without a line of unsafe code.
//!
//! The same source runs on the PC and, under `cargo test`, on `hal`'s simulated machine. ARCHITECTURE.md has the map;
//! the modules below are in reading order.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod command_line;
pub mod lock_order;

pub mod klog;
pub mod list;
pub mod memory;
pub mod random;
pub mod scheduler;
pub mod time;
pub mod uio;

pub mod drivers;
pub mod fs;
pub mod ipc;
pub mod net;
pub mod process;
pub mod syscall;

pub mod bench;
pub mod init;
pub mod power;
pub mod uts;

#[cfg(not(target_os = "none"))]
pub mod sim;

/// The examples of INTERFACES.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../../INTERFACES.md")]
mod interfaces {}

mod exo;

pub use exo::{Exo, boot};
