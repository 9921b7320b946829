//! Address spaces on the simulated machine: what each test needs.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::sim::Machine;
use hal::upcall::PageFault;
use hal::{Access, PAGE_SIZE};

use super::*;
use crate::memory::MemoryObject;
use crate::memory::page_cache::PageCache;
use crate::uio::Source;

mod exhaustion;
mod mappings;
mod model;
mod pages;

pub(super) const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);
pub(super) const BASE: usize = 0x1000_0000;

pub(super) fn machine() -> Machine {
    let machine = Machine::builder().memory_mib(16).cpus(1).build();
    machine.enter();
    machine
}

pub(super) fn space() -> Arc<AddressSpace> {
    AddressSpace::new_fixed().unwrap()
}

pub(super) fn mappings(space: &AddressSpace) -> Vec<MappingInfo> {
    let mut all: Vec<MappingInfo> = Vec::new();
    while let Some(next) = space.mapping_from(all.last().map_or(0, |last| last.range.end), true) {
        all.push(next);
    }
    all
}

pub(super) fn maps_text(space: &AddressSpace) -> Vec<u8> {
    let mut text = Vec::new();
    mappings(space).iter().for_each(|mapping| mapping.write_line(&mut text));
    text
}

pub(super) fn map(space: &AddressSpace, page: usize, pages: usize, access: VmFlags) {
    let place = Place::Fixed(BASE + page * PAGE_SIZE);
    space.mmap(MapRequest::anonymous(place, pages * PAGE_SIZE, access)).unwrap();
}

pub(super) fn map_object(
    space: &AddressSpace,
    object: Arc<dyn MemoryObject>,
    pages: usize,
    flags: VmFlags,
) -> usize {
    let mut request = MapRequest::private(Place::Fixed(BASE), pages * PAGE_SIZE, RW, object, 0);
    request.flags |= flags;
    space.mmap(request).unwrap()
}

pub(super) fn access(space: &AddressSpace, addr: usize, access: Access) -> Result<FaultKind, FaultError> {
    let present = space.mm.lock().table.flags(addr & !(PAGE_SIZE - 1)).is_some();
    space.fault(&PageFault { address: addr, access, present, from_user: true })
}

pub(super) fn byte(space: &AddressSpace, addr: usize) -> u8 {
    let mut byte = [0];
    assert_eq!(space.read_some(addr, &mut byte, RemoteMode::Program), Ok(1), "at {addr:#x}");
    byte[0]
}

pub(super) fn put(space: &AddressSpace, addr: usize, byte: u8) {
    space.write_remote(addr, &[byte]).unwrap();
}

/// Ranges in pages from `BASE`, with their rights.
pub(super) fn shape(space: &AddressSpace) -> Vec<(usize, usize, String)> {
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

pub(super) fn ranges(space: &AddressSpace) -> Vec<(usize, usize)> {
    shape(space).into_iter().map(|(start, end, _)| (start, end)).collect()
}

pub(super) fn file_of(text: &[u8]) -> Arc<PageCache> {
    let file = Arc::new(PageCache::new(None));
    assert_eq!(file.write(0, &mut Source::kernel(text), usize::MAX), Ok(text.len()));
    file
}
