//! The kernel proper.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
