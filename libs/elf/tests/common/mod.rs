//! Builds ELF files byte by byte, independently of the reader.

use elf::{HEADER_SIZE, PROGRAM_HEADER_SIZE};

/// A program header to be written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Segment {
    pub(crate) p_type: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    pub(crate) filesz: u64,
    pub(crate) memsz: u64,
    pub(crate) align: u64,
}

/// Writes a file header and the program headers behind it.
pub(crate) fn build(file_type: u16, entry: u64, segments: &[Segment]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend(file_type.to_le_bytes());
    file.extend(62u16.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    file.extend(entry.to_le_bytes());
    file.extend((HEADER_SIZE as u64).to_le_bytes());
    file.extend(0u64.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    for half in [64, PROGRAM_HEADER_SIZE as u16, segments.len() as u16, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    assert_eq!(file.len(), HEADER_SIZE);
    for segment in segments {
        file.extend(segment.p_type.to_le_bytes());
        file.extend(segment.flags.to_le_bytes());
        for word in
            [segment.offset, segment.vaddr, segment.vaddr, segment.filesz, segment.memsz, segment.align]
        {
            file.extend(word.to_le_bytes());
        }
    }
    file
}
