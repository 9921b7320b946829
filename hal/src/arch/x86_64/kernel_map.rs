//! The kernel half of every address space.
//!
//! Invariants:
//! 1. The root's upper entries are complete before the first user space copies them: what is mapped later appears in all.
//! 2. Nothing is both writable and executable; the image's frames are not writable through the direct map either, as far
//!    as they hold code or constants.
//! 3. Tables below the root are never freed.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use firmware::memory_map::MemoryMap;

use super::asm::{self, address};
use super::memory;
use crate::addr::{FrameNumber, PAGE_SHIFT, PAGE_SIZE, PhysAddr};
use crate::error::Error;
use crate::frame::Frame;
use crate::paging::Owned;
use crate::upcall::bound;

/// Virtual minus physical address of the image.
pub(super) const IMAGE_BASE: usize = 0xffff_ffff_8000_0000;
/// Virtual minus physical address of RAM.
pub(super) const DIRECT_BASE: usize = 0xffff_8000_0000_0000;
/// Where kernel stacks lie.
pub(super) const STACKS_BASE: usize = 0xffff_a000_0000_0000;
/// Where device registers are mapped.
pub(super) const DEVICES_BASE: usize = 0xffff_a800_0000_0000;
/// What one entry of the root covers.
pub(super) const ROOT_SPAN: usize = 1 << 39;

pub(super) const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const NO_CACHE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Code.
const CODE: u64 = PRESENT | GLOBAL | ACCESSED;
/// Constants.
const CONSTANTS: u64 = CODE | NO_EXECUTE;
/// Data.
pub(super) const DATA: u64 = CONSTANTS | WRITE | DIRTY;
/// Device registers.
pub(super) const DEVICE: u64 = DATA | NO_CACHE | WRITE_THROUGH;

type Table = [AtomicU64; 512];

#[repr(C, align(4096))]
struct Root(Table);

static ROOT: Root = Root([const { AtomicU64::new(0) }; 512]);

/// Where new tables come from: zeroed frames.
pub(super) type NewTable<'a> = &'a mut dyn FnMut() -> Option<u64>;

/// Takes a table from the kernel's frame allocator.
pub(super) fn table_from_kernel() -> Option<u64> {
    let frame = bound::alloc_frames(0)?;
    frame.zero();
    Some(frame.into_raw().phys().get())
}

/// Returns the physical address of the kernel's own root.
pub(super) fn root_phys() -> u64 {
    ((&raw const ROOT).addr() - IMAGE_BASE) as u64
}

/// Returns an upper entry of the root, for a user space.
pub(super) fn root_entry(index: usize) -> u64 {
    ROOT.0[index].load(Ordering::Relaxed)
}

fn table_at(entry: u64) -> &'static Table {
    let table = memory::phys_ptr(PhysAddr::new(entry & ADDRESS)).cast::<Table>();
    // SAFETY: a present entry above the leaves, made here, holds the address of a table, which lives for ever
    // (invariant 3) and is only accessed by atomic operations.
    unsafe { &*table }
}

fn index(virt: usize, level: u32) -> usize {
    virt >> (12 + 9 * level) & 511
}

/// Returns the table of `level` for an address, making those that are missing.
fn table_for(virt: usize, level: u32, new_table: NewTable) -> Result<&'static Table, Error> {
    let mut table = &ROOT.0;
    for above in (level + 1..=3).rev() {
        let slot = &table[index(virt, above)];
        let mut entry = slot.load(Ordering::Acquire);
        if entry == 0 {
            let new = new_table().ok_or(Error::OutOfMemory)?;
            entry = new | PRESENT | WRITE | ACCESSED;
            // Another CPU may have put one in since.
            if let Err(theirs) = slot.compare_exchange(0, entry, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: nobody else knows the table. It is not one of early memory: then only one CPU runs, and
                // nobody can have been faster.
                drop(unsafe { Frame::from_raw(FrameNumber::new((new >> PAGE_SHIFT) as u32)) });
                entry = theirs;
            }
        }
        if entry & LARGE != 0 {
            return Err(Error::AlreadyMapped);
        }
        table = table_at(entry);
    }
    Ok(table)
}

/// Maps a range with the largest pages that fit. All must be multiples of the page size.
///
/// # Errors
/// `OutOfMemory` without a table; `AlreadyMapped` if something is there.
///
/// # Safety
/// The mapping gives access to memory: what is mapped must be the caller's to give, and the flags must keep invariant 2.
pub(super) unsafe fn map(
    virt: usize,
    phys: u64,
    len: usize,
    flags: u64,
    largest_level: u32,
    new_table: NewTable,
) -> Result<(), Error> {
    let mut done = 0;
    while done < len {
        let (at, from) = (virt + done, phys + done as u64);
        let fits = |level: &u32| {
            let size = PAGE_SIZE << (9 * level);
            at % size == 0 && from % size as u64 == 0 && len - done >= size
        };
        let level = (1..=largest_level).rev().find(fits).unwrap_or(0);
        let slot = &table_for(at, level, new_table)?[index(at, level)];
        let entry = from | flags | if level == 0 { 0 } else { LARGE };
        slot.compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed)
            .map_err(|_| Error::AlreadyMapped)?;
        done += PAGE_SIZE << (9 * level);
    }
    Ok(())
}

/// Calls `visit` with every table below the root, and with the pages of stacks.
pub(crate) fn for_each_owned(visit: &mut dyn FnMut(Owned)) {
    for (i, entry) in ROOT.0.iter().enumerate().skip(ROOT.0.len() / 2) {
        let entry = entry.load(Ordering::Acquire);
        if entry & PRESENT != 0 {
            visit(Owned::Table(frame_of(entry)));
            for_each_below(table_at(entry), 2, i == index(STACKS_BASE, 3), visit);
        }
    }
}

fn for_each_below(table: &Table, level: u32, is_of_stacks: bool, visit: &mut dyn FnMut(Owned)) {
    for entry in table.iter().map(|entry| entry.load(Ordering::Acquire)) {
        if entry & PRESENT == 0 {
            continue;
        }
        if level == 0 && is_of_stacks {
            visit(Owned::Page(frame_of(entry)));
        } else if level != 0 && entry & LARGE == 0 {
            visit(Owned::Table(frame_of(entry)));
            for_each_below(table_at(entry), level - 1, is_of_stacks, visit);
        }
    }
}

fn frame_of(entry: u64) -> FrameNumber {
    FrameNumber::new(((entry & ADDRESS) >> PAGE_SHIFT) as u32)
}

/// Returns the leaf entry of a 4 KiB page, if its tables exist.
pub(super) fn leaf(virt: usize) -> Option<&'static AtomicU64> {
    let mut table = &ROOT.0;
    for level in (1..=3).rev() {
        let entry = table[index(virt, level)].load(Ordering::Acquire);
        if entry & PRESENT == 0 || entry & LARGE != 0 {
            return None;
        }
        table = table_at(entry);
    }
    Some(&table[index(virt, 0)])
}

/// Returns the leaf entry of a 4 KiB page, making its tables.
///
/// # Errors
/// `OutOfMemory`.
pub(super) fn leaf_or_new(virt: usize, new_table: NewTable) -> Result<&'static AtomicU64, Error> {
    Ok(&table_for(virt, 0, new_table)?[index(virt, 0)])
}

/// Physical addresses of the image: all of it.
pub(super) fn image() -> Range<u64> {
    physical(&asm::__kernel_start)..physical(&asm::__kernel_end)
}

fn physical(symbol: &'static u8) -> u64 {
    (address(symbol) - IMAGE_BASE) as u64
}

/// Makes the final tables: direct map, image, and the roots of the other regions. `largest_level` is that of the largest
/// pages of the CPU.
///
/// # Errors
/// `OutOfMemory`.
///
/// # Safety
/// Called once, at boot; `ram` is RAM.
pub(super) unsafe fn build(ram: &MemoryMap, largest_level: u32, new_table: NewTable) -> Result<(), Error> {
    let constant = image().start..physical(&asm::__data_start);
    let mut writable = ram.clone();
    writable.remove(constant.clone());
    for range in writable.iter() {
        let len = (range.end - range.start) as usize;
        // SAFETY: RAM without code and constants; the direct map is this function's to make.
        unsafe { map(DIRECT_BASE + range.start as usize, range.start, len, DATA, largest_level, new_table) }?;
    }
    let len = (constant.end - constant.start) as usize;
    // SAFETY: as above; read-only.
    unsafe { map(DIRECT_BASE + constant.start as usize, constant.start, len, CONSTANTS, 0, new_table) }?;

    let (text, text_end) =
        (address(&asm::__text_start), address(&asm::__text_end).next_multiple_of(PAGE_SIZE));
    let (rodata, data) = (address(&asm::__rodata_start), address(&asm::__data_start));
    let parts = [
        (text, text_end, CODE),
        (rodata, address(&asm::__rodata_end).next_multiple_of(PAGE_SIZE), CONSTANTS),
        (data, address(&asm::__kernel_end), DATA),
    ];
    for (start, end, flags) in parts {
        // SAFETY: the image's own frames with the rights that each part needs.
        unsafe { map(start, (start - IMAGE_BASE) as u64, end - start, flags, 1, new_table) }?;
    }
    for region in [STACKS_BASE, DEVICES_BASE] {
        table_for(region, 2, new_table)?;
    }
    Ok(())
}

/// Makes a root with one page mapped at its physical address, executable, beside the kernel half: for the first
/// instructions of another CPU. Returns its physical address.
pub(super) fn trampoline_root(page: FrameNumber, new_table: NewTable) -> Option<u64> {
    let root = new_table()?;
    let table = table_at(root);
    for (slot, own) in table.iter().zip(&ROOT.0) {
        slot.store(own.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    let virt = page.phys().get() as usize;
    let mut below = table;
    for level in (1..=3).rev() {
        let next = new_table()?;
        below[index(virt, level)].store(next | PRESENT | WRITE | ACCESSED, Ordering::Relaxed);
        below = table_at(next);
    }
    below[index(virt, 0)].store(page.phys().get() | PRESENT | ACCESSED | DIRTY | WRITE, Ordering::Relaxed);
    Some(root)
}
