//! The decoder of gzip members.

mod common;

use common::{Random, crc32, gzip, gzip_with_header};
use cpio::{GzipProblem, GzipReader};

/// Reads a member to its end in pieces of `piece` bytes; returns data and length of the member.
fn decode(member: &[u8], piece: usize) -> Result<(Vec<u8>, usize), GzipProblem> {
    let mut reader = GzipReader::new(member).map_err(|error| error.problem)?;
    let mut data = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((data, reader.consumed())),
            Ok(n) => data.extend(&buffer[..n]),
            Err(error) => {
                assert_eq!(reader.read(&mut buffer), Err(error), "an error stays");
                assert!(error.offset <= member.len());
                return Err(error.problem);
            }
        }
    }
}

#[test]
fn data_of_all_sizes_comes_back() {
    let mut random = Random(1);
    for len in [0, 1, 2, 1000, 32_767, 32_768, 32_769, 70_000] {
        for data in [random.text(len), vec![b'x'; len], (0..len).map(|_| random.next() as u8).collect()] {
            let member = gzip(&data);
            for piece in [1 + len / 100, 100_000] {
                assert_eq!(decode(&member, piece), Ok((data.clone(), member.len())), "{len} by {piece}");
            }
        }
    }
}

#[test]
fn chunks_are_the_data_without_a_copy() {
    let data = Random(2).text(100_000);
    let member = gzip(&data);
    let mut reader = GzipReader::new(&member).unwrap();
    let mut decoded: Vec<u8> = Vec::new();
    loop {
        let chunk = reader.chunk().unwrap();
        assert!(chunk.len() <= 32_768);
        if chunk.is_empty() {
            break;
        }
        decoded.extend(chunk);
    }
    assert_eq!(decoded, data);
    assert_eq!(reader.chunk(), Ok(&[][..]));
}

#[test]
fn what_follows_the_member_is_left_alone() {
    let mut member = gzip(b"hello");
    let len = member.len();
    member.extend(b"more");
    assert_eq!(decode(&member, 10), Ok((b"hello".to_vec(), len)));
}

#[test]
fn all_optional_parts_of_the_header_are_passed_over() {
    let mut header = vec![0x1f, 0x8b, 8, 0x1f, 1, 2, 3, 4, 2, 3];
    header.extend([3, 0, 1, 0, 2]);
    header.extend(b"name\0comment\0");
    let check = crc32(&header) as u16;
    header.extend(check.to_le_bytes());
    let member = gzip_with_header(&header, b"hello");
    assert_eq!(decode(&member, 10), Ok((b"hello".to_vec(), member.len())));

    for cut in 0..header.len() {
        assert!(matches!(decode(&member[..cut], 10), Err(GzipProblem::Truncated | GzipProblem::BadMagic)));
    }
    let at = header.len() - 1;
    header[at] ^= 1;
    assert_eq!(decode(&gzip_with_header(&header, b"hello"), 10), Err(GzipProblem::HeaderChecksum));
}

#[test]
fn each_wrong_header_has_its_error() {
    let with = |at: usize, value: u8| {
        let mut member = gzip(b"hello");
        member[at] = value;
        decode(&member, 10).unwrap_err()
    };
    assert_eq!(with(0, 0), GzipProblem::BadMagic);
    assert_eq!(with(2, 7), GzipProblem::UnknownMethod);
    assert_eq!(with(3, 0x20), GzipProblem::ReservedFlags);
}

#[test]
fn a_wrong_trailer_is_noticed() {
    let member = gzip(b"hello");
    let with = |from_end: usize| {
        let mut member = member.clone();
        let at = member.len() - from_end;
        member[at] ^= 0x10;
        decode(&member, 10)
    };
    assert_eq!(with(8), Err(GzipProblem::Checksum));
    assert_eq!(with(1), Err(GzipProblem::Length));
}

#[test]
fn a_member_cut_anywhere_is_an_error() {
    let member = gzip(&Random(3).text(3000));
    for cut in 0..member.len() {
        assert!(decode(&member[..cut], 512).is_err(), "cut at {cut}");
    }
}

#[test]
fn no_mutated_member_panics_or_passes_unnoticed() {
    let mut random = Random(4);
    let data = random.text(300);
    let member = gzip(&data);
    let mut refused = 0;
    for _ in 0..10_000 {
        let mut mutated = member.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(mutated.len());
            mutated[at] = random.next() as u8;
        }
        if random.below(8) == 0 {
            mutated.truncate(random.below(mutated.len()));
        }
        match decode(&mutated, 64) {
            Ok((decoded, _)) => assert_eq!(decoded, data),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 5_000);
}
