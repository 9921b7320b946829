//! Unpacking images as a kernel does.

mod common;

use common::{Random, Recorder, Writer, gzip};
use cpio::initramfs::{Error, Sink, unpack};
use cpio::{Archives, Header, Problem};

fn unpacked(image: &[u8]) -> Recorder {
    let mut recorder = Recorder::default();
    unpack(image, &mut recorder).expect("a good image");
    assert!(recorder.open.is_none());
    recorder
}

fn error_of(image: &[u8]) -> Error<&'static str> {
    unpack(image, &mut Recorder::default()).expect_err("a wrong image")
}

fn names(recorder: &Recorder) -> Vec<&str> {
    recorder.entries.iter().map(|entry| std::str::from_utf8(&entry.name).expect("an ASCII name")).collect()
}

/// An archive with all kinds of entries, the files of the given sizes.
fn sample(random: &mut Random, sizes: &[usize]) -> Vec<u8> {
    let device = Header { mode: 0o020_600, rdev_major: 5, rdev_minor: 1, ..Header::default() };
    let link = Header { ino: 9, nlink: 2, mode: 0o100_755, ..Header::default() };
    let mut writer = Writer::default()
        .directory("dev")
        .entry(device, b"dev/console", b"")
        .entry(link, b"first", b"")
        .entry(link, b"second", b"shared data")
        .symlink("init", "bin/busybox");
    for &size in sizes {
        let data = random.text(size);
        let sum = data.iter().map(|&byte| u32::from(byte)).sum();
        let checksum = (size % 2 == 0).then_some(sum);
        let header = Header { mode: 0o100_644, nlink: 1, checksum, ..Header::default() };
        writer = writer.entry(header, format!("file-{size}").as_bytes(), &data);
    }
    writer.trailer().bytes
}

#[test]
fn plain_and_compressed_archives_give_the_same_entries() {
    let mut random = Random(10);
    for sizes in [&[][..], &[0, 1, 2, 3, 4, 5], &[32_600, 32_768, 1, 50_000, 7], &[70_001]] {
        let archive = sample(&mut random, sizes);
        let expected: Vec<_> = Archives::new(&archive).map(Result::unwrap).collect();
        for image in [archive.clone(), gzip(&archive)] {
            let recorder = unpacked(&image);
            assert_eq!(recorder.archives, 1);
            assert_eq!(recorder.entries.len(), expected.len());
            for (got, expected) in recorder.entries.iter().zip(&expected) {
                assert_eq!(
                    (got.header, &got.name[..], &got.data[..]),
                    (expected.header, expected.name, expected.data)
                );
            }
        }
    }
}

#[test]
fn headers_and_names_cut_at_every_place_are_put_together() {
    // Compressed data comes in pieces of 32 KiB: move the second entry (of 128 bytes before its data) over the seam.
    for before_seam in (0..=132).step_by(4) {
        let data = vec![b'x'; 32_768 - 112 - before_seam];
        let archive = Writer::default().file("a", &data).file("the second name", b"second").trailer().bytes;
        let recorder = unpacked(&gzip(&archive));
        assert_eq!(names(&recorder), ["a", "the second name"]);
        assert_eq!(recorder.entries[1].data, b"second");
    }
}

#[test]
fn data_of_plain_archives_is_not_copied() {
    struct Within<'a>(&'a [u8], usize);
    impl Sink for Within<'_> {
        type Error = ();
        fn entry(&mut self, _: &Header, _: &[u8]) -> Result<(), ()> {
            Ok(())
        }
        fn data(&mut self, bytes: &[u8]) -> Result<(), ()> {
            assert!(self.0.as_ptr_range().contains(&bytes.as_ptr()));
            self.1 += 1;
            Ok(())
        }
        fn end_entry(&mut self) -> Result<(), ()> {
            Ok(())
        }
    }
    let image = Writer::default().file("a", &[1; 100_000]).file("b", &[2; 3]).trailer().bytes;
    let mut sink = Within(&image, 0);
    unpack(&image, &mut sink).unwrap();
    assert_eq!(sink.1, 2, "one piece a file");
}

#[test]
fn plain_and_compressed_segments_follow_one_another() {
    let archive = |name| Writer::default().file(name, name.as_bytes()).trailer().bytes;
    let image = Writer::default()
        .raw(&archive("microcode"))
        .zeros(512)
        .raw(&gzip(&archive("base")))
        .raw(&gzip(&archive("more")))
        .zeros(1);
    let misaligned = image.bytes.len() % 4;
    let image = image.zeros(4 - misaligned).raw(&archive("last")).zeros(3).bytes;
    let recorder = unpacked(&image);
    assert_eq!(names(&recorder), ["microcode", "base", "more", "last"]);
    assert_eq!(recorder.entries.iter().map(|entry| entry.archive).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(recorder.archives, 4);
}

#[test]
fn several_archives_in_one_compressed_segment() {
    let both =
        Writer::default().file("a", b"1").trailer().zeros(700).file("b", b"2").trailer().zeros(513).bytes;
    let recorder = unpacked(&gzip(&both));
    assert_eq!(names(&recorder), ["a", "b"]);
    assert_eq!(recorder.entries[1].archive, 1);
}

#[test]
fn nothing_and_zeros_unpack_to_nothing() {
    assert!(unpacked(b"").entries.is_empty());
    assert!(unpacked(&[0; 1000]).entries.is_empty());
    assert!(unpacked(&gzip(b"")).entries.is_empty());
}

#[test]
fn the_trailer_and_the_last_padding_may_be_missing() {
    let mut image = Writer::default().file("a", b"12345").bytes;
    image.truncate(image.len() - 3);
    assert_eq!(names(&unpacked(&image)), ["a"]);
    assert_eq!(names(&unpacked(&gzip(&image))), ["a"]);
}

#[test]
fn data_of_directories_is_passed_over() {
    let directory = Header { mode: 0o040_755, ..Header::default() };
    let image = Writer::default().entry(directory, b"d", b"070701 nonsense").file("f", b"x").bytes;
    let recorder = unpacked(&image);
    assert_eq!(names(&recorder), ["d", "f"]);
    assert_eq!(recorder.entries[0].pieces, 0);
}

#[test]
fn each_unsupported_compression_is_named() {
    for (magic, name) in [
        (&b"\x28\xb5\x2f\xfd"[..], "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh9", "bzip2"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x5d\0\0", "lzma"),
    ] {
        let image = Writer::default().file("a", b"").trailer().zeros(8).raw(magic).bytes;
        let mut recorder = Recorder::default();
        let error = unpack(&image, &mut recorder).unwrap_err();
        let segment = image.len() - magic.len();
        assert_eq!(error, Error::Unsupported { segment, compression: name });
        assert!(error.to_string().ends_with(&format!("compressed with {name}, not supported")));
        assert_eq!(recorder.entries.len(), 1, "what came before is there");
    }
    assert_eq!(error_of(b"\x7fELF"), Error::UnknownFormat { segment: 0 });
}

#[test]
fn each_wrong_archive_has_its_error() {
    let good = Writer::default().file("a", b"data").bytes;
    let problem = |image: &[u8]| match error_of(image) {
        Error::Cpio { error, .. } => (error.offset, error.problem),
        other => panic!("{other}"),
    };
    assert_eq!(problem(&good[..50]), (0, Problem::Truncated));
    assert_eq!(problem(&good[..111]), (0, Problem::Truncated));
    assert_eq!(problem(&good[..115]), (0, Problem::DataPastEnd(4)));
    assert_eq!(problem(&gzip(&good[..115])), (0, Problem::DataPastEnd(4)));
    assert_eq!(problem(&gzip(&good[..50])), (0, Problem::Truncated));
    let misaligned = Writer::default().raw(&good).zeros(1).raw(&good).bytes;
    assert_eq!(problem(&misaligned), (117, Problem::Misaligned));
    assert_eq!(problem(&gzip(&misaligned)), (117, Problem::Misaligned));
    let junk = Writer::default().raw(&good).raw(b"junk").bytes;
    assert_eq!(problem(&gzip(&junk)), (116, Problem::Junk));
    assert_eq!(error_of(&junk), Error::UnknownFormat { segment: 116 });
    let header = Header { mode: 0o100_644, checksum: Some(1), ..Header::default() };
    let wrong_sum = Writer::default().raw(&good).entry(header, b"f", b"ab").bytes;
    assert_eq!(problem(&wrong_sum), (116, Problem::Checksum));
    assert_eq!(problem(&gzip(&wrong_sum)), (116, Problem::Checksum));

    let mut compressed = gzip(&good);
    let end = compressed.len() - 1;
    compressed[end] ^= 1;
    assert!(matches!(error_of(&compressed), Error::Gzip { segment: 0, .. }));
}

#[test]
fn a_cut_plain_archive_leaves_no_cut_file() {
    let image = Writer::default().file("a", b"1").file("b", &[7; 5000]).bytes;
    let mut recorder = Recorder::default();
    unpack(&image[..image.len() - 1], &mut recorder).unwrap_err();
    assert_eq!(names(&recorder), ["a"]);
    assert!(recorder.open.is_none());
}

#[test]
fn an_error_of_the_sink_ends_the_unpacking() {
    let archive = sample(&mut Random(11), &[10, 20]);
    for image in [archive.clone(), gzip(&archive)] {
        let mut recorder = Recorder { fail_at: Some(2), ..Recorder::default() };
        assert_eq!(unpack(&image, &mut recorder), Err(Error::Sink("disk full")));
        assert_eq!(recorder.entries.len(), 2);
    }
}

fn mutate(image: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(4) {
        let at = random.below(image.len());
        match random.below(4) {
            0 => image[at] = random.next() as u8,
            1 => image[at] ^= 1 << random.below(8),
            2 => image[at] = b"0123456789ABCDEFabcdef\0"[random.below(23)],
            _ => image.truncate(at.max(1)),
        }
    }
}

#[test]
fn no_mutated_image_panics_and_both_readers_agree() {
    let mut random = Random(12);
    let archive = sample(&mut Random(13), &[3, 64]);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..100_000 {
        let mut image = archive.clone();
        mutate(&mut image, &mut random);
        let mut recorder = Recorder::default();
        let result = unpack(&image, &mut recorder);
        let entries: Result<Vec<_>, _> = Archives::new(&image).collect();
        match (&result, &entries) {
            (Ok(()), Ok(entries)) => {
                good += 1;
                assert_eq!(recorder.entries.len(), entries.len());
                for (got, entry) in recorder.entries.iter().zip(entries) {
                    assert_eq!((got.header, &got.name[..]), (entry.header, entry.name));
                    assert!(got.data.is_empty() || got.data == entry.data);
                }
            }
            (Err(error), Err(_)) => {
                assert!(!error.to_string().is_empty());
                bad += 1;
            }
            _ => panic!("unpack: {result:?}, Archives: {entries:?}"),
        }
    }
    assert!(good > 10_000 && bad > 10_000, "{good} good, {bad} bad");
}

#[test]
fn a_mutated_archive_inside_gzip_gives_what_the_plain_one_does() {
    let mut random = Random(14);
    let archive = sample(&mut Random(15), &[3, 64]);
    for _ in 0..1_000 {
        let mut image = archive.clone();
        mutate(&mut image, &mut random);
        let (mut plain, mut compressed) = (Recorder::default(), Recorder::default());
        let plain_result = unpack(&image, &mut plain);
        let compressed_result = unpack(&gzip(&image), &mut compressed);
        assert_eq!(plain_result.is_ok(), compressed_result.is_ok(), "{plain_result:?} {compressed_result:?}");
        // A plain archive shows earlier that data is cut off, so its last entry may not have begun.
        let common = plain.entries.len();
        assert!(compressed.entries.len() <= common + 1);
        assert_eq!(plain.entries, compressed.entries[..common]);
    }
}

#[test]
fn no_mutated_compressed_image_panics() {
    let mut random = Random(16);
    let image = Writer::default()
        .file("first", b"plain")
        .trailer()
        .raw(&gzip(&sample(&mut Random(17), &[100])))
        .bytes;
    for _ in 0..5_000 {
        let mut image = image.clone();
        mutate(&mut image, &mut random);
        let _ = unpack(&image, &mut Recorder::default());
    }
}

/// Archives of the real tools, where the machine has them.
#[test]
fn archives_of_the_real_tools_are_unpacked() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let directory = std::env::temp_dir().join(format!("cpio-test-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("sub")).unwrap();
    std::fs::write(directory.join("sub/one"), vec![b'1'; 70_000]).unwrap();
    std::fs::hard_link(directory.join("sub/one"), directory.join("two")).unwrap();
    std::os::unix::fs::symlink("sub/one", directory.join("link")).unwrap();
    for format in ["newc", "crc"] {
        let tool = Command::new("cpio")
            .args(["-o", "--quiet", "-H", format])
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut tool) = tool else {
            eprintln!("skipped: no cpio on this machine");
            break;
        };
        tool.stdin.take().unwrap().write_all(b"sub\nsub/one\ntwo\nlink\n").unwrap();
        let archive = tool.wait_with_output().unwrap().stdout;
        for image in [archive.clone(), gzip(&archive)] {
            let recorder = unpacked(&image);
            let mut found = names(&recorder);
            found.sort_unstable();
            assert_eq!(found, ["link", "sub", "sub/one", "two"]);
            let links: Vec<_> = recorder
                .entries
                .iter()
                .filter(|entry| entry.header.nlink == 2 && entry.header.is_regular())
                .collect();
            assert_eq!(links.len(), 2);
            assert_eq!(links[0].header.ino, links[1].header.ino);
            assert_eq!(links.iter().map(|entry| entry.data.len()).sum::<usize>(), 70_000);
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
