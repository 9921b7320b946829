//! Ports of the x86 I/O space, claimed before use.
//!
//! Ports that can break memory safety (DMA controllers, PCI configuration, the interrupt controllers) or stop the machine
//! (power management, the mask of NMIs) are never handed out; the back-end owns them.

use core::ops::Range;

use crate::arch;
use crate::error::Error;
use crate::sync::{LockRank, SpinLockIrq};

/// Claimed ranges at one time.
const MAX_CLAIMS: usize = 32;

/// Ranges that drivers may not have: DMA, interrupt controllers and timers, CMOS and NMI mask, ELCR, PCI configuration.
/// The back-end adds those of the firmware and of power management, where the machine says that they are.
const RESERVED: &[Range<u32>] =
    &[0..0x60, 0x61..0x62, 0x70..0x78, 0x80..0x90, 0xa0..0xa2, 0xc0..0xe0, 0x4d0..0x4d2, 0xcf8..0xd00];

const RANK: LockRank = LockRank::new(u16::MAX - 1, "hal port claims");

crate::machine_static! {
    static CLAIMS: SpinLockIrq<arrayvec::ArrayVec<(u16, u16), MAX_CLAIMS>> =
        SpinLockIrq::new(RANK, arrayvec::ArrayVec::new_const());
}

/// A claimed range of ports; given back on drop.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    len: u16,
}

impl Ports {
    /// Claims `len` ports from `base` on.
    ///
    /// # Errors
    /// - `OutOfRange`: empty, or beyond port 65535.
    /// - `Unsupported`: reserved for the machine itself.
    /// - `InUse`: overlaps a claimed range.
    pub fn claim(base: u16, len: u16) -> Result<Ports, Error> {
        let wanted = u32::from(base)..u32::from(base) + u32::from(len);
        if wanted.is_empty() || wanted.end > 0x10000 {
            return Err(Error::OutOfRange);
        }
        let meets = |other: &Range<u32>| other.start < wanted.end && wanted.start < other.end;
        if RESERVED.iter().any(meets) || arch::io::is_reserved(&wanted) {
            return Err(Error::Unsupported);
        }
        let mut claims = CLAIMS.lock();
        if claims.iter().any(|&(base, len)| meets(&(u32::from(base)..u32::from(base) + u32::from(len)))) {
            return Err(Error::InUse);
        }
        claims.try_push((base, len)).map_err(|_| Error::OutOfMemory)?;
        Ok(Ports { base, len })
    }

    /// Reads a byte from the port at `offset`.
    ///
    /// # Panics
    /// If the access leaves the range; so do the methods below.
    pub fn read_u8(&self, offset: u16) -> u8 {
        // SAFETY: the port is claimed, and harmless to memory (see `RESERVED`); so below.
        unsafe { arch::io::read_u8(self.port(offset, 1)) }
    }

    /// Writes a byte to the port at `offset`.
    pub fn write_u8(&self, offset: u16, value: u8) {
        // SAFETY: as in `read_u8`.
        unsafe { arch::io::write_u8(self.port(offset, 1), value) }
    }

    /// Reads a 16-bit word.
    pub fn read_u16(&self, offset: u16) -> u16 {
        // SAFETY: as in `read_u8`.
        unsafe { arch::io::read_u16(self.port(offset, 2)) }
    }

    /// Writes a 16-bit word.
    pub fn write_u16(&self, offset: u16, value: u16) {
        // SAFETY: as in `read_u8`.
        unsafe { arch::io::write_u16(self.port(offset, 2), value) }
    }

    /// Reads a 32-bit word.
    pub fn read_u32(&self, offset: u16) -> u32 {
        // SAFETY: as in `read_u8`.
        unsafe { arch::io::read_u32(self.port(offset, 4)) }
    }

    /// Writes a 32-bit word.
    pub fn write_u32(&self, offset: u16, value: u32) {
        // SAFETY: as in `read_u8`.
        unsafe { arch::io::write_u32(self.port(offset, 4), value) }
    }

    fn port(&self, offset: u16, width: u16) -> u16 {
        assert!(width <= self.len && offset <= self.len - width, "port {offset} outside the claimed range");
        self.base + offset
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        let mut claims = CLAIMS.lock();
        if let Some(i) = claims.iter().position(|&(base, len)| (base, len) == (self.base, self.len)) {
            claims.swap_remove(i);
        }
    }
}
