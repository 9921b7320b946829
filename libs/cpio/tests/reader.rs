//! The reader of archives in memory.

mod common;

use common::Writer;
use cpio::{Archives, CpioError, Header, Problem};

fn error_of(bytes: &[u8]) -> CpioError {
    let mut archives = Archives::new(bytes);
    let error = archives.by_ref().find_map(Result::err).expect("an error");
    assert!(archives.next().is_none(), "the error ends the iteration");
    error
}

/// An archive with one good entry of 116 bytes, so that an offset can be wrong.
fn good() -> Writer {
    Writer::default().file("a", b"data")
}

#[test]
fn entries_come_with_all_their_fields() {
    let header = Header {
        ino: 1,
        mode: 0o020_600,
        uid: 3,
        gid: 4,
        nlink: 5,
        mtime: 0xffff_fffe,
        size: 0,
        dev_major: 8,
        dev_minor: 9,
        rdev_major: 10,
        rdev_minor: 11,
        checksum: None,
    };
    let bytes = Writer::default().entry(header, b"dev/console", b"").trailer().bytes;
    let entries: Vec<_> = Archives::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].header, header);
    assert_eq!(entries[0].name, b"dev/console");
    assert_eq!(entries[0].data, b"");
}

#[test]
fn names_and_data_of_every_length_modulo_four_are_found() {
    let names: Vec<String> = (1..40).map(|len| "n".repeat(len)).collect();
    let mut writer = Writer::default();
    for (len, name) in names.iter().enumerate() {
        writer = writer.file(name, &vec![b'd'; len]);
    }
    let bytes = writer.bytes;
    for (len, entry) in Archives::new(&bytes).enumerate() {
        let entry = entry.unwrap();
        assert_eq!(entry.name, names[len].as_bytes());
        assert_eq!(entry.data, vec![b'd'; len]);
    }
    assert_eq!(Archives::new(&bytes).count(), 39);
}

#[test]
fn several_archives_with_zeros_between_are_numbered() {
    let bytes = good().trailer().zeros(512).file("b", b"").trailer().file("c", b"").bytes;
    let entries: Vec<_> = Archives::new(&bytes).map(Result::unwrap).collect();
    let names: Vec<_> = entries.iter().map(|entry| (entry.name, entry.archive)).collect();
    assert_eq!(names, [(&b"a"[..], 0), (b"b", 1), (b"c", 2)]);
    assert_eq!(entries[0].offset, 0);
    assert!(entries[1].offset.is_multiple_of(4) && bytes[entries[1].offset..].starts_with(b"070701"));
}

#[test]
fn nothing_and_zeros_are_empty_archives() {
    assert_eq!(Archives::new(b"").count(), 0);
    assert_eq!(Archives::new(&[0; 513]).count(), 0);
}

#[test]
fn the_sum_of_the_crc_format_is_checked() {
    let header = |sum| Header { mode: 0o100_644, checksum: Some(sum), ..Header::default() };
    let bytes = Writer::default().entry(header(0x61 + 0x62 + 0xff), b"f", b"ab\xff").bytes;
    assert_eq!(Archives::new(&bytes).next().unwrap().unwrap().data, b"ab\xff");
    let bytes = good().entry(header(0x61), b"f", b"ab").bytes;
    assert_eq!(error_of(&bytes), CpioError { offset: 116, problem: Problem::Checksum });
}

#[test]
fn each_wrong_entry_has_its_error_and_offset() {
    let start = good().bytes.len();
    assert_eq!(start, 116);
    let second = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good().file("b", b"data").bytes;
        change(&mut bytes);
        let error = error_of(&bytes);
        assert_eq!(error.offset, start as u64);
        assert!(error.to_string().contains("116"));
        error.problem
    };
    assert_eq!(second(&|bytes| bytes[start + 5] = b'3'), Problem::BadMagic);
    assert_eq!(second(&|bytes| bytes[start + 5] = b'7'), Problem::OldFormat);
    assert_eq!(second(&|bytes| bytes[start + 6] = b'g'), Problem::BadNumber("ino"));
    assert_eq!(second(&|bytes| bytes[start + 14] = b'+'), Problem::BadNumber("mode"));
    assert_eq!(second(&|bytes| bytes[start + 109] = b' '), Problem::BadNumber("check"));
    assert_eq!(second(&|bytes| bytes[start + 101] = b'0'), Problem::NameLength(0));
    assert_eq!(second(&|bytes| bytes[start + 94] = b'F'), Problem::NameLength(0xf000_0002));
    assert_eq!(second(&|bytes| bytes[start + 101] = b'1'), Problem::NameUnterminated);
    assert_eq!(second(&|bytes| bytes[start + 61] = b'5'), Problem::DataPastEnd(5));
    assert_eq!(second(&|bytes| bytes[start + 54] = b'F'), Problem::DataPastEnd(0xf000_0004));
    assert_eq!(second(&|bytes| bytes.truncate(start + 109)), Problem::Truncated);
    assert_eq!(second(&|bytes| bytes.truncate(start + 111)), Problem::Truncated);
    assert_eq!(second(&|bytes| bytes.truncate(start + 115)), Problem::DataPastEnd(4));
    let misaligned = good().zeros(2).raw(&good().bytes).bytes;
    assert_eq!(error_of(&misaligned), CpioError { offset: 118, problem: Problem::Misaligned });
}

#[test]
fn a_name_may_be_path_max_long_and_not_more() {
    let longest = "n".repeat(cpio::PATH_MAX - 1);
    let bytes = Writer::default().file(&longest, b"").bytes;
    assert_eq!(Archives::new(&bytes).next().unwrap().unwrap().name.len(), 4095);
    let bytes = Writer::default().file(&"n".repeat(cpio::PATH_MAX), b"").bytes;
    assert_eq!(error_of(&bytes).problem, Problem::NameLength(4097));
    let bytes = Writer::default().symlink("l", &longest).symlink("m", &"n".repeat(4097)).bytes;
    assert_eq!(error_of(&bytes).problem, Problem::LinkLength(4097));
}

#[test]
fn hard_links_keep_their_data_on_the_last() {
    let link = Header { ino: 7, nlink: 2, mode: 0o100_755, ..Header::default() };
    let bytes = Writer::default().entry(link, b"one", b"").entry(link, b"two", b"data").trailer().bytes;
    let entries: Vec<_> = Archives::new(&bytes).map(Result::unwrap).collect();
    assert_eq!((entries[0].header.size, entries[1].header.size), (0, 4));
    assert_eq!(entries[0].header.ino, entries[1].header.ino);
    assert_eq!(entries[1].data, b"data");
}
