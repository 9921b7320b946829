//! mremap(2).

use core::ops::Range;

use hal::addr::{is_page_aligned, page_ceil};
use hal::paging::TlbFlush;
use hal::{PAGE_SHIFT, PAGE_SIZE, USER_END};
use linux_abi::errno::Errno;
use linux_abi::limits::MAX_MAP_COUNT;
use linux_abi::mman::MremapFlags;

use super::Body;
use super::accounts::Limits;
use super::gone::Gone;
use super::map::MapRequest;
use super::mm::Mm;
use super::place::Place;
use super::vma::{Lineage, VmFlags, Vma, same_object};
use crate::memory::commitment::{charge, uncharge};
use crate::memory::reserve;

impl Body {
    /// Grows, shrinks or moves a mapping; returns its address. `flags` are the raw bits of the call.
    ///
    /// # Errors
    /// - `EINVAL`: flags, addresses or sizes that make no sense together.
    /// - `EFAULT`: nothing is mapped at `old`, or the range reaches into another mapping.
    /// - `ENOMEM`: it cannot grow where it is and must not move, a limit, or no memory.
    /// - `EAGAIN`: the limit on locked memory.
    pub fn mremap(
        &self,
        old: usize,
        old_len: usize,
        new_len: usize,
        flags: u32,
        new: usize,
        may_lock: bool,
    ) -> Result<usize, Errno> {
        let flags = MremapFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
        let (moves, fixed) = (MremapFlags::MREMAP_MAYMOVE, MremapFlags::MREMAP_FIXED);
        let keeps = flags.contains(MremapFlags::MREMAP_DONTUNMAP);
        if (flags.contains(fixed) && !flags.contains(moves))
            || (keeps && (!flags.contains(moves) || old_len != new_len))
            || !is_page_aligned(old)
        {
            return Err(Errno::EINVAL);
        }
        let old_len = page_ceil(old_len).ok_or(Errno::EINVAL)?;
        let new_len = page_ceil(new_len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
        reserve::check(1 << 13)?;
        let mut gone = Gone::new();
        let mut request =
            Remap { old, old_len, new_len, keeps, may_lock, limits: &self.limits, gone: &mut gone };
        let result = {
            let mut mm = self.mm.lock();
            if mm.vmas.containing(old).is_none() {
                Err(Errno::EFAULT)
            } else if flags.contains(fixed) || keeps {
                mm.remap_to(&mut request, new, flags.contains(fixed))
            } else {
                mm.remap_here(&mut request, flags.contains(moves))
            }
        };
        drop(gone);
        result
    }
}

impl Body {
    /// Shows other pages of its object, from number `page` on, in a part of a shared mapping.
    ///
    /// # Errors
    /// `EINVAL`: nothing shared is there, or mappings that differ in more than the offset. `EOVERFLOW`: the number. Those
    /// of [`mmap`](Self::mmap).
    pub fn remap_file_pages(
        &self,
        range: Range<usize>,
        page: u64,
        populate: bool,
        may_lock: bool,
    ) -> Result<(), Errno> {
        let (object, flags) = {
            let mm = self.mm.lock();
            let first = mm.vmas.containing(range.start).ok_or(Errno::EINVAL)?;
            let object = first.object.as_ref().filter(|_| first.flags.contains(VmFlags::SHARED));
            let mut end = first.start;
            for vma in mm.vmas.overlapping(range.clone()) {
                let is_alike = same_object(vma.object.as_ref(), object) && vma.flags == first.flags;
                if vma.start != end || !is_alike {
                    return Err(Errno::EINVAL);
                }
                end = vma.end;
            }
            if end < range.end {
                return Err(Errno::EINVAL);
            }
            (object.cloned().ok_or(Errno::EINVAL)?, first.flags)
        };
        let kind = VmFlags::ACCESS | VmFlags::SHARED | VmFlags::MAYSHARE | VmFlags::MAY | VmFlags::LOCKED;
        let offset = page.checked_mul(PAGE_SIZE as u64).ok_or(Errno::EOVERFLOW)?;
        let request = MapRequest {
            flags: flags & kind,
            populate,
            may_lock,
            // What is there already may stay where it is.
            may_map_low: true,
            ..MapRequest::private(Place::Fixed(range.start), range.len(), flags, object, offset)
        };
        self.mmap(request).map(|_| ())
    }
}

struct Remap<'a> {
    old: usize,
    old_len: usize,
    new_len: usize,
    keeps: bool,
    may_lock: bool,
    limits: &'a Limits,
    gone: &'a mut Gone,
}

impl Mm {
    fn remap_here(&mut self, request: &mut Remap<'_>, may_move: bool) -> Result<usize, Errno> {
        let Remap { old, old_len, new_len, .. } = *request;
        if old_len >= new_len {
            if old_len > new_len {
                let end = old.checked_add(old_len).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?;
                let mut flush = TlbFlush::new();
                self.unmap(old + new_len..end, &mut flush, request.gone)?;
            }
            return Ok(old);
        }
        let vma = self.check_resize(request)?;
        let growth = new_len - old_len;
        if old_len == vma.end - old
            && old.checked_add(new_len).is_some_and(|end| end <= USER_END)
            && self.vmas.is_free(vma.end..vma.end + growth)
        {
            if vma.flags.contains(VmFlags::ACCOUNT) {
                charge(growth >> PAGE_SHIFT)?;
            }
            self.usage.add(vma.flags, (growth >> PAGE_SHIFT) as isize);
            if let Some(at) = self.vmas.find(old) {
                self.vmas.update(at, |vma| vma.end += growth);
            }
            self.merge(vma.start, false);
            if vma.flags.contains(VmFlags::LOCKED) {
                let _ = self.populate(vma.end..vma.end + growth, request.limits);
            }
            return Ok(old);
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let new = self.place(Place::Hint(0), new_len)?;
        self.move_mapping(request, vma, new)
    }

    fn remap_to(&mut self, request: &mut Remap<'_>, new: usize, is_fixed: bool) -> Result<usize, Errno> {
        let Remap { old, old_len, new_len, keeps, .. } = *request;
        if is_fixed || new != 0 {
            if !is_page_aligned(new) || new_len > USER_END || new > USER_END - new_len {
                return Err(Errno::EINVAL);
            }
            let old_end = old.checked_add(old_len).ok_or(Errno::EINVAL)?;
            if old_end > new && new + new_len > old {
                return Err(Errno::EINVAL);
            }
        }
        if self.vmas.len() + 2 >= MAX_MAP_COUNT - 3 {
            return Err(Errno::ENOMEM);
        }
        if is_fixed {
            let mut flush = TlbFlush::new();
            self.unmap(new..new + new_len, &mut flush, request.gone)?;
        }
        if old_len > new_len {
            let mut flush = TlbFlush::new();
            self.unmap(old + new_len..old + old_len, &mut flush, request.gone)?;
            request.old_len = new_len;
        }
        let vma = self.check_resize(request)?;
        if keeps && !self.may_expand(vma.flags, new_len >> PAGE_SHIFT, request.limits) {
            return Err(Errno::ENOMEM);
        }
        let place = if is_fixed { Place::Fixed(new) } else { Place::Hint(new) };
        let new = self.place(place, new_len)?;
        self.move_mapping(request, vma, new)
    }

    /// Checks that the mapping may get its new size (`vma_to_resize`); returns a copy of it, to be dropped before the
    /// mapping is removed.
    fn check_resize(&self, request: &mut Remap<'_>) -> Result<Vma, Errno> {
        let Remap { old, old_len, new_len, keeps, may_lock, limits, .. } = *request;
        let vma = self.vmas.containing(old).ok_or(Errno::EFAULT)?;
        let flags = vma.flags;
        if old_len == 0 && flags.is_private() {
            return Err(Errno::EINVAL);
        }
        if keeps && flags.contains(VmFlags::DONTEXPAND) {
            return Err(Errno::EINVAL);
        }
        if old_len > vma.end - old {
            return Err(Errno::EFAULT);
        }
        if new_len > old_len {
            let growth = new_len - old_len;
            if flags.contains(VmFlags::DONTEXPAND) {
                return Err(Errno::EFAULT);
            }
            let locked = ((self.usage.locked << PAGE_SHIFT) as u64).saturating_add(growth as u64);
            if flags.contains(VmFlags::LOCKED) && !may_lock && locked > limits.locked() {
                return Err(Errno::EAGAIN);
            }
            if !self.may_expand(flags, growth >> PAGE_SHIFT, limits) {
                return Err(Errno::ENOMEM);
            }
        }
        Ok(vma.clone())
    }

    /// Moves a part of `vma` (a copy of the mapping at `old`) to free addresses and gives it the new size.
    fn move_mapping(&mut self, request: &mut Remap<'_>, vma: Vma, new: usize) -> Result<usize, Errno> {
        let Remap { old, old_len, new_len, keeps, .. } = *request;
        if self.vmas.len() >= MAX_MAP_COUNT - 3 {
            return Err(Errno::ENOMEM);
        }
        // For the new one, and two cuts of the old one: after the pages have moved nothing may fail.
        self.vmas.make_room(3)?;
        request.gone.make_room(core::iter::once(&vma))?;
        let new_pages = new_len >> PAGE_SHIFT;
        let is_charged = vma.flags.contains(VmFlags::ACCOUNT);
        if is_charged {
            charge(new_pages)?;
        }
        let mut moved = vma.clone();
        moved.offset = if moved.object.is_none() && moved.lineage == Lineage::NONE {
            (new >> PAGE_SHIFT) as u64
        } else {
            vma.offset_of(old)
        };
        moved.start = new;
        moved.end = new + new_len;
        let (flags, old_range): (VmFlags, Range<usize>) = (vma.flags, old..old + old_len);
        drop(vma);
        let mut flush = TlbFlush::new();
        if old_len != 0 && self.table.move_range(old_range.clone(), new, &mut flush).is_err() {
            if is_charged {
                uncharge(new_pages);
            }
            return Err(Errno::ENOMEM);
        }
        flush.finish();
        self.add(moved);
        if keeps {
            // The old mapping stays, empty; if it was moved as a whole it is as if never written.
            if let Some(at) = self.vmas.find(old) {
                let lock = VmFlags::LOCKED | VmFlags::LOCKONFAULT;
                let (was, pages) = self.vmas.update(at, |vma| {
                    if vma.range() == old_range {
                        vma.lineage = Lineage::NONE;
                        vma.offset =
                            if vma.object.is_none() { (old >> PAGE_SHIFT) as u64 } else { vma.offset };
                    }
                    let was = vma.flags;
                    vma.flags.remove(lock);
                    (was, vma.pages() as isize)
                });
                self.usage.add(was, -pages);
                self.usage.add(was.difference(lock), pages);
            }
        } else if old_len != 0 {
            self.unmap(old_range, &mut flush, request.gone)?;
        }
        if flags.contains(VmFlags::LOCKED) && new_len > old_len {
            let _ = self.populate(new + old_len..new + new_len, request.limits);
        }
        Ok(new)
    }
}
