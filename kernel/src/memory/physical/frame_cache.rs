//! Free single frames that belong to one CPU, last in first out.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use hal::addr::FrameNumber;

/// Frames that a cache holds at most.
pub(super) const CAPACITY: usize = 512;

/// The cache of one CPU. Only that CPU changes it, and interrupt handlers do not allocate; the fields are atomics so that
/// other CPUs can read the length for statistics.
#[derive(Debug)]
pub(super) struct FrameCache {
    len: AtomicUsize,
    frames: [AtomicU32; CAPACITY],
}

impl FrameCache {
    pub(super) const fn new() -> Self {
        Self { len: AtomicUsize::new(0), frames: [const { AtomicU32::new(0) }; CAPACITY] }
    }

    /// Returns the number of frames.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Takes the frame that came last: the one whose contents are most likely in the CPU's cache.
    #[inline]
    pub(super) fn pop(&self) -> Option<FrameNumber> {
        let last = self.len().checked_sub(1)?;
        let frame = self.frames.get(last)?.load(Relaxed);
        self.len.store(last, Relaxed);
        Some(FrameNumber::new(frame))
    }

    /// Adds a frame unless `limit` frames are there; tells whether it did.
    #[inline]
    pub(super) fn push(&self, frame: FrameNumber, limit: usize) -> bool {
        let len = self.len();
        match self.frames.get(len) {
            Some(slot) if len < limit => {
                slot.store(frame.get(), Relaxed);
                self.len.store(len + 1, Relaxed);
                true
            }
            _ => false,
        }
    }
}
