//! Tests of heap slots.

use std::alloc::Layout;

use crate::test_kernel::frame;
use hal::PAGE_SIZE;
use hal::heap::*;

#[test]
fn slot_sizes_are_powers_of_two_that_cover_the_layout() {
    for (size, align, expected) in
        [(0, 1, 16), (1, 1, 16), (16, 8, 16), (17, 8, 32), (24, 64, 64), (4097, 1, 8192)]
    {
        assert_eq!(slot_size(Layout::from_size_align(size, align).unwrap()), expected);
    }
}

#[test]
fn slots_come_out_in_address_order_and_go_back_whole() {
    let block = frame(1);
    let number = block.number();
    let mut list = slots_of(block, 512).unwrap();
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
fn slots_of_two_frames_are_no_frame() {
    let mut a = slots_of(frame(0), 2048).unwrap();
    let mut b = slots_of(frame(0), 2048).unwrap();
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
    let block = slots_of(block, 64).unwrap_err();
    drop(other);
    assert_eq!(slots_of(block, 64).unwrap().len(), 64);
}

#[test]
fn a_whole_block_is_one_slot() {
    let slot = Slot::from_frame(frame(3)).unwrap();
    assert_eq!(slot.size(), 8 * PAGE_SIZE);
    assert_eq!(slot.into_frame().unwrap().order(), 3);
    let slot = slots_of(frame(0), 256).unwrap().pop().unwrap();
    assert!(slot.into_frame().is_err());
}

#[test]
fn the_beginning_of_a_slot_stands_for_all_of_it() {
    let mut slots = slots_of(frame(1), 1024).unwrap();
    let mut slot = slots.pop().unwrap();
    slot.write(1000, b"the end of a slot is ...");
    let mut bytes = [0; 8];
    slot.read(1004, &mut bytes);
    assert_eq!(&bytes, b"end of a");
    assert_eq!(
        (slot.whole().size(), Slot::from_frame(frame(2)).unwrap().whole().size()),
        (1024, 4 * PAGE_SIZE)
    );
}
