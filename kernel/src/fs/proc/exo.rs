//! `/proc/exo`: what Exo-OS has beyond Linux: the tiers of its memory.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use linux_abi::errno::Errno;

use super::node::Entry;
use super::system::{System, all};
use super::trace;
use crate::fs::vfs::text::Text;
use crate::ipc::ring;
use crate::memory::heap::debug;
use crate::memory::heap::size_class::{SizeClass, Tier};
use crate::memory::heap::statistics;
use crate::memory::physical::buddy_allocator;
use crate::memory::{self, fallible};
use crate::process::exec::vdso;
use crate::process::watch::selection;
use crate::scheduler::SCHEDULER;

/// What is in `/proc/exo`.
pub(super) static ENTRIES: [Entry<System>; 8] = [
    Entry::text("audit", 0o400, |_, text| audit(text)),
    Entry::text("frames", 0o444, |_, text| all(frames(text))),
    Entry::text("heap", 0o444, |_, text| all(heap(text))),
    Entry::text("memory", 0o444, |_, text| all(memory(text))),
    Entry::text("scheduler", 0o444, |_, text| all(scheduler(text))),
    Entry::setting("strace", |_, text| all(selection::show(text)), |_, choice| selection::select(choice)),
    Entry::setting("trace", |_, text| all(trace::show(text)), |_, value| trace::store(value)),
    Entry::text("heap_debug", 0o400, |_, text| all(debug::write_report(text))),
];

/// `audit`: what each frame of the machine is; the rows up to `broken` and the last one add up to `frames`. On a machine at
/// rest `unaccounted` and `broken` are 0.
fn audit(text: &mut Text) -> Result<(), Errno> {
    let kept: Vec<_> = fallible::collect(vdso::kept_frames())?;
    let audit = memory::audit::audit(ring::page_count, &kept)?;
    let rows = [
        ("frames", audit.frames),
        ("reserved", audit.reserved),
        ("free", audit.free),
        ("cached", audit.cached),
        ("zeroed", audit.zeroed),
        ("page_tables", audit.page_tables),
        ("stacks", audit.stacks),
        ("heap", audit.heap),
        ("mapped", audit.mapped),
        ("page_cache", audit.page_cache),
        ("buffers", audit.buffers),
        ("other", audit.other),
        ("broken", audit.broken),
    ];
    all(rows
        .iter()
        .try_for_each(|(name, value)| writeln!(text, "{name} {value}"))
        .and_then(|()| writeln!(text, "unaccounted {}", audit.unaccounted)))
}

/// `frames`: free frames, and free blocks of each order.
fn frames(text: &mut Text) -> fmt::Result {
    let numbers = buddy_allocator::statistics();
    writeln!(text, "frames {}", numbers.total_frames)?;
    writeln!(text, "free {}", numbers.free_frames)?;
    writeln!(text, "free_in_cpu_caches {}", numbers.cached_frames)?;
    writeln!(text, "free_for_the_kernel_only {}", numbers.pooled_frames)?;
    writeln!(text, "cache_refills {}", numbers.refills)?;
    writeln!(text, "cache_drains {}", numbers.drains)?;
    writeln!(text, "refused {}", numbers.refused)?;
    for (order, count) in buddy_allocator::free_blocks().counts.iter().enumerate() {
        writeln!(text, "free_blocks_of_order_{order} {count}")?;
    }
    Ok(())
}

/// `memory`: for each order, its free blocks, how many of 1000 free frames are in smaller blocks, and why a request would
/// fail: near 0 for want of memory, near 1000 because what is free is in small pieces, `-` if it would not.
fn memory(text: &mut Text) -> fmt::Result {
    let (numbers, blocks) = (buddy_allocator::statistics(), buddy_allocator::free_blocks());
    writeln!(text, "order     bytes  free_blocks  unusable  fragmentation")?;
    for (order, count) in blocks.counts.iter().enumerate() {
        let bytes = hal::PAGE_SIZE << order;
        let unusable = blocks.unusable_per_mille(order);
        write!(text, "{order:>5} {bytes:>9} {count:>12} {unusable:>9} ")?;
        match blocks.fragmentation_index(order) {
            Some(index) => writeln!(text, "{index:>14}")?,
            None => writeln!(text, "{:>14}", "-")?,
        }
    }
    let rows = [
        ("total_frames", numbers.total_frames),
        ("free_frames", numbers.free_frames),
        ("free_in_cpu_caches", numbers.cached_frames),
        ("free_for_the_kernel_only", numbers.pooled_frames),
        ("overlaps", numbers.overlaps),
    ];
    rows.iter().try_for_each(|(name, value)| writeln!(text, "{name} {value}"))
}

/// `scheduler`: a line for each CPU, then sums. Ranks are real-time priorities.
fn scheduler(text: &mut Text) -> fmt::Result {
    writeln!(
        text,
        "cpu  busy  queued  running_rank  waiting_rank  interrupts      switches       virtual_ns       waiting_ns"
    )?;
    let stats = SCHEDULER.stats();
    for (index, (state, usage)) in SCHEDULER.cpu_states().zip(&stats.cpus).enumerate() {
        writeln!(
            text,
            "{index:<4} {:>4} {:>7} {:>13} {:>13} {:>11} {:>13} {:>16} {:>16}",
            u8::from(state.is_busy),
            state.queued,
            state.running_rank,
            state.waiting_rank,
            state.interrupts,
            usage.context_switches,
            state.virtual_ns,
            usage.waiting_ns,
        )?;
    }
    writeln!(text, "running {}", stats.running)?;
    writeln!(text, "ready {}", stats.ready)?;
    writeln!(text, "threads_started {}", stats.threads_started)?;
    writeln!(text, "context_switches {}", stats.context_switches)?;
    writeln!(text, "groups_share {}", u8::from(SCHEDULER.is_fair_to_groups()))
}

/// `heap`: a line for each tier: allocations, frees, thousandths of allocations that found a free slot on their CPU, bytes
/// in use, bytes of the frames it has now and had at most, bytes lost to rounding up. Then a line for each size of slot,
/// with the free slots in the store and those that CPUs have at hand; then sums.
fn heap(text: &mut Text) -> fmt::Result {
    let numbers = statistics::statistics();
    writeln!(text, "tier    allocations        frees  hits       used       held       peak     wasted")?;
    for (name, tier) in [("thread", Tier::ThreadCache), ("cpu", Tier::CpuSlab), ("buddy", Tier::Buddy)] {
        let row = numbers.tier(tier);
        writeln!(
            text,
            "{name:<6} {:>12} {:>12} {:>5} {:>10} {:>10} {:>10} {:>10}",
            row.allocations,
            row.frees,
            row.hits_per_mille,
            row.used_bytes,
            row.held_bytes,
            row.peak_bytes,
            row.wasted_bytes,
        )?;
    }
    writeln!(text, "tier   size  allocations        frees   in_use  frames  stored  cached  hits")?;
    for (class, row) in SizeClass::all().zip(&numbers.classes) {
        let tier = match class.tier() {
            Tier::ThreadCache => "thread",
            _ => "cpu",
        };
        writeln!(
            text,
            "{tier:<6} {:>4} {:>12} {:>12} {:>8} {:>7} {:>7} {:>7} {:>5}",
            row.slot_size,
            row.allocations,
            row.frees,
            row.in_use(),
            row.frames,
            row.stored,
            row.cached,
            row.hits_per_mille(),
        )?;
    }
    writeln!(
        text,
        "large       {:>12} {:>12} {:>8}",
        numbers.large_allocations,
        numbers.large_frees,
        numbers.large_allocations.saturating_sub(numbers.large_frees),
    )?;
    writeln!(text, "thread_hits {}", numbers.hits_per_mille(Tier::ThreadCache))?;
    writeln!(text, "cpu_hits {}", numbers.hits_per_mille(Tier::CpuSlab))?;
    writeln!(text, "used_bytes {}", numbers.used_bytes())?;
    writeln!(text, "large_bytes {}", numbers.large_bytes)?;
    writeln!(text, "failures {}", numbers.failures)
}
