//! The mechanical causes for which an operation of this crate fails.

use core::fmt;

use linux_abi::errno::Errno;

/// Why an operation failed. The kernel turns this into an errno; never the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No frame or no kernel memory was left.
    OutOfMemory,
    /// The page has a mapping already.
    AlreadyMapped,
    /// The page has no mapping.
    NotMapped,
    /// An address or a size is not a multiple of what it has to be.
    Misaligned,
    /// An address, a number or a size lies outside what this object covers.
    OutOfRange,
    /// Somebody else holds the frame, the port or the interrupt.
    InUse,
    /// This machine or this version cannot do it.
    Unsupported,
    /// A user address could not be accessed.
    Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::OutOfMemory => "out of memory",
            Error::AlreadyMapped => "page already mapped",
            Error::NotMapped => "page not mapped",
            Error::Misaligned => "misaligned",
            Error::OutOfRange => "out of range",
            Error::InUse => "in use",
            Error::Unsupported => "unsupported",
            Error::Fault => "bad user address",
        })
    }
}

impl core::error::Error for Error {}

impl From<Error> for Errno {
    fn from(error: Error) -> Errno {
        match error {
            Error::OutOfMemory => Errno::ENOMEM,
            Error::AlreadyMapped => Errno::EEXIST,
            Error::NotMapped | Error::Fault => Errno::EFAULT,
            Error::Misaligned | Error::OutOfRange => Errno::EINVAL,
            Error::InUse => Errno::EBUSY,
            Error::Unsupported => Errno::EOPNOTSUPP,
        }
    }
}
