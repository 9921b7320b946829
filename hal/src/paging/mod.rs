//! Page tables of user address spaces: real x86-64 four-level entries on both back-ends, one walker.
//!
//! Invariants:
//! 1. A leaf entry, present or held, owns one handle of its [`Frame`]; that of a large page the only one of its block.
//! 2. An intermediate table is a frame of its own that no handle outside reaches; its handle count is one more than the
//!    number of its entries in use, plus a large number for each space beyond the first that shares it. A table that an
//!    unmap empties is freed at once.
//! 3. Only the owner of the [`PageTable`] changes entries, always atomically: another CPU's MMU sets the accessed and
//!    dirty bits at any time. Last-level tables may belong to several; `share` says what each may do then.
//! 4. An entry without [`USER_ACCESS`](PageFlags::USER_ACCESS) is *held*: not present to the MMU, so that not even the
//!    kernel's user copies reach it, with the address bits inverted (hazard: L1TF).
//! 5. An entry never has both `WRITE` and `COPY_ON_WRITE`.
//! 6. What leaves a table goes into a [`TlbFlush`], which keeps it until no CPU can have the translation cached.
//! 7. The root and all below live as long as a [`SpaceRef`]; a CPU that has the space loaded holds one.
//!    A CPU whose task has no space keeps the last one loaded; it gives it up when the [`PageTable`] goes.
//!
//! Pages are of 4 KiB or, where the kernel asks for it, 2 MiB or 1 GiB (`large`).
//!
//! Source: Intel SDM volume 3, sections 4.5 (entries), 4.8 (accessed and dirty), 4.10 (invalidation).

mod cpu_mask;
mod entry;
mod flags;
mod flush;
mod large;
mod owned;
mod range;
mod share;
mod space;
mod table;

pub use flags::PageFlags;
pub use flush::TlbFlush;
pub use large::{HUGE_PAGE_ORDER, LARGE_PAGE_ORDER, LARGE_PAGE_SIZE};
pub use owned::{Owned, for_each_owned_by_kernel};
pub use space::SpaceRef;
pub use table::PageTable;

pub(crate) use cpu_mask::CpuMask;
pub(crate) use space::{activate, leave_unused, loaded, obey};

#[cfg(not(target_os = "none"))]
pub(crate) use entry::{Entry, Table, index as table_index};

use crate::addr::PhysAddr;
use crate::error::Error;
use crate::frame::Frame;

/// Maps a page to a frame; the frame is dropped on failure.
///
/// # Errors
/// As [`PageTable::map`].
pub fn map_page(table: &mut PageTable, page: usize, frame: Frame, flags: PageFlags) -> Result<(), Error> {
    table.map(page, frame, flags)
}

/// Unmaps a page, on every CPU, and returns its frame.
///
/// # Errors
/// As [`PageTable::unmap`].
pub fn unmap_page(table: &mut PageTable, page: usize) -> Result<Frame, Error> {
    table.unmap(page)
}

/// Returns the physical address behind a user address; `None` if nothing accessible is mapped there.
pub fn translate(table: &PageTable, addr: usize) -> Option<PhysAddr> {
    table.translate(addr)
}

/// Drops the translation of a page of the current address space on every CPU.
pub fn flush_tlb(page: usize) {
    if let Some(space) = loaded() {
        space.invalidate(&[page]);
    }
}

/// Drops all translations of the current address space on every CPU.
pub fn flush_tlb_all() {
    if let Some(space) = loaded() {
        space.invalidate(&[]);
    }
}
