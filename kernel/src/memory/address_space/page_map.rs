//! `/proc/PID/pagemap`: a word for each page.

use hal::paging::PageFlags;
use hal::{PAGE_SHIFT, PAGE_SIZE, USER_END};

use super::Body;
use super::fault::zero_frame_number;

/// Nobody has declared the page clean since it was mapped: that cannot be done here.
const SOFT_DIRTY: u64 = 1 << 55;
/// The page is mapped here only.
const EXCLUSIVE: u64 = 1 << 56;
/// The page is one of a file or of shared memory.
const OF_FILE: u64 = 1 << 61;
/// The page is in memory; the low bits are its frame's number.
const PRESENT: u64 = 1 << 63;

/// Number of words: one for each page that a program may have.
pub const PAGE_COUNT: u64 = (USER_END >> PAGE_SHIFT) as u64;

impl Body {
    /// Stores the words of the pages from number `first` on; without `with_frames` they do not say which frames the pages
    /// are in.
    pub fn page_map(&self, first: u64, words: &mut [u64], with_frames: bool) {
        words.fill(0);
        let start = (first as usize) << PAGE_SHIFT;
        let range = start..start.saturating_add(words.len() << PAGE_SHIFT).min(USER_END);
        let mm = self.mm.lock();
        for vma in mm.vmas.overlapping(range.clone()) {
            let from = vma.start.max(range.start);
            let pages = (vma.end.min(range.end) - from) / PAGE_SIZE;
            words[(from - start) >> PAGE_SHIFT..][..pages].fill(SOFT_DIRTY);
        }
        let zeroes = zero_frame_number();
        mm.table.for_each_counted(range, |page, frame, flags, handles| {
            let mut word = PRESENT | SOFT_DIRTY;
            if with_frames {
                word |= u64::from(frame.get());
            }
            if Some(frame) != zeroes {
                let is_cached = !flags.contains(PageFlags::ANONYMOUS);
                word |= if is_cached { OF_FILE } else { 0 };
                word |= if handles <= 1 + u32::from(is_cached) { EXCLUSIVE } else { 0 };
            }
            words[(page - start) >> PAGE_SHIFT] = word;
        });
    }
}
