//! From segments to mappings: page-rounded ranges, the zero-filled part, the span of the whole image.

use crate::error::ElfError;
use crate::header::{Header, Kind};
use crate::program::{PF_R, PF_W, PF_X, PT_LOAD, ProgramHeader, ProgramHeaders};
use core::ops::Range;

/// Size of a page, bytes.
pub const PAGE_SIZE: u64 = 4096;

const fn page_floor(address: u64) -> u64 {
    address & !(PAGE_SIZE - 1)
}

/// Rounds up; the callers' limits keep it from overflowing.
const fn page_ceil(address: u64) -> u64 {
    page_floor(address + (PAGE_SIZE - 1))
}

/// How to map one segment. Addresses are the file's: add the load bias of a relocatable file.
///
/// ```text
///   file_pages                 zero_pages
/// |-----------------------|----------------|
///      ^ vaddr     ^ zero_tail.start       ^ page-rounded vaddr + p_memsz
/// ```
///
/// The ranges are adjacent; each can be empty. Bytes before `vaddr` in the first page and after the segment in its
/// last file page come from the file, as with any file mapping, except `zero_tail`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadSegment {
    /// Pages mapped from the file, starting at `file_offset`.
    pub file_pages: Range<u64>,
    /// Offset in the file of the first page, a multiple of the page size; 0 if `file_pages` is empty.
    pub file_offset: u64,
    /// Bytes at the end of `file_pages` to fill with zeros, in the process's own copy of that page. (Linux does not
    /// insist when the segment cannot be written.)
    pub zero_tail: Range<u64>,
    /// Pages of zeros.
    pub zero_pages: Range<u64>,
    /// First byte, not rounded.
    pub start: u64,
    /// End of what comes from the file, not rounded.
    pub file_end: u64,
    /// End, not rounded.
    pub end: u64,
    /// May be read.
    pub readable: bool,
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
}

impl LoadSegment {
    /// Checks a `PT_LOAD` header and computes its mapping. Addresses must be below `limit`, the first address that user
    /// space may not use, itself at most `i64::MAX` and a multiple of the page size.
    ///
    /// # Errors
    /// - [`ElfError::FileLargerThanMemory`]
    /// - [`ElfError::AddressOutOfRange`]: the segment begins or ends beyond `limit`.
    /// - [`ElfError::Misaligned`]: address and file offset differ within the page.
    /// - [`ElfError::OffsetOverflow`]: the page-rounded end in the file is beyond `i64::MAX`.
    pub fn new(entry: &ProgramHeader, limit: u64) -> Result<Self, ElfError> {
        debug_assert!(limit <= i64::MAX as u64 && limit.is_multiple_of(PAGE_SIZE));
        if entry.p_filesz > entry.p_memsz {
            return Err(ElfError::FileLargerThanMemory);
        }
        let start = entry.p_vaddr;
        let end = start.checked_add(entry.p_memsz).ok_or(ElfError::AddressOutOfRange)?;
        if start >= limit || end > limit {
            return Err(ElfError::AddressOutOfRange);
        }
        // Below `limit` from here on: no sum of addresses overflows.
        let file_end = start + entry.p_filesz;
        let first_page = page_floor(start);
        let (file_pages, file_offset) = if entry.p_filesz == 0 {
            (first_page..first_page, 0)
        } else {
            let file_pages = first_page..page_ceil(file_end);
            let offset = entry.p_offset;
            if !(offset ^ start).is_multiple_of(PAGE_SIZE) {
                return Err(ElfError::Misaligned);
            }
            let offset = page_floor(offset);
            let offset_end = offset.checked_add(file_pages.end - file_pages.start);
            if offset_end.is_none_or(|end| end > i64::MAX as u64) {
                return Err(ElfError::OffsetOverflow);
            }
            (file_pages, offset)
        };
        // A segment without a byte maps nothing, even where its address is inside a page.
        let last_page_end = if entry.p_memsz == 0 { first_page } else { page_ceil(end) };
        let has_zeros = entry.p_memsz > entry.p_filesz;
        let zero_tail = if has_zeros && entry.p_filesz != 0 {
            file_end..file_pages.end
        } else {
            file_pages.end..file_pages.end
        };
        let zero_pages = file_pages.end..last_page_end;
        Ok(Self {
            file_pages,
            file_offset,
            zero_tail,
            zero_pages,
            start,
            file_end,
            end,
            readable: entry.p_flags & PF_R != 0,
            writable: entry.p_flags & PF_W != 0,
            executable: entry.p_flags & PF_X != 0,
        })
    }

    /// Returns all pages of the segment.
    pub const fn pages(&self) -> Range<u64> {
        self.file_pages.start..self.zero_pages.end
    }
}

/// The whole image, checked. Addresses are the file's: add the load bias of a relocatable file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Pages from the lowest to the highest; what a relocatable file needs in one piece.
    pub span: Range<u64>,
    /// Alignment of the load bias: a power of two, at least a page, as large as the file says (it may be absurd).
    pub alignment: u64,
    /// Address of the program header table (`AT_PHDR`), if a segment holds it.
    pub table_address: Option<u64>,
    /// Entry point.
    pub entry: u64,
    /// End of the last segment, not rounded: where the break begins.
    pub brk: u64,
    /// From the lowest executable segment to the last byte of the file in executable ones.
    pub code: Range<u64>,
    /// From the highest segment's start to the last byte of the file in any: Linux's idea of data.
    pub data: Range<u64>,
}

impl Layout {
    /// Checks every segment to load and computes the image's extent. `limit` as for [`LoadSegment::new`].
    ///
    /// # Errors
    /// Those of [`LoadSegment::new`], and
    /// - [`ElfError::NoLoadSegment`]: none, or none with a byte in memory.
    /// - [`ElfError::BadEntry`]: the file is fixed and the entry point is not below `limit`.
    pub fn new(header: &Header, table: &ProgramHeaders<'_>, limit: u64) -> Result<Self, ElfError> {
        let (mut lowest, mut highest) = (u64::MAX, 0);
        let mut alignment = PAGE_SIZE;
        let mut table_address = None;
        let mut brk = 0;
        let mut code: Option<Range<u64>> = None;
        let mut data = 0..0;
        for entry in table.iter().filter(|entry| entry.p_type == PT_LOAD) {
            let segment = LoadSegment::new(&entry, limit)?;
            let pages = segment.pages();
            lowest = lowest.min(pages.start);
            highest = highest.max(pages.end);
            brk = brk.max(segment.end);
            if entry.p_align.is_power_of_two() {
                alignment = alignment.max(entry.p_align);
            }
            if segment.executable {
                let so_far = code.unwrap_or(segment.start..segment.file_end);
                code = Some(so_far.start.min(segment.start)..so_far.end.max(segment.file_end));
            }
            data.start = data.start.max(segment.start);
            data.end = data.end.max(segment.file_end);
            let distance = header.table_offset().checked_sub(entry.p_offset);
            if let Some(distance) = distance.filter(|&distance| distance < entry.p_filesz) {
                table_address = Some(segment.start + distance);
            }
        }
        if lowest >= highest {
            return Err(ElfError::NoLoadSegment);
        }
        let entry = header.entry();
        if header.kind() == Kind::Fixed && entry >= limit {
            return Err(ElfError::BadEntry);
        }
        Ok(Self {
            span: lowest..highest,
            alignment,
            table_address,
            entry,
            brk,
            code: code.unwrap_or(0..0),
            data,
        })
    }

    /// Returns the size of the whole image, bytes; a multiple of the page size, not 0.
    pub const fn size(&self) -> u64 {
        self.span.end - self.span.start
    }
}

impl ProgramHeaders<'_> {
    /// Iterates over the segments to load, in the table's order. `limit` as for [`LoadSegment::new`].
    ///
    /// # Errors
    /// Each item as [`LoadSegment::new`]; none after [`Layout::new`] succeeded with the same limit.
    pub fn load_segments(&self, limit: u64) -> impl Iterator<Item = Result<LoadSegment, ElfError>> {
        self.iter().filter(|entry| entry.p_type == PT_LOAD).map(move |entry| LoadSegment::new(&entry, limit))
    }
}
