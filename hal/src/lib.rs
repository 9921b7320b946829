//! The machine.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code)]
