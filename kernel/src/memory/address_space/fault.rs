//! Page faults: zeroes on demand, pages of files, copies on write, growing stacks.

use hal::addr::{FrameNumber, page_floor};
use hal::frame::Frame;
use hal::paging::{PageFlags, TlbFlush};
use hal::sync::Once;
use hal::upcall::PageFault;
use hal::{Access, Error, PAGE_SHIFT, PAGE_SIZE};
use linux_abi::errno::Errno;

use super::Body;
use super::accounts::Limits;
use super::mm::{Hot, Mm, page_flags};
use super::vma::{ObjectKind, VmFlags, Vma};
use super::vma_map::Position;
use crate::memory::commitment::{charge, uncharge};
use crate::memory::object::MemoryObject;
use crate::memory::physical::buddy_allocator::{
    alloc_user_frame, alloc_zeroed_frame, alloc_zeroed_user_frame, has_room_for,
};

/// Pages around a fault in a file that are mapped with it, if they are in memory.
const FAULT_AROUND: usize = 16;

hal::machine_static! {
    /// The frame of zeroes that all read-only untouched memory shows.
    static ZEROES: Once<Frame> = Once::new();
}

/// What a fault took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No input or output.
    Minor,
    /// Waiting for a device.
    Major,
}

/// Why a fault could not be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultError {
    /// Nothing is mapped there: `SIGSEGV`, `SEGV_MAPERR`.
    Unmapped = 1,
    /// The mapping forbids the access: `SIGSEGV`, `SEGV_ACCERR`.
    Access = 2,
    /// The object has no such page: `SIGBUS`, `BUS_ADRERR`.
    BusError = 3,
    /// No memory; another attempt may succeed when some has been freed.
    OutOfMemory = 4,
}

impl From<FaultError> for Errno {
    fn from(error: FaultError) -> Errno {
        if error == FaultError::OutOfMemory { Errno::ENOMEM } else { Errno::EFAULT }
    }
}

fn object_error(errno: Errno) -> FaultError {
    if errno == Errno::ENOMEM { FaultError::OutOfMemory } else { FaultError::BusError }
}

fn out_of_memory<T>(_: T) -> FaultError {
    FaultError::OutOfMemory
}

/// Returns the number of the frame of zeroes, if there is one yet.
pub(in crate::memory) fn zero_frame_number() -> Option<FrameNumber> {
    Once::get(&ZEROES).map(Frame::number)
}

fn zero_frame() -> Result<Frame, FaultError> {
    if let Some(frame) = Once::get(&ZEROES) {
        return Ok(frame.clone());
    }
    let frame = alloc_zeroed_frame().ok_or(FaultError::OutOfMemory)?;
    match ZEROES.set(frame.clone()) {
        Ok(()) => Ok(frame),
        Err(_) => Once::get(&ZEROES).cloned().ok_or(FaultError::OutOfMemory),
    }
}

impl Body {
    /// Resolves a fault.
    ///
    /// # Errors
    /// See [`FaultError`].
    pub fn fault(&self, fault: &PageFault) -> Result<FaultKind, FaultError> {
        let mut mm = self.mm.lock();
        let page = page_floor(fault.address);
        // The commonest fault by far: a first store to private memory.
        if !fault.present
            && fault.access == Access::Write
            && mm.hot.start <= page
            && page < mm.hot.end
            && let Some(flags) = mm.hot.writable
        {
            if mm.hot.large.contains(&page) && mm.supply_large(page, flags) {
                return Ok(FaultKind::Minor);
            }
            let frame = alloc_zeroed_user_frame().map_err(out_of_memory)?;
            return match mm.table.map(page, frame, flags) {
                Ok(()) => {
                    mm.usage.anonymous += 1;
                    Ok(FaultKind::Minor)
                }
                // Another thread was faster, or an unflushed entry is older than the table.
                Err(Error::AlreadyMapped) => mm.resolve(fault.address, fault.access, false, &self.limits),
                Err(_) => Err(FaultError::OutOfMemory),
            };
        }
        mm.resolve(fault.address, fault.access, false, &self.limits)
    }
}

impl Mm {
    /// Makes a page accessible as its mapping allows. `forced` ignores missing rights where a debugger may: it reads
    /// whatever can be made readable and writes to private copies.
    pub(super) fn resolve(
        &mut self,
        addr: usize,
        access: Access,
        forced: bool,
        limits: &Limits,
    ) -> Result<FaultKind, FaultError> {
        let page = page_floor(addr);
        let mut at = self.vmas.find(addr).ok_or(FaultError::Unmapped)?;
        if self.vmas.get(at).start > addr {
            at = self.grow_stack(at, page, limits)?;
        }
        let vma = self.vmas.get(at);
        if !allows(vma, access, forced) {
            return Err(FaultError::Access);
        }
        let needs_write = |flags: PageFlags| access == Access::Write && !flags.contains(PageFlags::WRITE);
        match self.table.flags(page) {
            None => self.supply(at, page, access),
            Some(flags) if needs_write(flags) && self.table.is_plain() => self.make_writable(at, page, flags),
            Some(flags) if needs_write(flags) => {
                self.table.separate(page).map_err(out_of_memory)?;
                match self.table.flags(page).filter(|&flags| needs_write(flags)) {
                    Some(flags) => self.make_writable(at, page, flags),
                    // Nobody shared the table any more.
                    None => Ok(FaultKind::Minor),
                }
            }
            // A stale entry in the CPU, or another thread was faster.
            Some(_) => Ok(FaultKind::Minor),
        }
    }

    /// Maps a page that is not mapped.
    fn supply(&mut self, at: Position, page: usize, access: Access) -> Result<FaultKind, FaultError> {
        let vma = self.vmas.get(at);
        let base = page_flags(vma.flags);
        let Some(object) = &vma.object else {
            if access == Access::Write {
                return self.supply_zeroes(at, page);
            }
            if !has_room_for(0) {
                // The page tables that reads need must not eat the reserve.
                return Err(FaultError::OutOfMemory);
            }
            let frame = zero_frame()?;
            return self.map(page, frame, base | PageFlags::COPY_ON_WRITE).map(|_| FaultKind::Minor);
        };
        let object = object.clone();
        let (flags, index) = (vma.flags, vma.offset_of(page));
        let is_store = access == Access::Write;
        if flags.is_private() && is_store {
            let source = object.page(index, Access::Read).map_err(object_error)?;
            self.prepare_lineage(at);
            let copy = alloc_user_frame().map_err(out_of_memory)?;
            copy.copy_from(&source);
            if self.map(page, copy, private_flags(flags))? {
                self.usage.anonymous += 1;
            }
            return Ok(FaultKind::Minor);
        }
        let notice = if is_store && !flags.is_private() { Access::Write } else { Access::Read };
        let frame = object.page(index, notice).map_err(object_error)?;
        let page_flags = object_flags(flags, &*object, is_store);
        if self.map(page, frame, page_flags)? {
            self.count_object_pages(object.is_shared_memory(), 1);
        }
        if !is_store {
            self.map_around(at, page, &*object);
        }
        Ok(FaultKind::Minor)
    }

    fn supply_zeroes(&mut self, at: Position, page: usize) -> Result<FaultKind, FaultError> {
        let flags = private_flags(self.vmas.get(at).flags);
        let is_large = self.supply_first_large(at, page, flags);
        let frame = if is_large { None } else { Some(alloc_zeroed_user_frame().map_err(out_of_memory)?) };
        self.prepare_lineage(at);
        if flags.contains(PageFlags::WRITE) {
            self.hot = Hot::new(self.vmas.get(at), flags);
        }
        let Some(frame) = frame else { return Ok(FaultKind::Minor) };
        if self.map(page, frame, flags)? {
            self.usage.anonymous += 1;
        }
        Ok(FaultKind::Minor)
    }

    /// Enters a page; tells whether it is new. One that is there already stays.
    fn map(&mut self, page: usize, frame: Frame, flags: PageFlags) -> Result<bool, FaultError> {
        match self.table.map(page, frame, flags) {
            Ok(()) => Ok(true),
            Err(Error::AlreadyMapped) => Ok(false),
            Err(_) => Err(FaultError::OutOfMemory),
        }
    }

    /// Maps the pages around one that has just been mapped, as far as they cost nothing.
    fn map_around(&mut self, at: Position, page: usize, object: &dyn MemoryObject) {
        let vma = self.vmas.get(at);
        let window = page & !(FAULT_AROUND * PAGE_SIZE - 1);
        let start = window.max(vma.start);
        let end = (window + FAULT_AROUND * PAGE_SIZE).min(vma.end);
        let flags = object_flags(vma.flags, object, false);
        let first = vma.offset_of(start);
        let cached = |at: usize| object.cached_page(first.wrapping_add(((at - start) >> PAGE_SHIFT) as u64));
        let mapped = self.table.map_missing(start..end, flags, cached);
        self.count_object_pages(object.is_shared_memory(), mapped);
    }

    /// Resolves a store to a page that is mapped without the right.
    fn make_writable(&mut self, at: Position, page: usize, old: PageFlags) -> Result<FaultKind, FaultError> {
        let mut flush = TlbFlush::new();
        let vma = self.vmas.get(at);
        let flags = vma.flags;
        if !flags.is_private() {
            if let Some(object) = vma.object.clone() {
                object.page(vma.offset_of(page), Access::Write).map_err(object_error)?;
            }
            let writable = page_flags(flags) | PageFlags::WRITE;
            self.table.set_flags(page, writable, &mut flush).map_err(|_| FaultError::Unmapped)?;
            return Ok(FaultKind::Minor);
        }
        let is_anonymous = old.contains(PageFlags::ANONYMOUS);
        if !old.contains(PageFlags::COPY_ON_WRITE) {
            // This mapping's alone already; a debugger's store to a read-only page goes ahead without the right.
            if flags.contains(VmFlags::WRITE) {
                let set = self.table.set_flags(page, private_flags(flags), &mut flush);
                set.map_err(|_| FaultError::Unmapped)?;
            }
            return Ok(FaultKind::Minor);
        }
        if is_anonymous && flags.contains(VmFlags::WRITE) && self.table.cow_reuse(page) {
            return Ok(FaultKind::Minor);
        }
        let kind = vma.kind();
        let copy = {
            let (source, _) = self.table.get(page).ok_or(FaultError::Unmapped)?;
            if Some(source.number()) == zero_frame_number() {
                alloc_zeroed_user_frame().map_err(out_of_memory)?
            } else {
                let copy = alloc_user_frame().map_err(out_of_memory)?;
                copy.copy_from(&source);
                copy
            }
        };
        self.prepare_lineage(at);
        self.table.replace(page, copy, private_flags(flags), &mut flush).map_err(out_of_memory)?;
        if !is_anonymous {
            self.usage.anonymous += 1;
            self.uncount(kind, 1);
            let vma = self.vmas.get(at);
            if kind == ObjectKind::Zeroes && flags.contains(VmFlags::WRITE) {
                self.hot = Hot::new(vma, private_flags(flags));
            }
        }
        Ok(FaultKind::Minor)
    }

    /// Grows the stack above `page` down to it.
    fn grow_stack(&mut self, at: Position, page: usize, limits: &Limits) -> Result<Position, FaultError> {
        let vma = self.vmas.get(at);
        let flags = vma.flags;
        let pages = (vma.start - page) >> PAGE_SHIFT;
        let fits = flags.contains(VmFlags::GROWSDOWN)
            && (vma.end - page) as u64 <= limits.stack()
            && self.vmas.has_guard_gap(page)
            && self.may_expand(flags, pages, limits);
        if !fits {
            return Err(FaultError::Unmapped);
        }
        if flags.contains(VmFlags::ACCOUNT) {
            charge(pages).map_err(|_| FaultError::Unmapped)?;
        }
        if flags.contains(VmFlags::LOCKED)
            && ((self.usage.locked + pages) << PAGE_SHIFT) as u64 > limits.locked()
        {
            uncharge(pages);
            return Err(FaultError::Unmapped);
        }
        self.usage.add(flags, pages as isize);
        self.hot = Hot::default();
        self.vmas.update(at, |vma| {
            vma.start = page;
            vma.offset = vma.offset.wrapping_sub(pages as u64);
        });
        Ok(at)
    }
}

fn allows(vma: &Vma, access: Access, forced: bool) -> bool {
    let flags = vma.flags;
    match access {
        Access::Write if forced => {
            flags.contains(VmFlags::WRITE) || (flags.is_private() && flags.contains(VmFlags::MAYWRITE))
        }
        Access::Write => flags.contains(VmFlags::WRITE),
        Access::Execute => flags.contains(VmFlags::EXEC),
        Access::Read if forced => flags.contains(VmFlags::MAYREAD),
        Access::Read => vma.is_accessible(),
    }
}

/// Returns the flags of a page that is a private mapping's own.
pub(super) fn private_flags(flags: VmFlags) -> PageFlags {
    let base = page_flags(flags) | PageFlags::ANONYMOUS;
    if flags.contains(VmFlags::WRITE) { base | PageFlags::WRITE } else { base }
}

/// Returns the flags of a page of an object.
fn object_flags(flags: VmFlags, object: &dyn MemoryObject, is_store: bool) -> PageFlags {
    let base = page_flags(flags);
    if flags.is_private() {
        base | PageFlags::COPY_ON_WRITE
    } else if flags.contains(VmFlags::WRITE) && (is_store || !object.tracks_writes()) {
        base | PageFlags::WRITE
    } else {
        base
    }
}
