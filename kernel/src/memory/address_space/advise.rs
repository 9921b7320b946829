//! madvise(2).

use core::ops::Range;

use hal::addr::{is_page_aligned, page_ceil};
use hal::paging::TlbFlush;
use hal::{Access, PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;
use linux_abi::mman::*;

use super::Body;
use super::accounts::Limits;
use super::mm::Mm;
use super::vma::{VmFlags, Vma};
use crate::memory::reserve;

impl Body {
    /// Acts on advice about a range.
    ///
    /// # Errors
    /// - `EINVAL`: unknown advice, a misaligned start, a range that wraps, or advice that does not fit the mapping.
    /// - `ENOMEM`: a hole in the range; the rest has been advised.
    /// - `EAGAIN`: no memory for a page table, or too many mappings.
    /// - For `MADV_COLLAPSE` as [`Mm::collapse`].
    /// - `EACCES`: `MADV_REMOVE` on a mapping that is not shared or cannot be made writable.
    pub fn madvise(&self, start: usize, len: usize, advice: u32) -> Result<(), Errno> {
        let known = matches!(advice, MADV_NORMAL..=MADV_DONTNEED | MADV_FREE..=MADV_COLLAPSE);
        if !known || !is_page_aligned(start) {
            return Err(Errno::EINVAL);
        }
        let rounded = page_ceil(len).ok_or(Errno::EINVAL)?;
        let end = start.checked_add(rounded).ok_or(Errno::EINVAL)?;
        if rounded == 0 {
            return Ok(());
        }
        reserve::check(1 << 12)?;
        if matches!(advice, MADV_POPULATE_READ | MADV_POPULATE_WRITE) {
            return self.mm.lock().populate_for(start..end, advice == MADV_POPULATE_WRITE, &self.limits);
        }
        let mut result = Ok(());
        let mut at = start;
        while at < end {
            let mut mm = self.mm.lock();
            let Some(vma) = mm.vmas.find(at).map(|at| mm.vmas.get(at).clone()).filter(|vma| vma.start < end)
            else {
                result = Err(Errno::ENOMEM);
                break;
            };
            if vma.start > at {
                result = Err(Errno::ENOMEM);
            }
            let part = vma.start.max(at)..vma.end.min(end);
            at = part.end;
            let done = if advice == MADV_REMOVE {
                drop(mm);
                remove(&vma, part)
            } else {
                let done = mm.advise(&vma, part, advice);
                drop(mm);
                done
            };
            if done.is_err() {
                result = done;
                break;
            }
        }
        result
    }
}

fn remove(vma: &Vma, part: Range<usize>) -> Result<(), Errno> {
    if vma.flags.contains(VmFlags::LOCKED) {
        return Err(Errno::EINVAL);
    }
    let object = vma.object.as_ref().ok_or(Errno::EINVAL)?;
    if !vma.flags.shares_stores() {
        return Err(Errno::EACCES);
    }
    let first = vma.offset_of(part.start) << PAGE_SHIFT;
    object.punch_hole(first..first + part.len() as u64)
}

impl Mm {
    fn advise(&mut self, vma: &Vma, part: Range<usize>, advice: u32) -> Result<(), Errno> {
        let flags = vma.flags;
        let is_locked = flags.contains(VmFlags::LOCKED);
        let hint = VmFlags::SEQ_READ | VmFlags::RAND_READ;
        let new = match advice {
            MADV_NORMAL => flags.difference(hint),
            MADV_RANDOM => flags.difference(hint) | VmFlags::RAND_READ,
            MADV_SEQUENTIAL => flags.difference(hint) | VmFlags::SEQ_READ,
            MADV_DONTFORK => flags | VmFlags::DONTCOPY,
            MADV_DOFORK => flags.difference(VmFlags::DONTCOPY),
            MADV_WIPEONFORK if vma.object.is_some() => return Err(Errno::EINVAL),
            MADV_WIPEONFORK => flags | VmFlags::WIPEONFORK,
            MADV_KEEPONFORK => flags.difference(VmFlags::WIPEONFORK),
            MADV_DONTDUMP => flags | VmFlags::DONTDUMP,
            MADV_DODUMP => flags.difference(VmFlags::DONTDUMP),
            MADV_MERGEABLE => flags | VmFlags::MERGEABLE,
            MADV_UNMERGEABLE => flags.difference(VmFlags::MERGEABLE),
            MADV_HUGEPAGE => flags.difference(VmFlags::NOHUGEPAGE) | VmFlags::HUGEPAGE,
            MADV_NOHUGEPAGE => flags.difference(VmFlags::HUGEPAGE) | VmFlags::NOHUGEPAGE,
            MADV_DONTNEED | MADV_COLD | MADV_PAGEOUT | MADV_FREE if is_locked => return Err(Errno::EINVAL),
            MADV_FREE if vma.object.is_some() => return Err(Errno::EINVAL),
            MADV_DONTNEED | MADV_DONTNEED_LOCKED | MADV_FREE => {
                // Linux frees after MADV_FREE at any time it likes; we like now.
                let mut flush = TlbFlush::new();
                return self.zap(vma.kind(), part, &mut flush).map_err(|_| Errno::EAGAIN);
            }
            MADV_COLLAPSE => return self.collapse(vma, part),
            // All that is needed is in memory, and nothing can be written out.
            _ => return Ok(()),
        };
        // Linux says so of mappings that it cannot split, too.
        self.change_flags(part, |_| Ok(new)).map_err(|_| Errno::EAGAIN)
    }

    fn populate_for(&mut self, range: Range<usize>, writes: bool, limits: &Limits) -> Result<(), Errno> {
        let access = if writes { Access::Write } else { Access::Read };
        for page in range.step_by(PAGE_SIZE) {
            let vma = self.vmas.containing(page).ok_or(Errno::ENOMEM)?;
            let needed = if writes { VmFlags::WRITE } else { VmFlags::READ };
            if !vma.flags.contains(needed) {
                return Err(Errno::EINVAL);
            }
            self.resolve(page, access, false, limits)?;
        }
        Ok(())
    }
}
