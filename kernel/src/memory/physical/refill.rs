//! Between the caches of CPUs and the blocks: refills and drains, requests for several frames, and what is done when
//! memory comes near its end.

use core::iter;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use hal::PAGE_SIZE;
use hal::addr::{FrameNumber, MAX_ORDER};

use super::blocks::{Blocks, FreeError};
use super::buddy_allocator::{BuddyAllocator, CACHE, Free, Whom, start_if_needed};
use super::frame_cache::FrameCache;

impl BuddyAllocator {
    /// Sets or clears the pressure flag by what is free for everybody, and counts what has come or gone.
    pub(super) fn update_pressure(&self, blocks: &Blocks) {
        let free = blocks.free_frames();
        let last = self.last_free.swap(free, Relaxed);
        match free.checked_sub(last) {
            Some(given) => self.given.fetch_add(given, Relaxed),
            None => self.taken.fetch_add(last - free, Relaxed),
        };
        let slack = self.cache_limit.load(Relaxed) * hal::cpu::count();
        let near = free < slack;
        if near != self.pressure.load(Relaxed) {
            self.pressure.store(near, Relaxed);
        }
    }

    pub(super) fn is_under_pressure(&self) -> bool {
        self.pressure.load(Relaxed)
    }

    /// Counts a block that was not taken back.
    pub(super) fn note_refusal(&self, result: Result<(), FreeError>) {
        if result.is_err() {
            self.refused.fetch_add(1, Relaxed);
        }
    }

    /// Takes a frame for `whom` after the cache had none, and fills the cache unless memory is short.
    #[cold]
    #[inline(never)]
    pub(super) fn take_slowly(&self, whom: Whom) -> Option<FrameNumber> {
        start_if_needed();
        let cache = CACHE.get();
        let mut free = self.free.lock();
        let Free { blocks, pool } = &mut *free;
        if self.is_under_pressure() {
            self.empty(cache, blocks);
            let mut frame = blocks.take(0);
            if frame.is_none() && whom == Whom::Kernel {
                frame = pool.take(0);
            }
            self.update_pressure(blocks);
            return frame;
        }
        self.refills.fetch_add(1, Relaxed);
        let limit = self.cache_limit.load(Relaxed);
        blocks.take_batch(|frame| _ = cache.push(frame, limit), limit / 2);
        self.update_pressure(blocks);
        cache.pop()
    }

    /// Gives all that a cache has back to the blocks.
    fn empty(&self, cache: &FrameCache, blocks: &mut Blocks) {
        self.drain(cache, 0, blocks);
        cache.take_blocks().for_each(|(first, order)| self.note_refusal(blocks.give(first, order)));
    }

    /// Gives single frames of a cache back to the blocks until `keep` are left.
    fn drain(&self, cache: &FrameCache, keep: usize, blocks: &mut Blocks) {
        let surplus = iter::from_fn(|| if cache.len() > keep { cache.pop() } else { None });
        let refused = blocks.give_batch(surplus);
        if refused != 0 {
            self.refused.fetch_add(refused, Relaxed);
        }
    }

    /// Gives a frame back when it does not fit the cache, or a block of several; one larger than the largest in parts.
    #[cold]
    #[inline(never)]
    pub(super) fn give_slowly(&self, first: FrameNumber, order: u8) {
        let mut free = self.free.lock();
        let Free { blocks, pool } = &mut *free;
        let result = if order > MAX_ORDER {
            let end = FrameNumber::new(first.get() + (1 << order));
            FrameNumber::blocks(first..end).try_for_each(|(first, order)| blocks.give(first, order))
        } else if self.is_pooled(first) {
            pool.give(first, order)
        } else {
            if order == 0 {
                self.drains.fetch_add(1, Relaxed);
                let keep = if self.is_under_pressure() { 0 } else { self.cache_limit.load(Relaxed) / 2 };
                self.drain(CACHE.get(), keep, blocks);
            }
            blocks.give(first, order)
        };
        self.note_refusal(result);
        self.update_pressure(blocks);
        drop(free);
        if let Err(error) = result {
            log::error!(
                "memory: a block of order {order} at {first:?} was freed wrongly ({error:?}); ignored"
            );
        }
    }

    /// Takes a block for the kernel, after giving back this CPU's cache if need be; from the pool, if it must.
    pub(super) fn take_block(&self, order: u8) -> Option<FrameNumber> {
        start_if_needed();
        let mut free = self.free.lock();
        let Free { blocks, pool } = &mut *free;
        let mut first = blocks.take(order);
        if first.is_none() {
            self.empty(CACHE.get(), blocks);
            first = blocks.take(order).or_else(|| pool.take(order));
        }
        self.update_pressure(blocks);
        first
    }

    /// Takes this very block if it is free and in no cache; tells whether it did.
    pub(super) fn take_block_at(&self, first: FrameNumber, order: u8) -> bool {
        let blocks = &mut self.free.lock().blocks;
        let is_taken = blocks.take_at(first, order);
        self.update_pressure(blocks);
        is_taken
    }

    pub(super) fn take_run(&self, n: usize, align: usize, limit: FrameNumber) -> Option<Range<FrameNumber>> {
        start_if_needed();
        let mut free = self.free.lock();
        let blocks = &mut free.blocks;
        if n > blocks.free_frames() + CACHE.get().frame_count() {
            return None;
        }
        let mut run = blocks.take_run(n, align, limit);
        if run.is_none() {
            self.empty(CACHE.get(), blocks);
            run = blocks.take_run(n, align, limit);
        }
        self.update_pressure(blocks);
        run
    }

    /// Returns the bytes beyond the reserve that this CPU can reach: frames in the caches of others do not count.
    pub(super) fn room_for_users(&self) -> usize {
        start_if_needed();
        let blocks = &mut self.free.lock().blocks;
        if self.is_under_pressure() {
            self.empty(CACHE.get(), blocks);
        }
        blocks.free_frames() * PAGE_SIZE
    }

    /// Gives what this CPU has cached back to the blocks.
    pub(super) fn flush_cache(&self) {
        let mut free = self.free.lock();
        self.empty(CACHE.get(), &mut free.blocks);
        self.update_pressure(&free.blocks);
    }
}
