//! mmap(2), munmap(2), and what execve(2) needs.

use alloc::sync::Arc;
use core::ops::Range;

use hal::addr::{is_page_aligned, page_ceil, page_floor};
use hal::paging::TlbFlush;
use hal::{Access, PAGE_SHIFT, PAGE_SIZE, USER_END};
use linux_abi::errno::Errno;
use linux_abi::limits::{MAX_MAP_COUNT, MMAP_MIN_ADDR};

use super::Body;
use super::accounts::Limits;
use super::gone::Gone;
use super::mm::Mm;
use super::place::Place;
use super::vma::{Lineage, VmFlags, Vma};
use crate::memory::MemoryObject;
use crate::memory::commitment::{Commitment, is_strict};
use crate::memory::page_cache::SharedMemory;
use crate::memory::reserve;

/// A mapping to be made.
pub struct MapRequest {
    /// Where.
    pub place: Place,
    /// Size in bytes; rounded up to pages.
    pub len: usize,
    /// Rights and properties: `READ`, `WRITE`, `EXEC`, `SHARED` with `MAYSHARE`, `GROWSDOWN`, `NORESERVE`, `LOCKED`, and
    /// the `MAY` rights that are allowed.
    pub flags: VmFlags,
    /// What is mapped; `None` for zeroes.
    pub object: Option<Arc<dyn MemoryObject>>,
    /// Byte of the object at the start; a multiple of the page size.
    pub offset: u64,
    /// All pages at once.
    pub populate: bool,
    /// May map the lowest 64 KiB (`CAP_SYS_RAWIO`).
    pub may_map_low: bool,
    /// May lock any amount (`CAP_IPC_LOCK`).
    pub may_lock: bool,
}

impl MapRequest {
    /// Describes private memory of zeroes.
    pub fn anonymous(place: Place, len: usize, access: VmFlags) -> Self {
        Self {
            place,
            len,
            flags: access | VmFlags::MAY,
            object: None,
            offset: 0,
            populate: false,
            may_map_low: false,
            may_lock: false,
        }
    }

    /// Describes private memory that starts as a copy of an object.
    pub fn private(
        place: Place,
        len: usize,
        access: VmFlags,
        object: Arc<dyn MemoryObject>,
        offset: u64,
    ) -> Self {
        Self { object: Some(object), offset, ..Self::anonymous(place, len, access) }
    }
}

impl Body {
    /// Makes a mapping; returns its address.
    ///
    /// # Errors
    /// - `EINVAL`: an empty mapping, or a fixed address that is not one of a page.
    /// - `EOVERFLOW`: the offset leaves the object's range.
    /// - `ENOMEM`: no addresses, a limit, too many mappings, or no memory.
    /// - `EEXIST`: something is at the address that must not be replaced.
    /// - `EPERM`: an address below 64 KiB, locking without permission, or a sealed object.
    /// - `EAGAIN`: the limit on locked memory.
    pub fn mmap(&self, request: MapRequest) -> Result<usize, Errno> {
        reserve::check(1 << 13)?;
        let mut gone = Gone::new();
        // The request keeps its handle of the object until the lock is free again.
        let result = self.mmap_into(&request, &mut gone);
        drop(gone);
        result
    }

    fn mmap_into(&self, request: &MapRequest, gone: &mut Gone) -> Result<usize, Errno> {
        let MapRequest { place, len, mut flags, ref object, offset, populate, .. } = *request;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_ceil(len).filter(|&len| len != 0).ok_or(Errno::ENOMEM)?;
        let first_page = offset >> PAGE_SHIFT;
        if object.is_some()
            && first_page.checked_add((len >> PAGE_SHIFT) as u64).is_none_or(|end| end >= 1 << 51)
        {
            return Err(Errno::EOVERFLOW);
        }
        let mut mm = self.mm.lock();
        if mm.vmas.len() > MAX_MAP_COUNT {
            return Err(Errno::ENOMEM);
        }
        let is_anonymous = object.is_none() && !flags.contains(VmFlags::SHARED);
        let aligned = if is_anonymous && place == Place::Hint(0) { mm.place_for_large(len) } else { None };
        let start = aligned.map_or_else(|| mm.place(place, len), Ok)?;
        if start < MMAP_MIN_ADDR as usize && !request.may_map_low {
            return Err(Errno::EPERM);
        }
        let range = start..start + len;
        flags |= mm.default_flags;
        if is_strict() {
            flags.remove(VmFlags::NORESERVE);
        }
        if flags.contains(VmFlags::LOCKED) {
            if !request.may_lock && self.limits.locked() == 0 {
                return Err(Errno::EPERM);
            }
            let locked = ((mm.usage.locked << PAGE_SHIFT) + len) as u64;
            if !request.may_lock && locked > self.limits.locked() {
                return Err(Errno::EAGAIN);
            }
        }
        let pages = len >> PAGE_SHIFT;
        let replaced = mm.pages_in(range.clone());
        if !mm.may_expand(flags, pages - replaced, &self.limits) {
            return Err(Errno::ENOMEM);
        }
        // Shared zeroes are an object of their own.
        let (object, first_page) = match object {
            Some(object) => (Some(object.clone()), first_page),
            None if flags.contains(VmFlags::SHARED) => {
                let is_promised = !flags.contains(VmFlags::NORESERVE);
                let promise = is_promised.then(|| Commitment::new(pages)).transpose()?;
                (Some(SharedMemory::new(len as u64, promise) as Arc<dyn MemoryObject>), 0)
            }
            None => (None, (start >> PAGE_SHIFT) as u64),
        };
        if let Some(object) = &object {
            if flags.contains(VmFlags::SHARED) && object.forbids_stores() {
                if flags.contains(VmFlags::WRITE) {
                    return Err(Errno::EPERM);
                }
                flags.remove(VmFlags::MAYWRITE);
            }
            object.attach(flags.shares_stores())?;
        }
        // From here on `vma` detaches the object.
        let mut vma =
            Vma { start, end: range.end, flags, lineage: Lineage::NONE, offset: first_page, object };
        // For the new one, and two cuts.
        mm.vmas.make_room(3)?;
        let mut flush = TlbFlush::new();
        mm.unmap(range.clone(), &mut flush, gone)?;
        flush.finish();
        vma.flags = Mm::commit(flags, pages)?;
        mm.add(vma);
        if populate || flags.contains(VmFlags::LOCKED) && !flags.contains(VmFlags::LOCKONFAULT) {
            // As on Linux: what cannot be had now comes by faults.
            let _ = mm.populate(range, &self.limits);
        }
        Ok(start)
    }

    /// Removes all mappings of a range.
    ///
    /// # Errors
    /// - `EINVAL`: `start` is not the address of a page, or the range is empty or leaves user space.
    /// - `ENOMEM`: a mapping would be split and there are too many.
    pub fn munmap(&self, start: usize, len: usize) -> Result<(), Errno> {
        let range = user_range(start, len)?;
        let mut gone = Gone::new();
        let result = {
            let mut mm = self.mm.lock();
            let mut flush = TlbFlush::new();
            mm.unmap(range, &mut flush, &mut gone)
        };
        drop(gone);
        result
    }

    /// Removes what a shmat(2) mapped at `start`, as far as it is still there.
    ///
    /// # Errors
    /// `EINVAL`: nothing such begins there. `ENOMEM`: no memory for a page table.
    pub fn detach(&self, start: usize) -> Result<(), Errno> {
        if !is_page_aligned(start) {
            return Err(Errno::EINVAL);
        }
        let mut gone = Gone::new();
        let result = {
            let mut mm = self.mm.lock();
            let mut flush = TlbFlush::new();
            mm.detach(start, &mut flush, &mut gone)
        };
        drop(gone);
        result
    }

    /// Maps the main stack, which may grow to `limit` bytes; returns its end.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn map_stack(&self, limit: u64) -> Result<usize, Errno> {
        self.limits.set_stack(limit);
        let top = self.mm.lock().layout.stack_top;
        let len = usize::try_from(limit).unwrap_or(usize::MAX).clamp(PAGE_SIZE, 132 << 10);
        let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::GROWSDOWN;
        let start = page_floor(top - len);
        self.mmap(MapRequest::anonymous(Place::FixedNoReplace(start), top - start, flags))?;
        self.mm.lock().layout.start_stack = top - 1;
        Ok(top)
    }

    /// Notes where the program finds its arguments: an address in its main stack.
    pub fn set_start_stack(&self, addr: usize) {
        self.mm.lock().layout.start_stack = addr;
    }
}

/// Checks the range of munmap(2) and its like; rounds its length up.
///
/// # Errors
/// `EINVAL`.
pub(super) fn user_range(start: usize, len: usize) -> Result<Range<usize>, Errno> {
    if !is_page_aligned(start) || start > USER_END || len > USER_END - start {
        return Err(Errno::EINVAL);
    }
    let len = page_ceil(len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
    Ok(start..start + len)
}

impl Mm {
    /// Removes the mappings that are left of what a shmat(2) mapped at `start`.
    ///
    /// # Errors
    /// `EINVAL`: none. `ENOMEM`.
    fn detach(&mut self, start: usize, flush: &mut TlbFlush, gone: &mut Gone) -> Result<(), Errno> {
        // The first may be gone: each knows how far it was from the start.
        let begins = |vma: &&Vma| vma.offset_of(vma.start) == ((vma.start - start) >> PAGE_SHIFT) as u64;
        let object = |vma: &Vma| {
            vma.object.as_ref().and_then(|object| Some((object.mapping_id(), object.attachment_len()?)))
        };
        let above = self.vmas.iter_from(start).filter(|vma| vma.start >= start);
        let (id, len) = above.filter(begins).find_map(object).ok_or(Errno::EINVAL)?;
        let end = start.saturating_add(len);
        let mut at = start;
        loop {
            let is_part = |vma: &&Vma| begins(vma) && object(vma).is_some_and(|(other, _)| other == id);
            let mut parts = self.vmas.overlapping(at..end).filter(|vma| vma.start >= at);
            let Some(part) = parts.find(is_part).map(Vma::range) else { return Ok(()) };
            drop(parts);
            at = part.end;
            self.unmap(part, flush, gone)?;
        }
    }

    /// Makes all pages of a range present, as far as the mappings allow.
    ///
    /// # Errors
    /// `ENOMEM`: a hole, or no memory. `EFAULT`: an inaccessible page.
    pub(super) fn populate(&mut self, range: Range<usize>, limits: &Limits) -> Result<(), Errno> {
        let mut page = range.start;
        while page < range.end {
            let vma = self.vmas.containing(page).ok_or(Errno::ENOMEM)?;
            let (end, flags) = (vma.end.min(range.end), vma.flags);
            let access = if flags & (VmFlags::WRITE | VmFlags::SHARED) == VmFlags::WRITE {
                Access::Write
            } else {
                Access::Read
            };
            while page < end {
                let is_there = self.table.flags(page).is_some_and(|present| {
                    access == Access::Read || present.contains(hal::paging::PageFlags::WRITE)
                });
                if !is_there {
                    self.resolve(page, access, false, limits)?;
                }
                page += PAGE_SIZE;
            }
        }
        Ok(())
    }
}
