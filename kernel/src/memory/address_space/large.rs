//! Large private memory in pages of 2 MiB (what Linux calls transparent huge pages).
//!
//! The first store to a 2 MiB area that lies in one mapping, and in which nothing is mapped, gets a large page if there is
//! one to spare. Whatever concerns a part of it splits it: the page table does that by itself, and fork for all.

use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use hal::paging::{LARGE_PAGE_ORDER, LARGE_PAGE_SIZE, PageFlags};
use hal::{PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;
use linux_abi::limits::MMAP_MIN_ADDR;

use super::fault::private_flags;
use super::mm::Mm;
use super::vma::{Lineage, VmFlags, Vma};
use super::vma_map::Position;
use crate::memory::physical::buddy_allocator::{alloc_block, has_room_for, total_bytes};

/// Which mappings get large pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LargePages {
    /// Those that do not object (`MADV_NOHUGEPAGE`).
    Always = 1,
    /// Those that ask for it (`MADV_HUGEPAGE`).
    Advised = 2,
    /// None.
    Never = 3,
}

/// With less memory than this, no mapping gets large pages unless that is asked for (as Linux decides).
const MIN_MEMORY: usize = 512 << 20;
/// This part of all memory must be free besides a large page: the next thing to be had shall not be a victim.
const SPARE_PART: usize = 8;

hal::machine_static! {
    /// A `LargePages`, or 0 as long as nobody has chosen.
    static MODE: AtomicU8 = AtomicU8::new(0);
}

impl LargePages {
    /// Returns what is in force.
    pub fn mode() -> Self {
        match MODE.load(Relaxed) {
            1 => Self::Always,
            2 => Self::Advised,
            3 => Self::Never,
            _ if total_bytes() < MIN_MEMORY => Self::Never,
            _ => Self::Always,
        }
    }

    /// Chooses.
    pub fn set_mode(self) {
        MODE.store(self as u8, Relaxed);
    }
}

/// Returns the areas of 2 MiB that lie in a range altogether; the end is below the start if it has no border of one.
pub(super) fn whole_areas(range: &Range<usize>) -> Range<usize> {
    let mask = LARGE_PAGE_SIZE - 1;
    range.start.saturating_add(mask) & !mask..range.end & !mask
}

/// Returns the addresses in a mapping that may be in large pages.
pub(super) fn area(vma: &Vma) -> Range<usize> {
    let wanted = match LargePages::mode() {
        LargePages::Always => !vma.flags.contains(VmFlags::NOHUGEPAGE),
        LargePages::Advised => vma.flags.contains(VmFlags::HUGEPAGE),
        LargePages::Never => false,
    };
    let areas = whole_areas(&vma.range());
    let is_fit = vma.object.is_none() && vma.flags.contains(VmFlags::WRITE) && !areas.is_empty();
    if wanted && is_fit { areas } else { 0..0 }
}

impl Mm {
    /// Chooses the address of a new private mapping that consists of large pages, if it may; `None` if it does not matter.
    pub(super) fn place_for_large(&mut self, len: usize) -> Option<usize> {
        if !len.is_multiple_of(LARGE_PAGE_SIZE) || LargePages::mode() != LargePages::Always {
            return None;
        }
        let padded = len.checked_add(LARGE_PAGE_SIZE - PAGE_SIZE)?;
        let gap = self.vmas.gap_top_down(padded, MMAP_MIN_ADDR as usize..self.layout.mmap_base)?;
        Some((gap + padded - len) & !(LARGE_PAGE_SIZE - 1))
    }

    /// Maps a large page around an address in an [`area`], with the flags of the mapping's own pages, if that can be done
    /// without want; tells whether it did.
    pub(super) fn supply_large(&mut self, addr: usize, flags: PageFlags) -> bool {
        if !self.table.has_room_for_large(addr) || !has_room_for(LARGE_PAGE_SIZE + total_bytes() / SPARE_PART)
        {
            return false;
        }
        let Some(block) = alloc_block(LARGE_PAGE_ORDER) else { return false };
        block.zero();
        let is_mapped = self.table.map(addr & !(LARGE_PAGE_SIZE - 1), block, flags).is_ok();
        if is_mapped {
            self.usage.anonymous += LARGE_PAGE_SIZE >> PAGE_SHIFT;
        }
        is_mapped
    }

    /// Makes large pages of all whole areas of 2 MiB in a part of a mapping, as `MADV_COLLAPSE` does: of single pages that
    /// lie in order by joining them, of others by copying. Where nothing is in memory yet the rest is zeroes.
    ///
    /// # Errors
    /// - `EINVAL`: a mapping that does not get large pages, or an area that nothing is in memory of or no page of which
    ///   can be written. Those after it have been dealt with.
    /// - `ENOMEM`: no block is free. What lies below has been dealt with.
    pub(super) fn collapse(&mut self, vma: &Vma, part: Range<usize>) -> Result<(), Errno> {
        let is_eligible = vma.object.is_none() && !vma.flags.contains(VmFlags::NOHUGEPAGE);
        let areas = whole_areas(&part);
        if !is_eligible
            || vma.lineage == Lineage::NONE
            || whole_areas(&vma.range()).is_empty()
            // Linux's way of counting; an empty range is fine.
            || areas.start > areas.end
        {
            return Err(Errno::EINVAL);
        }
        let flags = private_flags(vma.flags);
        let mut result = Ok(());
        for area in areas.step_by(LARGE_PAGE_SIZE) {
            match self.collapse_area(area..area + LARGE_PAGE_SIZE, flags) {
                Err(Errno::EINVAL) => result = Err(Errno::EINVAL),
                done => done?,
            }
        }
        result
    }

    fn collapse_area(&mut self, area: Range<usize>, flags: PageFlags) -> Result<(), Errno> {
        if self.table.large_pages_in(area.clone()) == 1 || self.table.join_range(area.clone()) == 1 {
            return Ok(());
        }
        let (mut is_written, mut anonymous) = (false, 0);
        self.table.for_each(area.clone(), |_, _, flags| {
            is_written |= flags.contains(PageFlags::WRITE);
            anonymous += usize::from(flags.contains(PageFlags::ANONYMOUS));
        });
        if !is_written || !flags.contains(PageFlags::WRITE) {
            return Err(Errno::EINVAL);
        }
        let block = has_room_for(LARGE_PAGE_SIZE).then(|| alloc_block(LARGE_PAGE_ORDER)).flatten();
        let block = block.ok_or(Errno::ENOMEM)?;
        block.zero();
        self.table.gather(area.start, block, flags)?;
        self.usage.anonymous += (LARGE_PAGE_SIZE >> PAGE_SHIFT) - anonymous;
        Ok(())
    }

    /// As [`supply_large`](Self::supply_large), for a first store to a mapping, which is found out about here.
    pub(super) fn supply_first_large(&mut self, at: Position, addr: usize, flags: PageFlags) -> bool {
        area(self.vmas.get(at)).contains(&addr) && self.supply_large(addr, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use hal::Access;
    use hal::sim::Machine;
    use hal::upcall::PageFault;

    use crate::memory::physical::buddy_allocator;

    const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);
    const AT: usize = 64 * LARGE_PAGE_SIZE;

    /// An address space with `len` bytes mapped at `start`, on a machine with room.
    fn space(start: usize, len: usize) -> Arc<AddressSpace> {
        Machine::builder().memory_mib(64).build().enter();
        LargePages::Always.set_mode();
        let space = AddressSpace::new_fixed().unwrap();
        space.mmap(MapRequest::anonymous(Place::Fixed(start), len, RW)).unwrap();
        space
    }

    fn touch(space: &AddressSpace, addr: usize) -> Result<FaultKind, FaultError> {
        let present = space.mm.lock().table.flags(addr & !(PAGE_SIZE - 1)).is_some();
        space.fault(&PageFault { address: addr, access: Access::Write, present, from_user: true })
    }

    /// Large pages, and pages in memory.
    fn held(space: &AddressSpace) -> (usize, usize) {
        let usage = space.usage();
        assert_eq!(
            usage.anonymous,
            space.mapping_from(AT, true).map_or(0, |mapping| mapping.pages.anonymous)
        );
        (usage.large, usage.anonymous)
    }

    #[test]
    fn the_first_store_takes_two_mib_where_they_fit() {
        let space = space(AT - PAGE_SIZE, 3 * LARGE_PAGE_SIZE);
        for (addr, large, pages) in [
            (AT - PAGE_SIZE, 0, 1),
            (AT + 5 * PAGE_SIZE, 1, 513),
            (AT, 1, 513),
            (AT + 2 * LARGE_PAGE_SIZE - 1, 2, 1025),
            // The mapping ends a page before the third.
            (AT + 2 * LARGE_PAGE_SIZE, 2, 1026),
        ] {
            touch(&space, addr).unwrap();
            let usage = space.usage();
            assert_eq!((usage.large, usage.anonymous), (large, pages), "at {addr:#x}");
        }
        let shown = space.mapping_from(AT, true).unwrap();
        assert_eq!((shown.pages.anonymous, shown.pages.in_large), (1026, 1024));
    }

    #[test]
    fn mappings_of_whole_large_pages_are_aligned_and_join() {
        let space = space(AT, PAGE_SIZE);
        let map = |len| space.mmap(MapRequest::anonymous(Place::Hint(0), len, RW)).unwrap();
        let first = map(2 * LARGE_PAGE_SIZE);
        assert!(first.is_multiple_of(LARGE_PAGE_SIZE));
        assert_eq!(map(LARGE_PAGE_SIZE), first - LARGE_PAGE_SIZE);
        // Others go where there is room, the hole above included.
        assert_eq!(map(PAGE_SIZE), space.mm.lock().layout.mmap_base - PAGE_SIZE);
    }

    #[test]
    fn advice_and_the_administrator_decide() {
        let space = space(AT, 4 * LARGE_PAGE_SIZE);
        let mut at = AT;
        let mut next = |advice: Option<u32>, mode: LargePages| {
            mode.set_mode();
            if let Some(advice) = advice {
                space.madvise(at, LARGE_PAGE_SIZE, advice).unwrap();
            }
            let before = space.usage().large;
            touch(&space, at).unwrap();
            at += LARGE_PAGE_SIZE;
            space.usage().large != before
        };
        assert!(!next(Some(15), LargePages::Always));
        assert!(!next(None, LargePages::Advised));
        assert!(next(Some(14), LargePages::Advised));
        assert!(!next(Some(14), LargePages::Never));
    }

    #[test]
    fn what_concerns_a_part_leaves_the_rest() {
        let space = space(AT, 2 * LARGE_PAGE_SIZE);
        let before = buddy_allocator::free_bytes();
        touch(&space, AT).unwrap();
        // Looking at memory from outside needs single pages.
        space.write_remote(AT + 7 * PAGE_SIZE, &[7]).unwrap();
        assert_eq!(held(&space), (0, 512));
        space.madvise(AT + 8 * PAGE_SIZE, 4 * PAGE_SIZE, 4).unwrap();
        assert_eq!(held(&space), (0, 508));
        touch(&space, AT + LARGE_PAGE_SIZE).unwrap();
        assert_eq!(held(&space), (1, 1020));
        let child = space.fork().unwrap();
        assert_eq!((held(&space), held(&child)), ((0, 1020), (0, 1020)));
        touch(&child, AT + 7 * PAGE_SIZE).unwrap();
        let mut byte = [0];
        child.read_remote(AT + 7 * PAGE_SIZE, &mut byte).unwrap();
        assert_eq!(byte, [7]);
        drop(child);
        space.munmap(AT, 2 * LARGE_PAGE_SIZE).unwrap();
        assert_eq!(held(&space), (0, 0));
        // What was split is put together again. Some frames stay with this CPU.
        assert!(before - buddy_allocator::free_bytes() < 64 * PAGE_SIZE);
    }

    #[test]
    fn what_was_split_is_joined_when_all_is_protected_alike() {
        let space = space(AT, 2 * LARGE_PAGE_SIZE);
        let prot = |from: usize, len: usize, prot: u32| space.mprotect(AT + from, len, prot).unwrap();
        let counts = || (space.usage().large, space.usage().anonymous);
        touch(&space, AT).unwrap();
        space.write_remote(AT + 7 * PAGE_SIZE, &[7]).unwrap();
        let frames = buddy_allocator::free_bytes();
        prot(5 * PAGE_SIZE, PAGE_SIZE, 1);
        assert_eq!(counts(), (0, 512));
        prot(5 * PAGE_SIZE, PAGE_SIZE, 3);
        assert_eq!(counts(), (0, 512), "only when all of it is looked at anyway");
        prot(0, 2 * LARGE_PAGE_SIZE, 1);
        assert_eq!(counts(), (1, 512));
        assert_eq!(buddy_allocator::free_bytes(), frames + PAGE_SIZE, "the table is free");
        prot(0, 2 * LARGE_PAGE_SIZE, 3);
        let mut byte = [0];
        space.read_remote(AT + 7 * PAGE_SIZE, &mut byte).unwrap();
        assert_eq!(byte, [7]);
        // A page that is gone, or in other hands, keeps the others apart.
        space.madvise(AT + PAGE_SIZE, PAGE_SIZE, 4).unwrap();
        prot(0, LARGE_PAGE_SIZE, 1);
        assert_eq!(counts(), (0, 511));
    }

    #[test]
    fn collapse_gathers_what_is_there_and_refuses_what_is_not() {
        const COLLAPSE: u32 = 25;
        let space = space(AT, 4 * LARGE_PAGE_SIZE);
        LargePages::Never.set_mode();
        assert_eq!(
            space.madvise(AT, LARGE_PAGE_SIZE, COLLAPSE),
            Err(Errno::EINVAL),
            "nothing was ever stored"
        );
        touch(&space, AT + 3 * PAGE_SIZE).unwrap();
        touch(&space, AT + LARGE_PAGE_SIZE - 1).unwrap();
        space.write_remote(AT + 3 * PAGE_SIZE, &[3]).unwrap();
        assert_eq!(held(&space), (0, 2));
        assert_eq!(space.madvise(AT, LARGE_PAGE_SIZE, COLLAPSE), Ok(()));
        assert_eq!(held(&space), (1, 512));
        assert_eq!(space.madvise(AT, LARGE_PAGE_SIZE, COLLAPSE), Ok(()), "it is one already");
        assert_eq!(
            space.madvise(AT, 2 * LARGE_PAGE_SIZE, COLLAPSE),
            Err(Errno::EINVAL),
            "half of it is empty"
        );
        assert_eq!(space.madvise(AT, PAGE_SIZE, COLLAPSE), Ok(()), "no whole area is meant");
        assert_eq!(space.madvise(AT + PAGE_SIZE, PAGE_SIZE, COLLAPSE), Err(Errno::EINVAL));
        let mut bytes = [1; 2];
        space.read_remote(AT + 3 * PAGE_SIZE, &mut bytes).unwrap();
        assert_eq!(bytes, [3, 0]);
        let child = space.fork().unwrap();
        assert_eq!(space.madvise(AT, LARGE_PAGE_SIZE, COLLAPSE), Err(Errno::EINVAL), "nobody may store");
        drop(child);
        space.madvise(AT, LARGE_PAGE_SIZE, 15).unwrap();
        assert_eq!(space.madvise(AT, LARGE_PAGE_SIZE, COLLAPSE), Err(Errno::EINVAL), "it objects");
        space.munmap(AT, 4 * LARGE_PAGE_SIZE).unwrap();
        assert_eq!(held(&space), (0, 0));
    }

    #[test]
    fn memory_that_is_short_is_not_taken_in_large_pages() {
        let space = space(AT, 56 << 20);
        let mut addr = AT;
        while touch(&space, addr).is_ok() {
            addr += LARGE_PAGE_SIZE;
        }
        let usage = space.usage();
        assert!((20..30).contains(&usage.large), "{} large pages", usage.large);
        assert!(buddy_allocator::free_user_bytes() >= total_bytes() / SPARE_PART - LARGE_PAGE_SIZE);
    }
}
