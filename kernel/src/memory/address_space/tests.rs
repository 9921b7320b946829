//! Address spaces on the simulated machine: scenarios, a model of one flag set and one byte per page, and memory that
//! runs out at every possible place.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use hal::sim::Machine;
use hal::upcall::PageFault;
use hal::{Access, PAGE_SIZE};
use proptest::prelude::*;

use super::*;
use crate::memory::MemoryObject;
use crate::memory::page_cache::{PageCache, SharedMemory};
use crate::memory::physical::buddy_allocator;
use crate::uio::{Sink, Source};

const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);
const BASE: usize = 0x1000_0000;

fn machine() -> Machine {
    let machine = Machine::builder().memory_mib(16).cpus(1).build();
    machine.enter();
    machine
}

fn space() -> Arc<AddressSpace> {
    AddressSpace::new_fixed().unwrap()
}

fn mappings(space: &AddressSpace) -> Vec<MappingInfo> {
    let mut all: Vec<MappingInfo> = Vec::new();
    while let Some(next) = space.mapping_from(all.last().map_or(0, |last| last.range.end), true) {
        all.push(next);
    }
    all
}

fn maps_text(space: &AddressSpace) -> Vec<u8> {
    let mut text = Vec::new();
    mappings(space).iter().for_each(|mapping| mapping.write_line(&mut text));
    text
}

fn map(space: &AddressSpace, page: usize, pages: usize, access: VmFlags) {
    let place = Place::Fixed(BASE + page * PAGE_SIZE);
    space.mmap(MapRequest::anonymous(place, pages * PAGE_SIZE, access)).unwrap();
}

fn map_object(space: &AddressSpace, object: Arc<dyn MemoryObject>, pages: usize, flags: VmFlags) -> usize {
    let mut request = MapRequest::private(Place::Fixed(BASE), pages * PAGE_SIZE, RW, object, 0);
    request.flags |= flags;
    space.mmap(request).unwrap()
}

fn access(space: &AddressSpace, addr: usize, access: Access) -> Result<FaultKind, FaultError> {
    let present = space.mm.lock().table.flags(addr & !(PAGE_SIZE - 1)).is_some();
    space.fault(&PageFault { address: addr, access, present, from_user: true })
}

fn byte(space: &AddressSpace, addr: usize) -> u8 {
    let mut byte = [0];
    assert_eq!(space.read_some(addr, &mut byte, RemoteMode::Program), Ok(1), "at {addr:#x}");
    byte[0]
}

fn put(space: &AddressSpace, addr: usize, byte: u8) {
    space.write_remote(addr, &[byte]).unwrap();
}

/// Ranges in pages from `BASE`, with their rights.
fn shape(space: &AddressSpace) -> Vec<(usize, usize, String)> {
    let page = |addr: usize| (addr - BASE) / PAGE_SIZE;
    let right = |flags: VmFlags, flag, letter| if flags.contains(flag) { letter } else { '-' };
    mappings(space)
        .iter()
        .map(|m| {
            let rights = [(VmFlags::READ, 'r'), (VmFlags::WRITE, 'w'), (VmFlags::EXEC, 'x')];
            let rights = rights.iter().map(|&(flag, letter)| right(m.flags, flag, letter)).collect();
            (page(m.range.start), page(m.range.end), rights)
        })
        .collect()
}

fn ranges(space: &AddressSpace) -> Vec<(usize, usize)> {
    shape(space).into_iter().map(|(start, end, _)| (start, end)).collect()
}

fn file_of(text: &[u8]) -> Arc<PageCache> {
    let file = Arc::new(PageCache::new(None));
    assert_eq!(file.write(0, &mut Source::kernel(text), usize::MAX), Ok(text.len()));
    file
}

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

/// Changes of parts of a page table that parent and child share.
fn life_with_shared_tables(space: &AddressSpace) {
    let at = BASE + (16 << 20);
    let request = MapRequest::anonymous(Place::Fixed(at), 70 * PAGE_SIZE, RW);
    let written = space.mmap(request).and_then(|at| space.write_remote(at, &[4; 70 * PAGE_SIZE]));
    let Ok(child) = space.fork() else { return };
    let _ = child.madvise(at, PAGE_SIZE, 4);
    let _ = child.munmap(at + PAGE_SIZE, PAGE_SIZE);
    let _ = child.mprotect(at + 2 * PAGE_SIZE, PAGE_SIZE, 1);
    let _ = child.mremap(at + 3 * PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, 1, 0, false);
    let _ = child.write_remote(at + 4 * PAGE_SIZE, &[5; 2 * PAGE_SIZE]);
    if written.is_ok() {
        assert_eq!((byte(space, at), byte(space, at + 4 * PAGE_SIZE)), (4, 4));
    }
    let _ = space.munmap(at, 70 * PAGE_SIZE);
}

/// What a program may do that allocates; every step may fail.
fn busy_life() -> Option<()> {
    let space = AddressSpace::new_fixed().ok()?;
    let file = Arc::new(PageCache::new(None));
    let _ = file.write(5 * PAGE_SIZE as u64, &mut Source::kernel(&[1; 3 * PAGE_SIZE]), usize::MAX);
    let top = space.map_stack(1 << 20).ok()?;
    let _ = space.write_remote(top - (200 << 10), &[1; 64]);
    let mut request = MapRequest::private(Place::Fixed(BASE), 8 * PAGE_SIZE, RW, file.clone(), 0);
    let _ = space.mmap(request);
    let _ = space.write_remote(BASE, &[1; 6 * PAGE_SIZE]);
    request = MapRequest::private(Place::Hint(0), 8 * PAGE_SIZE, RW, file.clone(), 0);
    request.flags |= VmFlags::SHARED | VmFlags::MAYSHARE;
    if let Ok(at) = space.mmap(request) {
        let _ = space.write_remote(at, &[2; 7 * PAGE_SIZE]);
    }
    if let Ok(child) = space.fork() {
        let _ = child.write_remote(BASE, &[3; 2 * PAGE_SIZE]);
        let _ = child.mremap(BASE, 8 * PAGE_SIZE, 600 * PAGE_SIZE, 1, 0, false);
    }
    life_with_shared_tables(&space);
    let _ = space.mprotect(BASE + PAGE_SIZE, PAGE_SIZE, 0);
    let _ = space.munmap(BASE + 3 * PAGE_SIZE, PAGE_SIZE);
    file.set_size(PAGE_SIZE as u64);
    let _ = space.read_remote(BASE, &mut [0; PAGE_SIZE]);
    Some(())
}

#[test]
fn memory_that_runs_out_anywhere_is_an_error_and_leaks_nothing() {
    let machine = machine();
    // What stays: the frame of zeroes.
    busy_life().unwrap();
    let before = buddy_allocator::statistics().free_frames;
    let mut n = 0;
    loop {
        machine.fail_allocations_after(n);
        busy_life();
        machine.allow_allocations();
        let now = buddy_allocator::statistics();
        assert_eq!((now.free_frames, now.refused), (before, 0), "after {n} frames");
        n += 1;
        if n > 260 {
            break;
        }
    }
}

#[test]
fn a_program_that_takes_all_meets_the_reserve() {
    machine();
    let space = space();
    for part in 0..4 {
        map(&space, part * 2000, 2000, RW);
    }
    let mut page = 0;
    let error = loop {
        match access(&space, BASE + page * PAGE_SIZE, Access::Write) {
            Ok(_) => page += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, FaultError::OutOfMemory);
    assert!(crate::memory::reserve::check(1).is_err());
    assert!(buddy_allocator::alloc_frame().is_some());
    assert_eq!(AddressSpace::new_fixed().err(), Some(Errno::ENOMEM));
    drop(space);
    assert!(AddressSpace::new_fixed().is_ok());
}

#[derive(Clone, Debug)]
enum Op {
    Map {
        page: usize,
        pages: usize,
        access: u32,
    },
    Unmap {
        page: usize,
        pages: usize,
    },
    Protect {
        page: usize,
        pages: usize,
        access: u32,
    },
    Write {
        page: usize,
        byte: u8,
    },
    Forget {
        page: usize,
        pages: usize,
    },
    Move {
        page: usize,
        pages: usize,
        to: usize,
    },
    Fork,
    /// Goes on with an older generation.
    Switch(usize),
    /// Ends an older generation.
    Exit(usize),
}

const PAGES: usize = 48;
/// The first of some written pages beside those.
const BALLAST: usize = 256;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range = || (0..PAGES, 1usize..12).prop_map(|(page, pages)| (page, pages.min(PAGES - page)));
    let op = prop_oneof![
        4 => (range(), 0u32..8).prop_map(|((page, pages), access)| Op::Map { page, pages, access }),
        3 => range().prop_map(|(page, pages)| Op::Unmap { page, pages }),
        4 => (range(), 0u32..8).prop_map(|((page, pages), access)| Op::Protect { page, pages, access }),
        8 => (0..PAGES, 1u8..255).prop_map(|(page, byte)| Op::Write { page, byte }),
        1 => range().prop_map(|(page, pages)| Op::Forget { page, pages }),
        2 => (range(), 0..PAGES).prop_map(|((page, pages), to)| Op::Move { page, pages, to: to.min(PAGES - pages) }),
        2 => Just(Op::Fork),
        2 => (0usize..8).prop_map(Op::Switch),
        1 => (0usize..8).prop_map(Op::Exit),
    ];
    prop::collection::vec(op, 1..120)
}

type Model = [Option<(VmFlags, u8)>; PAGES];

fn compare(space: &AddressSpace, model: &Model) {
    let mut seen: Vec<Option<VmFlags>> = vec![None; PAGES];
    let mut last = 0;
    for mapping in mappings(space) {
        assert!(mapping.range.start >= last, "out of order");
        last = mapping.range.end;
        if mapping.range.start >= BASE + PAGES * PAGE_SIZE {
            assert_eq!(mapping.pages.anonymous, 80, "the pages beside");
            continue;
        }
        for addr in mapping.range.step_by(PAGE_SIZE) {
            seen[(addr - BASE) / PAGE_SIZE] = Some(mapping.flags & VmFlags::ACCESS);
        }
    }
    for (page, expected) in model.iter().enumerate() {
        let addr = BASE + page * PAGE_SIZE;
        assert_eq!(seen[page], expected.map(|(flags, _)| flags), "rights of page {page}");
        let mut byte = [0];
        let read = space.read_some(addr, &mut byte, RemoteMode::Debugger);
        assert_eq!(read.ok().map(|_| byte[0]), expected.map(|(_, byte)| byte), "contents of page {page}");
        let flags = space.mm.lock().table.flags(addr);
        if let Some(flags) = flags {
            let allowed = expected.expect("a page outside all mappings").0;
            use hal::paging::PageFlags;
            assert!(!flags.contains(PageFlags::WRITE) || allowed.contains(VmFlags::WRITE));
            assert!(!flags.contains(PageFlags::USER_ACCESS) || !allowed.is_empty());
            assert!(flags.contains(PageFlags::NO_EXECUTE) || allowed.contains(VmFlags::EXEC));
        }
    }
    let total = model.iter().flatten().count();
    let usage = space.usage();
    assert_eq!(usage.total, total + 80);
    let counted: usize = mappings(space).iter().map(|mapping| mapping.pages.anonymous).sum();
    assert_eq!(usage.resident(), counted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_one_byte_and_one_set_of_rights_per_page(ops in ops()) {
        machine();
        let mut space = space();
        // Enough pages in the same page table for a fork to share it.
        map(&space, BALLAST, 80, RW);
        for page in BALLAST..BALLAST + 80 {
            put(&space, BASE + page * PAGE_SIZE, 1);
        }
        // Older generations, with what they must still contain.
        let mut frozen: Vec<(Arc<AddressSpace>, Model)> = Vec::new();
        let mut model: Model = [None; PAGES];
        for op in ops {
            let at = |page: usize| BASE + page * PAGE_SIZE;
            match op {
                Op::Map { page, pages, access } => {
                    let access = VmFlags::from_bits_truncate(access);
                    map(&space, page, pages, access);
                    model[page..page + pages].fill(Some((access, 0)));
                }
                Op::Unmap { page, pages } => {
                    space.munmap(at(page), pages * PAGE_SIZE).unwrap();
                    model[page..page + pages].fill(None);
                }
                Op::Protect { page, pages, access } => {
                    let result = space.mprotect(at(page), pages * PAGE_SIZE, access);
                    let hole = model[page..page + pages].iter().position(Option::is_none);
                    prop_assert_eq!(result, if hole.is_some() { Err(Errno::ENOMEM) } else { Ok(()) });
                    for entry in &mut model[page..page + hole.unwrap_or(pages)] {
                        entry.as_mut().unwrap().0 = VmFlags::from_bits_truncate(access);
                    }
                }
                Op::Write { page, byte } => {
                    let writes = model[page].is_some_and(|(flags, _)| flags.contains(VmFlags::WRITE));
                    prop_assert_eq!(space.write_remote(at(page), &[byte]).is_ok(), writes);
                    if writes {
                        model[page].as_mut().unwrap().1 = byte;
                    }
                }
                Op::Forget { page, pages } => {
                    let _ = space.madvise(at(page), pages * PAGE_SIZE, 4);
                    model[page..page + pages].iter_mut().flatten().for_each(|entry| entry.1 = 0);
                }
                Op::Move { page, pages, to } => {
                    let uniform = model[page].is_some();
                    if uniform && (to >= page + pages || page >= to + pages) {
                        let before = mappings(&space);
                        let one = before.iter().any(|m| m.range.start <= at(page) && at(page + pages) <= m.range.end);
                        let len = pages * PAGE_SIZE;
                        let result = space.mremap(at(page), len, len, 3, at(to), false);
                        // The target is emptied even when the move fails.
                        let moved: Vec<_> = model[page..page + pages].to_vec();
                        model[to..to + pages].fill(None);
                        if one {
                            prop_assert_eq!(result, Ok(at(to)));
                            model[page..page + pages].fill(None);
                            model[to..to + pages].copy_from_slice(&moved);
                        } else {
                            prop_assert_eq!(result, Err(Errno::EFAULT));
                        }
                    }
                }
                Op::Fork => {
                    let child = space.fork().unwrap();
                    let parent = core::mem::replace(&mut space, child);
                    frozen.push((parent, model));
                }
                Op::Switch(n) => {
                    let n = n % (frozen.len() + 1);
                    if let Some(other) = frozen.get_mut(n) {
                        core::mem::swap(&mut other.0, &mut space);
                        core::mem::swap(&mut other.1, &mut model);
                    }
                }
                Op::Exit(n) => {
                    if n < frozen.len() {
                        frozen.swap_remove(n);
                    }
                }
            }
            compare(&space, &model);
        }
        for (space, model) in &frozen {
            compare(space, model);
        }
    }
}
