//! The bootable image: the kernel, linked at its address by `link.ld`.
//!
//! There is no code here. `hal` brings the first instruction (`_start_pvh`) and what Rust asks of a program (panic
//! handler, global allocator); `kernel` answers `hal`'s upcalls, which are bound by name when the image is linked.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

use kernel as _;

/// Says what this is when it is run on the host by mistake.
#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a kernel image; build and boot it with: cargo xtask run");
    std::process::exit(1);
}
