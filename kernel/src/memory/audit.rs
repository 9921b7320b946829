//! The audit: looks at every frame of the machine, and for everyone who can have it.
//!
//! The frame table knows how many handles a frame has; the audit finds their owners. Page tables are walked, those of the
//! kernel too, so each of their handles is found where it is. What page caches, the heap and buffers hold they count, and
//! as many handles must be left over. `unaccounted` is the difference: frames that nobody will ever give back if it is
//! above zero, frames given back too early if it is below.
//!
//! Other CPUs go on meanwhile, so only a machine at rest has exact numbers. What idle CPUs do (clear frames ahead) is
//! waited for.

use hal::addr::FrameNumber;
use hal::frame::{self, Look};
use hal::paging::{self, Owned};
use linux_abi::errno::Errno;

use super::heap::statistics::HeapStatistics;
use super::physical::buddy_allocator;
use super::physical::statistics::Statistics;
use super::{address_space, fallible, heap, page_cache};

/// What each frame of the machine is. All but `unaccounted` and `broken` are frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// All there are; the sum of those that follow, up to `other`.
    pub frames: usize,
    /// Never handed out: not RAM, or in use since before there was an allocator.
    pub reserved: usize,
    /// Free and in a free block, the kernel's pool included.
    pub free: usize,
    /// Free and in the cache of a CPU.
    pub cached: usize,
    /// Cleared ahead.
    pub zeroed: usize,
    /// Page tables of programs and of the kernel.
    pub page_tables: usize,
    /// Kernel stacks.
    pub stacks: usize,
    /// The kernel heap, free slots included.
    pub heap: usize,
    /// Mapped by programs, and nothing else.
    pub mapped: usize,
    /// In page caches, mapped or not.
    pub page_cache: usize,
    /// In pipes and sockets.
    pub buffers: usize,
    /// What the kernel keeps for all programs: the page of zeroes, the vDSO.
    pub other: usize,
    /// Frames that are in use, or not free, without anybody who has them.
    pub unaccounted: isize,
    /// Frames with fewer handles than owners.
    pub broken: usize,
}

/// How often the audit begins anew because the free memory has changed meanwhile.
const ATTEMPTS: usize = 20;

const TABLE: u32 = 1 << 31;
const STACK: u32 = 1 << 30;

/// Makes the audit; `buffers` tells the handles in pipes and sockets, `kept` names frames that the kernel keeps for
/// all programs, once for each handle.
///
/// # Errors
/// `ENOMEM`: no room for the count.
pub fn audit(buffers: impl Fn() -> usize, kept: &[FrameNumber]) -> Result<Audit, Errno> {
    let mut owners = fallible::zeroed::<u32>(frame::count())?;
    let others = kept.iter().enumerate().filter(|(i, number)| !kept[..*i].contains(number)).count();
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let before = (buddy_allocator::statistics(), page_cache::cached_bytes(), buffers());
        let heap = heap::statistics::statistics();
        find_owners(&mut owners, kept);
        let kept_frames = others + usize::from(address_space::zero_frame_number().is_some());
        let audit = add_up(&owners, &before.0, &heap, before.1 / hal::PAGE_SIZE, before.2, kept_frames);
        let after = (buddy_allocator::statistics(), page_cache::cached_bytes(), buffers());
        if before == after && audit.unaccounted == 0 || left == 0 {
            return Ok(audit);
        }
        hal::cpu::relax();
    }
}

/// Counts for each frame the owners that are found: entries of page tables, and what `kept` says.
fn find_owners(owners: &mut [u32], kept: &[FrameNumber]) {
    owners.fill(0);
    let mut mark = |number: FrameNumber, mark: u32| match owners.get_mut(number.index()) {
        Some(owner) => {
            let is_new = *owner & (TABLE | STACK) == 0;
            *owner = if mark == 1 { *owner + 1 } else { *owner | mark };
            is_new
        }
        None => false,
    };
    kept.iter().chain(&address_space::zero_frame_number()).for_each(|&number| _ = mark(number, 1));
    paging::for_each_owned_by_kernel(&mut |owned| match owned {
        Owned::Table(number) => _ = mark(number, TABLE),
        Owned::Page(number) => _ = mark(number, STACK),
    });
    address_space::for_each_owned(&mut |owned| match owned {
        Owned::Table(number) => mark(number, TABLE),
        Owned::Page(number) => mark(number, 1),
    });
}

fn add_up(
    owners: &[u32],
    physical: &Statistics,
    heap: &HeapStatistics,
    page_cache: usize,
    buffers: usize,
    kept: usize,
) -> Audit {
    let mut audit = Audit { frames: owners.len(), page_cache, buffers, ..Audit::default() };
    audit.zeroed = physical.zeroed_frames;
    audit.cached = physical.cached_frames - physical.zeroed_frames;
    let in_blocks = physical.free_frames - physical.cached_frames;
    // Handles that no page table has, and frames of blocks that none has.
    let (mut handles_left, mut blocks_left) = (0, 0);
    for (first, look) in frame::look_at_all() {
        let owner = owners.get(first.index()).copied().unwrap_or_default();
        match look {
            Look::Free => audit.free += 1,
            Look::Reserved => audit.reserved += 1,
            Look::Owned { .. } if owner & TABLE != 0 => audit.page_tables += 1,
            Look::Owned { .. } if owner & STACK != 0 => audit.stacks += 1,
            Look::Owned { order, handles } if frame::is_cut(handles) => audit.heap += 1 << order,
            Look::Owned { order, handles } => match handles.checked_sub(owner) {
                None => audit.broken += 1,
                Some(0) => audit.mapped += 1 << order,
                Some(more) if order == 0 => handles_left += more as usize,
                Some(_) => blocks_left += 1 << order,
            },
        }
    }
    audit.free -= audit.cached.min(audit.free);
    let whole = heap.classes.last().map_or(0, |class| class.frames);
    let large = heap.large_bytes / hal::PAGE_SIZE;
    audit.heap += whole + large;
    audit.other = kept;
    audit.mapped = audit.mapped.saturating_sub(kept);
    // The sum of what there is, less the sum of what is known.
    let known = [
        (audit.free, in_blocks),
        (handles_left, page_cache + audit.zeroed + buffers + whole),
        (blocks_left, large),
    ];
    audit.unaccounted = known.iter().map(|&(there, known)| there as isize - known as isize).sum();
    audit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::physical::buddy_allocator::{alloc_frame, alloc_user_frame};
    use hal::sim::Machine;

    fn take() -> Audit {
        audit(|| 0, &[]).unwrap()
    }

    #[test]
    fn a_frame_that_nobody_has_is_found() {
        let machine = Machine::builder().memory_mib(16).build();
        machine.enter();
        let frame = alloc_user_frame().unwrap();
        let held = take();
        assert_eq!((held.unaccounted, held.broken), (1, 0), "nobody tells of a frame on the stack");
        drop(frame);
        let rest = take();
        assert_eq!((rest.unaccounted, rest.broken), (0, 0));
        let sum = rest.reserved + rest.free + rest.cached + rest.zeroed + rest.page_tables + rest.stacks;
        let sum = sum + rest.heap + rest.mapped + rest.page_cache + rest.buffers + rest.other;
        assert_eq!(sum, rest.frames);
    }

    #[test]
    fn a_frame_that_is_owned_twice_is_found() {
        let machine = Machine::builder().memory_mib(16).build();
        machine.enter();
        let frame = alloc_frame().unwrap();
        // Two owners say that they have the one handle.
        let audit = audit(|| 0, &[frame.number(), frame.number()]).unwrap();
        assert_eq!(audit.broken, 1);
    }
}
