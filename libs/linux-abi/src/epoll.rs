//! `epoll(7)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Add a descriptor.
pub const EPOLL_CTL_ADD: u32 = 1;
/// Remove a descriptor.
pub const EPOLL_CTL_DEL: u32 = 2;
/// Change the events of a descriptor.
pub const EPOLL_CTL_MOD: u32 = 3;

/// `epoll_create1`: close on exec.
pub const EPOLL_CLOEXEC: u32 = 0o2000000;

/// Data to read.
pub const EPOLLIN: u32 = 0x001;
/// Urgent data to read.
pub const EPOLLPRI: u32 = 0x002;
/// Room to write.
pub const EPOLLOUT: u32 = 0x004;
/// Error; always reported.
pub const EPOLLERR: u32 = 0x008;
/// Hung up; always reported.
pub const EPOLLHUP: u32 = 0x010;
/// Normal data to read.
pub const EPOLLRDNORM: u32 = 0x040;
/// Priority band data to read.
pub const EPOLLRDBAND: u32 = 0x080;
/// Room to write normal data.
pub const EPOLLWRNORM: u32 = 0x100;
/// Room to write priority data.
pub const EPOLLWRBAND: u32 = 0x200;
/// Unused message event.
pub const EPOLLMSG: u32 = 0x400;
/// The peer shut down its writing half.
pub const EPOLLRDHUP: u32 = 0x2000;
/// Wake only one of several epoll instances.
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;
/// Keep the system awake.
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// Report once, then disable.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// Report changes, not states.
pub const EPOLLET: u32 = 1 << 31;

/// `struct epoll_event`: packed on x86-64, 12 bytes.
#[repr(C, packed)]
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
pub struct EpollEvent {
    /// `EPOLL*` events.
    pub events: u32,
    /// What the program wants to get back.
    pub data: u64,
}

const _: () = assert!(size_of::<EpollEvent>() == 12);
