//! The machine: the only Exo-OS crate that may say `unsafe`.
//!
//! It has two back-ends with one API: the PC (`arch::x86_64`, target_os "none") and a simulated machine in ordinary
//! memory (`arch::host`), so that the whole kernel compiles and runs under `cargo test`. What the kernel decides, this
//! crate checks: a frame claimed twice, a thread switched onto two CPUs, a frame freed before its flush are refused or
//! impossible. Where this crate needs an answer it calls up through [`Kernel`], bound at link time by [`entry!`].
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod error;
pub mod upcall;

pub mod sync;

pub mod boot;
pub mod frame;
pub mod heap;
pub mod paging;
pub mod user;

pub mod task;

pub mod backtrace;
pub mod console;
pub mod cpu;
pub mod io;
pub mod irq;
pub mod time;
pub mod vdso;

pub(crate) mod arch;

#[cfg(not(target_os = "none"))]
pub mod sim {
    //! The simulated machine as tests see it.
    pub use crate::arch::host::api::*;
}

pub use addr::{PAGE_SHIFT, PAGE_SIZE, USER_END};
pub use boot::BootInfo;
pub use error::Error;
pub use task::HasTask;
pub use upcall::{Access, Kernel, PageFault, UserException};
