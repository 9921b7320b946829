//! mlock(2), munlock(2), mlockall(2). Nothing is ever swapped, so a lock is an account and a promise to populate.

use core::ops::Range;

use hal::addr::{page_ceil, page_floor};
use hal::{PAGE_SHIFT, USER_END};
use linux_abi::errno::Errno;

use super::Body;
use super::mm::Mm;
use super::vma::VmFlags;

const LOCK_BITS: VmFlags = VmFlags::LOCKED.union(VmFlags::LOCKONFAULT);

/// Returns the pages of a range. A length that wraps when it is rounded up is none, on Linux too.
fn lock_range(start: usize, len: usize) -> Result<Range<usize>, Errno> {
    let first = page_floor(start);
    let len = len.checked_add(start - first).and_then(page_ceil).unwrap_or(0);
    Ok(first..first.checked_add(len).ok_or(Errno::EINVAL)?)
}

impl Mm {
    /// Changes how the mappings of a range are locked, up to the first hole.
    ///
    /// # Errors
    /// `ENOMEM`: a hole, or too many mappings.
    fn change_locks(&mut self, range: Range<usize>, bits: VmFlags) -> Result<(), Errno> {
        let mut end = range.start;
        for vma in self.vmas.overlapping(range.clone()) {
            if vma.start > end {
                break;
            }
            end = vma.end.min(range.end);
        }
        self.change_flags(range.start..end, |vma| Ok(vma.flags.difference(LOCK_BITS) | bits))?;
        if end == range.end { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

impl Body {
    /// Locks a range. `may_lock`: the caller has `CAP_IPC_LOCK`.
    ///
    /// # Errors
    /// - `EPERM`: no right to lock anything. `EINVAL`: the range wraps.
    /// - `ENOMEM`: a hole (what lies below it is locked), the limit, or too many mappings. `EAGAIN`: some pages cannot be had.
    pub fn mlock(&self, start: usize, len: usize, on_fault: bool, may_lock: bool) -> Result<(), Errno> {
        if !may_lock && self.limits.locked() == 0 {
            return Err(Errno::EPERM);
        }
        let range = lock_range(start, len)?;
        if range.is_empty() {
            return Ok(());
        }
        let Range { start: first, end } = range;
        let mut mm = self.mm.lock();
        let already: usize = mm
            .vmas
            .overlapping(range.clone())
            .filter(|vma| vma.flags.contains(VmFlags::LOCKED))
            .map(|vma| (vma.end.min(end) - vma.start.max(first)) >> PAGE_SHIFT)
            .sum();
        let pages = (range.len() >> PAGE_SHIFT) + mm.usage.locked;
        if !may_lock && (pages.saturating_sub(already) << PAGE_SHIFT) as u64 > self.limits.locked() {
            return Err(Errno::ENOMEM);
        }
        let bits = if on_fault { LOCK_BITS } else { VmFlags::LOCKED };
        mm.change_locks(range.clone(), bits)?;
        if on_fault {
            return Ok(());
        }
        mm.populate(range, &self.limits).map_err(|error| match error {
            Errno::EFAULT => Errno::ENOMEM,
            _ => Errno::EAGAIN,
        })
    }

    /// Unlocks a range.
    ///
    /// # Errors
    /// `EINVAL`: the range wraps. `ENOMEM`: a hole, or too many mappings.
    pub fn munlock(&self, start: usize, len: usize) -> Result<(), Errno> {
        let range = lock_range(start, len)?;
        self.mm.lock().change_locks(range, VmFlags::empty())
    }

    /// Locks or unlocks all mappings, present and future. `current`, `future`: which; `None` for both unlocks.
    ///
    /// # Errors
    /// `EPERM`, `ENOMEM`: as [`mlock`](Self::mlock).
    pub fn mlockall(&self, current: bool, future: bool, on_fault: bool, may_lock: bool) -> Result<(), Errno> {
        let mut mm = self.mm.lock();
        let unlocks = !current && !future;
        if !unlocks && !may_lock && self.limits.locked() == 0 {
            return Err(Errno::EPERM);
        }
        let total = (mm.usage.total << PAGE_SHIFT) as u64;
        if current && !may_lock && total > self.limits.locked() {
            return Err(Errno::ENOMEM);
        }
        let bits = if on_fault { LOCK_BITS } else { VmFlags::LOCKED };
        mm.default_flags = if future { bits } else { VmFlags::empty() };
        if !current && !unlocks {
            return Ok(());
        }
        let bits = if unlocks { VmFlags::empty() } else { bits };
        mm.change_flags(0..USER_END, |vma| Ok(vma.flags.difference(LOCK_BITS) | bits))?;
        if current && !on_fault {
            let mut at = 0;
            while let Some(position) = mm.vmas.find(at) {
                let range = mm.vmas.get(position).range();
                at = range.end;
                let _ = mm.populate(range, &self.limits);
            }
        }
        Ok(())
    }
}
