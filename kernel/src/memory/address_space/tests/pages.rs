//! Scenarios of pages: faults, files, copies on write.

use alloc::vec;

use hal::{Access, PAGE_SIZE};

use super::*;
use crate::memory::physical::buddy_allocator;
use crate::uio::Sink;

#[test]
fn untouched_memory_reads_as_zeroes_and_costs_nothing() {
    machine();
    let space = space();
    map(&space, 0, 4, RW);
    assert_eq!(byte(&space, BASE), 0);
    assert_eq!(space.usage().resident(), 0);
    put(&space, BASE, 7);
    put(&space, BASE + 3 * PAGE_SIZE, 8);
    assert_eq!((byte(&space, BASE), byte(&space, BASE + PAGE_SIZE)), (7, 0));
    assert_eq!(space.usage().anonymous, 2);
}

#[test]
fn faults_say_why_they_fail() {
    machine();
    let space = space();
    map(&space, 0, 1, VmFlags::READ);
    map(&space, 1, 1, VmFlags::empty());
    assert_eq!(access(&space, BASE - 1, Access::Read), Err(FaultError::Unmapped));
    assert_eq!(access(&space, BASE, Access::Write), Err(FaultError::Access));
    assert_eq!(access(&space, BASE, Access::Execute), Err(FaultError::Access));
    assert_eq!(access(&space, BASE + PAGE_SIZE, Access::Read), Err(FaultError::Access));
    assert_eq!(access(&space, BASE, Access::Read), Ok(FaultKind::Minor));
}

#[test]
fn a_file_is_private_or_shared_and_ends_in_a_bus_error() {
    machine();
    let file = file_of(&vec![1; PAGE_SIZE + 10]);
    let (private, shared) = (space(), space());
    map_object(&private, file.clone(), 4, VmFlags::empty());
    map_object(&shared, file.clone(), 4, VmFlags::SHARED | VmFlags::MAYSHARE);
    put(&private, BASE, 2);
    assert_eq!((byte(&private, BASE), byte(&shared, BASE)), (2, 1));
    put(&shared, BASE + 1, 3);
    assert_eq!((byte(&private, BASE + 1), byte(&shared, BASE + 1)), (1, 3), "copied before");
    assert_eq!(byte(&private, BASE + PAGE_SIZE), 1);
    put(&shared, BASE + PAGE_SIZE, 4);
    assert_eq!(byte(&private, BASE + PAGE_SIZE), 4, "not copied yet");
    let mut read = [0; 2];
    assert_eq!(file.read(0, &mut Sink::kernel(&mut read)), Ok(2));
    assert_eq!(read, [1, 3]);
    assert_eq!(byte(&shared, BASE + PAGE_SIZE + 10), 0, "the rest of the last page");
    assert_eq!(access(&shared, BASE + 2 * PAGE_SIZE, Access::Read), Err(FaultError::BusError));
    assert_eq!(access(&private, BASE + 2 * PAGE_SIZE, Access::Write), Err(FaultError::BusError));
}

#[test]
fn cutting_a_file_takes_its_pages_from_all_who_map_it() {
    machine();
    let file = file_of(&vec![1; 3 * PAGE_SIZE]);
    let (a, b) = (space(), space());
    map_object(&a, file.clone(), 3, VmFlags::SHARED | VmFlags::MAYSHARE);
    map_object(&b, file.clone(), 3, VmFlags::empty());
    for page in 0..3 {
        assert_eq!(byte(&a, BASE + page * PAGE_SIZE), 1);
        put(&b, BASE + page * PAGE_SIZE, 2);
    }
    file.set_size(PAGE_SIZE as u64 + 1);
    for space in [&a, &b] {
        assert_eq!(access(space, BASE + 2 * PAGE_SIZE, Access::Read), Err(FaultError::BusError));
    }
    assert_eq!((byte(&a, BASE + PAGE_SIZE), byte(&a, BASE + PAGE_SIZE + 1)), (1, 0));
    assert_eq!(byte(&b, BASE + PAGE_SIZE), 2);
    assert_eq!(file.page_count(), 2);
    file.set_size(3 * PAGE_SIZE as u64);
    assert_eq!(byte(&a, BASE + 2 * PAGE_SIZE), 0);
    assert_eq!((a.usage().shared, b.usage().anonymous), (3, 2));
}

#[test]
fn fork_copies_on_write_and_the_last_owner_keeps_the_frame() {
    machine();
    let parent = space();
    map(&parent, 0, 2, RW);
    put(&parent, BASE, 1);
    put(&parent, BASE + PAGE_SIZE, 1);
    let child = parent.fork().unwrap();
    assert_eq!(child.usage().anonymous, 2);
    put(&child, BASE, 2);
    assert_eq!((byte(&parent, BASE), byte(&child, BASE)), (1, 2));
    put(&parent, BASE + PAGE_SIZE, 3);
    assert_eq!((byte(&parent, BASE + PAGE_SIZE), byte(&child, BASE + PAGE_SIZE)), (3, 1));
    let frame = |space: &AddressSpace| space.mm.lock().table.get(BASE).unwrap().0.number();
    let before = frame(&parent);
    assert_ne!(before, frame(&child));
    drop(child);
    put(&parent, BASE, 4);
    assert_eq!(frame(&parent), before, "no copy for the last owner");
}

#[test]
fn a_child_has_the_pages_of_its_parent_without_tables_of_its_own() {
    machine();
    let parent = space();
    map(&parent, 0, 500, RW);
    for page in 0..500 {
        put(&parent, BASE + page * PAGE_SIZE, 7);
    }
    let free = || buddy_allocator::statistics().free_frames;
    let before = free();
    let child = parent.fork().unwrap();
    assert!(before - free() < 8, "{} frames", before - free());
    assert_eq!((child.usage().anonymous, parent.usage().anonymous), (500, 500));
    assert_eq!(access(&child, BASE, Access::Write), Ok(FaultKind::Minor));
    put(&child, BASE, 8);
    assert_eq!((byte(&parent, BASE), byte(&child, BASE), byte(&child, BASE + PAGE_SIZE)), (7, 8, 7));
    // The parent is alone with the old table now, so it keeps the pages that the child has copied.
    put(&parent, BASE, 9);
    assert_eq!((byte(&parent, BASE), byte(&child, BASE)), (9, 8));
    // Not inherited, or inherited empty, in a table of which the rest is.
    let forked_with = |advice| {
        parent.madvise(BASE + 100 * PAGE_SIZE, 10 * PAGE_SIZE, advice).unwrap();
        let child = parent.fork().unwrap();
        let ten = child.mapping_from(BASE + 100 * PAGE_SIZE, true).unwrap();
        assert_eq!(byte(&child, BASE), 9);
        (child.usage().anonymous, ten.range.start == BASE + 100 * PAGE_SIZE, ten.pages.anonymous)
    };
    assert_eq!(forked_with(18), (490, true, 0));
    assert_eq!(forked_with(19), (500, false, 500));
    assert_eq!(forked_with(10), (490, false, 390));
}

#[test]
fn shared_memory_survives_fork_shared() {
    machine();
    let parent = space();
    let mut request = MapRequest::anonymous(Place::Fixed(BASE), PAGE_SIZE, RW);
    request.flags |= VmFlags::SHARED | VmFlags::MAYSHARE;
    parent.mmap(request).unwrap();
    let child = parent.fork().unwrap();
    put(&child, BASE, 5);
    assert_eq!(byte(&parent, BASE), 5);
    assert!(maps_text(&parent).windows(19).any(|text| text == b"/dev/zero (deleted)"));
}

#[test]
fn a_look_at_all_address_spaces_meets_new_ones_and_outlives_those_that_end() {
    machine();
    let mut others = vec![space(), space(), space()];
    let mut seen = 0;
    let mut made = None;
    registry::for_each(|_| {
        seen += 1;
        if seen == 2 {
            // The one that is looked at ends, and the next; a new one comes.
            others.truncate(1);
            made = Some(space());
        }
    });
    assert_eq!((seen, others.len()), (3, 1));
    seen = 0;
    registry::for_each(|_| seen += 1);
    assert_eq!(seen, 2);
    drop(made);
    registry::for_each(|_| seen += 1);
    assert_eq!(seen, 3);
}
