//! Tests of page tables that several spaces share: scenarios, a naive model of one byte for each page of several spaces
//! with memory that runs out at any step, and CPUs that part at the same time.

use crate::test_kernel::{FREED, TestKernel, frame};
use hal::Error;
use hal::Kernel;
use hal::addr::{PAGE_SIZE, USER_END};
use hal::cpu::CpuId;
use hal::frame::Frame;
use hal::paging::*;
use hal::sim::{self, Machine, TlbEvent};
use hal::user::{self, UserPtr};

const SPAN: usize = 512 * PAGE_SIZE;
/// The start of a table of level 0.
const BASE: usize = 2 * SPAN;

fn page_of(byte: u8) -> Frame {
    let page = frame(0);
    page.write(0, &[byte]);
    page
}

fn byte_of(table: &PageTable, page: usize) -> Option<u8> {
    let mut byte = [0];
    table.get(page)?.0.read(0, &mut byte);
    Some(byte[0])
}

/// A table with `pages` writable pages from `BASE` on, filled with their numbers.
fn filled(pages: usize) -> PageTable {
    let mut table = PageTable::new().unwrap();
    for i in 0..pages {
        table.map(BASE + i * PAGE_SIZE, page_of(i as u8), PageFlags::USER).unwrap();
    }
    table
}

fn share(parent: &mut PageTable) -> Result<PageTable, Error> {
    let mut child = PageTable::new()?;
    let mut flush = TlbFlush::new();
    parent.share_range(&mut child, BASE..BASE + 8 * SPAN, 0..USER_END, 4, &mut flush)?;
    Ok(child)
}

/// Stores as a kernel does that copies on write, to `spare`. Tells whether the page may be written.
fn store(table: &mut PageTable, page: usize, byte: u8, spare: Frame) -> Result<bool, Error> {
    table.separate(page)?;
    let Some(flags) = table.flags(page) else { return Ok(false) };
    if flags.contains(PageFlags::COPY_ON_WRITE) && !table.cow_reuse(page) {
        table.replace(page, spare, PageFlags::USER, &mut TlbFlush::new())?;
    } else if !flags.contains(PageFlags::COPY_ON_WRITE) && !flags.contains(PageFlags::WRITE) {
        return Ok(false);
    }
    assert!(table.flags(page).unwrap().contains(PageFlags::WRITE));
    table.get(page).unwrap().0.write(0, &[byte]);
    Ok(true)
}

#[test]
fn a_fork_costs_no_table_and_an_exit_gives_the_parent_its_own_back() {
    let machine = Machine::current();
    let mut parent = filled(100);
    let free = machine.free_frames();
    let child = share(&mut parent).unwrap();
    // A root and the tables of levels 2 and 1.
    assert_eq!(machine.free_frames(), free - 3);
    assert_eq!(parent.get(BASE).unwrap().0.ref_count(), 2);
    for table in [&parent, &child] {
        assert_eq!(table.flags(BASE), Some(PageFlags::READONLY));
        assert_eq!(byte_of(table, BASE + 99 * PAGE_SIZE), Some(99));
    }
    drop(child);
    assert_eq!(machine.free_frames(), free);
    machine.clear_tlb_log();
    parent.separate(BASE).unwrap();
    assert_eq!(parent.flags(BASE), Some(PageFlags::USER));
    assert_eq!((machine.free_frames(), machine.tlb_log().len()), (free, 0));
}

#[test]
fn small_tables_and_those_that_reach_out_of_the_range_are_copied() {
    let mut parent = filled(3);
    let child = share(&mut parent).unwrap();
    assert_eq!(child.flags(BASE), Some(PageFlags::READONLY | PageFlags::COPY_ON_WRITE));
    let mut parent = filled(600);
    let (mut child, mut flush) = (PageTable::new().unwrap(), TlbFlush::new());
    let range = BASE..BASE + 2 * SPAN;
    let end = parent.share_range(&mut child, range, 0..BASE + 2 * SPAN - 1, 4, &mut flush);
    assert_eq!(end, Ok(BASE + SPAN));
    assert_eq!(child.flags(BASE), Some(PageFlags::READONLY));
    assert_eq!(child.flags(BASE + SPAN), Some(PageFlags::READONLY | PageFlags::COPY_ON_WRITE));
}

/// A table with one large page at `BASE`, whose single pages hold their numbers.
fn large() -> PageTable {
    let block = frame(LARGE_PAGE_ORDER);
    for i in 0..512 {
        block.write(i * PAGE_SIZE, &[i as u8]);
    }
    let mut table = PageTable::new().unwrap();
    table.map(BASE, block, PageFlags::USER).unwrap();
    table
}

#[test]
fn a_large_page_is_one_entry_and_goes_as_a_whole() {
    let machine = Machine::current();
    let free = machine.free_frames();
    let mut table = large();
    // The root and the tables of levels 2 and 1.
    assert_eq!(machine.free_frames(), free - 512 - 3);
    assert_eq!((table.large_pages(), table.large_pages_in(BASE..BASE + SPAN)), (1, 1));
    assert_eq!(table.large_pages_in(BASE + PAGE_SIZE..BASE + SPAN), 0);
    assert_eq!(table.flags(BASE + 5 * PAGE_SIZE), Some(PageFlags::USER));
    assert!(table.get(BASE).is_none() && !table.has_room_for_large(BASE + 5));
    sim::set_space(&table.space());
    assert_eq!(UserPtr::<u8>::new(BASE + 77 * PAGE_SIZE).read(), Ok(77));
    user::store_u32(BASE + 78 * PAGE_SIZE, 1).unwrap();
    let marked = PageFlags::USER | PageFlags::ACCESSED | PageFlags::DIRTY;
    assert_eq!(table.flags(BASE), Some(marked));
    let mut flush = TlbFlush::new();
    let (none, write) = (PageFlags::empty(), PageFlags::WRITE);
    table.protect_range(BASE..BASE + SPAN, none, write, &mut flush).unwrap();
    flush.finish();
    assert!(user::store_u32(BASE + 78 * PAGE_SIZE, 1).is_err());
    assert_eq!(table.large_pages(), 1);
    assert_eq!(table.map(BASE, frame(0), PageFlags::USER), Err(Error::AlreadyMapped));
    let mut removed = Vec::new();
    let n =
        table.unmap_range_with(0..USER_END, &mut flush, |page, frame, _| removed.push((page, frame.order())));
    assert_eq!((n, removed), (Ok(512), vec![(BASE, LARGE_PAGE_ORDER)]));
    flush.finish();
    assert!(user::load_u32(BASE).is_err());
    drop((table, flush));
    sim::set_space(&PageTable::new().unwrap().space());
    assert_eq!(machine.free_frames(), free);
    drop(large());
    assert_eq!(machine.free_frames(), free);
    assert_eq!(large().unmap(BASE).unwrap().order(), LARGE_PAGE_ORDER);
    assert_eq!(large().unmap(BASE + PAGE_SIZE).unwrap().order(), 0);
    assert_eq!(machine.free_frames(), free);
}

#[test]
fn a_large_page_is_split_for_what_concerns_a_part() {
    let machine = Machine::current();
    type Change = fn(&mut PageTable) -> Result<(), Error>;
    let changes: [Change; 6] = [
        |table| table.unmap_range(BASE + 512..BASE + 2 * PAGE_SIZE, &mut TlbFlush::new()).map(|_| ()),
        |table| {
            let part = BASE + PAGE_SIZE..BASE + SPAN;
            table.protect_range(part, PageFlags::empty(), PageFlags::WRITE, &mut TlbFlush::new())
        },
        |table| {
            let all = BASE..BASE + SPAN;
            table.protect_range(all, PageFlags::empty(), PageFlags::USER_ACCESS, &mut TlbFlush::new())
        },
        |table| table.set_flags(BASE, PageFlags::READONLY, &mut TlbFlush::new()),
        |table| table.move_range(BASE..BASE + SPAN, BASE + 4 * SPAN, &mut TlbFlush::new()),
        |table| table.separate(BASE + 9 * PAGE_SIZE),
    ];
    for change in changes {
        let mut table = large();
        machine.fail_allocations_after(0);
        assert_eq!(change(&mut table), Err(Error::OutOfMemory));
        machine.allow_allocations();
        assert_eq!((table.large_pages(), table.flags(BASE)), (1, Some(PageFlags::USER)));
        change(&mut table).unwrap();
        assert_eq!(table.large_pages(), 0);
        let last = [BASE, BASE + 4 * SPAN].map(|start| byte_of(&table, start + 511 * PAGE_SIZE));
        assert!(last.contains(&Some(255)));
    }
    let mut table = large();
    let child = share(&mut table).unwrap();
    assert_eq!((table.large_pages(), child.large_pages()), (0, 0));
    assert_eq!(byte_of(&child, BASE + 511 * PAGE_SIZE), Some(255));
}

#[test]
fn bad_large_pages_are_refused() {
    let mut table = PageTable::new().unwrap();
    let mut map = |page, order, flags| table.map(page, frame(order), flags);
    assert_eq!(map(BASE + PAGE_SIZE, 9, PageFlags::USER), Err(Error::Misaligned));
    assert_eq!(map(USER_END, 9, PageFlags::USER), Err(Error::OutOfRange));
    assert_eq!(map(BASE, 8, PageFlags::USER), Err(Error::Unsupported));
    assert_eq!(map(BASE, 10, PageFlags::USER), Err(Error::Unsupported));
    assert_eq!(map(BASE, 9, PageFlags::WRITE), Err(Error::Unsupported));
    assert_eq!(map(BASE, 9, PageFlags::READONLY | PageFlags::COPY_ON_WRITE), Err(Error::Unsupported));
    let block = frame(9);
    assert_eq!(table.map(BASE, block.clone(), PageFlags::USER), Err(Error::InUse));
    table.map(BASE + PAGE_SIZE, frame(0), PageFlags::USER).unwrap();
    assert_eq!(table.map(BASE, frame(9), PageFlags::USER), Err(Error::AlreadyMapped));
}

#[test]
fn no_cpu_stores_through_a_shared_table() {
    let machine = Machine::current();
    let mut parent = filled(100);
    sim::set_space(&parent.space());
    user::store_u32(BASE, 7).unwrap();
    machine.clear_tlb_log();
    let mut child = share(&mut parent).unwrap();
    assert!(machine.tlb_log().contains(&TlbEvent::All { cpu: CpuId::BOOT }));
    assert_eq!(user::load_u32(BASE), Ok(7));
    assert!(user::store_u32(BASE, 8).is_err());
    sim::set_space(&child.space());
    assert_eq!(user::load_u32(BASE), Ok(7));
    assert!(user::store_u32(BASE, 8).is_err());
    child.separate(BASE).unwrap();
    assert!(user::store_u32(BASE, 8).is_err(), "the page is still shared");
    assert!(store(&mut child, BASE, 9, frame(0)).unwrap());
    user::store_u32(BASE, 8).unwrap();
    sim::set_space(&parent.space());
    assert_eq!(user::load_u32(BASE), Ok(7));
}

#[test]
fn a_table_given_up_is_freed_after_the_flush() {
    let mut parent = filled(100);
    let number = parent.get(BASE).unwrap().0.number();
    let mut child = share(&mut parent).unwrap();
    drop(parent);
    sim::set_space(&child.space());
    user::load_u32(BASE).unwrap();
    let mut flush = TlbFlush::new();
    // Alone with a table that it may not store through yet: nothing has to be copied, whatever part goes.
    assert_eq!(child.unmap_range(0..USER_END, &mut flush), Ok(100));
    assert_eq!(user::load_u32(BASE), Ok(0));
    assert!(!FREED.lock().unwrap().iter().any(|&(freed, _)| freed == number), "freed before the flush");
    flush.finish();
    assert!(FREED.lock().unwrap().iter().any(|&(freed, _)| freed == number));
    assert!(user::load_u32(BASE).is_err());
}

#[test]
fn a_part_goes_only_with_memory_for_a_copy_and_the_whole_without() {
    let machine = Machine::current();
    let mut parent = filled(100);
    let mut child = share(&mut parent).unwrap();
    let mut flush = TlbFlush::new();
    let spare = frame(0);
    machine.fail_allocations_after(0);
    let part = BASE + PAGE_SIZE..BASE + 3 * PAGE_SIZE;
    assert_eq!(child.unmap_range(part.clone(), &mut flush), Err(Error::OutOfMemory));
    assert_eq!(child.prepare_unmap(part.clone()), Err(Error::OutOfMemory));
    assert_eq!(child.separate_range(part.clone()), Err(Error::OutOfMemory));
    let all = PageFlags::all();
    assert_eq!(
        child.protect_range(part.clone(), PageFlags::empty(), all, &mut flush),
        Err(Error::OutOfMemory)
    );
    assert_eq!(child.move_range(part.clone(), BASE + SPAN, &mut flush), Err(Error::OutOfMemory));
    assert_eq!(child.map(BASE + 200 * PAGE_SIZE, spare, PageFlags::USER), Err(Error::OutOfMemory));
    // Nothing of the table lies here, and here all of it.
    assert_eq!(child.unmap_range(BASE + 100 * PAGE_SIZE..BASE + 300 * PAGE_SIZE, &mut flush), Ok(0));
    assert_eq!(child.unmap_range(BASE..BASE + 100 * PAGE_SIZE, &mut flush), Ok(100));
    machine.allow_allocations();
    assert!(byte_of(&child, BASE).is_none());
    assert_eq!(byte_of(&parent, BASE + 99 * PAGE_SIZE), Some(99));
    flush.finish();
    parent.unmap_range(part, &mut flush).unwrap();
    assert_eq!(byte_of(&parent, BASE), Some(0));
}

/// A small generator of numbers, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }
}

/// Pages of the model: one table, and parts of one before and one after it.
const PAGES: usize = 700;
const FIRST: usize = BASE - 60 * PAGE_SIZE;

/// What a page holds, and whether it may be stored to.
type Model = Vec<Option<(u8, bool)>>;

fn agree(table: &PageTable, model: &Model) {
    let mut seen: Model = vec![None; PAGES];
    sim::set_space(&table.space());
    table.for_each(0..USER_END, |page, frame, flags| {
        let writable = flags.intersects(PageFlags::WRITE | PageFlags::COPY_ON_WRITE);
        let byte = UserPtr::<u8>::new(page).read().unwrap();
        assert_eq!(table.translate(page + 7), frame.phys().checked_add(7));
        seen[(page - FIRST) / PAGE_SIZE] = Some((byte, writable));
    });
    for (i, (seen, model)) in seen.iter().zip(model).enumerate() {
        match (seen, model) {
            (None, None) => {}
            (Some((a, _)), Some((b, _))) => assert_eq!(a, b, "contents of page {i}"),
            _ => panic!("page {i} is {seen:?}, not {model:?}"),
        }
    }
}

/// One random step of one space; `Err` must leave everything as it was. Returns the model after it.
fn step(random: &mut Random, table: &mut PageTable, model: &Model, spare: Frame) -> Result<Model, Error> {
    let mut new = model.clone();
    let at = random.below(PAGES);
    let len = [1, 5, 40, 400][random.below(4)].min(PAGES - at);
    let (range, addr) = (at..at + len, |page: usize| FIRST + page * PAGE_SIZE);
    let byte = random.below(256) as u8;
    let mut flush = TlbFlush::new();
    match random.below(9) {
        8 => {
            let first = (BASE - FIRST) / PAGE_SIZE;
            let area = &mut new[first..first + 512];
            if area.iter().all(Option::is_none) {
                let Some(block) = TestKernel::alloc_frames(LARGE_PAGE_ORDER) else {
                    return Err(Error::OutOfMemory);
                };
                area.iter_mut().enumerate().for_each(|(i, page)| {
                    block.write(i * PAGE_SIZE, &[i as u8]);
                    *page = Some((i as u8, true));
                });
                assert!(table.has_room_for_large(BASE));
                table.map(BASE, block, PageFlags::USER)?;
            }
        }
        0 | 1 => {
            if model[at].is_none() {
                spare.write(0, &[byte]);
                table.map(addr(at), spare, PageFlags::USER)?;
                new[at] = Some((byte, true));
            }
        }
        2 => {
            let n = table.unmap_range(addr(range.start)..addr(range.end), &mut flush)?;
            assert_eq!(n, new[range.clone()].iter().flatten().count());
            new[range].fill(None);
        }
        3 => {
            let mut pages = Vec::new();
            table.unmap_range_with(addr(range.start)..addr(range.end), &mut flush, |page, frame, _| {
                let mut byte = [0];
                frame.read(0, &mut byte);
                pages.push((page, byte[0]));
            })?;
            let expected = range.clone().filter_map(|i| Some((addr(i), new[i]?.0)));
            assert_eq!(pages, expected.collect::<Vec<_>>());
            new[range].fill(None);
        }
        4 => {
            let (set, clear) = if byte.is_multiple_of(2) {
                (PageFlags::WRITE, PageFlags::empty())
            } else {
                (PageFlags::empty(), PageFlags::WRITE)
            };
            table.protect_range(addr(range.start)..addr(range.end), set, clear, &mut flush)?;
        }
        5 => {
            let to = random.below(PAGES - len + 1);
            let apart = to >= at + len || at >= to + len;
            if apart && new[to..to + len].iter().all(Option::is_none) {
                table.move_range(addr(range.start)..addr(range.end), addr(to), &mut flush)?;
                let moved: Vec<_> = new[range.clone()].to_vec();
                new[range].fill(None);
                new[to..to + len].copy_from_slice(&moved);
            }
        }
        _ => {
            if store(table, addr(at), byte, spare)? {
                new[at].as_mut().unwrap().0 = byte;
            }
        }
    }
    Ok(new)
}

#[test]
fn spaces_that_share_behave_as_if_each_had_copied() {
    let machine = Machine::builder().memory_mib(64).build();
    machine.enter();
    let free = machine.free_frames();
    for seed in 1..20 {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut spaces: Vec<(PageTable, Model)> = vec![(PageTable::new().unwrap(), vec![None; PAGES])];
        for i in 0..random.below(PAGES) {
            spaces[0].0.map(FIRST + i * PAGE_SIZE, page_of(1), PageFlags::USER).unwrap();
            spaces[0].1[i] = Some((1, true));
        }
        for _ in 0..60 {
            let n = random.below(spaces.len());
            let starves = random.below(3) == 0;
            let budget = random.below(3) as u64;
            let spare = frame(0);
            if random.below(5) == 0 && spaces.len() < 5 {
                let model = spaces[n].1.clone();
                let (mut child, mut flush) = (PageTable::new().unwrap(), TlbFlush::new());
                if starves {
                    machine.fail_allocations_after(budget);
                }
                let parent = &mut spaces[n].0;
                let done = parent.share_range(&mut child, FIRST..BASE + 2 * SPAN, 0..USER_END, 4, &mut flush);
                machine.allow_allocations();
                match done {
                    Ok(_) => spaces.push((child, model)),
                    Err(error) => assert_eq!((error, starves), (Error::OutOfMemory, true)),
                }
            } else if random.below(12) == 0 && spaces.len() > 1 {
                let (mut table, model) = spaces.swap_remove(n);
                // Half of them say where something is mapped, as the kernel does.
                if starves {
                    let known = model.iter().enumerate().filter(|(_, page)| page.is_some());
                    table.free_ranges(known.map(|(i, _)| FIRST + i * PAGE_SIZE..FIRST + (i + 1) * PAGE_SIZE));
                }
            } else {
                let (table, model) = &mut spaces[n];
                if starves {
                    machine.fail_allocations_after(budget);
                }
                let done = step(&mut random, table, model, spare);
                machine.allow_allocations();
                match done {
                    Ok(new) => *model = new,
                    Err(error) => assert_eq!((error, starves), (Error::OutOfMemory, true)),
                }
            }
            spaces.iter().for_each(|(table, model)| agree(table, model));
        }
        drop(spaces);
        assert_eq!(machine.free_frames(), free, "frames lost with seed {seed}");
    }
}

#[test]
fn spaces_on_several_cpus_may_part_at_once() {
    const CPUS: usize = 4;
    let machine = Machine::builder().memory_mib(64).cpus(CPUS).build();
    machine.enter();
    let free = machine.free_frames();
    for round in 0..30 {
        let mut parent = filled(512);
        let mut spaces: Vec<PageTable> = (1..CPUS).map(|_| share(&mut parent).unwrap()).collect();
        spaces.push(parent);
        let threads = spaces.into_iter().enumerate().map(|(cpu, mut table)| {
            std::thread::spawn(move || {
                machine.act_as(CpuId::new(cpu));
                let mut random = Random((round * CPUS + cpu + 1) as u64);
                let mut expected: Vec<u8> = (0..512).map(|i| i as u8).collect();
                for _ in 0..random.below(20) {
                    let i = random.below(512);
                    assert!(store(&mut table, BASE + i * PAGE_SIZE, cpu as u8, frame(0)).unwrap());
                    expected[i] = cpu as u8;
                }
                let grandchild = share(&mut table).unwrap();
                for (i, &byte) in expected.iter().enumerate() {
                    assert_eq!(byte_of(&table, BASE + i * PAGE_SIZE), Some(byte));
                    assert_eq!(byte_of(&grandchild, BASE + i * PAGE_SIZE), Some(byte));
                }
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(machine.free_frames(), free, "frames lost in round {round}");
    }
}
