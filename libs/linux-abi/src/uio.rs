//! Scatter and gather: `struct iovec`, flags of `preadv2` and `pwritev2`.

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Vectors in one call.
pub const IOV_MAX: usize = 1024;

/// `struct iovec`: a piece of user memory. Both fields are a program's claim.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Iovec {
    /// Address.
    pub iov_base: u64,
    /// Length in bytes.
    pub iov_len: u64,
}

const _: () = assert!(size_of::<Iovec>() == 16);

bitflags! {
    /// `RWF_*` flags.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct RwFlags: u32 {
        /// Poll for completion.
        const RWF_HIPRI = 0x01;
        /// As `O_DSYNC`.
        const RWF_DSYNC = 0x02;
        /// As `O_SYNC`.
        const RWF_SYNC = 0x04;
        /// As `O_NONBLOCK`.
        const RWF_NOWAIT = 0x08;
        /// As `O_APPEND`.
        const RWF_APPEND = 0x10;
    }
}
