//! What is left of mappings that were removed under the lock of their address space.

use alloc::sync::Arc;

use linux_abi::errno::Errno;
use smallvec::SmallVec;

use super::vma::{Vma, same_object};
use crate::memory::MemoryObject;
use crate::memory::reserve;

/// Handles of a system call without an allocation.
const FEW: usize = 2;

/// Objects whose mappings have been removed. They are dropped without the lock: the last handle of a file closes it.
#[derive(Default)]
pub(super) struct Gone {
    objects: SmallVec<[Arc<dyn MemoryObject>; FEW]>,
}

impl Gone {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Sees to it that these mappings can be taken, in this order, without an allocation.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn make_room<'a>(&mut self, mappings: impl Iterator<Item = &'a Vma>) -> Result<(), Errno> {
        let mut last = None;
        let mut count = 0;
        for object in mappings.filter_map(|vma| vma.object.as_ref()) {
            if !same_object(last, Some(object)) {
                count += 1;
                last = Some(object);
            }
        }
        if self.objects.capacity() - self.objects.len() >= count {
            return Ok(());
        }
        reserve::check(count * size_of::<Arc<dyn MemoryObject>>())?;
        self.objects.try_reserve(count).map_err(|_| Errno::ENOMEM)
    }

    /// Takes a mapping that has been removed. Of neighbours that show the same file one handle is enough.
    pub(super) fn push(&mut self, vma: Vma) {
        if let Some(object) = &vma.object
            && !same_object(self.objects.last(), Some(object))
        {
            self.objects.push(object.clone());
        }
    }
}
