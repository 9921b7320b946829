//! brk(2): the heap.

use core::ops::Range;

use hal::addr::page_ceil;
use hal::paging::TlbFlush;
use hal::{PAGE_SHIFT, PAGE_SIZE, USER_END};
use linux_abi::errno::Errno;
use linux_abi::limits::MAX_MAP_COUNT;

use super::Body;
use super::accounts::Limits;
use super::gone::Gone;
use super::mm::{Hot, Mm};
use super::vma::{Lineage, VmFlags, Vma};
use crate::memory::reserve;

impl Body {
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
}

impl Mm {
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
