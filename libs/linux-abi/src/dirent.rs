//! Directory entries as `getdents64` and `getdents` lay them out.
//!
//! A record is a header, the name, a zero byte, zeros up to a multiple of 8. In the older form of `getdents` the last
//! byte of the record is the type.

/// Type not known.
pub const DT_UNKNOWN: u8 = 0;
/// Named pipe.
pub const DT_FIFO: u8 = 1;
/// Character device.
pub const DT_CHR: u8 = 2;
/// Directory.
pub const DT_DIR: u8 = 4;
/// Block device.
pub const DT_BLK: u8 = 6;
/// Regular file.
pub const DT_REG: u8 = 8;
/// Symbolic link.
pub const DT_LNK: u8 = 10;
/// Socket.
pub const DT_SOCK: u8 = 12;
/// Whiteout of a union file system.
pub const DT_WHT: u8 = 14;

/// Offset of the name in a record of `getdents64`.
pub const DIRENT64_NAME_OFFSET: usize = 19;
/// Offset of the name in a record of `getdents`.
pub const DIRENT_NAME_OFFSET: usize = 18;

/// One entry to be written.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Inode number.
    pub ino: u64,
    /// Position from which the next entry is read (`lseek`).
    pub next_offset: i64,
    /// `DT_*`.
    pub file_type: u8,
    /// Name, without a zero byte.
    pub name: &'a [u8],
}

/// Returns the length of the record that `getdents64` needs for a name of `name_len` bytes.
pub const fn record_len64(name_len: usize) -> usize {
    (DIRENT64_NAME_OFFSET + name_len + 1).next_multiple_of(8)
}

/// Returns the length of the record that `getdents` needs for a name of `name_len` bytes.
pub const fn record_len(name_len: usize) -> usize {
    (DIRENT_NAME_OFFSET + name_len + 2).next_multiple_of(8)
}

/// Writes `entry` in the form of `getdents64` to the start of `buffer` and returns the length of the record.
///
/// Returns `None` and writes nothing if the buffer is too small, or the name longer than a record can say.
pub fn write64(buffer: &mut [u8], entry: &Entry<'_>) -> Option<usize> {
    let len = record_len64(entry.name.len());
    let record = buffer.get_mut(..len)?;
    write_header(record, entry, len)?;
    record[18] = entry.file_type;
    write_name(&mut record[DIRENT64_NAME_OFFSET..], entry.name);
    Some(len)
}

/// Writes `entry` in the form of `getdents` to the start of `buffer` and returns the length of the record.
///
/// Returns `None` and writes nothing if the buffer is too small, or the name longer than a record can say.
pub fn write(buffer: &mut [u8], entry: &Entry<'_>) -> Option<usize> {
    let len = record_len(entry.name.len());
    let record = buffer.get_mut(..len)?;
    write_header(record, entry, len)?;
    write_name(&mut record[DIRENT_NAME_OFFSET..], entry.name);
    record[len - 1] = entry.file_type;
    Some(len)
}

fn write_header(record: &mut [u8], entry: &Entry<'_>, len: usize) -> Option<()> {
    let len = u16::try_from(len).ok()?;
    record[0..8].copy_from_slice(&entry.ino.to_le_bytes());
    record[8..16].copy_from_slice(&entry.next_offset.to_le_bytes());
    record[16..18].copy_from_slice(&len.to_le_bytes());
    Some(())
}

/// Writes the name and fills what follows with zeros.
fn write_name(space: &mut [u8], name: &[u8]) {
    let (text, rest) = space.split_at_mut(name.len());
    text.copy_from_slice(name);
    rest.fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Entry<'static> = Entry { ino: 7, next_offset: 3, file_type: DT_DIR, name: b"abcd" };

    #[test]
    fn a_record_of_getdents64_has_linux_layout() {
        let mut buffer = [0xff; 32];
        assert_eq!(write64(&mut buffer, &ENTRY), Some(24));
        assert_eq!(buffer[..8], 7u64.to_le_bytes());
        assert_eq!(buffer[8..16], 3u64.to_le_bytes());
        assert_eq!(buffer[16..24], [24, 0, DT_DIR, b'a', b'b', b'c', b'd', 0]);
        assert_eq!(buffer[24], 0xff);
    }

    #[test]
    fn a_record_of_getdents_has_the_type_in_its_last_byte() {
        let mut buffer = [0xff; 24];
        assert_eq!(write(&mut buffer, &ENTRY), Some(24));
        assert_eq!(buffer[16..24], [24, 0, b'a', b'b', b'c', b'd', 0, DT_DIR]);
    }

    #[test]
    fn a_record_that_does_not_fit_is_not_begun() {
        let mut buffer = [0xff; 23];
        assert_eq!(write64(&mut buffer, &ENTRY), None);
        assert_eq!(write(&mut buffer, &ENTRY), None);
        assert_eq!(buffer, [0xff; 23]);
        let mut large = std::vec![0xff; 70_000];
        let name = std::vec![b'x'; 66_000];
        assert_eq!(write64(&mut large, &Entry { name: &name, ..ENTRY }), None);
        assert!(large.iter().all(|&byte| byte == 0xff));
    }

    #[test]
    fn record_lengths_leave_room_for_the_zero() {
        assert_eq!(record_len64(4), 24);
        assert_eq!(record_len64(5), 32);
        assert_eq!(record_len(4), 24);
        assert_eq!(record_len(5), 32);
    }
}
