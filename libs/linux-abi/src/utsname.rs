//! `uname(2)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of each string, the closing zero included.
pub const FIELD_LEN: usize = 65;
/// Bytes of a host or domain name that can be set.
pub const NAME_MAX: usize = 64;

/// `struct new_utsname`: six strings with closing zeros.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Utsname {
    /// Name of the system.
    pub sysname: [u8; FIELD_LEN],
    /// Host name.
    pub nodename: [u8; FIELD_LEN],
    /// Release.
    pub release: [u8; FIELD_LEN],
    /// Build.
    pub version: [u8; FIELD_LEN],
    /// Architecture.
    pub machine: [u8; FIELD_LEN],
    /// NIS domain name.
    pub domainname: [u8; FIELD_LEN],
}

const _: () = assert!(size_of::<Utsname>() == 390);

/// Makes a string field of `text`, cut to 64 bytes.
pub const fn field(text: &[u8]) -> [u8; FIELD_LEN] {
    let mut field = [0; FIELD_LEN];
    let mut i = 0;
    while i < text.len() && i < NAME_MAX {
        field[i] = text[i];
        i += 1;
    }
    field
}
