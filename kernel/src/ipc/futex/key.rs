//! What a futex word is, whoever looks at it.

use alloc::sync::Arc;

use linux_abi::errno::Errno;

use crate::memory::address_space::AddressSpace;
use crate::process::Process;

/// The identity of a futex word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Identity of the address space or of the memory object.
    pub(super) owner: usize,
    /// Address, or offset into the object; the lowest bit tells the two kinds apart.
    pub(super) place: usize,
}

impl Key {
    /// The key of the word at `addr` of `process`, which nobody else uses.
    ///
    /// # Errors
    /// `EINVAL`: not aligned to 4 bytes. `EFAULT`: not an address of the program's.
    #[inline]
    pub fn private(process: &Process, addr: usize) -> Result<Self, Errno> {
        check(addr)?;
        Ok(Self { owner: process.address_space_id(), place: addr })
    }

    /// The key of the word at `addr`: private to `space`, or, if `shared`, the same for everybody who maps its memory.
    ///
    /// # Errors
    /// - `EINVAL`: not aligned to 4 bytes.
    /// - `EFAULT`: nothing is mapped there (shared words only).
    pub fn of(space: &Arc<AddressSpace>, addr: usize, shared: bool) -> Result<Self, Errno> {
        check(addr)?;
        if shared && let Some((object, offset)) = space.shared_location(addr)? {
            return Ok(Self { owner: object, place: offset as usize | 1 });
        }
        Ok(Self { owner: Arc::as_ptr(space).addr(), place: addr })
    }

    /// Which of `count` buckets, a power of two, the word belongs to.
    #[inline]
    pub(super) fn bucket(self, count: usize) -> usize {
        let mixed = (self.owner >> 4 ^ self.place >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> (usize::BITS - count.trailing_zeros())
    }
}

#[inline]
fn check(addr: usize) -> Result<(), Errno> {
    if !addr.is_multiple_of(4) {
        Err(Errno::EINVAL)
    } else if addr >= hal::USER_END {
        Err(Errno::EFAULT)
    } else {
        Ok(())
    }
}
