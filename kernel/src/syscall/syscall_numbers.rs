//! System-call numbers: Linux's on x86-64, and Exo-OS's own from [`EXO_FIRST`] on.

pub use linux_abi::nr::*;

/// First slot reserved for Exo-OS's own calls (rings, capabilities). Linux's numbers stay below it.
pub const EXO_FIRST: usize = 480;
