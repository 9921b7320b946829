//! One page-table entry, and a table of 512.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::addr::{FrameNumber, PAGE_SHIFT, PhysAddr};
use crate::arch;
use crate::error::Error;
use crate::frame::{self, Frame};
use crate::upcall::bound;

use super::flags::PageFlags;

/// Entries in a table.
pub(crate) const ENTRIES: usize = 512;
/// Level of the root; leaves of 4 KiB are at level 0.
pub(crate) const ROOT_LEVEL: u32 = 3;

const PRESENT: u64 = 1;
/// Software: the entry is not present but owns a frame.
const HELD: u64 = 1 << 11;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// An entry of level 1 is a page of 2 MiB, one of level 2 a page of 1 GiB.
const LARGE: u64 = 1 << 7;
/// Stores through the entry are allowed.
const STORES: u64 = 1 << 1;
/// Intermediate entries allow all; leaves decide. The accessed bit spares the MMU a write.
const TABLE: u64 = PRESENT | STORES | 1 << 2 | 1 << 5;

/// In the handle count of a table's frame, which is one more than the entries in use: each space beyond the first that
/// has the table.
const SHARE: u32 = 1 << 10;
/// More spaces than this do not share a table.
const MAX_SHARES: u32 = 1 << 14;

/// Returns the bytes that an entry of this level covers.
pub(super) const fn span(level: u32) -> usize {
    1 << (PAGE_SHIFT + 9 * level)
}

/// Returns which entry of a table of this level an address falls into.
pub(crate) const fn index(addr: usize, level: u32) -> usize {
    (addr >> (PAGE_SHIFT + 9 * level)) & (ENTRIES - 1)
}

/// The value of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(pub(crate) u64);

impl Entry {
    pub(crate) const ABSENT: Entry = Entry(0);

    /// Makes a leaf of a user table.
    #[inline]
    pub(super) fn leaf(frame: FrameNumber, flags: PageFlags) -> Entry {
        if flags.contains(PageFlags::USER_ACCESS) {
            Entry(frame.phys().get() | flags.bits() | PRESENT)
        } else {
            Entry((frame.phys().get() ^ ADDRESS) | flags.bits() | HELD)
        }
    }

    /// Makes an entry that points to the next table.
    #[inline]
    pub(super) fn table(frame: FrameNumber) -> Entry {
        Entry(frame.phys().get() | TABLE)
    }

    /// Makes an entry that points to a table that other spaces may have too: nothing below it can be written.
    #[inline]
    pub(super) fn shared_table(frame: FrameNumber) -> Entry {
        Entry(frame.phys().get() | (TABLE & !STORES))
    }

    /// Tells whether an entry points to a table that other spaces may have too.
    #[inline]
    pub(super) fn is_write_protected(self) -> bool {
        self.0 & (PRESENT | STORES | LARGE) == PRESENT
    }

    /// Makes an entry of level 1 or 2 that is a page; `flags` allow access.
    #[inline]
    pub(super) fn large(frame: FrameNumber, flags: PageFlags) -> Entry {
        Entry(Entry::leaf(frame, flags).0 | LARGE)
    }

    /// Tells whether an entry above level 0 points to a table that is this space's alone.
    #[inline]
    pub(super) fn is_own_table(self) -> bool {
        self.0 & (PRESENT | STORES | LARGE) == PRESENT | STORES
    }

    /// Tells whether an entry above level 0 points to a table.
    #[inline]
    fn is_table(self) -> bool {
        self.0 & (PRESENT | LARGE) == PRESENT
    }

    /// Tells whether an entry above level 0 is a page.
    #[inline]
    pub(crate) fn is_large(self) -> bool {
        self.0 & (PRESENT | LARGE) == PRESENT | LARGE
    }

    /// Returns the leaf for an address in a large page behind an entry of this level.
    #[inline]
    pub(crate) fn single(self, addr: usize, level: u32) -> Entry {
        let offset = (addr & (span(level) - 1)) >> PAGE_SHIFT;
        Entry::leaf(FrameNumber::new(self.frame().get() + offset as u32), self.flags())
    }

    /// Tells whether an entry of level 1 keeps single pages from being changed: a shared table, or a large page.
    #[inline]
    pub(super) fn is_special(self) -> bool {
        self.is_write_protected() || self.is_large()
    }

    /// Returns a leaf as it acts below an entry that may forbid stores.
    #[inline]
    pub(crate) fn below(self, table: Entry) -> Entry {
        Entry(self.0 & (table.0 | !STORES))
    }

    /// Returns a leaf of a page that several mappings have, to be copied when written.
    #[inline]
    pub(super) fn copied_on_write(self) -> Entry {
        self.with_flags(self.flags().difference(PageFlags::WRITE) | PageFlags::COPY_ON_WRITE)
    }

    #[inline]
    pub(crate) fn is_absent(self) -> bool {
        self.0 & (PRESENT | HELD) == 0
    }

    /// Tells whether the MMU uses the entry.
    #[inline]
    pub(crate) fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// Returns the frame of an entry that is not absent.
    #[inline]
    pub(crate) fn frame(self) -> FrameNumber {
        let address = if self.is_present() { self.0 } else { self.0 ^ ADDRESS } & ADDRESS;
        FrameNumber::new((address >> PAGE_SHIFT) as u32)
    }

    #[inline]
    pub(crate) fn flags(self) -> PageFlags {
        PageFlags::from_bits_truncate(self.0)
    }

    /// Returns a leaf of the same frame with other flags.
    #[inline]
    pub(super) fn with_flags(self, flags: PageFlags) -> Entry {
        Entry(Entry::leaf(self.frame(), flags).0 | self.0 & LARGE)
    }

    /// Tells whether a CPU may have the entry cached: it caches only what it has marked accessed (SDM 4.8, 4.10.2.3).
    #[inline]
    pub(super) fn may_be_cached(self) -> bool {
        self.is_present() && self.flags().contains(PageFlags::ACCESSED)
    }
}

/// Entries in a line of the CPU's cache.
const LINE: usize = 8;

/// A reference to a table. Carries the frame's number for its count of entries.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(super) number: FrameNumber,
    pub(crate) entries: &'a [AtomicU64; ENTRIES],
}

impl<'a> Table<'a> {
    /// Looks at the table in this frame.
    ///
    /// # Safety
    /// The frame is used as a page table for at least `'a`: accessed by atomic operations alone.
    #[inline]
    pub(crate) unsafe fn at(number: FrameNumber) -> Table<'a> {
        let start = arch::memory::phys_ptr(PhysAddr::new(number.phys().get())).cast::<[AtomicU64; ENTRIES]>();
        // SAFETY: a frame is as large and as aligned as a table, and by the caller's duty shared only as atomics.
        Table { number, entries: unsafe { &*start } }
    }

    /// Allocates an empty table; the caller owns its frame's handle.
    pub(super) fn allocate() -> Result<Table<'a>, Error> {
        let frame = bound::alloc_frames(0).ok_or(Error::OutOfMemory)?;
        // A handle left outside could forge entries.
        if frame.order() != 0 || !frame.is_unique() {
            return Err(Error::InUse);
        }
        frame.zero();
        // SAFETY: the only handle goes into the table's entry, so nothing but the walker reaches the frame.
        Ok(unsafe { Table::at(frame.into_raw()) })
    }

    #[inline]
    pub(super) fn load(self, index: usize) -> Entry {
        // Relaxed: entries change under the owner's exclusive reference; only the MMU's A and D bits race.
        Entry(self.entries[index].load(Ordering::Relaxed))
    }

    /// Iterates over the entries in use among some, ascending. The caller may clear each when it comes.
    #[inline]
    pub(super) fn used(self, range: Range<usize>) -> impl Iterator<Item = usize> {
        const { assert!(Entry::ABSENT.0 == 0) };
        let load = move |i: usize| self.entries[i].load(Ordering::Relaxed);
        let mut next = range.start;
        core::iter::from_fn(move || {
            while next < range.end {
                let i = next;
                // Tables of stacks and heaps are empty for the most part: a cache line at a time.
                if i.is_multiple_of(LINE)
                    && range.end - i >= LINE
                    && (i..i + LINE).fold(0, |all, i| all | load(i)) == 0
                {
                    next += LINE;
                    continue;
                }
                next += 1;
                if load(i) != 0 {
                    return Some(i);
                }
            }
            None
        })
    }

    /// Stores into an absent entry. Release: the frame's contents and the tables below are complete when another CPU's
    /// MMU sees it.
    #[inline]
    pub(super) fn store(self, index: usize, entry: Entry) {
        self.entries[index].store(entry.0, Ordering::Release);
    }

    /// Replaces an entry that the MMU may be changing. Sequentially consistent: pairs with the CPU mask in `activate`.
    #[inline]
    pub(super) fn swap(self, index: usize, entry: Entry) -> Entry {
        Entry(self.entries[index].swap(entry.0, Ordering::SeqCst))
    }

    /// Changes an entry, keeping what the MMU adds meanwhile; returns the old value.
    #[inline]
    pub(super) fn update(self, index: usize, change: impl Fn(Entry) -> Entry) -> Entry {
        let mut old = self.load(index);
        loop {
            let new = change(old);
            if new == old {
                return old;
            }
            let slot = &self.entries[index];
            match slot.compare_exchange(old.0, new.0, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return old,
                Err(seen) => old = Entry(seen),
            }
        }
    }

    /// Returns the table behind an entry.
    ///
    /// # Safety
    /// This is a table of level 1 or higher whose sub-tables live for `'a`.
    #[inline]
    pub(super) unsafe fn child(self, index: usize) -> Option<Table<'a>> {
        let entry = self.load(index);
        // SAFETY: above level 0 a present entry that is no page owns a table, by the caller's duty for long enough.
        entry.is_table().then(|| unsafe { Table::at(entry.frame()) })
    }

    /// Adds to the number of entries in use.
    #[inline(always)]
    pub(super) fn count_add(self, n: u32) {
        frame::add_to_owned(self.number, n);
    }

    /// Subtracts from the number of entries in use; tells whether none is left.
    #[inline(always)]
    pub(super) fn count_sub(self, n: u32) -> bool {
        frame::add_to_owned(self.number, n.wrapping_neg()) == 1
    }

    /// Returns the number of entries in use.
    #[inline]
    pub(super) fn in_use(self) -> u32 {
        (frame::handles_of_owned(self.number) & (SHARE - 1)) - 1
    }

    /// Adds a space to those that have the table; tells whether it did.
    #[inline]
    pub(super) fn add_share(self) -> bool {
        // SAFETY: the entry that owns the table keeps its handle.
        let frame = unsafe { Frame::borrow_raw(self.number) };
        frame.update_count(|count| (count < MAX_SHARES * SHARE).then_some(count + SHARE))
    }

    /// Takes one of several spaces away; tells whether there were several.
    #[inline]
    pub(super) fn take_share(self) -> bool {
        // SAFETY: the entry that owns the table keeps its handle.
        unsafe { Frame::borrow_raw(self.number) }.update_count(|count| count.checked_sub(SHARE))
    }

    /// Returns the number of other spaces that have the table, at some recent moment.
    pub(super) fn other_owners(self) -> u32 {
        frame::handles_of_owned(self.number) / SHARE
    }

    /// Tells whether other spaces have the table. Once they have not, no other can.
    #[inline]
    pub(super) fn is_shared(self) -> bool {
        let is_shared = frame::handles_of_owned(self.number) >= SHARE;
        // Pairs with the release in `take_share`: the others' accesses happened before.
        fence(Ordering::Acquire);
        is_shared
    }
}
