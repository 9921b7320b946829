//! The frame allocator: buddy system behind a lock, per-CPU caches of single frames and small blocks without one.
//!
//! Invariants:
//! 1. A frame number is in exactly one place: a free block, one CPU's cache, or (owned) the frame table of `hal`. `hal`
//!    checks the last: [`Frame::claim`] refuses a frame that is owned.
//! 2. User memory never takes frames of the pool, the kernel's [`reserve`](BuddyAllocator::reserve_frames): they keep the
//!    kernel alive when a program has eaten all else, and go back there only. Under *pressure*, when all other memory
//!    comes near its end, the caches are bypassed, so that as little as possible lies in those of other CPUs.
//! 3. A CPU's cache is used by that CPU alone, between two points where it may block, never in interrupt context.
//!
//! The cost of starting is proportional to the number of blocks of 16 MiB; no per-frame data is touched.

use alloc::vec::Vec;
use core::array;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use hal::addr::{FrameNumber, MAX_FRAME_ORDER, MAX_ORDER, PhysAddr};
use hal::boot::static_slice;
use hal::cpu::CpuId;
use hal::frame::Frame;
use hal::sync::SpinLock;
use hal::{Error, PAGE_SIZE};
use linux_abi::errno::Errno;

use super::blocks::{Blocks, ORDERS};
use super::contiguous::Contiguous;
use super::frame_cache::{CAPACITY, FrameCache};
use super::pool::Pool;
use super::statistics::{FreeBlocks, Statistics, Zone};
use super::zeroed;
use crate::lock_order;

hal::machine_static! {
    static PHYSICAL: BuddyAllocator = BuddyAllocator::new();
}

hal::per_cpu! {
    pub(super) static CACHE: FrameCache = FrameCache::new();
}

/// Free physical memory of the machine.
#[derive(Debug)]
pub struct BuddyAllocator {
    pub(super) free: SpinLock<Free>,
    /// Set while free memory is near its end.
    pub(super) pressure: AtomicBool,
    pub(super) total_frames: AtomicUsize,
    /// The frames of the pool: the first, and how many.
    pub(super) pool_start: AtomicU32,
    pub(super) pool_frames: AtomicU32,
    /// Single frames that one CPU's cache may hold, and as many in blocks.
    pub(super) cache_limit: AtomicUsize,
    pub(super) refills: AtomicUsize,
    pub(super) drains: AtomicUsize,
    /// Frames that have left the blocks, and come back, in the balance of each operation.
    pub(super) taken: AtomicUsize,
    pub(super) given: AtomicUsize,
    pub(super) last_free: AtomicUsize,
    pub(super) refused: AtomicUsize,
    pub(super) overlaps: AtomicUsize,
}

/// Memory that no CPU has in its cache.
#[derive(Debug)]
pub(super) struct Free {
    /// For everybody.
    pub(super) blocks: Blocks,
    /// For the kernel, when there is nothing else.
    pub(super) pool: Pool,
}

impl BuddyAllocator {
    /// Makes an allocator without memory.
    pub const fn new() -> Self {
        Self {
            free: SpinLock::new(
                lock_order::PHYSICAL_MEMORY,
                Free { blocks: Blocks::empty(), pool: Pool::empty() },
            ),
            pressure: AtomicBool::new(true),
            total_frames: AtomicUsize::new(0),
            pool_start: AtomicU32::new(0),
            pool_frames: AtomicU32::new(0),
            cache_limit: AtomicUsize::new(0),
            refills: AtomicUsize::new(0),
            drains: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            last_free: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            overlaps: AtomicUsize::new(0),
        }
    }

    /// Takes over all memory that the boot loader and the early start left free.
    ///
    /// # Errors
    /// `OutOfMemory`: there is no room for the bitmaps. `InUse`: the allocator has memory already.
    fn start(&self) -> Result<(), Error> {
        let mut free = self.free.lock();
        if self.total_frames.load(Relaxed) != 0 {
            return Err(Error::InUse);
        }
        let frames = hal::boot::frame_count();
        let pool_frames = 1 << POOL_ORDER_MAX;
        let (n_sections, n_rows) = Blocks::memory_needed(frames);
        let (pool_sections, pool_rows) = Blocks::memory_needed(pool_frames);
        // Early memory comes in pages: both have their part in one piece.
        let sections = static_slice(n_sections + pool_sections).ok_or(Error::OutOfMemory)?;
        let rows = static_slice(n_rows + pool_rows).ok_or(Error::OutOfMemory)?;
        let (sections, pool_sections) = sections.split_at(n_sections);
        let (rows, pool_rows) = rows.split_at(n_rows);
        free.blocks = Blocks::new(frames, sections, rows).ok_or(Error::OutOfMemory)?;
        let pool = Blocks::new(pool_frames, pool_sections, pool_rows).ok_or(Error::OutOfMemory)?;
        for range in hal::boot::memory_regions() {
            for (first, order) in FrameNumber::blocks(range) {
                self.note_refusal(free.blocks.give(first, order));
            }
        }
        let total = free.blocks.free_frames();
        self.total_frames.store(total, Relaxed);
        self.cache_limit.store((total / (64 * hal::cpu::count())).clamp(16, CAPACITY), Relaxed);
        self.fill_pool(&mut free, total / 64, pool);
        self.update_pressure(&free.blocks);
        Ok(())
    }

    /// Sets about `wanted` frames aside, as one block; `empty` keeps the accounts of them.
    fn fill_pool(&self, free: &mut Free, wanted: usize, empty: Blocks) {
        let wanted = wanted.next_power_of_two().trailing_zeros() as u8;
        let wanted = wanted.clamp(POOL_ORDER_MIN, POOL_ORDER_MAX);
        // A machine whose memory is in small pieces gets a smaller pool.
        let found = (0..=wanted).rev().find_map(|order| Some((free.blocks.take(order)?, order)));
        let Some((first, order)) = found else { return };
        match Pool::new(first, order, empty) {
            Ok(pool) => {
                let (first, frames) = pool.range();
                free.pool = pool;
                self.pool_start.store(first.get(), Relaxed);
                self.pool_frames.store(frames as u32, Relaxed);
            }
            Err(_) => self.note_refusal(free.blocks.give(first, order)),
        }
    }

    /// Returns the number of frames that only the kernel gets.
    pub fn reserve_frames(&self) -> usize {
        self.pool_frames.load(Relaxed) as usize
    }

    /// Whether a frame belongs to the pool.
    #[inline(always)]
    pub(super) fn is_pooled(&self, frame: FrameNumber) -> bool {
        frame.get().wrapping_sub(self.pool_start.load(Relaxed)) < self.pool_frames.load(Relaxed)
    }
}

impl Default for BuddyAllocator {
    fn default() -> Self {
        Self::new()
    }
}

/// Orders of the pool: 64 frames at least, 16 MiB at most.
const POOL_ORDER_MIN: u8 = 6;
const POOL_ORDER_MAX: u8 = MAX_ORDER;

const NO_LIMIT: FrameNumber = FrameNumber::new(u32::MAX);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Kernel,
    User,
}

/// Takes over the machine's memory; to be called once at boot, after the last
/// [`static_slice`] and before the first allocation.
///
/// # Errors
/// `OutOfMemory`: there is no room for the bitmaps. `InUse`: called before.
pub fn init() -> Result<(), Error> {
    PHYSICAL.start()
}

/// A simulated machine starts its memory with the first allocation, so that a unit test need not boot.
#[inline(always)]
pub(in crate::memory) fn start_if_needed() {
    #[cfg(not(target_os = "none"))]
    if PHYSICAL.total_frames.load(Relaxed) == 0 {
        // Another CPU of the machine may have been faster.
        crate::memory::init();
    }
}

#[inline(always)]
fn claim(number: FrameNumber, order: u8) -> Option<Frame> {
    Frame::claim(number, order).map_err(|error| claim_failed(number, order, error)).ok()
}

#[cold]
#[inline(never)]
fn claim_failed(number: FrameNumber, order: u8, error: Error) {
    if error == Error::OutOfMemory {
        // A simulated machine was told to fail.
        return PHYSICAL.give_slowly(number, order);
    }
    // Only a fault of ours or a broken boot memory map leads here; the frame is never offered again.
    PHYSICAL.overlaps.fetch_add(1, Relaxed);
    log::error!("memory: {number:?} of order {order} is free and cannot be claimed: {error}");
}

/// Allocates a frame for the kernel's own use. Its contents are arbitrary. `None` when memory is used up.
#[inline]
pub fn alloc_frame() -> Option<Frame> {
    let number = match CACHE.get().pop() {
        Some(number) => number,
        None => PHYSICAL.take_slowly(Whom::Kernel)?,
    };
    claim(number, 0)
}

/// Allocates a frame for a user program or a file; these leave the kernel its reserve. Its contents are arbitrary.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
#[inline]
pub fn alloc_user_frame() -> Result<Frame, Errno> {
    let cached = if PHYSICAL.is_under_pressure() { None } else { CACHE.get().pop() };
    let number = match cached {
        Some(number) => number,
        None => PHYSICAL.take_slowly(Whom::User).ok_or(Errno::ENOMEM)?,
    };
    claim(number, 0).ok_or(Errno::ENOMEM)
}

/// Allocates a frame of zeroes for the kernel's own use.
pub fn alloc_zeroed_frame() -> Option<Frame> {
    let frame = alloc_frame()?;
    frame.zero();
    Some(frame)
}

/// Allocates a frame of zeroes for a user program or a file.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
#[inline]
pub fn alloc_zeroed_user_frame() -> Result<Frame, Errno> {
    if let Some(frame) = zeroed::take() {
        return Ok(frame);
    }
    let frame = alloc_user_frame()?;
    frame.zero();
    Ok(frame)
}

/// Allocates a block of 2^`order` frames, aligned to its size, for the kernel's own use. One larger than the largest the
/// buddy system has, up to [`MAX_FRAME_ORDER`], is put together of those.
pub fn alloc_block(order: u8) -> Option<Frame> {
    if order == 0 {
        return alloc_frame();
    }
    let first = match CACHE.get().pop_block(order) {
        Some(first) => first,
        None if order <= MAX_ORDER => PHYSICAL.take_block(order)?,
        None if order <= MAX_FRAME_ORDER => PHYSICAL.take_run(1 << order, 1 << order, NO_LIMIT)?.start,
        None => return None,
    };
    claim(first, order)
}

/// Allocates this very block of 2^`order` frames for the kernel's own use. `None` unless all of it is free and lies in no
/// CPU's cache.
pub(in crate::memory) fn alloc_block_at(first: FrameNumber, order: u8) -> Option<Frame> {
    if !PHYSICAL.take_block_at(first, order) {
        return None;
    }
    claim(first, order)
}

/// Gives up a frame or a block. Other handles of it keep it alive; dropping them has the same effect.
pub fn free_frame(frame: Frame) {
    drop(frame);
}

/// Takes back a block whose last handle is gone; `hal` calls this.
#[inline]
pub(crate) fn free_block(first: FrameNumber, order: u8) {
    if !PHYSICAL.is_pooled(first) && !PHYSICAL.is_under_pressure() {
        let (cache, limit) = (CACHE.get(), PHYSICAL.cache_limit.load(Relaxed));
        let is_taken =
            if order == 0 { cache.push(first, limit) } else { cache.push_block(first, order, limit) };
        if is_taken {
            return;
        }
    }
    PHYSICAL.give_slowly(first, order);
}

/// Allocates `n` contiguous frames that start at a multiple of `align` frames (a power of two) and end at
/// or below the address `limit`. `None` when there is no such run or the arguments make no sense.
pub fn alloc_contiguous(n: usize, align: usize, limit: Option<PhysAddr>) -> Option<Contiguous> {
    let limit = limit.and_then(PhysAddr::frame).unwrap_or(NO_LIMIT);
    // The list first: the allocator's lock must not be held while the heap allocates.
    let mut blocks = Vec::new();
    start_if_needed();
    if n > PHYSICAL.total_frames.load(Relaxed) {
        return None;
    }
    blocks.try_reserve_exact(2 * ORDERS + (n >> MAX_ORDER)).ok()?;
    let range = PHYSICAL.take_run(n, align, limit)?;
    for (first, order) in FrameNumber::blocks(range.clone()) {
        blocks.push(claim(first, order)?);
    }
    Some(Contiguous::new(range, blocks))
}

/// Returns the number of bytes that are free.
pub fn free_bytes() -> usize {
    statistics().free_frames * PAGE_SIZE
}

/// Returns the number of bytes that are managed, free or not.
pub fn total_bytes() -> usize {
    PHYSICAL.total_frames.load(Relaxed) * PAGE_SIZE
}

/// Returns the number of bytes that user programs and files may still take.
pub fn free_user_bytes() -> usize {
    let numbers = statistics();
    (numbers.free_frames - numbers.pooled_frames) * PAGE_SIZE
}

/// Tells whether the kernel should grow at a user's request: in a moment without pressure always, otherwise if more than
/// the reserve and `bytes` is free.
pub fn has_room_for(bytes: usize) -> bool {
    if !PHYSICAL.is_under_pressure() && bytes <= PHYSICAL.cache_limit.load(Relaxed) * PAGE_SIZE {
        return true;
    }
    PHYSICAL.room_for_users() > bytes
}

/// Gives what this CPU has cached back to the blocks. For memory pressure.
pub fn flush_this_cpu() {
    zeroed::empty();
    PHYSICAL.flush_cache();
}

/// Returns the number of frames that a CPU has cached.
pub(in crate::memory) fn cached_frames(cpu: CpuId) -> usize {
    CACHE.on(cpu).frame_count() + zeroed::len(cpu)
}

/// Tells whether a program can get a frame here and now.
pub fn has_user_frame() -> bool {
    PHYSICAL.room_for_users() != 0
}

/// Tells whether memory is near its end, so that what is cached should go back. A hint of a moment.
#[inline]
pub fn is_under_pressure() -> bool {
    PHYSICAL.is_under_pressure()
}

/// Counts frames as managed that come from memory which was in use at boot, such as a boot module about to be dropped.
pub fn add_to_total(frames: usize) {
    PHYSICAL.total_frames.fetch_add(frames, Relaxed);
}

/// Returns numbers about physical memory.
pub fn statistics() -> Statistics {
    start_if_needed();
    PHYSICAL.statistics()
}

/// Counts the free blocks of each order in each of [`Zone::ALL`], those of the pool included. Looks at all memory, a piece
/// at a time: for reports, not for decisions.
pub fn free_blocks_by_zone() -> [[usize; ORDERS]; Zone::ALL.len()] {
    start_if_needed();
    PHYSICAL.free_blocks_by_zone()
}

/// Counts the free blocks of each order. For reports, as [`free_blocks_by_zone`].
pub fn free_blocks() -> FreeBlocks {
    let zones = free_blocks_by_zone();
    let counts = array::from_fn(|order| zones.iter().map(|zone| zone[order]).sum());
    FreeBlocks { counts, cached_frames: statistics().cached_frames }
}

#[cfg(test)]
#[path = "buddy_allocator_tests.rs"]
pub(in crate::memory) mod tests;
