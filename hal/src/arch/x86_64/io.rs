//! Port instructions.

use core::ops::Range;

use x86_64::structures::port::{PortRead, PortWrite};

pub(crate) fn is_reserved(range: &Range<u32>) -> bool {
    super::power::has_ports(range)
}

macro_rules! access {
    ($($read:ident $write:ident $type:ty;)*) => {$(
        /// Reads a port.
        ///
        /// # Safety
        /// The access is harmless to memory.
        #[inline(always)]
        pub(crate) unsafe fn $read(port: u16) -> $type {
            // SAFETY: the caller's duty.
            unsafe { <$type>::read_from_port(port) }
        }

        /// Writes a port.
        ///
        /// # Safety
        /// The access is harmless to memory.
        #[inline(always)]
        pub(crate) unsafe fn $write(port: u16, value: $type) {
            // SAFETY: the caller's duty.
            unsafe { <$type>::write_to_port(port, value) }
        }
    )*};
}

access! {
    read_u8 write_u8 u8;
    read_u16 write_u16 u16;
    read_u32 write_u32 u32;
}
