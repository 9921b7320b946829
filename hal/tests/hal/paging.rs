//! Tests of the walker, on real entries in a simulated machine.

use crate::test_kernel::{FREED, TestThread, frame};
use hal::Error;
use hal::addr::{FrameNumber, PAGE_SIZE, USER_END};
use hal::cpu::CpuId;
use hal::frame::Frame;
use hal::paging::*;
use hal::sim::{self, Machine, TlbEvent};
use hal::task::{Current, HasTask, adopt_boot, current};
use hal::user::{self, UserPtr};

const PAGE: usize = 0x40_0000;

fn freed() -> Vec<FrameNumber> {
    FREED.lock().unwrap().iter().map(|&(number, _)| number).collect()
}

/// A table with one user page filled with `byte`.
fn one_page(byte: u8) -> (PageTable, FrameNumber) {
    let mut table = PageTable::new().unwrap();
    let page = frame(0);
    page.write(0, &[byte; PAGE_SIZE]);
    let number = page.number();
    table.map(PAGE, page, PageFlags::USER).unwrap();
    (table, number)
}

#[test]
fn a_mapping_translates_and_owns_its_frame() {
    let (table, number) = one_page(1);
    assert_eq!(table.translate(PAGE + 5), number.phys().checked_add(5));
    assert_eq!(translate(&table, PAGE - 1), None);
    let (frame, flags) = table.get(PAGE).unwrap();
    assert_eq!((frame.number(), flags, frame.ref_count()), (number, PageFlags::USER, 2));
    drop(table);
    assert!(frame.is_unique());
}

#[test]
fn bad_mappings_are_refused() {
    let mut table = PageTable::new().unwrap();
    let mut try_map = |page, order, flags| table.map(page, frame(order), flags);
    assert_eq!(try_map(PAGE + 1, 0, PageFlags::USER), Err(Error::Misaligned));
    assert_eq!(try_map(USER_END, 0, PageFlags::USER), Err(Error::OutOfRange));
    // Not canonical, and the kernel's half.
    assert_eq!(try_map(0x8000_0000_0000, 0, PageFlags::USER), Err(Error::OutOfRange));
    assert_eq!(try_map(0xffff_8000_0000_0000, 0, PageFlags::USER), Err(Error::OutOfRange));
    assert_eq!(try_map(PAGE, 0, PageFlags::KERNEL), Err(Error::Unsupported));
    assert_eq!(try_map(PAGE, 0, PageFlags::KERNEL | PageFlags::USER), Err(Error::Unsupported));
    assert_eq!(try_map(PAGE, 0, PageFlags::USER | PageFlags::COPY_ON_WRITE), Err(Error::Unsupported));
    assert_eq!(try_map(PAGE, 8, PageFlags::USER), Err(Error::Unsupported));
    assert_eq!(try_map(PAGE, 0, PageFlags::USER), Ok(()));
    assert_eq!(try_map(PAGE, 0, PageFlags::USER), Err(Error::AlreadyMapped));
}

#[test]
fn refused_frames_are_freed() {
    let (mut table, _) = one_page(1);
    let other = frame(0);
    let number = other.number();
    assert!(table.map(PAGE, other, PageFlags::USER).is_err());
    assert_eq!(freed(), [number]);
}

#[test]
fn out_of_memory_leaves_the_table_usable() {
    let machine = Machine::current();
    let free = machine.free_frames();
    let mut table = PageTable::new().unwrap();
    for budget in 0..3 {
        let page = frame(0);
        machine.fail_allocations_after(budget);
        assert_eq!(table.map(PAGE, page, PageFlags::USER), Err(Error::OutOfMemory));
        machine.allow_allocations();
    }
    table.map(PAGE, frame(0), PageFlags::USER).unwrap();
    drop(table);
    assert_eq!(machine.free_frames(), free);
    machine.fail_allocations_after(0);
    assert_eq!(PageTable::new().unwrap_err(), Error::OutOfMemory);
}

#[test]
fn an_unmap_that_empties_tables_frees_them() {
    let machine = Machine::current();
    let mut table = PageTable::new().unwrap();
    let free = machine.free_frames();
    let mut flush = TlbFlush::new();
    for i in 0..3 {
        table.map(PAGE + i * PAGE_SIZE, frame(0), PageFlags::USER).unwrap();
    }
    table.map(0x7f00_0000_0000, frame(0), PageFlags::USER).unwrap();
    assert_eq!(machine.free_frames(), free - 4 - 6);
    assert_eq!(table.unmap_range(PAGE..PAGE + 2 * PAGE_SIZE, &mut flush), Ok(2));
    flush.finish();
    assert_eq!(machine.free_frames(), free - 2 - 6);
    assert_eq!(table.unmap_range(0..USER_END, &mut flush), Ok(2));
    flush.finish();
    assert_eq!(machine.free_frames(), free);
    assert_eq!(table.unmap_range(0..USER_END, &mut flush), Ok(0));
}

#[test]
fn a_range_is_clamped_and_reports_what_it_removes() {
    let (mut table, number) = one_page(1);
    let last = USER_END - PAGE_SIZE;
    table.map(last, frame(0), PageFlags::READONLY).unwrap();
    let mut flush = TlbFlush::new();
    let mut seen = Vec::new();
    let n = table.unmap_range_with(PAGE + 1..usize::MAX, &mut flush, |page, frame, flags| {
        seen.push((page, frame.number() == number, flags));
    });
    assert_eq!(n, Ok(2));
    assert_eq!(seen, [(PAGE, true, PageFlags::USER), (last, false, PageFlags::READONLY)]);
    assert_eq!(unmap_page(&mut table, PAGE).unwrap_err(), Error::NotMapped);
}

#[test]
fn a_held_page_keeps_its_frame_and_lets_nobody_in() {
    let (mut table, number) = one_page(7);
    sim::set_space(&table.space());
    let mut flush = TlbFlush::new();
    table.protect_range(PAGE..PAGE + 1, PageFlags::empty(), PageFlags::USER_ACCESS, &mut flush).unwrap();
    flush.finish();
    assert_eq!(table.translate(PAGE), None);
    assert_eq!(user::load_u32(PAGE), Err(user::Fault { copied: 0 }));
    let (frame, flags) = table.get(PAGE).unwrap();
    assert_eq!((frame.number(), flags.contains(PageFlags::USER_ACCESS)), (number, false));
    table.set_flags(PAGE, PageFlags::READONLY, &mut flush).unwrap();
    flush.finish();
    assert_eq!(user::load_u32(PAGE), Ok(0x0707_0707));
    assert!(user::store_u32(PAGE, 0).is_err());
}

#[test]
fn the_mmu_marks_pages_accessed_and_dirty() {
    let (mut table, _) = one_page(0);
    sim::set_space(&table.space());
    assert_eq!(table.flags(PAGE), Some(PageFlags::USER));
    user::load_u32(PAGE).unwrap();
    assert_eq!(table.flags(PAGE), Some(PageFlags::USER | PageFlags::ACCESSED));
    user::store_u32(PAGE, 1).unwrap();
    let marked = PageFlags::USER | PageFlags::ACCESSED | PageFlags::DIRTY;
    assert_eq!(table.flags(PAGE), Some(marked));
    let mut flush = TlbFlush::new();
    table.set_flags(PAGE, PageFlags::READONLY, &mut flush).unwrap();
    assert_eq!(table.flags(PAGE), Some(marked.difference(PageFlags::WRITE)));
    table.protect_range(PAGE..PAGE + 1, PageFlags::empty(), PageFlags::DIRTY, &mut flush).unwrap();
    assert_eq!(table.flags(PAGE), Some(PageFlags::READONLY | PageFlags::ACCESSED));
}

#[test]
fn fork_shares_private_pages_until_one_side_writes() {
    let (mut parent, number) = one_page(3);
    let mut child = PageTable::new().unwrap();
    let mut flush = TlbFlush::new();
    parent.map(PAGE + PAGE_SIZE, frame(0), PageFlags::READONLY).unwrap();
    let mut copied = 0;
    parent.fork_range(&mut child, 0..USER_END, &mut flush, |_| copied += 1).unwrap();
    assert_eq!(copied, 2);
    flush.finish();
    let private = PageFlags::READONLY | PageFlags::COPY_ON_WRITE;
    for table in [&parent, &child] {
        assert_eq!(table.flags(PAGE), Some(private));
        // What could not be written yet must not become shared by a later mprotect.
        assert_eq!(table.flags(PAGE + PAGE_SIZE), Some(private));
    }
    assert_eq!(parent.get(PAGE).unwrap().0.ref_count(), 3);
    assert!(!child.cow_reuse(PAGE));
    child.protect_range(0..USER_END, PageFlags::WRITE, PageFlags::empty(), &mut flush).unwrap();
    assert_eq!(child.flags(PAGE), Some(private));
    let copy = frame(0);
    copy.copy_from(&child.get(PAGE).unwrap().0);
    child.replace(PAGE, copy, PageFlags::USER, &mut flush).unwrap();
    flush.finish();
    assert!(parent.cow_reuse(PAGE));
    assert_eq!(parent.flags(PAGE), Some(PageFlags::USER));
    assert_eq!(parent.get(PAGE).unwrap().0.number(), number);
}

#[test]
fn fork_wants_free_addresses() {
    let (mut parent, _) = one_page(3);
    let mut child = PageTable::new().unwrap();
    let mut flush = TlbFlush::new();
    parent.fork_range(&mut child, 0..USER_END, &mut flush, |_| ()).unwrap();
    let again = parent.fork_range(&mut child, 0..USER_END, &mut flush, |_| ());
    assert_eq!(again, Err(Error::AlreadyMapped));
    let all = 0..USER_END;
    let again = parent.share_range(&mut child, all.clone(), all, 1, &mut flush);
    assert_eq!(again, Err(Error::AlreadyMapped));
}

#[test]
fn fork_out_of_memory_frees_all_with_the_child() {
    let machine = Machine::current();
    let (mut parent, _) = one_page(3);
    parent.map(0x7000_0000_0000, frame(0), PageFlags::USER).unwrap();
    let free = machine.free_frames();
    for budget in 0..6 {
        let mut child = PageTable::new().unwrap();
        let mut flush = TlbFlush::new();
        machine.fail_allocations_after(budget);
        let result = parent.fork_range(&mut child, 0..USER_END, &mut flush, |_| ());
        assert_eq!(result, Err(Error::OutOfMemory));
        machine.allow_allocations();
        drop((child, flush));
        assert_eq!(machine.free_frames(), free);
        assert!(parent.get(PAGE).is_some());
    }
}

#[test]
fn a_move_takes_the_frames_along() {
    let machine = Machine::current();
    let (mut table, number) = one_page(9);
    let free = machine.free_frames();
    let new = 0x6000_0000_1000;
    let mut flush = TlbFlush::new();
    let old = PAGE - PAGE_SIZE..PAGE + PAGE_SIZE;
    assert_eq!(table.move_range(old.clone(), PAGE, &mut flush), Err(Error::OutOfRange));
    assert_eq!(table.move_range(old.clone(), new + 1, &mut flush), Err(Error::Misaligned));
    assert_eq!(table.move_range(old.clone(), USER_END - PAGE_SIZE, &mut flush), Err(Error::OutOfRange));
    machine.fail_allocations_after(1);
    assert_eq!(table.move_range(old.clone(), new, &mut flush), Err(Error::OutOfMemory));
    machine.allow_allocations();
    assert_eq!(table.translate(PAGE), Some(number.phys()));
    table.move_range(old, new, &mut flush).unwrap();
    flush.finish();
    assert_eq!(table.translate(new + PAGE_SIZE), Some(number.phys()));
    assert!(table.get(PAGE).is_none());
    // Three tables on each side; the old ones are gone.
    assert_eq!(machine.free_frames(), free);
    table.map(PAGE, frame(0), PageFlags::USER).unwrap();
    let occupied = table.move_range(PAGE..PAGE + PAGE_SIZE, new + PAGE_SIZE, &mut flush);
    assert_eq!(occupied, Err(Error::AlreadyMapped));
}

#[test]
fn unmap_flushes_before_the_frame_is_free() {
    let machine = Machine::builder().cpus(2).build();
    let (mut table, number) = one_page(5);
    let space = table.space();
    // The other CPU has the space loaded and the page in its TLB.
    let other = {
        let space = space.clone();
        move || {
            machine.act_as(CpuId::new(1));
            sim::set_space(&space);
            assert_eq!(user::load_u32(PAGE), Ok(0x0505_0505));
        }
    };
    std::thread::spawn(other).join().unwrap();
    sim::set_space(&space);
    user::load_u32(PAGE).unwrap();
    machine.clear_tlb_log();
    let mut flush = TlbFlush::new();
    table.unmap_range(PAGE..PAGE + PAGE_SIZE, &mut flush).unwrap();
    assert!(freed().is_empty(), "freed before the flush");
    flush.finish();
    assert!(freed().contains(&number));
    let (boot, second) = (CpuId::BOOT, CpuId::new(1));
    let expected = [
        TlbEvent::Page { cpu: boot, page: PAGE },
        TlbEvent::Shootdown { from: boot, targets: std::vec![second], pages: std::vec![PAGE] },
    ];
    assert_eq!(machine.tlb_log(), expected);
}

#[test]
fn a_stale_translation_is_really_used_until_it_is_flushed() {
    let (mut table, number) = one_page(5);
    sim::set_space(&table.space());
    user::load_u32(PAGE).unwrap();
    let mut flush = TlbFlush::new();
    table.unmap_range(PAGE..PAGE + PAGE_SIZE, &mut flush).unwrap();
    assert_eq!(user::load_u32(PAGE), Ok(0x0505_0505));
    flush.finish();
    assert!(user::load_u32(PAGE).is_err());
    assert!(freed().contains(&number));
}

#[test]
fn no_other_cpu_is_interrupted_for_a_space_it_has_left() {
    let machine = Machine::builder().cpus(2).build();
    let (mut table, _) = one_page(5);
    let space = table.space();
    let elsewhere = move || {
        machine.act_as(CpuId::new(1));
        sim::set_space(&space);
        user::load_u32(PAGE).unwrap();
        sim::set_space(&PageTable::new().unwrap().space());
    };
    std::thread::spawn(elsewhere).join().unwrap();
    machine.clear_tlb_log();
    table.unmap(PAGE).unwrap();
    assert_eq!(machine.tlb_log(), []);
}

#[test]
fn an_untouched_page_needs_no_flush() {
    let machine = Machine::current();
    let (mut table, _) = one_page(5);
    table.map(PAGE + PAGE_SIZE, frame(0), PageFlags::USER).unwrap();
    sim::set_space(&table.space());
    machine.clear_tlb_log();
    table.unmap(PAGE).unwrap();
    assert_eq!(machine.tlb_log(), []);
}

#[test]
fn many_pages_become_one_full_flush_and_frames_go_in_batches() {
    let machine = Machine::current();
    let mut table = PageTable::new().unwrap();
    sim::set_space(&table.space());
    let pages = 300;
    for i in 0..pages {
        table.map(PAGE + i * PAGE_SIZE, frame(0), PageFlags::USER | PageFlags::ACCESSED).unwrap();
    }
    machine.clear_tlb_log();
    let mut flush = TlbFlush::new();
    assert_eq!(table.unmap_range(PAGE..PAGE + pages * PAGE_SIZE, &mut flush), Ok(pages));
    drop(flush);
    assert!(freed().len() >= pages);
    assert!(
        machine.tlb_log().iter().all(|event| matches!(event, TlbEvent::All { .. } | TlbEvent::Page { .. }))
    );
    assert!(machine.tlb_log().len() < 2 * 32 + 3);
}

/// Makes the calling code a thread that uses a table's space.
fn current_thread_in(table: &PageTable) -> Current<TestThread> {
    adopt_boot(TestThread::new);
    let thread = current::<TestThread>();
    thread.task().set_space(Some(table.space()));
    thread
}

#[test]
fn a_space_outlives_its_table_as_long_as_a_task_uses_it() {
    let (table, number) = one_page(4);
    let thread = current_thread_in(&table);
    drop(table);
    assert_eq!(user::load_u32(PAGE), Ok(0x0404_0404));
    assert!(freed().is_empty());
    thread.task().set_space(Some(PageTable::new().unwrap().space()));
    assert!(freed().contains(&number));
}

#[test]
fn a_space_that_is_only_loaded_goes_with_its_table() {
    let (table, number) = one_page(4);
    let thread = current_thread_in(&table);
    thread.task().set_space(None);
    assert_eq!(user::load_u32(PAGE), Ok(0x0404_0404));
    drop(table);
    assert!(freed().contains(&number));
    assert!(user::load_u32(PAGE).is_err());
}

#[test]
fn for_each_visits_mapped_pages_in_order() {
    let mut table = PageTable::new().unwrap();
    let pages = [0, PAGE, PAGE + 0x1ff000, 0x8000_0000, 0x7fff_0000_0000];
    for page in pages {
        table.map(page, frame(0), PageFlags::READONLY).unwrap();
    }
    let mut seen = Vec::new();
    table.for_each(0..USER_END, |page, _, _| seen.push(page));
    assert_eq!(seen, pages);
    seen.clear();
    table.for_each(PAGE + 0x1000..0x8000_0000, |page, _, _| seen.push(page));
    assert_eq!(seen, pages[2..3]);
}

#[test]
fn random_changes_agree_with_a_map() {
    use std::collections::BTreeMap;
    let machine = Machine::current();
    let free = machine.free_frames();
    let (mut table, mut model) = (PageTable::new().unwrap(), BTreeMap::new());
    let mut seed = 1u64;
    let mut random = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let rounds = if cfg!(miri) { 60 } else { 3000 };
    for _ in 0..rounds {
        let mut flush = TlbFlush::new();
        // Around the border of two tables of every level.
        let base = [0x20_0000, 0x4000_0000, 0x80_0000_0000][random(3) as usize] - 8 * PAGE_SIZE;
        let page = base + random(16) as usize * PAGE_SIZE;
        let end = page + random(8) as usize * PAGE_SIZE;
        match random(4) {
            0 => {
                table.unmap_range(page..end, &mut flush).unwrap();
                model.retain(|&p, _| p < page || p >= end);
            }
            1 => {
                let target = 0x5000_0000_0000 + random(4) as usize * 0x10_0000;
                let inside: Vec<_> = model.range(page..end.max(page)).map(|(&p, &f)| (p, f)).collect();
                if table.move_range(page..end, target, &mut flush).is_ok() {
                    for (p, f) in inside {
                        model.remove(&p);
                        model.insert(target + (p - page), f);
                    }
                } else {
                    assert!(model.range(target..target + (end - page)).next().is_some());
                }
            }
            _ => {
                let new = frame(0);
                let number = new.number();
                let result = table.map(page, new, PageFlags::USER);
                assert_eq!(result.is_err(), model.contains_key(&page));
                model.entry(page).or_insert(number);
            }
        }
        flush.finish();
    }
    let mut seen = BTreeMap::new();
    table.for_each(0..USER_END, |page, frame, _| {
        seen.insert(page, frame);
    });
    assert_eq!(seen, model);
    drop(table);
    assert_eq!(machine.free_frames(), free);
}

const HUGE: usize = 1 << 30;

/// A machine with a free block of 1 GiB, and a table that maps it at 3 GiB.
fn huge_page() -> (PageTable, FrameNumber) {
    Machine::builder().memory_mib(2112).build().enter();
    let mut table = PageTable::new().unwrap();
    let block = Frame::claim(FrameNumber::new(1 << 18), HUGE_PAGE_ORDER).unwrap();
    let first = block.number();
    table.map(3 * HUGE, block, PageFlags::USER).unwrap();
    (table, first)
}

#[test]
fn a_page_of_1_gib_is_mapped_and_unmapped_as_a_whole() {
    let (mut table, first) = huge_page();
    let inside = 3 * HUGE + 0x1234_5678;
    assert_eq!(table.translate(inside), first.phys().checked_add(0x1234_5678));
    assert_eq!(table.translate(4 * HUGE), None);
    sim::set_space(&table.space());
    UserPtr::<u8>::new(inside).write(&7).unwrap();
    assert_eq!(UserPtr::<u8>::new(inside).read(), Ok(7));

    assert_eq!(table.map(inside & !0xfff, frame(0), PageFlags::USER), Err(Error::AlreadyMapped));
    assert_eq!(table.map(3 * HUGE + (2 << 20), frame(9), PageFlags::USER), Err(Error::AlreadyMapped));
    let block = table.unmap(3 * HUGE).unwrap();
    assert_eq!((block.number(), block.order()), (first, HUGE_PAGE_ORDER));
    assert!(UserPtr::<u8>::new(inside).read().is_err());
    let misplaced = table.map(HUGE / 2, block, PageFlags::USER);
    assert_eq!(misplaced, Err(Error::Misaligned));
    assert_eq!(freed().last(), Some(&first));
}

#[test]
fn what_concerns_a_part_of_1_gib_splits_it() {
    const MIB: usize = 1 << 20;
    let (mut table, first) = huge_page();
    let start = 3 * HUGE;
    let mut flush = TlbFlush::new();
    assert_eq!(table.unmap_range(start + 4 * MIB..start + 6 * MIB, &mut flush), Ok(512));
    assert_eq!(table.large_pages(), 511);
    table.protect_range(start..start + MIB, PageFlags::empty(), PageFlags::WRITE, &mut flush).unwrap();
    assert_eq!(table.large_pages(), 510);
    flush.finish();
    for (offset, mapped, writable) in
        [(0, true, false), (MIB, true, true), (5 * MIB, false, false), (HUGE - 1, true, true)]
    {
        let flags = table.flags(start + offset);
        assert_eq!(flags.is_some(), mapped, "{offset:#x}");
        assert_eq!(flags.is_some_and(|flags| flags.contains(PageFlags::WRITE)), writable, "{offset:#x}");
        assert_eq!(table.translate(start + offset).is_some(), mapped);
    }
    assert_eq!(table.translate(start + 6 * MIB), first.phys().checked_add(6 * MIB as u64));
    assert_eq!(table.unmap_range(start..start + HUGE, &mut TlbFlush::new()), Ok((1 << 18) - 512));
    assert!(Frame::claim(first, HUGE_PAGE_ORDER).is_ok(), "every part is free");
}

#[test]
fn a_fork_splits_1_gib() {
    let start = 3 * HUGE;
    let (mut table, first) = huge_page();
    let mut child = PageTable::new().unwrap();
    let all = start..start + HUGE;
    table.fork_range(&mut child, start..start + 4096, &mut TlbFlush::new(), |_| ()).unwrap();
    assert_eq!(child.translate(start), first.phys().checked_add(0));
    assert_eq!(table.unmap_range(all, &mut TlbFlush::new()), Ok(1 << 18));
    drop((table, child));
    assert!(Frame::claim(first, HUGE_PAGE_ORDER).is_ok());
}
