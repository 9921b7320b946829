//! Tests of groups and watches: what is told, coalesced, lost, and given back.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use linux_abi::errno::Errno;
use linux_abi::inotify::*;
use linux_abi::open::OpenFlags;
use zerocopy::FromBytes;

use super::*;
use crate::fs::vfs::tests::World;
use crate::fs::vfs::{IoFlags, OpenFile};
use crate::uio::{Sink, Source};

fn group() -> Arc<OpenFile> {
    Inotify::open(0, OpenFlags::O_NONBLOCK).unwrap()
}

fn watch(group: &OpenFile, open: &OpenFile, mask: u32) -> Result<i32, Errno> {
    group.file().as_inotify().unwrap().watch(open.path().unwrap(), mask)
}

/// Reads what there is: number of the watch, mask, name.
fn events(group: &OpenFile) -> Vec<(i32, u32, Vec<u8>)> {
    let mut bytes = [0; 4096];
    let len = match group.read(&mut Sink::kernel(&mut bytes), IoFlags::NONBLOCK) {
        Err(Errno::EAGAIN) => 0,
        len => len.unwrap(),
    };
    let mut rest = &bytes[..len];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (event, after) = InotifyEvent::read_from_prefix(rest).unwrap();
        let (name, after) = after.split_at(event.len as usize);
        found.push((event.wd, event.mask, name.iter().copied().take_while(|&byte| byte != 0).collect()));
        rest = after;
    }
    found
}

fn write(open: &OpenFile) {
    open.write(&mut Source::kernel(b"x"), IoFlags::empty()).unwrap();
}

#[test]
fn file_and_directory_hear_of_a_write_and_equal_events_are_one() {
    let world = World::new();
    world.mkdir("/d").unwrap();
    let directory = world.open("/d", OpenFlags::O_RDONLY).unwrap();
    let file = world.open("/d/f", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    let group = group();
    assert_eq!(watch(&group, &directory, IN_MODIFY), Ok(1));
    write(&file);
    write(&file);
    assert_eq!(events(&group), [(1, IN_MODIFY, b"f".to_vec())]);
    assert_eq!(watch(&group, &file, IN_MODIFY), Ok(2));
    write(&file);
    assert_eq!(events(&group), [(1, IN_MODIFY, b"f".to_vec()), (2, IN_MODIFY, Vec::new())]);
    assert_eq!(watch(&group, &file, IN_MODIFY | IN_MASK_CREATE), Err(Errno::EEXIST));
    assert_eq!(watch(&group, &file, IN_CLOSE_WRITE | IN_ONESHOT), Ok(2));
    drop(file);
    assert_eq!(events(&group), [(2, IN_CLOSE_WRITE, Vec::new()), (2, IN_IGNORED, Vec::new())]);
    assert!(is_in_use());
    drop(group);
    assert!(!is_in_use());
}

#[test]
fn events_beyond_the_limit_are_lost_and_that_is_told_once() {
    let world = World::new();
    let file = world.open("/f", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    MAX_QUEUED_EVENTS.store(2, Relaxed);
    let group = group();
    assert_eq!(watch(&group, &file, IN_MODIFY | IN_ACCESS), Ok(1));
    for _ in 0..3 {
        write(&file);
        file.read_at(0, &mut Sink::kernel(&mut [0]), IoFlags::empty()).unwrap();
    }
    let told: Vec<_> = events(&group).into_iter().map(|event| (event.0, event.1)).collect();
    assert_eq!(told, [(1, IN_MODIFY), (1, IN_ACCESS), (-1, IN_Q_OVERFLOW)]);
    let mut short = [0; 15];
    write(&file);
    assert_eq!(group.read(&mut Sink::kernel(&mut short), IoFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(events(&group).len(), 1);
}

#[test]
fn the_users_limits_hold_and_are_given_back() {
    let world = World::new();
    let file = world.open("/f", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    let other = world.open("/g", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    MAX_USER_INSTANCES.store(1, Relaxed);
    set_max_user_watches(1);
    let group = group();
    assert_eq!(Inotify::open(0, OpenFlags::empty()).err(), Some(Errno::EMFILE));
    assert_eq!(watch(&group, &file, IN_MODIFY), Ok(1));
    assert_eq!(watch(&group, &other, IN_MODIFY), Err(Errno::ENOSPC));
    group.file().as_inotify().unwrap().end_watch(1).unwrap();
    assert_eq!(group.file().as_inotify().unwrap().end_watch(1), Err(Errno::EINVAL));
    assert_eq!(watch(&group, &other, IN_MODIFY), Ok(3));
    drop(group);
    assert!(!is_in_use());
    assert!(Inotify::open(0, OpenFlags::empty()).is_ok());
}
