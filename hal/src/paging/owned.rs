//! What page tables own, for those who count all frames.

use crate::addr::FrameNumber;
use crate::arch;

use super::entry::{ENTRIES, ROOT_LEVEL, Table};
use super::table::PageTable;

/// A frame that an entry owns a handle of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owned {
    /// A table. Spaces that share it each come across it.
    Table(FrameNumber),
    /// A page, or the first frame of a large one.
    Page(FrameNumber),
}

impl PageTable {
    /// Calls `visit` with everything that the tables of the space own, themselves included. It answers for a table
    /// whether what is below counts, which it does once.
    pub fn for_each_owned(&self, visit: &mut dyn FnMut(Owned) -> bool) {
        let root = self.space.root_table();
        if visit(Owned::Table(root.number)) {
            for_each_below(root, ROOT_LEVEL, visit);
        }
    }
}

fn for_each_below(table: Table<'_>, level: u32, visit: &mut dyn FnMut(Owned) -> bool) {
    // The upper half of a root is the kernel's.
    let entries = if level == ROOT_LEVEL { ENTRIES / 2 } else { ENTRIES };
    for i in table.used(0..entries) {
        let entry = table.load(i);
        if level == 0 || entry.is_large() {
            visit(Owned::Page(entry.frame()));
            continue;
        }
        // SAFETY: tables below the root are freed under an exclusive borrow of the `PageTable` only.
        let Some(child) = (unsafe { table.child(i) }) else { continue };
        if visit(Owned::Table(child.number)) {
            for_each_below(child, level - 1, visit);
        }
    }
}

/// Calls `visit` with the tables of the kernel's half, and with the pages of kernel stacks.
pub fn for_each_owned_by_kernel(visit: &mut dyn FnMut(Owned)) {
    arch::paging::for_each_owned(visit);
}
