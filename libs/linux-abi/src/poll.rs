//! `poll(2)`: `struct pollfd` and events, the same numbers as `epoll`'s.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Data to read.
pub const POLLIN: u16 = 0x001;
/// Urgent data to read.
pub const POLLPRI: u16 = 0x002;
/// Room to write.
pub const POLLOUT: u16 = 0x004;
/// Error; always reported.
pub const POLLERR: u16 = 0x008;
/// Hung up; always reported.
pub const POLLHUP: u16 = 0x010;
/// Not an open descriptor; always reported.
pub const POLLNVAL: u16 = 0x020;
/// Normal data to read.
pub const POLLRDNORM: u16 = 0x040;
/// Priority band data to read.
pub const POLLRDBAND: u16 = 0x080;
/// Room to write normal data.
pub const POLLWRNORM: u16 = 0x100;
/// Room to write priority data.
pub const POLLWRBAND: u16 = 0x200;
/// Unused message event.
pub const POLLMSG: u16 = 0x400;
/// The peer shut down its writing half.
pub const POLLRDHUP: u16 = 0x2000;

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pollfd {
    /// Descriptor; negative: skip.
    pub fd: i32,
    /// Events asked for.
    pub events: u16,
    /// Events that hold.
    pub revents: u16,
}

const _: () = assert!(size_of::<Pollfd>() == 8);
