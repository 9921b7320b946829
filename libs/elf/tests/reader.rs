//! Behaviour of the reader on files that are right and files that are wrong.

mod common;

use common::{Segment, build};
use elf::*;

const LIMIT: u64 = 0x7fff_ffff_f000;

const TEXT: Segment = Segment {
    p_type: PT_LOAD,
    flags: PF_R | PF_X,
    offset: 0,
    vaddr: 0x40_0000,
    filesz: 0x1234,
    memsz: 0x1234,
    align: 0x1000,
};
const DATA: Segment = Segment {
    p_type: PT_LOAD,
    flags: PF_R | PF_W,
    offset: 0x1e10,
    vaddr: 0x40_2e10,
    filesz: 0x200,
    memsz: 0x3000,
    align: 0x1000,
};

fn layout_of(file: &[u8]) -> Result<Layout, ElfError> {
    let header = Header::parse(file)?;
    let table = ProgramHeaders::new(&header, &file[64..])?;
    Layout::new(&header, &table, LIMIT)
}

fn segments_of(file: &[u8]) -> Vec<LoadSegment> {
    let header = Header::parse(file).expect("a good header");
    let table = ProgramHeaders::new(&header, &file[64..]).expect("a whole table");
    table.load_segments(LIMIT).map(|segment| segment.expect("a good segment")).collect()
}

#[test]
fn a_plain_executable_is_laid_out() {
    let file = build(2, 0x40_0100, &[TEXT, DATA]);
    let layout = layout_of(&file).unwrap();
    assert_eq!(layout.span, 0x40_0000..0x40_6000);
    assert_eq!(layout.size(), 0x6000);
    assert_eq!(layout.table_address, Some(0x40_0040));
    assert_eq!(layout.entry, 0x40_0100);
    assert_eq!(layout.brk, 0x40_5e10);
    assert_eq!(layout.alignment, 0x1000);
    assert_eq!(layout.code, 0x40_0000..0x40_1234);
    assert_eq!(layout.data, 0x40_2e10..0x40_3010);

    let segments = segments_of(&file);
    assert_eq!(segments[0].file_pages, 0x40_0000..0x40_2000);
    assert!(segments[0].zero_tail.is_empty() && segments[0].zero_pages.is_empty());
    assert!(segments[0].readable && !segments[0].writable && segments[0].executable);
    assert_eq!(segments[1].file_pages, 0x40_2000..0x40_4000);
    assert_eq!(segments[1].file_offset, 0x1000);
    assert_eq!(segments[1].zero_tail, 0x40_3010..0x40_4000);
    assert_eq!(segments[1].zero_pages, 0x40_4000..0x40_6000);
}

#[test]
fn zeros_within_the_last_file_page_need_no_page_of_their_own() {
    let data = Segment { memsz: DATA.filesz + 1, ..DATA };
    let segment = &segments_of(&build(2, 0, &[data]))[0];
    assert_eq!(segment.zero_tail, 0x40_3010..0x40_4000);
    assert!(segment.zero_pages.is_empty());
}

#[test]
fn a_segment_without_file_bytes_is_zeros_only_and_its_offset_does_not_matter() {
    let bss = Segment { filesz: 0, memsz: 0x10, offset: 0x777, vaddr: 0x40_2ff8, ..DATA };
    let segment = &segments_of(&build(2, 0, &[bss]))[0];
    assert!(segment.file_pages.is_empty() && segment.zero_tail.is_empty());
    assert_eq!(segment.zero_pages, 0x40_2000..0x40_4000);
}

#[test]
fn a_segment_without_memory_maps_nothing() {
    let empty = Segment { filesz: 0, memsz: 0, vaddr: 0x40_0010, ..DATA };
    assert!(segments_of(&build(2, 0, &[empty]))[0].pages().is_empty());
    assert_eq!(layout_of(&build(2, 0, &[empty])), Err(ElfError::NoLoadSegment));
}

#[test]
fn a_relocatable_image_has_a_span_and_an_alignment() {
    let text = Segment { vaddr: 0, align: 0x20_0000, ..TEXT };
    let data = Segment { vaddr: 0x20_0e10, align: 0x3000, ..DATA };
    let file = build(3, u64::MAX, &[data, text]);
    assert_eq!(Header::parse(&file).unwrap().kind(), Kind::Relocatable);
    let layout = layout_of(&file).unwrap();
    assert_eq!(layout.span, 0..0x20_4000);
    assert_eq!(layout.alignment, 0x20_0000);
    assert_eq!(layout.table_address, Some(0x40));
}

#[test]
fn each_wrong_header_has_its_error() {
    let good = build(2, 0, &[TEXT]);
    let with = |at: usize, value: u8| {
        let mut file = good.clone();
        file[at] = value;
        Header::parse(&file)
    };
    assert!(Header::parse(&good).is_ok());
    assert_eq!(Header::parse(b""), Err(ElfError::BadMagic));
    assert_eq!(Header::parse(b"#!/bin/sh\n"), Err(ElfError::BadMagic));
    assert_eq!(Header::parse(&good[..63]), Err(ElfError::HeaderTruncated));
    // Class and byte order are not looked at, as on Linux.
    assert!(with(4, 1).is_ok() && with(5, 2).is_ok());
    assert_eq!(with(18, 3), Err(ElfError::WrongMachine));
    assert_eq!(with(16, 1), Err(ElfError::NotExecutable));
    assert_eq!(with(16, 4), Err(ElfError::NotExecutable));
    assert_eq!(with(54, 55), Err(ElfError::BadEntrySize));
    assert_eq!(with(56, 0), Err(ElfError::BadTableSize));
    // 1170 entries fit into 64 KiB, 1171 do not.
    let mut many = good.clone();
    many[56..58].copy_from_slice(&1170u16.to_le_bytes());
    assert_eq!(Header::parse(&many).map(|header| header.table_size()), Ok(65_520));
    many[56..58].copy_from_slice(&1171u16.to_le_bytes());
    assert_eq!(Header::parse(&many), Err(ElfError::BadTableSize));
    let mut far = good.clone();
    far[32..40].copy_from_slice(&(i64::MAX as u64 - 55).to_le_bytes());
    assert_eq!(Header::parse(&far), Err(ElfError::TableTruncated));
    let header = Header::parse(&good).unwrap();
    assert_eq!(ProgramHeaders::new(&header, &good[64..119]).err(), Some(ElfError::TableTruncated));
    assert_eq!(header.table_range(), 64..120);
}

#[test]
fn each_wrong_segment_has_its_error() {
    let error = |segment| layout_of(&build(2, 0, &[segment])).err();
    let too_big = Segment { filesz: 0x2000, ..TEXT };
    assert_eq!(error(too_big), Some(ElfError::FileLargerThanMemory));
    for (vaddr, memsz) in
        [(LIMIT, 0), (LIMIT - 0x1000, 0x1001), (u64::MAX, 1), (0x1000, u64::MAX), (u64::MAX, 0)]
    {
        let outside = Segment { vaddr, memsz, filesz: 0, ..TEXT };
        assert_eq!(error(outside), Some(ElfError::AddressOutOfRange), "{vaddr:#x} {memsz:#x}");
    }
    assert_eq!(error(Segment { vaddr: LIMIT - 0x1000, memsz: 0x1000, filesz: 0, ..TEXT }), None);
    assert_eq!(error(Segment { offset: 0x10, ..TEXT }), Some(ElfError::Misaligned));
    for offset in [u64::MAX - 0xfff, i64::MAX as u64 - 0xfff, i64::MAX as u64 - 0x1fff] {
        let beyond = Segment { offset, ..TEXT };
        assert_eq!(error(beyond), Some(ElfError::OffsetOverflow), "{offset:#x}");
    }
    assert_eq!(error(Segment { p_type: PT_NOTE, ..TEXT }), Some(ElfError::NoLoadSegment));
    assert_eq!(layout_of(&build(2, LIMIT, &[TEXT])), Err(ElfError::BadEntry));
}

#[test]
fn errors_have_the_errno_of_linux() {
    assert_eq!(ElfError::BadMagic.errno(), 8);
    assert_eq!(ElfError::BadInterpreterLength.errno(), 8);
    assert_eq!(ElfError::AddressOutOfRange.errno(), 22);
    assert_eq!(ElfError::BadMagic.interpreter_errno(), 80);
    assert_eq!(ElfError::AddressOutOfRange.interpreter_errno(), 12);
    assert_eq!(ElfError::Misaligned.interpreter_errno(), 22);
}

#[test]
fn the_interpreter_is_found_and_bounded() {
    let table = |filesz, offset| {
        let interp = Segment { p_type: PT_INTERP, filesz, offset, ..Segment::default() };
        let file = build(2, 0, &[TEXT, interp]);
        let header = Header::parse(&file).unwrap();
        ProgramHeaders::new(&header, &file[64..]).unwrap().interpreter()
    };
    assert_eq!(table(0x1c, 0x318), Ok(Some(0x318..0x334)));
    assert_eq!(table(4096, 0), Ok(Some(0..4096)));
    assert_eq!(table(1, 0), Err(ElfError::BadInterpreterLength));
    assert_eq!(table(4097, 0), Err(ElfError::BadInterpreterLength));
    assert_eq!(table(10, u64::MAX - 3), Err(ElfError::OffsetOverflow));
    assert_eq!(interpreter_path(b"/lib/ld.so\0"), Ok(&b"/lib/ld.so"[..]));
    assert_eq!(interpreter_path(b"/lib\0x\0\0"), Ok(&b"/lib"[..]));
    assert_eq!(interpreter_path(b"/lib/ld.so"), Err(ElfError::InterpreterUnterminated));
    assert_eq!(interpreter_path(b""), Err(ElfError::InterpreterUnterminated));
}

#[test]
fn the_stack_permission_is_read() {
    let stack = |segments: &[Segment]| {
        let file = build(2, 0, segments);
        let header = Header::parse(&file).unwrap();
        ProgramHeaders::new(&header, &file[64..]).unwrap().stack()
    };
    let gnu_stack = |flags| Segment { p_type: PT_GNU_STACK, flags, ..Segment::default() };
    assert_eq!(stack(&[TEXT]), Stack::Unspecified);
    assert_eq!(stack(&[TEXT, gnu_stack(PF_R | PF_W)]), Stack::NoExecute);
    assert_eq!(stack(&[TEXT, gnu_stack(PF_R | PF_W | PF_X)]), Stack::Execute);
}

#[test]
fn the_running_test_itself_is_readable() {
    let file = std::fs::read("/proc/self/exe").unwrap();
    let header = Header::parse(&file).unwrap();
    let range = header.table_range();
    let table = ProgramHeaders::new(&header, &file[range.start as usize..range.end as usize]).unwrap();
    let layout = Layout::new(&header, &table, LIMIT).unwrap();
    assert!(layout.span.contains(&layout.entry));
    assert!(layout.code.contains(&layout.entry));
    assert!(layout.table_address.is_some());
    assert_eq!(table.stack(), Stack::NoExecute);
    for segment in table.load_segments(LIMIT) {
        let segment = segment.unwrap();
        assert!(layout.span.start <= segment.pages().start && segment.pages().end <= layout.span.end);
        assert!(!(segment.writable && segment.executable));
    }
}
