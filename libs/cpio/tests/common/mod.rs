//! Writes archives and gzip members, and records what is unpacked.
#![allow(dead_code, reason = "each test uses its part")]

use cpio::Header;
use cpio::initramfs::Sink;
use miniz_oxide::deflate::compress_to_vec;

/// Writes archives.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    /// Appends an entry as `header` says; its size is the data's.
    pub(crate) fn entry(mut self, header: Header, name: &[u8], data: &[u8]) -> Self {
        let magic = if header.checksum.is_some() { "070702" } else { "070701" };
        self.bytes.extend(magic.as_bytes());
        for field in [
            header.ino,
            header.mode,
            header.uid,
            header.gid,
            header.nlink,
            header.mtime,
            data.len() as u32,
            header.dev_major,
            header.dev_minor,
            header.rdev_major,
            header.rdev_minor,
            name.len() as u32 + 1,
            header.checksum.unwrap_or(0),
        ] {
            self.bytes.extend(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(data);
        self.pad();
        self
    }

    pub(crate) fn file(self, name: &str, data: &[u8]) -> Self {
        let header = Header { mode: 0o100_644, nlink: 1, ..Header::default() };
        self.entry(header, name.as_bytes(), data)
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.entry(Header { mode: 0o040_755, nlink: 2, ..Header::default() }, name.as_bytes(), b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        let header = Header { mode: 0o120_777, nlink: 1, ..Header::default() };
        self.entry(header, name.as_bytes(), target.as_bytes())
    }

    pub(crate) fn trailer(self) -> Self {
        self.entry(Header { nlink: 1, ..Header::default() }, b"TRAILER!!!", b"")
    }

    pub(crate) fn zeros(mut self, n: usize) -> Self {
        self.bytes.extend(std::iter::repeat_n(0, n));
        self
    }

    /// Appends other bytes.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// CRC-32, bit by bit: independent of the crate's.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| {
                if crc & 1 != 0 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

/// Makes a gzip member of `data` with a plain header.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    gzip_with_header(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], data)
}

/// Makes a gzip member of `data` with the given header.
pub(crate) fn gzip_with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut member = header.to_vec();
    member.extend(compress_to_vec(data, 6));
    member.extend(crc32(data).to_le_bytes());
    member.extend((data.len() as u32).to_le_bytes());
    member
}

/// What a sink was given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) header: Header,
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) pieces: usize,
    pub(crate) archive: usize,
}

/// A sink that records, and checks the order of the calls.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) entries: Vec<Recorded>,
    pub(crate) open: Option<Recorded>,
    pub(crate) archives: usize,
    /// Fail at the entry of this number.
    pub(crate) fail_at: Option<usize>,
}

impl Sink for Recorder {
    type Error = &'static str;

    fn entry(&mut self, header: &Header, name: &[u8]) -> Result<(), Self::Error> {
        assert!(self.open.is_none());
        assert!(!name.contains(&0));
        if self.fail_at == Some(self.entries.len()) {
            return Err("disk full");
        }
        self.open = Some(Recorded {
            header: *header,
            name: name.to_vec(),
            archive: self.archives,
            ..Recorded::default()
        });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        assert!(!bytes.is_empty());
        let entry = self.open.as_mut().expect("an entry is open");
        entry.data.extend(bytes);
        entry.pieces += 1;
        assert!(entry.data.len() <= entry.header.size as usize);
        Ok(())
    }

    fn end_entry(&mut self) -> Result<(), Self::Error> {
        self.entries.push(self.open.take().expect("an entry is open"));
        Ok(())
    }

    fn end_archive(&mut self) -> Result<(), Self::Error> {
        assert!(self.open.is_none());
        self.archives += 1;
        Ok(())
    }
}

/// A small generator (splitmix64), so that a failing round can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Returns bytes that compress, but not to nothing.
    pub(crate) fn text(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| b"etaoin shrdlu\n"[self.below(14)]).collect()
    }
}
