//! Tests of files in memory: against a model, at their limits, and what `stat` shows.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use linux_abi::errno::Errno;
use linux_abi::fcntl::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE};
use linux_abi::open::OpenFlags;
use linux_abi::seek::{SEEK_DATA, SEEK_HOLE};
use proptest::prelude::*;

use super::*;
use crate::fs::vfs::tests::{World, new_mount};
use crate::fs::vfs::{FIRST_ENTRY, IoFlags, OpenFile, mount};
use crate::uio::{Sink, Source};

const PAGE: u64 = hal::PAGE_SIZE as u64;

fn read_at(file: &OpenFile, at: u64, len: usize) -> Vec<u8> {
    let mut buffer = alloc::vec![0xee; len];
    let n = file.read_at(at, &mut Sink::kernel(&mut buffer), IoFlags::empty()).unwrap();
    buffer.truncate(n);
    buffer
}

fn write_at(file: &OpenFile, at: u64, bytes: &[u8]) -> Result<usize, Errno> {
    file.write_at(at, &mut Source::kernel(bytes), IoFlags::empty())
}

fn create(world: &World, path: &str) -> Arc<OpenFile> {
    world.open(path, OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Append(Vec<u8>),
    SetSize(u64),
    Punch(u64, u64),
    Allocate(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..5 * PAGE;
    let bytes = prop::collection::vec(1..=255u8, 1..6000);
    prop_oneof![
        (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        bytes.prop_map(Step::Append),
        at.clone().prop_map(Step::SetSize),
        (at.clone(), 1..3 * PAGE).prop_map(|(at, len)| Step::Punch(at, len)),
        (at, 1..3 * PAGE).prop_map(|(at, len)| Step::Allocate(at, len)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A file against a vector of bytes.
    #[test]
    fn a_file_holds_what_was_written(steps in prop::collection::vec(step(), 1..20)) {
        let world = World::new();
        let file = create(&world, "f");
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step {
                Step::Write(at, bytes) => {
                    prop_assert_eq!(write_at(&file, at, &bytes), Ok(bytes.len()));
                    let end = at as usize + bytes.len();
                    model.resize(model.len().max(end), 0);
                    model[at as usize..end].copy_from_slice(&bytes);
                }
                Step::Append(bytes) => {
                    let n = file.write(&mut Source::kernel(&bytes), IoFlags::APPEND);
                    prop_assert_eq!(n, Ok(bytes.len()));
                    model.extend_from_slice(&bytes);
                    prop_assert_eq!(file.with_position(|at| *at), model.len() as u64);
                }
                Step::SetSize(size) => {
                    file.file().set_size(size).unwrap();
                    model.resize(size as usize, 0);
                }
                Step::Punch(at, len) => {
                    file.file().allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len).unwrap();
                    let (start, end) = ((at as usize).min(model.len()), ((at + len) as usize).min(model.len()));
                    model[start..end].fill(0);
                }
                Step::Allocate(at, len) => {
                    file.file().allocate(0, at, len).unwrap();
                    model.resize(model.len().max((at + len) as usize), 0);
                }
            }
            prop_assert_eq!(file.metadata().size, model.len() as u64);
        }
        prop_assert!(read_at(&file, 0, model.len() + 10) == model, "contents differ");
    }

    /// A directory against a sorted map, read while it changes: every entry that stays is seen exactly once.
    #[test]
    fn reading_a_changing_directory_sees_what_stays(
        names in prop::collection::btree_set("[a-z]{1,12}", 1..60),
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        stop_after in 0..40usize,
    ) {
        let world = World::new();
        for name in &names {
            world.write(name, b"");
        }
        let root = world.resolve("/", true).unwrap();
        let mut seen: Vec<String> = Vec::new();
        let mut position = FIRST_ENTRY;
        root.inode().read_dir(position, &mut |entry| {
            if seen.len() == stop_after {
                return ControlFlow::Break(());
            }
            seen.push(core::str::from_utf8(entry.name).unwrap().to_string());
            position = entry.next;
            ControlFlow::Continue(())
        }).unwrap();
        let all: Vec<&String> = names.iter().collect();
        let mut gone = BTreeMap::new();
        for index in removed {
            let name = index.get(&all);
            if gone.insert(*name, ()).is_none() {
                world.unlink(name).unwrap();
            }
        }
        world.write("NEW", b"");
        root.inode().read_dir(position, &mut |entry| {
            seen.push(core::str::from_utf8(entry.name).unwrap().to_string());
            ControlFlow::Continue(())
        }).unwrap();
        for name in &names {
            let count = seen.iter().filter(|seen| *seen == name).count();
            prop_assert!(count == 1 || (count == 0 && gone.contains_key(name)), "{} seen {} times", name, count);
        }
    }
}

#[test]
fn the_newest_entry_comes_first() {
    let world = World::with("f a\nf b\nd c");
    assert_eq!(world.list("/"), ["c", "b", "a"]);
    world.rename("a", "d", 0).unwrap();
    assert_eq!(world.list("/"), ["d", "c", "b"]);
}

#[test]
fn stat_shows_what_linux_shows() {
    let world = World::with("d d\nf f hello\nl l /some/target");
    assert_eq!(world.stat("d").unwrap().size, 40);
    assert_eq!(world.stat("/").unwrap().size, 100);
    assert_eq!(world.stat("/").unwrap().link_count, 3);
    let file = world.stat("f").unwrap();
    assert_eq!((file.size, file.blocks, file.block_size, file.link_count), (5, 8, 4096, 1));
    let link = world.stat("l").unwrap();
    assert_eq!((link.size, link.blocks, link.mode.0), (12, 0, 0o120777));
    world.symlink(&"x".repeat(200), "long").unwrap();
    assert_eq!(world.stat("long").unwrap().blocks, 8);
    let sparse = create(&world, "sparse");
    write_at(&sparse, 10 * PAGE, b"x").unwrap();
    let sparse = sparse.metadata();
    assert_eq!((sparse.size, sparse.blocks), (10 * PAGE + 1, 8));
}

#[test]
fn holes_can_be_found() {
    let world = World::new();
    let file = create(&world, "f");
    write_at(&file, 2 * PAGE, &[1; 4096]).unwrap();
    file.file().set_size(5 * PAGE).unwrap();
    assert_eq!(file.seek(0, SEEK_DATA), Ok(2 * PAGE));
    assert_eq!(file.seek(0, SEEK_HOLE), Ok(0));
    assert_eq!(file.seek(2 * PAGE as i64 + 5, SEEK_DATA), Ok(2 * PAGE + 5));
    assert_eq!(file.seek(2 * PAGE as i64, SEEK_HOLE), Ok(3 * PAGE));
    assert_eq!(file.seek(3 * PAGE as i64, SEEK_DATA), Err(Errno::ENXIO));
    assert_eq!(file.seek(5 * PAGE as i64, SEEK_HOLE), Err(Errno::ENXIO));
    assert_eq!(file.seek(-1, SEEK_DATA), Err(Errno::ENXIO));
    assert_eq!(file.seek(-1, 0), Err(Errno::EINVAL));
    assert_eq!(file.seek(i64::MAX, 2), Err(Errno::EINVAL));
}

/// A world whose `/mnt` holds `pages` pages and `inodes` inodes, its root included.
fn limited(pages: u64, inodes: u64) -> (World, Arc<crate::fs::vfs::Mount>) {
    let world = World::with("d mnt");
    let options = Options { max_pages: Some(pages), max_inodes: Some(inodes), ..Options::ramfs() };
    let mount = new_mount(options);
    mount::attach(mount.clone(), &world.resolve("mnt", true).unwrap()).unwrap();
    (world, mount)
}

#[test]
fn a_full_file_system_takes_no_more_and_recovers() {
    let (world, mount) = limited(4, 10);
    let file = create(&world, "mnt/f");
    let data = alloc::vec![7; 6 * PAGE as usize];
    assert_eq!(write_at(&file, 0, &data), Ok(4 * PAGE as usize), "what fits");
    assert_eq!(write_at(&file, 4 * PAGE, b"x"), Err(Errno::ENOSPC));
    assert_eq!(write_at(&file, 10, b"overwrite"), Ok(9));
    assert_eq!(file.file().allocate(0, 0, 5 * PAGE), Err(Errno::ENOSPC));
    assert_eq!(mount.super_block().file_system().usage().free_blocks, 0);
    world.unlink("mnt/f").unwrap();
    assert_eq!(mount.super_block().file_system().usage().free_blocks, 0, "still open");
    drop(file);
    let usage = mount.super_block().file_system().usage();
    assert_eq!((usage.free_blocks, usage.free_inodes), (4, 9));
    assert_eq!(write_at(&create(&world, "mnt/g"), 0, &data[..PAGE as usize]), Ok(PAGE as usize));
}

#[test]
fn inodes_and_hard_links_run_out() {
    let (world, mount) = limited(4, 4);
    world.make("f mnt/a\nd mnt/b");
    world.link("mnt/a", "mnt/c").unwrap();
    assert_eq!(world.link("mnt/a", "mnt/d"), Err(Errno::ENOSPC));
    assert_eq!(world.mkdir("mnt/d"), Err(Errno::ENOSPC));
    assert_eq!(world.open("mnt/d", OpenFlags::O_CREAT).err(), Some(Errno::ENOSPC));
    world.unlink("mnt/c").unwrap();
    assert_eq!(world.mkdir("mnt/d"), Ok(()));
    assert_eq!(world.symlink("x", "mnt/e"), Err(Errno::ENOSPC));
    world.rmdir("mnt/d").unwrap();
    world.unlink("mnt/a").unwrap();
    assert_eq!(mount.super_block().file_system().usage().free_inodes, 2);
}

#[test]
fn a_remount_changes_the_limits() {
    let (world, mount) = limited(4, 10);
    let file_system = mount.super_block().file_system().clone();
    write_at(&create(&world, "mnt/f"), 0, &[0; 8192]).unwrap();
    assert_eq!(file_system.remount(b"size=4k"), Err(Errno::EINVAL));
    assert_eq!(file_system.remount(b"size=1m,mode=0777"), Ok(()));
    assert_eq!(file_system.usage().blocks, 256);
    assert_eq!(file_system.remount(b"nonsense"), Err(Errno::EINVAL));
}

#[test]
fn unnamed_files_get_a_name_by_linking() {
    let world = World::with("d d");
    let file = world.open("d", OpenFlags::O_TMPFILE | OpenFlags::O_RDWR).unwrap();
    write_at(&file, 0, b"data").unwrap();
    assert_eq!(file.metadata().link_count, 0);
    assert_eq!(world.list("d").len(), 0);
    world.caller().link(file.path().unwrap(), crate::fs::vfs::Base::WorkingDirectory, b"d/named").unwrap();
    assert_eq!(world.read("d/named").unwrap(), b"data");
    assert_eq!(file.metadata().link_count, 1);
}

#[test]
fn sizes_beyond_the_largest_offset_are_refused() {
    let world = World::new();
    let file = create(&world, "f");
    assert_eq!(write_at(&file, i64::MAX as u64, b"xy"), Err(Errno::EFBIG));
    assert_eq!(write_at(&file, u64::MAX, b"xy"), Err(Errno::EFBIG));
    assert_eq!(file.file().set_size(u64::MAX), Err(Errno::EFBIG));
    assert_eq!(file.file().allocate(0, u64::MAX, 2), Err(Errno::EFBIG));
    assert_eq!(read_at(&file, i64::MAX as u64, 10), b"");
    file.file().set_size(i64::MAX as u64).unwrap();
    assert_eq!(read_at(&file, i64::MAX as u64 - 3, 10), [0; 3]);
}
