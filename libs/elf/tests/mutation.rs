//! Mutated files: whatever the bytes are, the reader answers, and what it accepts is consistent.

mod common;

use common::{Segment, build};
use elf::*;

const LIMIT: u64 = 0x7fff_ffff_f000;

/// A small generator (splitmix64), so that a failing round can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Numbers at which arithmetic breaks.
const EDGES: [u64; 16] = [
    0,
    1,
    0xfff,
    0x1000,
    0x1001,
    0x7fff_ffff,
    0xffff_ffff,
    LIMIT - 1,
    LIMIT,
    LIMIT + 1,
    1 << 63,
    (1 << 63) - 1,
    u64::MAX,
    u64::MAX - 0xffe,
    u64::MAX - 0xfff,
    u64::MAX - 0x1000,
];

fn seed_file(random: &mut Random) -> Vec<u8> {
    let load = |vaddr, filesz, memsz| Segment {
        p_type: PT_LOAD,
        flags: PF_R | PF_W,
        offset: vaddr & 0xf_ffff,
        vaddr,
        filesz,
        memsz,
        align: 0x1000,
    };
    let interp = Segment { p_type: PT_INTERP, offset: 0x200, filesz: 28, memsz: 28, ..Segment::default() };
    let stack = Segment { p_type: PT_GNU_STACK, flags: 6, ..Segment::default() };
    let file_type = if random.below(2) == 0 { 2 } else { 3 };
    let table = [interp, load(0x40_0000, 0x1000, 0x1000), load(0x40_2345, 0x100, 0x9000), stack];
    build(file_type, 0x40_0100, &table)
}

fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    match random.below(5) {
        0 => {
            let at = random.below(file.len());
            file[at] ^= 1 << random.below(8);
        }
        1 => {
            let at = random.below(file.len());
            file[at] = random.next() as u8;
        }
        2 | 3 => {
            // An edge value, where a field is likely to be.
            let at = random.below(file.len().div_ceil(8)) * 8;
            let value = EDGES[random.below(EDGES.len())].wrapping_add(random.next() % 3).wrapping_sub(1);
            let len = file.len().min(at + 8) - at;
            file[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
        }
        _ => {
            let len = random.below(file.len() + 1);
            file.truncate(len.max(1));
        }
    }
}

/// Reads `file` as `execve` would and checks what must hold of an accepted one. Returns whether it was.
fn read(file: &[u8]) -> Result<(), ElfError> {
    let header = Header::parse(file)?;
    let range = header.table_range();
    let table_bytes = usize::try_from(range.start).ok().and_then(|start| file.get(start..)).unwrap_or(&[]);
    let table = ProgramHeaders::new(&header, table_bytes)?;
    if let Some(range) = table.interpreter()? {
        assert!(range.start < range.end && range.end - range.start <= PATH_MAX as u64);
    }
    table.stack();
    let layout = Layout::new(&header, &table, LIMIT)?;
    assert!(layout.span.start < layout.span.end && layout.span.end <= LIMIT);
    assert!(layout.span.start.is_multiple_of(PAGE_SIZE) && layout.span.end.is_multiple_of(PAGE_SIZE));
    assert!(layout.alignment.is_power_of_two() && layout.alignment >= PAGE_SIZE);
    assert!(layout.brk <= layout.span.end);
    for segment in table.load_segments(LIMIT) {
        let segment = segment.expect("the layout accepted it");
        let LoadSegment { file_pages, zero_tail, zero_pages, .. } = &segment;
        assert!(file_pages.start <= file_pages.end && file_pages.end == zero_pages.start);
        assert!(zero_pages.start <= zero_pages.end && zero_pages.end <= layout.span.end);
        assert!(zero_tail.start <= zero_tail.end && zero_tail.end == file_pages.end);
        assert!(zero_tail.end - zero_tail.start < PAGE_SIZE);
        assert!(segment.file_offset.is_multiple_of(PAGE_SIZE));
        assert!(segment.pages().is_empty() || segment.pages().end >= segment.end);
    }
    Ok(())
}

#[test]
fn no_mutated_file_panics_and_accepted_ones_are_consistent() {
    let mut random = Random(0x5eed);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..120_000 {
        let mut file = seed_file(&mut random);
        for _ in 0..=random.below(4) {
            mutate(&mut file, &mut random);
        }
        match read(&file) {
            Ok(()) => accepted += 1,
            Err(error) => {
                assert!(error.errno() > 0 && error.interpreter_errno() > 0 && !error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    // The mutations must reach both sides, or they test nothing.
    assert!(accepted > 10_000 && refused > 10_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn no_noise_behind_a_good_header_panics() {
    let mut random = Random(0xe1f);
    for _ in 0..20_000 {
        let mut file = seed_file(&mut random);
        for byte in &mut file[64..] {
            if random.below(3) == 0 {
                *byte = random.next() as u8;
            }
        }
        let _ = read(&file);
    }
}
