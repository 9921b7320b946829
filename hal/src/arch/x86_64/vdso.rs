//! The vDSO's code (asm/vdso.s) and the clock data it reads.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::asm;
use crate::error::Error;
use crate::frame::Frame;
use crate::sync::Once;
use crate::vdso::Function;

/// What the code reads. Written by [`update`], and by [`set_wall_clock_offset_ns`].
#[repr(C)]
struct ClockData {
    /// Odd while base and factor change.
    sequence: AtomicU32,
    /// Whether the time stamp counter is the clock.
    is_counter: AtomicU32,
    /// The counter at some moment, and the clock at that moment.
    base_ticks: AtomicU64,
    base_ns: AtomicU64,
    /// Nanoseconds in a tick, with 32 bits behind the point.
    factor: AtomicU64,
    /// What to add to get the wall clock.
    wall_offset_ns: AtomicU64,
}

pub(super) const SEQUENCE: usize = offset_of!(ClockData, sequence);
pub(super) const IS_COUNTER: usize = offset_of!(ClockData, is_counter);
pub(super) const BASE_TICKS: usize = offset_of!(ClockData, base_ticks);
pub(super) const BASE_NS: usize = offset_of!(ClockData, base_ns);
pub(super) const FACTOR: usize = offset_of!(ClockData, factor);
pub(super) const WALL_OFFSET: usize = offset_of!(ClockData, wall_offset_ns);

/// The page of data, which programs only read.
static PAGE: Once<Frame> = Once::new();

fn data() -> Option<&'static ClockData> {
    let page = PAGE.get()?;
    let place = page.at(0, size_of::<ClockData>()).cast::<ClockData>();
    // SAFETY: a page of RAM, aligned and zeroed, that the handle in `PAGE` keeps for ever; all its words are atomics.
    Some(unsafe { &*place })
}

pub(crate) fn code() -> &'static [u8] {
    let start = asm::address(&asm::hal_vdso_start);
    let len = asm::address(&asm::hal_vdso_end) - start;
    // SAFETY: the bytes between the two labels are constants of the kernel image.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(start), len) }
}

pub(crate) fn functions() -> impl Iterator<Item = Function> {
    let labels = [
        ("clock_gettime", &asm::hal_vdso_clock_gettime),
        ("gettimeofday", &asm::hal_vdso_gettimeofday),
        ("time", &asm::hal_vdso_time),
        ("getcpu", &asm::hal_vdso_getcpu),
    ];
    let ends = labels.into_iter().skip(1).map(|label| label.1).chain([&asm::hal_vdso_end]);
    let offset = |label| asm::address(label) - asm::address(&asm::hal_vdso_start);
    labels
        .into_iter()
        .zip(ends)
        .map(move |((name, start), end)| Function { name, range: offset(start)..offset(end) })
}

pub(crate) fn publish_clock(page: &Frame) -> Result<(), Error> {
    PAGE.set(page.clone()).map_err(|_| Error::InUse)?;
    crate::irq::disabled(super::time::publish_to_programs);
    Ok(())
}

pub(crate) fn set_wall_clock_offset_ns(offset_ns: u64) {
    if let Some(data) = data() {
        data.wall_offset_ns.store(offset_ns, Ordering::Relaxed);
    }
}

/// Changes what programs compute the clock from. Called by the boot CPU alone, with interrupts off.
pub(super) fn update(is_counter: bool, base_ticks: u64, base_ns: u64, factor: u64) {
    let Some(data) = data() else { return };
    let sequence = data.sequence.load(Ordering::Relaxed);
    data.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
    // Pairs with the order in which the code loads: who sees a new word sees that the sequence is odd, or has changed.
    fence(Ordering::Release);
    data.is_counter.store(u32::from(is_counter), Ordering::Relaxed);
    data.base_ticks.store(base_ticks, Ordering::Relaxed);
    data.base_ns.store(base_ns, Ordering::Relaxed);
    data.factor.store(factor, Ordering::Relaxed);
    data.sequence.store(sequence.wrapping_add(2), Ordering::Release);
}
