//! Build, run, test and check Exo-OS.
#![forbid(unsafe_code)]
fn main() {}
