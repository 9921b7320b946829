//! `/proc/exo`: what Exo-OS has beyond Linux: the tiers of its memory.

use core::fmt::{self, Write};

use super::node::Entry;
use super::system::{System, all};
use crate::fs::vfs::text::Text;
use crate::memory::heap::debug;
use crate::memory::heap::size_class::{SizeClass, Tier};
use crate::memory::heap::statistics;
use crate::memory::physical::buddy_allocator;

/// What is in `/proc/exo`.
pub(super) static ENTRIES: [Entry<System>; 3] = [
    Entry::text("frames", 0o444, |_, text| all(frames(text))),
    Entry::text("heap", 0o444, |_, text| all(heap(text))),
    Entry::text("heap_debug", 0o400, |_, text| all(debug::write_report(text))),
];

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
    for (order, count) in numbers.free_blocks.iter().enumerate() {
        writeln!(text, "free_blocks_of_order_{order} {count}")?;
    }
    Ok(())
}

/// `heap`: a line for each size of slot, then sums; hits are thousandths of allocations that found a free slot on their
/// CPU.
fn heap(text: &mut Text) -> fmt::Result {
    let numbers = statistics::statistics();
    writeln!(text, "tier   size  allocations        frees   in_use  frames  stored  hits")?;
    for (class, row) in SizeClass::all().zip(&numbers.classes) {
        let tier = match class.tier() {
            Tier::ThreadCache => "thread",
            _ => "cpu",
        };
        writeln!(
            text,
            "{tier:<6} {:>4} {:>12} {:>12} {:>8} {:>7} {:>7} {:>5}",
            row.slot_size,
            row.allocations,
            row.frees,
            row.in_use(),
            row.frames,
            row.stored,
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
