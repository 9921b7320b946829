//! Scenarios of mappings: which there are, where they go, what they may.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::memory::page_cache::SharedMemory;

#[test]
fn mprotect_splits_and_joins_and_takes_rights_away() {
    machine();
    let space = space();
    map(&space, 0, 3, RW);
    put(&space, BASE + PAGE_SIZE, 1);
    space.mprotect(BASE + PAGE_SIZE, PAGE_SIZE, 1).unwrap();
    let expected = [(0, 1, "rw-".into()), (1, 2, "r--".into()), (2, 3, "rw-".into())];
    assert_eq!(shape(&space), expected);
    assert_eq!(access(&space, BASE + PAGE_SIZE, Access::Write), Err(FaultError::Access));
    assert_eq!(space.write_some(BASE + PAGE_SIZE, &[9], RemoteMode::Debugger), Ok(1));
    assert_eq!(byte(&space, BASE + PAGE_SIZE), 9);
    space.mprotect(BASE + PAGE_SIZE, 100, 3).unwrap();
    assert_eq!(ranges(&space), [(0, 3)]);
    put(&space, BASE + PAGE_SIZE, 2);
    assert_eq!(space.usage().anonymous, 1);
    space.mprotect(BASE, 3 * PAGE_SIZE, 0).unwrap();
    assert_eq!(access(&space, BASE + PAGE_SIZE, Access::Read), Err(FaultError::Access));
    space.mprotect(BASE, 3 * PAGE_SIZE, 3).unwrap();
    assert_eq!(byte(&space, BASE + PAGE_SIZE), 2);
    assert_eq!(space.mprotect(BASE + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 1), Err(Errno::ENOMEM));
    assert_eq!(shape(&space), [(0, 2, "rw-".into()), (2, 3, "r--".into())]);
    assert_eq!(space.mprotect(BASE, PAGE_SIZE, 8 | 16), Err(Errno::EINVAL));
}

#[test]
fn a_read_only_mapping_once_made_writable_does_not_rejoin_its_neighbours() {
    machine();
    let space = space();
    map(&space, 0, 3, VmFlags::READ);
    space.mprotect(BASE + PAGE_SIZE, PAGE_SIZE, 3).unwrap();
    space.mprotect(BASE + PAGE_SIZE, PAGE_SIZE, 1).unwrap();
    assert_eq!(ranges(&space), [(0, 1), (1, 2), (2, 3)], "it stays charged, as on Linux");
}

#[test]
fn the_middle_of_a_mapping_can_go() {
    machine();
    let space = space();
    map(&space, 0, 10, RW);
    for page in 0..10 {
        put(&space, BASE + page * PAGE_SIZE, page as u8 + 1);
    }
    space.munmap(BASE + 3 * PAGE_SIZE, 2 * PAGE_SIZE).unwrap();
    assert_eq!(ranges(&space), [(0, 3), (5, 10)]);
    assert_eq!(space.usage().anonymous, 8);
    assert_eq!(byte(&space, BASE + 5 * PAGE_SIZE), 6);
    assert_eq!(space.munmap(BASE + 1, PAGE_SIZE), Err(Errno::EINVAL));
    assert_eq!(space.munmap(BASE, 0), Err(Errno::EINVAL));
    assert_eq!(space.munmap(BASE + 20 * PAGE_SIZE, PAGE_SIZE), Ok(()));
}

#[test]
fn places_are_chosen_as_asked() {
    machine();
    let space = space();
    map(&space, 0, 2, RW);
    let at = |place| space.mmap(MapRequest::anonymous(place, PAGE_SIZE, RW));
    assert_eq!(at(Place::FixedNoReplace(BASE)), Err(Errno::EEXIST));
    assert_eq!(at(Place::Fixed(BASE + 1)), Err(Errno::EINVAL));
    assert_eq!(at(Place::Fixed(0x1000)), Err(Errno::EPERM));
    assert_eq!(at(Place::Hint(BASE + 8 * PAGE_SIZE)), Ok(BASE + 8 * PAGE_SIZE));
    let first = at(Place::Hint(BASE)).unwrap();
    assert!(first > BASE + (1 << 40));
    assert_eq!(at(Place::Hint(0)), Ok(first - PAGE_SIZE), "downwards");
    assert!(at(Place::Low).unwrap() < 1 << 31);
    assert_eq!(space.mmap(MapRequest::anonymous(Place::Hint(0), 0, RW)), Err(Errno::EINVAL));
    assert_eq!(space.mmap(MapRequest::anonymous(Place::Hint(0), usize::MAX, RW)), Err(Errno::ENOMEM));
    assert_eq!(space.mmap(MapRequest::anonymous(Place::Hint(0), 1 << 46, RW)), Err(Errno::ENOMEM));
}

#[test]
fn the_stack_grows_to_its_limit_and_keeps_its_distance() {
    machine();
    let space = space();
    let top = space.map_stack(1 << 20).unwrap();
    put(&space, top - (600 << 10), 1);
    assert_eq!(mappings(&space)[0].range, top - (600 << 10)..top);
    assert_eq!(mappings(&space)[0].label.name, b"[stack]");
    assert_eq!(access(&space, top - (1 << 20) - 1, Access::Write), Err(FaultError::Unmapped));
    let near = top - (700 << 10) - vma::STACK_GUARD_GAP;
    space.mmap(MapRequest::anonymous(Place::Fixed(near), PAGE_SIZE, RW)).unwrap();
    assert_eq!(access(&space, top - (700 << 10), Access::Write), Err(FaultError::Unmapped));
    assert_eq!(access(&space, top - (690 << 10), Access::Write), Ok(FaultKind::Minor));
}

#[test]
fn the_heap_moves_by_bytes_and_is_one_mapping() {
    machine();
    let space = space();
    space.set_break_start(BASE);
    assert_eq!(space.brk(0), BASE);
    assert_eq!(space.brk(BASE + 100), BASE + 100);
    put(&space, BASE, 1);
    assert_eq!(space.brk(BASE + 3 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
    put(&space, BASE + 2 * PAGE_SIZE, 1);
    assert_eq!(ranges(&space), [(0, 3)]);
    assert_eq!(mappings(&space)[0].label.name, b"[heap]");
    assert_eq!(space.brk(BASE + 1), BASE + 1);
    assert_eq!((ranges(&space), space.usage().anonymous), (vec![(0, 1)], 1));
    map(&space, 10, 1, RW);
    assert_eq!(space.brk(BASE + 11 * PAGE_SIZE), BASE + 1, "in the way");
    let child = space.fork().unwrap();
    child.brk(BASE + 2 * PAGE_SIZE);
    assert_eq!(ranges(&child), [(0, 1), (1, 2), (10, 11)], "an inherited heap does not join new memory");
}

#[test]
fn mremap_grows_in_place_moves_and_leaves_behind() {
    machine();
    let space = space();
    map(&space, 0, 2, RW);
    put(&space, BASE, 1);
    put(&space, BASE + PAGE_SIZE, 2);
    let remap = |old, old_pages: usize, new_pages: usize, flags, new| {
        space.mremap(old, old_pages * PAGE_SIZE, new_pages * PAGE_SIZE, flags, new, false)
    };
    assert_eq!(remap(BASE, 2, 4, 0, 0), Ok(BASE));
    assert_eq!(ranges(&space), [(0, 4)]);
    map(&space, 4, 1, VmFlags::READ);
    assert_eq!(remap(BASE, 4, 8, 0, 0), Err(Errno::ENOMEM));
    let moved = remap(BASE, 4, 8, 1, 0).unwrap();
    assert_eq!((byte(&space, moved), byte(&space, moved + PAGE_SIZE)), (1, 2));
    assert_eq!(access(&space, BASE, Access::Read), Err(FaultError::Unmapped));
    assert_eq!(remap(moved, 8, 1, 0, 0), Ok(moved));
    assert_eq!(remap(moved, 1, 1, 3, BASE), Ok(BASE));
    assert_eq!(byte(&space, BASE), 1);
    assert_eq!(remap(BASE, 1, 1, 5, 0).map(|at| byte(&space, at)), Ok(1));
    assert_eq!(byte(&space, BASE), 0, "the old mapping stays, empty");
    assert_eq!(remap(BASE, 1, 1, 2, 0), Err(Errno::EINVAL));
    assert_eq!(remap(BASE + 2 * PAGE_SIZE, 1, 2, 0, 0), Err(Errno::EFAULT));
    assert_eq!(remap(BASE, 3, 4, 1, 0), Err(Errno::EFAULT));
}

#[test]
fn advice_is_taken() {
    machine();
    let space = space();
    map(&space, 0, 4, RW);
    for page in 0..4 {
        put(&space, BASE + page * PAGE_SIZE, 1);
    }
    space.madvise(BASE + PAGE_SIZE, PAGE_SIZE, 4).unwrap();
    assert_eq!((byte(&space, BASE), byte(&space, BASE + PAGE_SIZE)), (1, 0));
    space.madvise(BASE, PAGE_SIZE, 10).unwrap();
    space.madvise(BASE + 2 * PAGE_SIZE, PAGE_SIZE, 18).unwrap();
    let child = space.fork().unwrap();
    assert_eq!(ranges(&child), [(1, 2), (2, 3), (3, 4)]);
    assert_eq!((byte(&child, BASE + 2 * PAGE_SIZE), byte(&child, BASE + 3 * PAGE_SIZE)), (0, 1));
    assert_eq!(space.madvise(BASE, PAGE_SIZE, 77), Err(Errno::EINVAL));
    assert_eq!(space.madvise(BASE, 8 * PAGE_SIZE, 3), Err(Errno::ENOMEM));
    let object = SharedMemory::new(PAGE_SIZE as u64, None);
    map_object(&space, object, 1, VmFlags::SHARED | VmFlags::MAYSHARE);
    put(&space, BASE, 1);
    space.madvise(BASE, PAGE_SIZE, 9).unwrap();
    assert_eq!(byte(&space, BASE), 0);
}

#[test]
fn limits_are_kept() {
    machine();
    let space = space();
    space.limits().set(4 << 12, u64::MAX, 8 << 20, 2 << 12);
    map(&space, 0, 3, RW);
    let more =
        |pages: usize| space.mmap(MapRequest::anonymous(Place::Hint(0), pages * PAGE_SIZE, RW)).map(|_| ());
    assert_eq!(more(2), Err(Errno::ENOMEM));
    assert_eq!(more(1), Ok(()));
    assert_eq!(space.mlock(BASE, 3 * PAGE_SIZE, false, false), Err(Errno::ENOMEM));
    assert_eq!(space.mlock(BASE, 2 * PAGE_SIZE, false, false), Ok(()));
    assert_eq!((space.usage().locked, space.usage().anonymous), (2, 2));
    assert_eq!(space.munlock(BASE, 3 * PAGE_SIZE), Ok(()));
    assert_eq!(space.usage().locked, 0);
}

#[test]
fn maps_look_like_linux() {
    machine();
    let space = space();
    map(&space, 0, 1, RW);
    let mut request = MapRequest::private(
        Place::Fixed(BASE + PAGE_SIZE),
        PAGE_SIZE,
        VmFlags::READ | VmFlags::EXEC,
        SharedMemory::new(1 << 20, None),
        8 << 12,
    );
    request.flags |= VmFlags::MAYSHARE;
    space.mmap(request).unwrap();
    let text = String::from_utf8(maps_text(&space)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "10000000-10001000 rw-p 00000000 00:00 0 ");
    assert!(lines[1].starts_with("10001000-10002000 r-xs 00008000 00:01 "));
    assert_eq!(lines[1].find("/dev/zero"), Some(73));
}
