//! Tests of frame ownership.

use std::mem;

use crate::test_kernel::{FREED, frame};
use hal::Error;
use hal::addr::*;
use hal::frame::Frame;
use hal::sim::Machine;

#[test]
fn a_frame_cannot_be_claimed_twice() {
    let first = frame(0);
    assert_eq!(Frame::claim(first.number(), 0).unwrap_err(), Error::InUse);
    let number = first.number();
    drop(first);
    assert_eq!(Frame::claim(number, 0).unwrap().number(), number);
}

#[test]
fn a_block_excludes_its_parts_and_its_parts_exclude_it() {
    let block = frame(2);
    let inside = block.number().checked_add(3).unwrap();
    assert_eq!(Frame::claim(inside, 0).unwrap_err(), Error::InUse);
    let first = block.number();
    drop(block);
    let part = Frame::claim(inside, 0).unwrap();
    assert_eq!(Frame::claim(first, 2).unwrap_err(), Error::InUse);
    // What the failed claim took is free again.
    let other = Frame::claim(first, 1).unwrap();
    assert_eq!((other.order(), other.size()), (1, 8192));
    drop(part);
}

#[test]
fn frames_that_were_single_serve_as_a_block_again() {
    let block = frame(7);
    let first = block.number();
    drop(block);
    let at = |n: u32| first.checked_add(n).unwrap();
    let singles: Vec<Frame> = [0, 1, 63, 64, 100].map(|n| Frame::claim(at(n), 0).unwrap()).into();
    for order in [1, 6, 7] {
        assert_eq!(Frame::claim(first, order).unwrap_err(), Error::InUse);
    }
    drop(singles);
    let block = Frame::claim(first, 7).unwrap();
    for n in [0, 1, 63, 64, 100, 127] {
        assert_eq!(Frame::claim(at(n), 0).unwrap_err(), Error::InUse);
    }
    drop(block);
    let parts: Vec<Frame> = (0..128).map(|n| Frame::claim(at(n), 0).unwrap()).collect();
    assert_eq!(Frame::claim(first, 7).unwrap_err(), Error::InUse);
    drop(parts);
    assert!(Frame::claim(first, 7).is_ok());
}

#[test]
fn a_claim_is_checked() {
    let machine = Machine::current();
    assert_eq!(Frame::claim(FrameNumber::new(0), 0).unwrap_err(), Error::InUse);
    assert_eq!(Frame::claim(FrameNumber::new(3), 1).unwrap_err(), Error::Misaligned);
    assert_eq!(Frame::claim(FrameNumber::new(0), 19).unwrap_err(), Error::Misaligned);
    assert_eq!(Frame::claim(FrameNumber::new(1 << 20), 0).unwrap_err(), Error::OutOfRange);
    assert_eq!(Frame::claim(FrameNumber::new(u32::MAX), 0).unwrap_err(), Error::OutOfRange);
    machine.fail_allocations_after(1);
    let _last = Frame::claim(FrameNumber::new(1), 0).unwrap();
    assert_eq!(Frame::claim(FrameNumber::new(2), 0).unwrap_err(), Error::OutOfMemory);
}

#[test]
fn the_last_handle_frees_the_block() {
    let block = frame(1);
    let number = block.number();
    let other = block.clone();
    assert_eq!(block.ref_count(), 2);
    drop(block);
    assert!(FREED.lock().unwrap().is_empty());
    assert!(other.is_unique());
    drop(other);
    assert_eq!(*FREED.lock().unwrap(), [(number, 1)]);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn a_saturated_frame_is_never_freed() {
    /// From here on a count sticks.
    const SATURATED: u32 = 1 << 25;

    let block = frame(0);
    for _ in 0..SATURATED {
        mem::forget(block.clone());
    }
    let stuck = block.ref_count();
    assert!(stuck > SATURATED);
    let many: Vec<Frame> = (0..1000).map(|_| block.clone()).collect();
    assert_eq!(block.ref_count(), stuck);
    drop(many);
    assert_eq!(block.ref_count(), stuck);
    drop(block);
    assert!(FREED.lock().unwrap().is_empty());
}

#[test]
fn contents_are_copied_at_any_offset() {
    let (a, b) = (frame(1), frame(1));
    a.zero();
    a.write(4093, b"abcdefghijkl");
    b.copy_from(&a);
    let mut bytes = [0; 14];
    b.read(4092, &mut bytes);
    assert_eq!(&bytes, b"\0abcdefghijkl\0");
    b.copy_range(1, &a, 4094, 5);
    b.read(0, &mut bytes[..7]);
    assert_eq!(&bytes[..7], b"\0bcdef\0");
    b.zero_range(2, 3);
    b.read(0, &mut bytes[..7]);
    assert_eq!(&bytes[..7], b"\0b\0\0\0f\0");
}

#[test]
#[should_panic(expected = "leaves a block")]
fn a_copy_beyond_the_block_panics() {
    frame(0).write(4090, b"too long");
}
