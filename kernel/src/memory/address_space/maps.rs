//! What `/proc` and mincore(2) show of an address space, and msync(2).

use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

use hal::addr::{is_page_aligned, page_ceil};
use hal::paging::{LARGE_PAGE_SIZE, PageFlags};
use hal::{PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;
use linux_abi::mman::MsyncFlags;

use super::Body;
use super::mm::Mm;
use super::vma::{VmFlags, Vma};
use crate::memory::object::MapLabel;

/// One mapping, as `/proc/PID/maps` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingInfo {
    /// Addresses.
    pub range: Range<usize>,
    /// Rights and properties.
    pub flags: VmFlags,
    /// Byte of the file at the start; 0 without a file.
    pub offset: u64,
    /// Device, inode and name.
    pub label: MapLabel,
    /// Its pages in memory, if they were counted.
    pub pages: PageCounts,
    /// Whether some of it may be in large pages.
    pub may_be_large: bool,
}

/// Pages in memory of a mapping, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// All.
    pub resident: usize,
    /// Those that are no file's.
    pub anonymous: usize,
    /// Those in large pages.
    pub in_large: usize,
    /// Those that are mapped elsewhere, too.
    pub shared: usize,
    /// Those that were accessed.
    pub referenced: usize,
    /// Bytes of the pages that are no file's, each divided by the number of its mappings.
    pub anonymous_share: usize,
    /// The same of the others.
    pub file_share: usize,
    /// The same of pages that are locked.
    pub locked_share: usize,
}

impl PageCounts {
    /// Adds those of another mapping.
    pub fn add(&mut self, other: &Self) {
        self.resident += other.resident;
        self.anonymous += other.anonymous;
        self.in_large += other.in_large;
        self.shared += other.shared;
        self.referenced += other.referenced;
        self.anonymous_share += other.anonymous_share;
        self.file_share += other.file_share;
        self.locked_share += other.locked_share;
    }

    /// Counts a page whose frame has so many handles.
    fn add_page(&mut self, flags: PageFlags, handles: u32) {
        let is_anonymous = flags.contains(PageFlags::ANONYMOUS);
        // The cache of the file has a handle, too.
        let mappings = if is_anonymous { handles } else { handles.saturating_sub(1) }.max(1);
        let share = PAGE_SIZE / mappings as usize;
        self.resident += 1;
        self.shared += usize::from(mappings > 1);
        self.referenced += usize::from(flags.contains(PageFlags::ACCESSED));
        if is_anonymous {
            self.anonymous += 1;
            self.anonymous_share += share;
        } else {
            self.file_share += share;
        }
    }
}

impl MappingInfo {
    /// Adds the line of `/proc/PID/maps` to `out`.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let mut line = alloc::string::String::new();
        let right = |flag: VmFlags, letter: char| if self.flags.contains(flag) { letter } else { '-' };
        let sharing = if self.flags.contains(VmFlags::MAYSHARE) { 's' } else { 'p' };
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
            self.range.start,
            self.range.end,
            right(VmFlags::READ, 'r'),
            right(VmFlags::WRITE, 'w'),
            right(VmFlags::EXEC, 'x'),
            sharing,
            self.offset,
            self.label.device.0,
            self.label.device.1,
            self.label.inode,
        );
        if !self.label.name.is_empty() {
            // The name begins in column 74.
            while line.len() < 73 {
                line.push(' ');
            }
        }
        out.extend_from_slice(line.as_bytes());
        for &byte in &self.label.name {
            if byte == b'\n' { out.extend_from_slice(b"\\012") } else { out.push(byte) }
        }
        out.push(b'\n');
    }
}

impl Body {
    /// Returns the first mapping that ends above `addr`; `counted`: with its pages, which takes a look at each.
    pub fn mapping_from(&self, addr: usize, counted: bool) -> Option<MappingInfo> {
        let (vma, info) = {
            let mm = self.mm.lock();
            let vma = mm.vmas.get(mm.vmas.find(addr)?);
            (vma.clone(), mm.describe(vma, counted))
        };
        Some(labelled(&vma, info))
    }

    /// Stores in `out`, for the pages from `start` on that are in one mapping, whether each is in memory (mincore(2));
    /// returns how many.
    ///
    /// # Errors
    /// `ENOMEM`: nothing is mapped there.
    pub fn mincore(&self, start: usize, out: &mut [u8]) -> Result<usize, Errno> {
        let mm = self.mm.lock();
        let vma = mm.vmas.containing(start).ok_or(Errno::ENOMEM)?;
        let n = out.len().min((vma.end - start) >> PAGE_SHIFT);
        for (i, byte) in out[..n].iter_mut().enumerate() {
            let page = start + i * PAGE_SIZE;
            let is_cached = || {
                vma.object.as_ref().is_some_and(|object| object.cached_page(vma.offset_of(page)).is_some())
            };
            *byte = u8::from(mm.table.flags(page).is_some() || is_cached());
        }
        Ok(n)
    }

    /// Writes the changes of shared mappings of a range to their files; `flags` are the raw bits of the call.
    ///
    /// # Errors
    /// - `EINVAL`: flags that make no sense, or a misaligned start.
    /// - `ENOMEM`: a hole. `EBUSY`: a locked mapping is to be invalidated. `EIO`.
    pub fn msync(&self, start: usize, len: usize, flags: u32) -> Result<(), Errno> {
        let flags = MsyncFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
        let both = MsyncFlags::MS_ASYNC | MsyncFlags::MS_SYNC;
        if flags.contains(both) || !is_page_aligned(start) {
            return Err(Errno::EINVAL);
        }
        // A length that wraps when it is rounded up is none, on Linux too.
        let end = start.checked_add(page_ceil(len).unwrap_or(0)).ok_or(Errno::ENOMEM)?;
        let mut result = Ok(());
        let mut at = start;
        while at < end {
            let next = {
                let mm = self.mm.lock();
                mm.vmas.overlapping(at..end).next().cloned()
            };
            let Some(vma) = next else { return Err(Errno::ENOMEM) };
            if vma.start > at {
                result = Err(Errno::ENOMEM);
            }
            if flags.contains(MsyncFlags::MS_INVALIDATE) && vma.flags.contains(VmFlags::LOCKED) {
                return Err(Errno::EBUSY);
            }
            let part = vma.start.max(at)..vma.end.min(end);
            at = part.end;
            if let Some(object) = &vma.object
                && vma.flags.contains(VmFlags::SHARED)
                && flags.contains(MsyncFlags::MS_SYNC)
            {
                let first = vma.offset_of(part.start) << PAGE_SHIFT;
                object.sync(first..first + part.len() as u64)?;
            }
        }
        result
    }
}

/// Asks the object for its name, without the address space's lock: names have locks of their own.
fn labelled(vma: &Vma, mut info: MappingInfo) -> MappingInfo {
    if let Some(object) = &vma.object {
        info.label = object.label();
    }
    info
}

impl Mm {
    fn describe(&self, vma: &Vma, counted: bool) -> MappingInfo {
        let mut label = MapLabel::default();
        if vma.object.is_none() {
            let layout = &self.layout;
            if vma.contains(layout.start_stack) {
                label.name = b"[stack]".to_vec();
            } else if vma.start < layout.brk && layout.start_brk < vma.end {
                label.name = b"[heap]".to_vec();
            }
        }
        let mut pages = PageCounts::default();
        if counted {
            let zeroes = super::fault::zero_frame_number();
            self.table.for_each_counted(vma.range(), |_, frame, flags, handles| {
                if Some(frame) != zeroes {
                    pages.add_page(flags, handles);
                }
            });
            pages.in_large = self.table.large_pages_in(vma.range()) * (LARGE_PAGE_SIZE >> PAGE_SHIFT);
            if vma.flags.contains(VmFlags::LOCKED) {
                pages.locked_share = pages.anonymous_share + pages.file_share;
            }
        }
        let offset = if vma.object.is_some() { vma.offset << PAGE_SHIFT } else { 0 };
        let may_be_large = !super::large::area(vma).is_empty();
        MappingInfo { range: vma.range(), flags: vma.flags, offset, label, pages, may_be_large }
    }
}
