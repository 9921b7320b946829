//! The frame allocator and the heap. Making and giving back are timed apart.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::array;
use core::hint::black_box;
use core::iter;

use hal::PAGE_SIZE;

use super::harness::{Outcome, Row, Stopwatch};
use crate::memory::heap::size_class::Tier;
use crate::memory::physical::buddy_allocator::{alloc_block, alloc_frame};

/// What the design allows for each tier.
const THREAD_CACHE: Option<u32> = Some(Tier::ThreadCache.expected_cycles());
const CPU_SLAB: Option<u32> = Some(Tier::CpuSlab.expected_cycles());
const BUDDY: Option<u32> = Some(Tier::Buddy.expected_cycles());

pub(super) const ROWS: &[Row] = &[
    Row::new("buddy/a frame in the CPU's cache, alloc", BUDDY, |watch| blocks(watch, 0, Half::Make)),
    Row::new("buddy/a frame in the CPU's cache, free", BUDDY, |watch| blocks(watch, 0, Half::Drop)),
    Row::new("buddy/2048 frames, alloc", BUDDY, |watch| many_frames(watch, Half::Make, |_| false)),
    Row::new("buddy/2048 frames, free", BUDDY, |watch| many_frames(watch, Half::Drop, |_| false)),
    Row::new("buddy/2048 frames, fragmented, alloc", BUDDY, |watch| many_frames(watch, Half::Make, is_odd)),
    Row::new("buddy/2048 frames, fragmented, free", BUDDY, |watch| many_frames(watch, Half::Drop, is_odd)),
    Row::new("buddy/order 4, alloc", BUDDY, |watch| blocks(watch, 4, Half::Make)),
    Row::new("buddy/order 4, free", BUDDY, |watch| blocks(watch, 4, Half::Drop)),
    Row::new("heap/64 B, alloc", THREAD_CACHE, |watch| slots::<64>(watch, Half::Make)),
    Row::new("heap/64 B, free", THREAD_CACHE, |watch| slots::<64>(watch, Half::Drop)),
    Row::new("heap/1 KiB, alloc", CPU_SLAB, |watch| slots::<1024>(watch, Half::Make)),
    Row::new("heap/1 KiB, free", CPU_SLAB, |watch| slots::<1024>(watch, Half::Drop)),
    Row::new("heap/8 KiB, alloc", BUDDY, |watch| slots::<{ 2 * PAGE_SIZE }>(watch, Half::Make)),
    Row::new("heap/8 KiB, free", BUDDY, |watch| slots::<{ 2 * PAGE_SIZE }>(watch, Half::Drop)),
];

const NO_MEMORY: &str = "too little memory";

/// Which half of a thing's life is timed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Make,
    Drop,
}

impl Half {
    /// Does `work` of so many operations, on the clock if this is the half that is timed.
    fn time_if<R>(self, timed: Half, watch: &mut Stopwatch, count: usize, work: impl FnOnce() -> R) -> R {
        if self == timed { watch.time(count, work) } else { work() }
    }
}

/// Makes a few things at a time, so that caches serve them, and gives them back.
fn few<T>(
    watch: &mut Stopwatch,
    timed: Half,
    mut make: impl FnMut() -> Option<T>,
    mut give: impl FnMut(T),
) -> Outcome {
    /// Not more than half a cache of the heap's largest slots holds.
    const AT_ONCE: usize = 4;
    for _ in 0..256 {
        let made: [Option<T>; AT_ONCE] =
            Half::Make.time_if(timed, watch, AT_ONCE, || array::from_fn(|_| make()));
        if made.iter().any(Option::is_none) {
            return Err(NO_MEMORY);
        }
        Half::Drop.time_if(timed, watch, AT_ONCE, || made.into_iter().flatten().for_each(&mut give));
    }
    Ok(())
}

fn blocks(watch: &mut Stopwatch, order: u8, timed: Half) -> Outcome {
    few(watch, timed, || alloc_block(order), drop)
}

/// Through the global allocator, with a size that is a constant, as when the kernel makes an object of a type.
fn slots<const SIZE: usize>(watch: &mut Stopwatch, timed: Half) -> Outcome {
    // Unseen by the compiler, or it makes nothing.
    few(watch, timed, || Some(black_box(Box::<[u8; SIZE]>::new_uninit())), drop)
}

/// Takes more frames than a CPU's cache holds and gives them back, while those whose numbers `is_kept` chooses among the
/// ones around them stay in use.
fn many_frames(watch: &mut Stopwatch, timed: Half, is_kept: fn(usize) -> bool) -> Outcome {
    const FRAMES: usize = 2048;
    let take = |frames: &mut Vec<_>, count| {
        frames.extend(iter::from_fn(alloc_frame).take(count));
        if frames.len() < count { Err(NO_MEMORY) } else { Ok(()) }
    };
    let mut kept = Vec::new();
    kept.try_reserve_exact(4 * FRAMES).map_err(|_| NO_MEMORY)?;
    take(&mut kept, 4 * FRAMES)?;
    kept.retain(|frame| is_kept(frame.number().index()));
    let mut frames = Vec::new();
    frames.try_reserve_exact(FRAMES).map_err(|_| NO_MEMORY)?;
    Half::Make.time_if(timed, watch, FRAMES, || take(&mut frames, FRAMES))?;
    Half::Drop.time_if(timed, watch, FRAMES, || frames.clear());
    Ok(())
}

fn is_odd(number: usize) -> bool {
    number % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::physical::buddy_allocator::free_bytes;

    #[test]
    fn everything_is_measured_and_given_back() {
        let machine = hal::sim::Machine::builder().memory_mib(64).build();
        let run_all = || {
            ROWS.iter().for_each(Row::run);
            free_bytes()
        };
        let once = run_all();
        assert_eq!(run_all(), once);
        let console = machine.console_output();
        assert_eq!(console.matches(" cycles, target ").count(), 2 * ROWS.len(), "{console}");
    }
}
