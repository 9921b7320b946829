//! ELF programs: reading their headers, mapping them into an address space under construction.

use alloc::sync::Arc;
use alloc::vec::Vec;

use elf::{Header, Kind, Layout, LoadSegment, ProgramHeaders};
use hal::addr::USER_END;
use linux_abi::errno::Errno;

use super::HEAD_LEN;
use crate::fs::vfs::{IoFlags, MappedFile, OpenFile};
use crate::memory::address_space::{AddressSpace, VmFlags};
use crate::random;
use crate::uio::Sink;

/// Where position-independent programs start: two thirds of the user half, as on Linux.
const PIE_BASE: u64 = 0x5555_5555_4000;
/// Pages over which the start of a position-independent program is spread.
const PIE_SPREAD_PAGES: u64 = 1 << 28;
/// Pages over which the break is spread above the program.
const BREAK_SPREAD_PAGES: u64 = 1 << 13;

/// What loading found out.
pub(super) struct Loaded {
    /// Where execution starts: in the interpreter, if there is one.
    pub(super) entry: usize,
    /// The program's own entry point (`AT_ENTRY`).
    pub(super) program_entry: usize,
    /// Address of the program headers in memory (`AT_PHDR`).
    pub(super) phdr_addr: usize,
    /// Number of program headers.
    pub(super) phdr_count: usize,
    /// Where the interpreter was loaded (`AT_BASE`); 0 without one.
    pub(super) interpreter_base: usize,
}

/// Reads the first bytes of a file; fewer when it is shorter.
pub(super) fn read_head(file: &OpenFile) -> Result<Vec<u8>, Errno> {
    read_up_to(file, 0, HEAD_LEN)
}

/// An ELF file whose headers have been read.
struct ElfFile {
    file: Arc<OpenFile>,
    header: Header,
    table: Vec<u8>,
}

impl ElfFile {
    /// Reads the headers of a file whose first bytes are `head`. Whatever is wrong with them is `bad`.
    fn open(file: Arc<OpenFile>, head: &[u8], bad: Errno) -> Result<Self, Errno> {
        let header = Header::parse(head).map_err(|_| bad)?;
        let table = read_exactly(&file, header.table_offset(), header.table_size()).map_err(|_| bad)?;
        Ok(Self { file, header, table })
    }

    fn headers(&self) -> Result<ProgramHeaders<'_>, Errno> {
        ProgramHeaders::new(&self.header, &self.table).map_err(to_errno)
    }
}

/// A program and its interpreter, their headers read: what is refused before the caller is gone has been.
pub(super) struct Program {
    main: ElfFile,
    interpreter: Option<ElfFile>,
}

impl Program {
    /// Reads the headers of the program in `file`, whose first bytes are `head`, and of the interpreter it names, which
    /// `open` opens.
    ///
    /// # Errors
    /// - `ENOEXEC`: not an ELF file this kernel runs. `ELIBBAD`: a bad interpreter.
    /// - `EIO`: the name of the interpreter, or the interpreter, ends too early. Those of `open` and of reading.
    pub(super) fn open(
        file: Arc<OpenFile>,
        head: &[u8],
        open: impl FnOnce(&[u8]) -> Result<Arc<OpenFile>, Errno>,
    ) -> Result<Self, Errno> {
        let main = ElfFile::open(file, head, Errno::ENOEXEC)?;
        let interpreter = match main.headers()?.interpreter().map_err(to_errno)? {
            Some(range) => {
                let bytes = read_exactly(&main.file, range.start, (range.end - range.start) as usize)?;
                let file = open(elf::interpreter_path(&bytes).map_err(to_errno)?)?;
                let head = read_exactly(&file, 0, elf::HEADER_SIZE)?;
                Some(ElfFile::open(file, &head, Errno::ELIBBAD)?)
            }
            None => None,
        };
        Ok(Self { main, interpreter })
    }

    /// The files: the program's, its interpreter's.
    pub(super) fn files(&self) -> impl Iterator<Item = &Arc<OpenFile>> {
        core::iter::once(&self.main).chain(&self.interpreter).map(|elf| &elf.file)
    }

    /// Maps the program and its interpreter into `space`, at a random place unless `is_fixed`.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM`, `EEXIST`: segments that cannot be.
    pub(super) fn map(&self, space: &AddressSpace, is_fixed: bool) -> Result<Loaded, Errno> {
        let offset = |pages| if is_fixed { 0 } else { random::below(pages) * hal::PAGE_SIZE as u64 };
        let headers = self.main.headers()?;
        let header = &self.main.header;
        let layout = Layout::new(header, &headers, USER_END as u64).map_err(to_errno)?;
        let bias = match header.kind() {
            Kind::Fixed => 0,
            Kind::Relocatable => {
                let base = PIE_BASE + offset(PIE_SPREAD_PAGES);
                align_down(base, layout.alignment).wrapping_sub(layout.span.start)
            }
        };
        map_segments(space, &self.main.file, &headers, bias)?;
        space.set_break_start((layout.brk.wrapping_add(bias) + offset(BREAK_SPREAD_PAGES)) as usize);
        space.set_code_range(shift(&layout.code, bias), shift(&layout.data, bias));

        let program_entry = layout.entry.wrapping_add(bias) as usize;
        let (interpreter_base, entry) = match &self.interpreter {
            Some(interpreter) => map_interpreter(space, interpreter)?,
            None => (0, program_entry),
        };
        if entry >= USER_END {
            return Err(Errno::EINVAL);
        }
        Ok(Loaded {
            entry,
            program_entry,
            phdr_addr: layout.table_address.map_or(0, |addr| addr.wrapping_add(bias) as usize),
            phdr_count: usize::from(header.table_entries()),
            interpreter_base,
        })
    }
}

/// Maps an interpreter where there is room, or where it must be; answers its base and its entry.
fn map_interpreter(space: &AddressSpace, elf: &ElfFile) -> Result<(usize, usize), Errno> {
    let headers = elf.headers()?;
    let layout = Layout::new(&elf.header, &headers, USER_END as u64).map_err(to_errno)?;
    let bias = match elf.header.kind() {
        Kind::Fixed if !space.is_free(shift(&layout.span, 0)) => return Err(Errno::EEXIST),
        Kind::Fixed => 0,
        Kind::Relocatable => {
            let place = space.find_free(layout.size() as usize, layout.alignment as usize)?;
            (place as u64).wrapping_sub(layout.span.start)
        }
    };
    map_segments(space, &elf.file, &headers, bias)?;
    Ok((layout.span.start.wrapping_add(bias) as usize, layout.entry.wrapping_add(bias) as usize))
}

fn map_segments(
    space: &AddressSpace,
    file: &Arc<OpenFile>,
    headers: &ProgramHeaders<'_>,
    bias: u64,
) -> Result<(), Errno> {
    for segment in headers.load_segments(USER_END as u64) {
        let segment = segment.map_err(to_errno)?;
        map_segment(space, file, &segment, bias)?;
    }
    Ok(())
}

fn map_segment(
    space: &AddressSpace,
    file: &Arc<OpenFile>,
    segment: &LoadSegment,
    bias: u64,
) -> Result<(), Errno> {
    let access = VmFlags::access(segment.readable, segment.writable, segment.executable);
    let pages = shift(&segment.file_pages, bias);
    if !pages.is_empty() {
        space.map_program(pages, Some((MappedFile::of(file)?, segment.file_offset)), access)?;
    }
    let zeros = shift(&segment.zero_pages, bias);
    if !zeros.is_empty() {
        // Writable whatever the segment says, as on Linux: nobody asks for zeros that stay.
        space.map_program(zeros, None, VmFlags::access(true, true, segment.executable))?;
    }
    let tail = shift(&segment.zero_tail, bias);
    if !tail.is_empty() && segment.writable {
        let zeros = [0u8; 512];
        let mut at = tail.start;
        while at < tail.end {
            let len = (tail.end - at).min(zeros.len());
            space.write_remote(at, &zeros[..len])?;
            at += len;
        }
    }
    Ok(())
}

fn shift(range: &core::ops::Range<u64>, bias: u64) -> core::ops::Range<usize> {
    range.start.wrapping_add(bias) as usize..range.end.wrapping_add(bias) as usize
}

const fn align_down(addr: u64, alignment: u64) -> u64 {
    addr & !(alignment - 1)
}

/// Reads bytes that must be there.
fn read_exactly(file: &OpenFile, offset: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let bytes = read_up_to(file, offset, len)?;
    if bytes.len() == len { Ok(bytes) } else { Err(Errno::EIO) }
}

fn read_up_to(file: &OpenFile, offset: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = alloc::vec![0; len];
    let mut done = 0;
    while done < len {
        match file.read_at(offset + done as u64, &mut Sink::kernel(&mut bytes[done..]), IoFlags::empty())? {
            0 => break,
            count => done += count,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

fn to_errno(error: elf::ElfError) -> Errno {
    Errno::from_number(error.errno()).unwrap_or(Errno::ENOEXEC)
}
