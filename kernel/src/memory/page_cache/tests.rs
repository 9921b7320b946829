//! Files in memory on the simulated machine.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use hal::sim::Machine;
use proptest::prelude::*;

use super::*;

fn machine() {
    Machine::builder().memory_mib(16).cpus(1).build().enter();
}

struct Quota(AtomicUsize);

impl PageAccount for Quota {
    fn charge(&self, pages: usize) -> Result<(), Errno> {
        let take = |left: usize| left.checked_sub(pages);
        self.0.fetch_update(Relaxed, Relaxed, take).map(|_| ()).map_err(|_| Errno::ENOSPC)
    }

    fn release(&self, pages: usize) {
        self.0.fetch_add(pages, Relaxed);
    }
}

fn write(file: &PageCache, position: u64, bytes: &[u8]) -> Result<usize, Errno> {
    file.write(position, &mut Source::kernel(bytes), usize::MAX)
}

fn read(file: &PageCache, position: u64, len: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; len];
    let n = file.read(position, &mut Sink::kernel(&mut buffer)).unwrap();
    buffer.truncate(n);
    buffer
}

#[test]
fn holes_read_as_zeroes_take_no_frame_and_are_found() {
    machine();
    let file = PageCache::new(None);
    write(&file, 5 * PAGE + 3, b"data").unwrap();
    assert_eq!((file.size(), file.page_count()), (5 * PAGE + 7, 1));
    assert_eq!(read(&file, 0, 2 * PAGE_SIZE), vec![0; 2 * PAGE_SIZE]);
    assert_eq!(file.page_count(), 1);
    assert_eq!(read(&file, 5 * PAGE, 100), b"\0\0\0data");
    assert_eq!((file.next_data(0), file.next_data(5 * PAGE + 5)), (Some(5 * PAGE), Some(5 * PAGE + 5)));
    assert_eq!((file.next_hole(0), file.next_hole(5 * PAGE)), (0, 5 * PAGE + 7));
    assert_eq!(file.next_data(6 * PAGE), None);
}

#[test]
fn the_account_is_charged_and_given_back() {
    machine();
    let quota = Arc::new(Quota(AtomicUsize::new(3)));
    let file = PageCache::new(Some(quota.clone()));
    assert_eq!(write(&file, 0, &[1; 5 * PAGE_SIZE]), Ok(3 * PAGE_SIZE), "partial progress");
    assert_eq!(write(&file, 3 * PAGE, &[1]), Err(Errno::ENOSPC));
    file.punch_hole(PAGE..2 * PAGE);
    assert_eq!(quota.0.load(Relaxed), 1);
    file.set_size(0);
    assert_eq!(quota.0.load(Relaxed), 3);
    write(&file, 0, &[1]).unwrap();
    let mapped = file.page(0, Access::Read).unwrap();
    drop(file);
    assert_eq!((quota.0.load(Relaxed), mapped.ref_count()), (3, 1));
}

#[test]
fn pages_exist_up_to_the_end_only() {
    machine();
    let file = PageCache::new(None);
    file.set_size(PAGE + 1);
    assert!(file.page(1, Access::Read).is_ok());
    assert_eq!(file.page(2, Access::Write).err(), Some(Errno::EFAULT));
    assert_eq!(file.get_or_fill(0, |_| Err(Errno::EIO)).err(), Some(Errno::EIO));
    assert_eq!(file.page_count(), 1);
}

#[test]
fn shared_mappings_and_their_prohibition_exclude_each_other() {
    machine();
    let file = PageCache::new(None);
    file.attach(true).unwrap();
    assert_eq!(file.deny_shared_mappings(), Err(Errno::EBUSY));
    file.detach(true);
    file.deny_shared_mappings().unwrap();
    assert_eq!(file.attach(true), Err(Errno::EPERM));
    assert_eq!(file.attach(false), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_a_byte_vector(ops in prop::collection::vec((0u8..4, 0usize..40_000, 0usize..9_000, 1u8..255), 1..40)) {
        machine();
        let file = PageCache::new(None);
        let mut model: Vec<u8> = Vec::new();
        for (op, at, len, byte) in ops {
            match op {
                0 | 1 => {
                    prop_assert_eq!(write(&file, at as u64, &vec![byte; len]), Ok(len));
                    if len != 0 {
                        model.resize(model.len().max(at + len), 0);
                        model[at..at + len].fill(byte);
                    }
                }
                2 => {
                    file.set_size(at as u64);
                    model.resize(at, 0);
                }
                _ => {
                    file.punch_hole(at as u64..(at + len) as u64);
                    let end = (at + len).min(model.len());
                    model[at.min(end)..end].fill(0);
                }
            }
            prop_assert_eq!(file.size(), model.len() as u64);
            prop_assert_eq!(&read(&file, 0, 60_000), &model);
        }
    }
}
