//! mmap(2), munmap(2), brk(2), and what execve(2) needs.

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
use super::mm::{Hot, Mm};
use super::vma::{Lineage, VmFlags, Vma};
use crate::memory::MemoryObject;
use crate::memory::commitment::{Commitment, is_strict};
use crate::memory::page_cache::SharedMemory;
use crate::memory::reserve;

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere; here, if that is free and not 0.
    Hint(usize),
    /// Here, in place of what is there.
    Fixed(usize),
    /// Here, or nowhere.
    FixedNoReplace(usize),
    /// Anywhere below 2 GiB.
    Low,
}

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
            && first_page.checked_add((len >> PAGE_SHIFT) as u64).is_none_or(|end| end > 1 << 52)
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

    /// Moves the end of the heap; returns where it is then, the old place if it cannot be moved.
    pub fn brk(&self, new: usize) -> usize {
        let mut gone = Gone::new();
        let end = {
            let mut mm = self.mm.lock();
            let _ = mm.set_brk(new, &self.limits, &mut gone);
            mm.layout.brk
        };
        drop(gone);
        end
    }

    /// Starts the heap at the first page from `start` on.
    pub fn set_break_start(&self, start: usize) {
        let start = page_ceil(start).unwrap_or(start);
        let mut mm = self.mm.lock();
        mm.layout.start_brk = start;
        mm.layout.brk = start;
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

    /// Chooses the address of a new mapping (`get_unmapped_area`).
    pub(super) fn place(&mut self, place: Place, len: usize) -> Result<usize, Errno> {
        if len > USER_END {
            return Err(Errno::ENOMEM);
        }
        match place {
            Place::Fixed(start) | Place::FixedNoReplace(start) => {
                if start > USER_END - len {
                    return Err(Errno::ENOMEM);
                }
                if !is_page_aligned(start) {
                    return Err(Errno::EINVAL);
                }
                if matches!(place, Place::FixedNoReplace(_))
                    && self.vmas.overlapping(start..start + len).next().is_some()
                {
                    return Err(Errno::EEXIST);
                }
                Ok(start)
            }
            Place::Low => self.vmas.gap_bottom_up(len, 0x4000_0000..0x8000_0000).ok_or(Errno::ENOMEM),
            Place::Hint(hint) => {
                if hint != 0 {
                    let hint = page_floor(hint).max(MMAP_MIN_ADDR as usize);
                    if hint <= USER_END - len && self.vmas.is_free(hint..hint + len) {
                        return Ok(hint);
                    }
                }
                let lowest = MMAP_MIN_ADDR as usize;
                let top_down = self.vmas.gap_top_down(len, lowest..self.layout.mmap_base);
                let found =
                    top_down.or_else(|| self.vmas.gap_bottom_up(len, page_floor(USER_END / 3)..USER_END));
                found.ok_or(Errno::ENOMEM)
            }
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

    fn set_brk(&mut self, new: usize, limits: &Limits, gone: &mut Gone) -> Result<(), Errno> {
        let (start, old) = (self.layout.start_brk, self.layout.brk);
        if new < start || new > USER_END {
            return Err(Errno::ENOMEM);
        }
        let data = (self.layout.data.end - self.layout.data.start) as u64;
        if limits.data() != u64::MAX && (new - start) as u64 + data > limits.data() {
            return Err(Errno::ENOMEM);
        }
        let old_end = page_ceil(old).ok_or(Errno::ENOMEM)?;
        let new_end = page_ceil(new).ok_or(Errno::ENOMEM)?;
        if new_end < old_end {
            let mut flush = TlbFlush::new();
            self.unmap(new_end..old_end, &mut flush, gone)?;
        } else if new_end > old_end {
            self.grow_heap(old_end..new_end, limits)?;
        }
        self.layout.brk = new;
        Ok(())
    }

    fn grow_heap(&mut self, range: Range<usize>, limits: &Limits) -> Result<(), Errno> {
        if !self.vmas.is_free(range.start..range.end + PAGE_SIZE) {
            return Err(Errno::ENOMEM);
        }
        reserve::check(1 << 12)?;
        let pages = range.len() >> PAGE_SHIFT;
        let flags = VmFlags::DATA | self.default_flags;
        let locked = ((self.usage.locked + pages) << PAGE_SHIFT) as u64;
        let is_locked = flags.contains(VmFlags::LOCKED);
        if !self.may_expand(flags, pages, limits)
            || self.vmas.len() > MAX_MAP_COUNT
            || (is_locked && locked > limits.locked())
        {
            return Err(Errno::ENOMEM);
        }
        self.vmas.make_room(1)?;
        let flags = Mm::commit(flags, pages)?;
        let vma = Vma {
            start: range.start,
            end: range.end,
            flags,
            lineage: Lineage::NONE,
            offset: (range.start >> PAGE_SHIFT) as u64,
            object: None,
        };
        // Unlike mmap, brk joins only what lies below.
        if let Some(below) = self.vmas.before(range.start)
            && self.vmas.get(below).accepts_after(&vma)
        {
            self.usage.add(flags, pages as isize);
            self.vmas.update(below, |vma| vma.end = range.end);
            if let Some(writable) = self.hot.writable.filter(|_| self.hot.end == range.start) {
                self.hot = Hot::new(self.vmas.get(below), writable);
            }
        } else {
            self.usage.add(flags, pages as isize);
            self.vmas.insert(vma);
        }
        if is_locked {
            let _ = self.populate(range, limits);
        }
        Ok(())
    }
}
