//! Tests of heap slots.

use std::alloc::Layout;

use crate::test_kernel::frame;
use hal::PAGE_SIZE;
use hal::addr::MAX_ORDER;
use hal::cpu::CpuId;
use hal::heap::*;
use hal::sim::Machine;

fn size_of(size: usize, align: usize) -> SlotSize {
    SlotSize::of(Layout::from_size_align(size, align).unwrap())
}

fn bytes(n: usize) -> SlotSize {
    size_of(n, 1)
}

#[test]
fn sizes_are_the_smallest_that_cover_the_layout() {
    let all: Vec<SlotSize> = (0..200).filter_map(SlotSize::of_index).collect();
    let small: Vec<usize> = all.iter().filter(|size| size.is_small()).map(|size| size.bytes()).collect();
    assert_eq!(small, [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096]);
    assert!(all.is_sorted() && all.is_sorted_by_key(|size| size.bytes()));
    for order in 0..=MAX_ORDER {
        let size = SlotSize::of_block(order);
        assert_eq!((size.bytes(), size.block_order()), (PAGE_SIZE << order, Some(order)));
    }
    assert_eq!(all.last(), Some(&SlotSize::of_block(MAX_ORDER)));
    for n in (1..5000).chain([8191, 8192, 8193, 65_537, MAX_SLOT]) {
        let smallest = all.iter().find(|size| size.bytes() >= n).unwrap();
        assert_eq!(bytes(n), *smallest, "{n}");
    }
    assert_eq!(bytes(0), bytes(16));
    // Too large, but a size.
    assert!(
        bytes(MAX_SLOT + 1) > SlotSize::of_block(MAX_ORDER) && bytes(isize::MAX as usize).bytes() == 1 << 63
    );
}

#[test]
fn sizes_are_aligned_as_asked() {
    for align in (0..15).map(|bits| 1 << bits) {
        for n in 1..9000 {
            let size = size_of(n, align);
            assert!(size.bytes() >= n && size.bytes().is_multiple_of(align.min(PAGE_SIZE)), "{n} {align}");
        }
    }
}

#[test]
fn slots_come_out_in_address_order_and_go_back_whole() {
    let block = frame(1);
    let number = block.number();
    let mut list = slots_of(block, bytes(512)).unwrap();
    assert_eq!(list.len(), 16);
    let first = list.pop().unwrap();
    let second = list.pop().unwrap();
    assert_eq!(second.addr() - first.addr(), 512);
    assert_eq!((first.frame_number(), second.frame_number()), (number, number));
    let mut list = reassemble(list).expect_err("two slots are missing");
    assert_eq!(list.len(), 14);
    list.push(first);
    list.push(second);
    let block = reassemble(list).unwrap();
    assert_eq!((block.number(), block.order()), (number, 1));
}

#[test]
fn what_is_left_over_comes_back_with_the_block() {
    for size in (0..SlotSize::SMALL).filter_map(SlotSize::of_index) {
        for order in 0..3 {
            let slots = slots_of(frame(order), size).unwrap();
            assert_eq!(slots.len(), (PAGE_SIZE << order) / size.bytes());
            assert_eq!(reassemble(slots).unwrap().order(), order);
        }
    }
}

#[test]
fn slots_of_two_frames_are_no_frame() {
    let mut a = slots_of(frame(0), bytes(2048)).unwrap();
    let mut b = slots_of(frame(0), bytes(2048)).unwrap();
    let (from_a, from_b) = (a.pop().unwrap(), b.pop().unwrap());
    a.push(from_b);
    b.push(from_a);
    let (a, b) = (reassemble(a).unwrap_err(), reassemble(b).unwrap_err());
    assert_eq!((a.len(), b.len()), (2, 2));
}

#[test]
fn a_shared_frame_is_not_cut() {
    let block = frame(0);
    let other = block.clone();
    let block = slots_of(block, bytes(64)).unwrap_err();
    drop(other);
    assert_eq!(slots_of(block, bytes(64)).unwrap().len(), 64);
}

#[test]
fn a_whole_block_is_one_slot() {
    let slot = Slot::from_frame(frame(3)).unwrap();
    assert_eq!(slot.size().bytes(), 8 * PAGE_SIZE);
    assert_eq!(slot.into_frame().unwrap().order(), 3);
    let slot = slots_of(frame(0), bytes(256)).unwrap().pop().unwrap();
    assert!(slot.into_frame().is_err());
}

#[test]
fn the_beginning_of_a_slot_stands_for_all_of_it() {
    let mut slots = slots_of(frame(1), bytes(1024)).unwrap();
    let mut slot = slots.pop().unwrap();
    slot.write(1000, b"the end of a slot is ...");
    let mut text = [0; 8];
    slot.read(1004, &mut text);
    assert_eq!(&text, b"end of a");
    assert_eq!(slot.beginning(bytes(48)).whole().size(), bytes(1024));
    assert_eq!(Slot::from_frame(frame(2)).unwrap().whole().size(), SlotSize::of_block(2));
}

#[test]
fn a_live_block_shrinks_and_grows_where_it_is() {
    let mut slot = Slot::from_frame(frame(2)).unwrap();
    let addr = slot.addr();
    slot.write(5000, b"stays");
    let mut block = LiveBlock::new(slot).unwrap();
    let upper = block.halve().unwrap();
    let quarter = block.halve().unwrap();
    assert!(block.halve().is_none());
    assert_eq!((upper.order(), quarter.order(), block.order()), (1, 0, 0));
    let (shared, upper) = (upper.clone(), upper);
    // Not of its size; then its buddy; then one that somebody else has as well.
    let upper = block.double(upper).unwrap_err();
    block.double(quarter).unwrap();
    let upper = block.double(upper).unwrap_err();
    drop(shared);
    block.double(upper).unwrap();
    let slot = block.into_slot();
    let mut text = [0; 5];
    slot.read(5000, &mut text);
    assert_eq!((slot.addr(), slot.size(), &text), (addr, SlotSize::of_block(2), b"stays"));
    assert_eq!(slot.into_frame().unwrap().order(), 2);
    assert!(LiveBlock::new(slots_of(frame(0), bytes(64)).unwrap().pop().unwrap()).is_err());
}

#[test]
fn a_stock_keeps_what_there_is_room_for_and_counts() {
    let machine = Machine::builder().cpus(2).build();
    let size = bytes(100);
    let mut slots = slots_of(frame(0), size).unwrap();
    assert!(stock::take(size).is_none());
    stock::give(slots.pop().unwrap()).map_err(|slot| slots.push(slot)).expect_err("no limit yet");
    stock::fill(size, 5, &mut slots);
    assert_eq!((stock::len(size), slots.len()), (5, 27));
    let slot = stock::take(size).unwrap();
    let addr = slot.addr();
    stock::give(slot).unwrap();
    assert_eq!(stock::take(size).unwrap().addr(), addr, "the last one comes first");
    stock::give(slots.pop().unwrap()).unwrap();
    let back = stock::give(slots.pop().unwrap()).expect_err("it is full");
    slots.push(back);
    let numbers = stock::numbers(CpuId::BOOT, size);
    assert_eq!((numbers.taken, numbers.given, numbers.len), (2, 2, 5));
    // Other sizes and other CPUs have their own.
    assert_eq!((stock::len(bytes(96)), stock::len(bytes(192))), (0, 0));
    machine.act_as(CpuId::new(1));
    assert_eq!((stock::len(size), stock::shed(size, 9).len()), (0, 0));
    machine.act_as(CpuId::BOOT);
    assert_eq!(stock::shed(size, 2).len(), 2);
    stock::give(slots.pop().unwrap()).unwrap();
    assert_eq!(stock::shed(size, usize::MAX).len(), 4);
    assert!(stock::give(slots.pop().unwrap()).is_err(), "with all slots went the limit");
    assert_eq!(stock::numbers(CpuId::BOOT, size).given, 3);
    let block = Slot::from_frame(frame(1)).unwrap();
    assert!(stock::give(block).is_err() && stock::take(SlotSize::of_block(1)).is_none());
}
