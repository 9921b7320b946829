//! Page tables: one page, a range, and pages of every size. The address space is not in use, so nothing is flushed.

use alloc::vec::Vec;
use core::iter;

use hal::frame::Frame;
use hal::paging::{PageFlags, PageTable, TlbFlush};
use hal::{Error, PAGE_SIZE};

use super::harness::{Outcome, Row, Stopwatch};
use crate::memory::physical::buddy_allocator::{alloc_block, alloc_frame};
use crate::memory::virtual_mem::page_table::{map_page, translate, unmap_page};

/// What the design allows for mapping a page.
const TARGET: Option<u32> = Some(100);

pub(super) const ROWS: &[Row] = &[
    Row::new("page/map 4 KiB", TARGET, |watch| pages(watch, SMALL, What::Map)),
    Row::new("page/translate", TARGET, |watch| pages(watch, SMALL, What::Translate)),
    Row::new("page/unmap 4 KiB", TARGET, |watch| pages(watch, SMALL, What::Unmap)),
    Row::new("page/unmap 4 KiB, in a range", TARGET, |watch| pages(watch, SMALL, What::UnmapRange)),
    Row::new("page/map 2 MiB", TARGET, |watch| pages(watch, LARGE, What::Map)),
    Row::new("page/unmap 2 MiB", TARGET, |watch| pages(watch, LARGE, What::Unmap)),
    Row::new("page/map 1 GiB", TARGET, |watch| pages(watch, HUGE, What::Map)),
    Row::new("page/unmap 1 GiB", TARGET, |watch| pages(watch, HUGE, What::Unmap)),
];

/// A size of pages: the order of their blocks of frames, and how many a batch has.
#[derive(Clone, Copy)]
struct Size {
    order: u8,
    count: usize,
}

const SMALL: Size = Size { order: 0, count: 256 };
const LARGE: Size = Size { order: 9, count: 4 };
const HUGE: Size = Size { order: 18, count: 1 };

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Map,
    Translate,
    Unmap,
    UnmapRange,
}

/// Maps pages, looks at them and unmaps them; one of these is timed.
fn pages(watch: &mut Stopwatch, Size { order, count }: Size, timed: What) -> Outcome {
    let size = PAGE_SIZE << order;
    let base = 1 << 40;
    let page = |index: usize| base + index * size;
    let mut table = PageTable::new().map_err(reason)?;
    let mut frames: Vec<Frame> = iter::from_fn(|| alloc_block(order)).take(count).collect();
    if frames.len() < count {
        return Err("no block of that size is free");
    }
    // What lies around it has made the tables on the way already.
    let neighbour = alloc_frame().ok_or("no frame")?;
    map_page(&mut table, page(count), neighbour, PageFlags::USER).map_err(reason)?;

    let mut map = || -> Result<(), Error> {
        let mut pages = frames.drain(..).enumerate();
        pages.try_for_each(|(index, frame)| map_page(&mut table, page(index), frame, PageFlags::USER))
    };
    if timed == What::Map { watch.time(count, map) } else { map() }.map_err(reason)?;
    if timed == What::Translate {
        watch.time(count, || (0..count).all(|index| translate(&table, page(index)).is_some()));
    }
    if timed == What::UnmapRange {
        let mut flush = TlbFlush::new();
        watch.time(count, || {
            // Nothing of it is shared, so it cannot fail.
            let _ = table.unmap_range(base..page(count), &mut flush);
            flush.finish();
        });
        return Ok(());
    }
    let mut unmap = || (0..count).try_for_each(|index| unmap_page(&mut table, page(index)).map(drop));
    if timed == What::Unmap { watch.time(count, unmap) } else { unmap() }.map_err(reason)
}

fn reason(error: Error) -> &'static str {
    match error {
        Error::Unsupported => "no pages of that size",
        Error::OutOfMemory => "too little memory",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_common_size_are_measured() {
        let machine = hal::sim::Machine::builder().memory_mib(64).build();
        for row in ROWS {
            row.run();
        }
        let console = machine.console_output();
        assert_eq!(console.matches("exo.bench: page/").count(), ROWS.len(), "{console}");
        // All but those of 1 GiB.
        assert_eq!(console.matches(" cycles, target 100").count(), ROWS.len() - 2, "{console}");
    }
}
