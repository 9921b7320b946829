//! Memory that runs out, at every possible place and altogether.

use super::*;
use crate::memory::physical::buddy_allocator;

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
