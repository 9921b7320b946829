//! What a word of shared memory is, whoever maps it: the key of futexes.

use alloc::sync::Arc;

use hal::{PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;

use super::Body;
use super::vma::VmFlags;

impl Body {
    /// Returns the object mapped at `addr`, by its address, and the byte offset into it, if the mapping is shared; `None`
    /// if it is private.
    ///
    /// # Errors
    /// `EFAULT`: nothing is mapped there.
    pub fn shared_location(&self, addr: usize) -> Result<Option<(usize, u64)>, Errno> {
        let mm = self.mm.lock();
        let vma = mm.vmas.containing(addr).ok_or(Errno::EFAULT)?;
        let Some(object) = vma.object.as_ref().filter(|_| vma.flags.contains(VmFlags::SHARED)) else {
            return Ok(None);
        };
        let offset = (vma.offset_of(addr) << PAGE_SHIFT) + (addr % PAGE_SIZE) as u64;
        Ok(Some((Arc::as_ptr(object).cast::<()>().addr(), offset)))
    }
}
