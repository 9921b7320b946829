//! Memory policies of mappings (mbind(2)) and where pages are (move_pages(2)).
//!
//! A mapping has the number of its policy in its flags, so that neighbours with different ones stay apart; the address
//! space knows what the numbers stand for.

use core::ops::Range;

use hal::addr::is_page_aligned;
use hal::paging::PageFlags;
use hal::{Access, PAGE_SIZE};
use linux_abi::errno::Errno;

use super::Body;
use super::fault::zero_frame_number;
use super::mm::Mm;
use super::vma::{VmFlags, Vma};
use crate::memory::policy::Policy;

/// Different policies that the mappings of an address space may have; number 0 is none.
pub(super) const MAX_POLICIES: usize = 15;

/// What the numbers in the flags stand for.
pub(super) type Policies = [Option<Policy>; MAX_POLICIES];

impl VmFlags {
    const POLICY_SHIFT: u32 = Self::POLICY.bits().trailing_zeros();

    fn policy_number(self) -> usize {
        ((self & Self::POLICY).bits() >> Self::POLICY_SHIFT) as usize
    }

    fn with_policy_number(self, number: usize) -> Self {
        self.difference(Self::POLICY) | Self::from_bits_retain((number as u32) << Self::POLICY_SHIFT)
    }
}

impl Body {
    /// Gives the mappings of a range of pages a policy; `None` takes theirs away, and holes do not matter then.
    ///
    /// # Errors
    /// - `EFAULT`: a hole, or nothing at all. `ENOMEM`: too many mappings, or more than 15 policies.
    pub fn set_policy(&self, range: Range<usize>, policy: Option<Policy>) -> Result<(), Errno> {
        let mut mm = self.mm.lock();
        mm.check_covered(&range, policy.is_none())?;
        let number = mm.policy_number(policy)?;
        mm.change_flags(range, |vma| Ok(vma.flags.with_policy_number(number)))
    }

    /// Names the node to prefer for the mappings of a range that have a policy.
    ///
    /// # Errors
    /// - `ENOENT`: no mapping has one. `EOPNOTSUPP`: the policy of one is of another kind. `ENOMEM`.
    pub fn set_home(&self, range: Range<usize>) -> Result<(), Errno> {
        let mut mm = self.mm.lock();
        let mut result = Err(Errno::ENOENT);
        let mut at = range.start;
        loop {
            let next = mm.vmas.overlapping(at..range.end).next();
            let Some((found, policy)) = next.map(|vma| (vma.range(), mm.policy_of(vma))) else { break };
            let part = found.start.max(range.start)..found.end.min(range.end);
            at = part.end;
            let Some(policy) = policy else { continue };
            if !policy.may_have_home() {
                return Err(Errno::EOPNOTSUPP);
            }
            let number = mm.policy_number(Some(Policy { has_home: true, ..policy }))?;
            result = mm.change_flags(part, |vma| Ok(vma.flags.with_policy_number(number)));
        }
        result
    }

    /// Returns the policy of the mapping at `addr`.
    ///
    /// # Errors
    /// `EFAULT`: there is none.
    pub fn policy_at(&self, addr: usize) -> Result<Option<Policy>, Errno> {
        let mm = self.mm.lock();
        let vma = mm.vmas.containing(addr).ok_or(Errno::EFAULT)?;
        Ok(mm.policy_of(vma))
    }

    /// Makes sure that the page at `addr` is in memory, for the question where.
    ///
    /// # Errors
    /// `EFAULT`: it cannot be had. `ENOMEM`.
    pub fn touch(&self, addr: usize) -> Result<(), Errno> {
        self.mm.lock().resolve(addr, Access::Read, false, &self.limits)?;
        Ok(())
    }

    /// Checks that a page of the program's own or of an object is at `addr`, as move_pages(2) tells it.
    ///
    /// # Errors
    /// `EFAULT`: nothing is mapped, or a page that is no particular one. `ENOENT`: not in memory.
    pub fn check_present(&self, addr: usize) -> Result<(), Errno> {
        let mm = self.mm.lock();
        let vma = mm.vmas.containing(addr).ok_or(Errno::EFAULT)?;
        let page = addr & !(PAGE_SIZE - 1);
        let mut found = Err(if vma.object.is_none() { Errno::EFAULT } else { Errno::ENOENT });
        mm.table.for_each(page..page + PAGE_SIZE, |_, frame, flags| {
            let is_special = Some(frame) == zero_frame_number() && !flags.contains(PageFlags::ANONYMOUS);
            found = if is_special { Err(Errno::EFAULT) } else { Ok(()) };
        });
        found
    }
}

impl Mm {
    /// Checks that a range has mappings; `holes_are_fine`: one at least.
    fn check_covered(&self, range: &Range<usize>, holes_are_fine: bool) -> Result<(), Errno> {
        debug_assert!(is_page_aligned(range.start));
        let mut end = range.start;
        let mut is_empty = true;
        for vma in self.vmas.overlapping(range.clone()) {
            if vma.start > end && !holes_are_fine {
                return Err(Errno::EFAULT);
            }
            is_empty = false;
            end = vma.end;
        }
        if is_empty || end < range.end && !holes_are_fine { Err(Errno::EFAULT) } else { Ok(()) }
    }

    fn policy_of(&self, vma: &Vma) -> Option<Policy> {
        let index = vma.flags.policy_number().checked_sub(1)?;
        self.policies.as_ref().and_then(|policies| *policies.get(index)?)
    }

    /// Returns the number of a policy, a new one if no mapping has it.
    fn policy_number(&mut self, policy: Option<Policy>) -> Result<usize, Errno> {
        let Some(policy) = policy else { return Ok(0) };
        let policies = self.policies.get_or_insert_default();
        if let Some(known) = policies.iter().position(|known| *known == Some(policy)) {
            return Ok(known + 1);
        }
        // Those that no mapping has any more can be forgotten.
        let mut used = 0u16;
        self.vmas.iter().for_each(|vma| used |= 1 << vma.flags.policy_number());
        let free = (0..MAX_POLICIES).find(|index| used & 2 << index == 0).ok_or(Errno::ENOMEM)?;
        policies[free] = Some(policy);
        Ok(free + 1)
    }
}
