//! Runs of free frames of any length, for devices.

use core::ops::Range;

use hal::addr::FrameNumber;

use super::blocks::{Blocks, ORDERS};
use super::section::FRAMES;

/// Words of 64 frames, some of them free, that a search looks into: the lock is not held for ever, however much memory
/// there is in pieces.
const SEARCHED: usize = 4096;

impl Blocks {
    /// Takes a run of `n` frames that starts at a multiple of `align`, a power of two, and ends at or below `limit`: from
    /// a block that holds it whatever it looks like inside, else from several blocks that lie side by side.
    pub(super) fn take_run(
        &mut self,
        n: usize,
        align: usize,
        limit: FrameNumber,
    ) -> Option<Range<FrameNumber>> {
        if n == 0 || n > self.free_frames() || !align.is_power_of_two() {
            return None;
        }
        let limit = limit.index().min(self.end);
        let start = self.find_in_block(n, align, limit).or_else(|| self.find_run(n, align, limit))?;
        let run = FrameNumber::new(start as u32)..FrameNumber::new((start + n) as u32);
        self.take_range(run.clone());
        Some(run)
    }

    /// Finds a block that is large enough for a run at any place: the lowest in the lowest section of those with no
    /// block much larger.
    fn find_in_block(&self, n: usize, align: usize, limit: usize) -> Option<usize> {
        let order = n.max(align).checked_next_power_of_two()?.trailing_zeros();
        let lowest = |largest: usize| {
            let index = self.index.lowest(largest)?;
            Some(index * FRAMES + self.sections.get(index)?.first_fit(order)?)
        };
        (order as usize..ORDERS).filter_map(lowest).find(|start| start + n <= limit)
    }

    /// Finds the lowest run, in whichever blocks it lies. The search ends after [`SEARCHED`] words.
    fn find_run(&self, n: usize, align: usize, limit: usize) -> Option<usize> {
        let fit = |run: &Range<usize>| {
            let start = run.start.checked_next_multiple_of(align)?;
            (start.checked_add(n)? <= run.end.min(limit)).then_some(start)
        };
        let mut searched = 0;
        // The free frames up to the place that the search has come to.
        let mut run = 0..0;
        for section in self.sections {
            if run.end >= limit || searched > SEARCHED {
                break;
            }
            for number in 0..FRAMES / 64 {
                let word = section.word(number);
                searched += usize::from(word != 0 && word != u64::MAX);
                let end = run.end + 64;
                while run.end < end {
                    let left = (end - run.end) as u32;
                    let rest = word >> (64 - left);
                    run.end += rest.trailing_ones().min(left) as usize;
                    if let Some(start) = fit(&run) {
                        return Some(start);
                    }
                    let left = (end - run.end) as u32;
                    let rest = word.checked_shr(64 - left).unwrap_or(0);
                    if left != 0 {
                        let start = run.end + rest.trailing_zeros().min(left) as usize;
                        run = start..start;
                    }
                }
            }
        }
        None
    }
}
