//! `select(2)`: descriptor sets are arrays of 64-bit words, bit `fd % 64` of word `fd / 64`.

use crate::poll::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Descriptors in the C library's `fd_set`; the system call takes larger ones.
pub const FD_SETSIZE: usize = 1024;

/// Poll events that make a descriptor readable in `select`'s sense.
pub const READ_EVENTS: u16 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
/// Poll events that make a descriptor writable in `select`'s sense.
pub const WRITE_EVENTS: u16 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
/// Poll events that are an exceptional condition in `select`'s sense.
pub const EXCEPT_EVENTS: u16 = POLLPRI | POLLNVAL;

/// Returns the 64-bit words that a set of `n` descriptors takes.
pub const fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// The sixth argument of `pselect6`: a signal mask with its size.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SigsetArgpack {
    /// Address of the mask; 0: none.
    pub sigmask: u64,
    /// Its size in bytes; anything but 8 is `EINVAL`.
    pub size: u64,
}
