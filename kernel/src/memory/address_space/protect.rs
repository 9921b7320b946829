//! mprotect(2).

use hal::addr::{is_page_aligned, page_ceil};
use hal::paging::{LARGE_PAGE_SIZE, PageFlags, TlbFlush};
use hal::{PAGE_SHIFT, USER_END};
use linux_abi::errno::Errno;
use linux_abi::mman::Prot;

use super::Body;
use super::accounts::Limits;
use super::large;
use super::mm::{Mm, page_flags};
use super::vma::{VmFlags, Vma};
use crate::memory::commitment::charge;
use crate::memory::reserve;

/// Turns `PROT_*` into the rights of a mapping.
pub(crate) fn rights(prot: Prot) -> VmFlags {
    VmFlags::from_bits_truncate(prot.bits()) & VmFlags::ACCESS
}

impl Body {
    /// Gives a range of mappings these rights; `prot` are the raw bits of the call.
    ///
    /// # Errors
    /// - `EINVAL`: `start` is not the address of a page, or unknown bits.
    /// - `ENOMEM`: a hole in the range; what lies below it has changed. Too many mappings, too much promised, `RLIMIT_DATA`.
    /// - `EACCES`: a file mapping that may not get a right; what lies below it has changed.
    pub fn mprotect(&self, start: usize, len: usize, prot: u32) -> Result<(), Errno> {
        let grows = Prot::PROT_GROWSDOWN | Prot::PROT_GROWSUP;
        let (growth, rest) = (Prot::from_bits_truncate(prot) & grows, prot & !grows.bits());
        if growth == grows || !is_page_aligned(start) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let end = page_ceil(len).and_then(|len| start.checked_add(len)).filter(|&end| end > start);
        let end = end.ok_or(Errno::ENOMEM)?;
        let known = Prot::PROT_READ | Prot::PROT_WRITE | Prot::PROT_EXEC | Prot::PROT_SEM;
        if rest & !known.bits() != 0 {
            return Err(Errno::EINVAL);
        }
        if end > USER_END {
            return Err(Errno::ENOMEM);
        }
        reserve::check(1 << 12)?;
        let rights = rights(Prot::from_bits_truncate(rest));
        self.mm.lock().protect(start, end, growth, rights, &self.limits)
    }
}

impl Mm {
    fn protect(
        &mut self,
        mut start: usize,
        end: usize,
        growth: Prot,
        rights: VmFlags,
        limits: &Limits,
    ) -> Result<(), Errno> {
        let first = self.vmas.find(start).map(|at| self.vmas.get(at)).ok_or(Errno::ENOMEM)?;
        if growth == Prot::PROT_GROWSDOWN {
            if first.start >= end {
                return Err(Errno::ENOMEM);
            }
            if !first.flags.contains(VmFlags::GROWSDOWN) {
                return Err(Errno::EINVAL);
            }
            start = first.start;
        } else if first.start > start {
            return Err(Errno::ENOMEM);
        } else if growth == Prot::PROT_GROWSUP {
            // No mapping of this architecture grows up.
            return Err(Errno::EINVAL);
        }
        let mut flush = TlbFlush::new();
        let mut at = start;
        while at < end {
            let vma = self.vmas.containing(at).ok_or(Errno::ENOMEM)?;
            let part = at..vma.end.min(end);
            at = part.end;
            let (old, vma_is_private) = (vma.flags, vma.object.is_none());
            let mut new = old.difference(VmFlags::ACCESS) | rights;
            let allowed = VmFlags::from_bits_truncate((new & VmFlags::MAY).bits() >> 4);
            if !allowed.contains(rights) {
                return Err(Errno::EACCES);
            }
            if new == old {
                continue;
            }
            let pages = part.len() >> PAGE_SHIFT;
            if new.contains(VmFlags::WRITE)
                && !self.may_expand(new, pages, limits)
                && self.may_expand(old, pages, limits)
            {
                return Err(Errno::ENOMEM);
            }
            let tracks = vma.object.as_ref().is_some_and(|object| object.tracks_writes());
            let uncharged = VmFlags::ACCOUNT | VmFlags::WRITE | VmFlags::SHARED | VmFlags::NORESERVE;
            if new.contains(VmFlags::WRITE) && !old.intersects(uncharged) {
                charge(part.len() >> PAGE_SHIFT)?;
                new |= VmFlags::ACCOUNT;
            }
            let mut set = page_flags(new);
            let mut clear = (PageFlags::USER_ACCESS | PageFlags::NO_EXECUTE).difference(set);
            if !new.contains(VmFlags::WRITE) {
                clear |= PageFlags::WRITE;
            } else if new.is_private() || !tracks {
                // Private pages that are not copy-on-write are this mapping's alone.
                set |= PageFlags::WRITE;
            }
            self.table.prepare_protect(part.clone(), set, clear)?;
            self.change_flags(part.clone(), |_: &Vma| Ok(new))?;
            self.table.protect_range(part.clone(), set, clear, &mut flush)?;
            // What a smaller change has split is perhaps as one again.
            if vma_is_private && part.len() >= LARGE_PAGE_SIZE {
                flush.finish();
                self.table.join_range(large::whole_areas(&part));
            }
        }
        Ok(())
    }
}
