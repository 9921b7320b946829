//! Files of procfs whose text is made when it is read.
//!
//! A text is made in pieces, each from the place where the last one ended, so that neither a long text nor many readers
//! of it take much memory. A program that reads on gets what follows; one that goes elsewhere, or back to the start, gets
//! a text made anew. That is what Linux's `seq_file` does.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hal::sync::Mutex;
use linux_abi::errno::Errno;
use linux_abi::seek::SEEK_END;

use super::node::{Common, Content, Topic};
use crate::fs::vfs::text::Text;
use crate::fs::vfs::{File, Inode, InodeState, IoFlags, Metadata, OpenRequest};
use crate::lock_order;
use crate::uio::{Sink, Source};

/// Bytes after which a piece of a long text is long enough.
pub(super) const PIECE: usize = 4096;

/// Longest write to a file of `/proc`.
const WRITE_MAX: usize = 4096;

/// What makes a text.
pub(super) trait TextSource: Send + Sync {
    /// Adds to `text` the piece that starts at `from`, and tells where the next one starts; `None` after the last. The
    /// first piece starts at 0; what other starts mean is the source's own business.
    ///
    /// # Errors
    /// `ESRCH`: what it is about has gone. `EACCES`, `ENOMEM`.
    fn show(&self, from: u64, text: &mut Text) -> Result<Option<u64>, Errno>;

    /// Takes what a program writes.
    ///
    /// # Errors
    /// `EIO`, `EINVAL`: nothing is taken. `EINVAL`, `EACCES`, `EPERM`: not this.
    fn store(&self, value: &[u8]) -> Result<(), Errno>;
}

/// A file described by a table.
pub(super) struct TextInode<T: 'static> {
    common: Common,
    topic: T,
    content: &'static Content<T>,
}

impl<T: Topic> TextInode<T> {
    /// Makes a file; `content` is one of the texts.
    pub(super) fn new(common: Common, topic: T, content: &'static Content<T>) -> Arc<Self> {
        Arc::new(Self { common, topic, content })
    }
}

impl<T: Topic> Inode for TextInode<T> {
    fn metadata(&self) -> Metadata {
        self.common.metadata()
    }

    fn state(&self) -> &InodeState {
        self.common.state()
    }

    fn open(self: Arc<Self>, request: &OpenRequest) -> Result<Arc<dyn File>, Errno> {
        let takes = matches!(self.content, Content::Setting(..));
        if request.writes() && !takes && T::REFUSES_WRITERS {
            return Err(Errno::EACCES);
        }
        Ok(TextFile::new(TableSource { topic: self.topic.clone(), content: self.content }))
    }

    fn is_cacheable(&self) -> bool {
        T::IS_LASTING
    }
}

/// A text described by a table.
struct TableSource<T: 'static> {
    topic: T,
    content: &'static Content<T>,
}

impl<T: Topic> TextSource for TableSource<T> {
    fn show(&self, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
        self.topic.check()?;
        match self.content {
            Content::Text(show) | Content::Setting(show, _) => show(&self.topic, text).map(|()| None),
            Content::Pieces(show) => show(&self.topic, from, text),
            _ => Err(Errno::EINVAL),
        }
    }

    fn store(&self, value: &[u8]) -> Result<(), Errno> {
        match self.content {
            Content::Setting(_, store) => {
                self.topic.check()?;
                store(&self.topic, value)
            }
            _ => Err(T::NOT_WRITABLE),
        }
    }
}

/// An open text.
pub(super) struct TextFile {
    source: Box<dyn TextSource>,
    reading: Mutex<Reading>,
}

/// How far a text has been read.
#[derive(Default)]
struct Reading {
    /// The piece at hand.
    piece: Vec<u8>,
    /// Position of its first byte.
    start: u64,
    /// Where the next piece starts.
    next: Option<u64>,
    /// Position behind the last byte that was read.
    end: u64,
}

impl TextFile {
    /// Opens the text that `source` makes.
    pub(super) fn new(source: impl TextSource + 'static) -> Arc<Self> {
        let reading = Mutex::new(lock_order::PROC_TEXT, Reading::default());
        Arc::new(Self { source: Box::new(source), reading })
    }
}

impl File for TextFile {
    fn read(&self, position: &mut u64, sink: &mut Sink<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let mut reading = self.reading.lock();
        if *position == 0 || *position != reading.end {
            *reading = Reading { next: Some(0), ..Reading::default() };
        }
        let mut done = 0;
        let outcome = loop {
            match reading.read(*position, sink) {
                Ok(0) if sink.is_full() => break Ok(()),
                Ok(0) => match reading.advance(self.source.as_ref()) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Ok(n) => {
                    done += n;
                    *position += n as u64;
                }
                Err(error) => break Err(error),
            }
        };
        // After an error the next read starts anew.
        reading.end = if outcome.is_ok() { *position } else { u64::MAX };
        if done == 0 { outcome.map(|()| 0) } else { Ok(done) }
    }

    fn write(&self, position: &mut u64, source: &mut Source<'_>, _flags: IoFlags) -> Result<usize, Errno> {
        let mut value = alloc::vec![0; source.remaining().min(WRITE_MAX)];
        let len = source.take(&mut value)?;
        self.source.store(&value[..len])?;
        *position += len as u64;
        Ok(len)
    }

    fn seek(&self, current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        // Nobody knows how long the text will be.
        if whence == SEEK_END { Err(Errno::EINVAL) } else { seek_plainly(current, offset, whence) }
    }

    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        // The text is not stored, so there is nothing to cut: `echo value >FILE` means what it says.
        Ok(())
    }
}

impl Reading {
    /// Copies what the piece at hand has at `position`.
    fn read(&self, position: u64, sink: &mut Sink<'_>) -> Result<usize, Errno> {
        let offset = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        let rest = self.piece.get(offset..).unwrap_or_default();
        if rest.is_empty() { Ok(0) } else { sink.put(&rest[..rest.len().min(sink.remaining())]) }
    }

    /// Goes to the next piece; answers whether there is one.
    fn advance(&mut self, source: &dyn TextSource) -> Result<bool, Errno> {
        self.start += self.piece.len() as u64;
        self.piece = Vec::new();
        let Some(from) = self.next.take() else { return Ok(false) };
        let mut text = Text::new();
        self.next = source.show(from, &mut text)?;
        self.piece = text.finish()?;
        Ok(true)
    }
}

/// Computes a new position from the start or from the present one.
///
/// # Errors
/// `EINVAL`: from anywhere else, or before the start. `EOVERFLOW`: too far.
pub(super) fn seek_plainly(current: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
    use linux_abi::seek::{SEEK_CUR, SEEK_SET};

    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => i64::try_from(current).map_err(|_| Errno::EOVERFLOW)?,
        _ => return Err(Errno::EINVAL),
    };
    let sum = base.checked_add(offset).ok_or(Errno::EOVERFLOW)?;
    u64::try_from(sum).map_err(|_| Errno::EINVAL)
}

/// Reads a number as Linux's `kstrto*` do: a sign, then decimal, `0x` hexadecimal or `0` octal digits, and perhaps a line
/// end.
///
/// # Errors
/// `EINVAL`: no number. `ERANGE`: it is too large.
pub(super) fn parse_number(text: &[u8]) -> Result<i64, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Errno::EINVAL);
    }
    let value = i64::from_str_radix(digits, radix).map_err(|_| Errno::ERANGE)?;
    Ok(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use core::fmt::Write;
    use core::sync::atomic::{AtomicU64, Ordering};

    /// A text of lines `LINE of ROUND`, a line a piece; each start from 0 is a new round.
    struct Lines {
        count: u64,
        round: AtomicU64,
    }

    impl TextSource for Lines {
        fn show(&self, from: u64, text: &mut Text) -> Result<Option<u64>, Errno> {
            if from == 0 {
                self.round.fetch_add(1, Ordering::Relaxed);
            }
            writeln!(text, "{from} of {}", self.round.load(Ordering::Relaxed)).unwrap();
            Ok((from + 1 < self.count).then_some(from + 1))
        }

        fn store(&self, _value: &[u8]) -> Result<(), Errno> {
            Err(Errno::EIO)
        }
    }

    fn open(count: u64) -> Arc<TextFile> {
        TextFile::new(Lines { count, round: AtomicU64::new(0) })
    }

    fn read(file: &TextFile, position: &mut u64, len: usize) -> String {
        let mut bytes = alloc::vec![0; len];
        let n = file.read(position, &mut Sink::kernel(&mut bytes), IoFlags::empty()).unwrap();
        String::from_utf8(bytes[..n].to_vec()).unwrap()
    }

    #[test]
    fn reading_on_gives_one_text_however_small_the_reads() {
        let file = open(3);
        let mut position = 0;
        let mut whole = String::new();
        loop {
            let part = read(&file, &mut position, 2);
            if part.is_empty() {
                break;
            }
            whole += &part;
        }
        assert_eq!(whole, "0 of 1\n1 of 1\n2 of 1\n");
        assert_eq!(read(&file, &mut position, 2), "");
    }

    #[test]
    fn one_read_takes_several_pieces() {
        assert_eq!(read(&open(3), &mut 0, 100), "0 of 1\n1 of 1\n2 of 1\n");
    }

    #[test]
    fn going_elsewhere_makes_the_text_anew() {
        let file = open(2);
        assert_eq!(read(&file, &mut 0, 3), "0 o");
        assert_eq!(read(&file, &mut 7, 100), "1 of 2\n");
        assert_eq!(read(&file, &mut 0, 100), "0 of 3\n1 of 3\n");
        assert_eq!(read(&file, &mut 100, 10), "");
    }

    #[test]
    fn the_end_of_a_text_is_not_known() {
        let file = open(1);
        assert_eq!(file.seek(5, 0, SEEK_END), Err(Errno::EINVAL));
        assert_eq!(file.seek(5, -1, linux_abi::seek::SEEK_CUR), Ok(4));
        assert_eq!(file.seek(5, -6, linux_abi::seek::SEEK_CUR), Err(Errno::EINVAL));
    }

    #[test]
    fn numbers_are_read_as_linux_reads_them() {
        let cases: Vec<(&str, Result<i64, Errno>)> = alloc::vec![
            ("5\n", Ok(5)),
            ("-1000", Ok(-1000)),
            ("0x1f", Ok(31)),
            ("017\n", Ok(15)),
            ("0", Ok(0)),
            ("", Err(Errno::EINVAL)),
            ("5 ", Err(Errno::EINVAL)),
            ("abc", Err(Errno::EINVAL)),
            ("--5", Err(Errno::EINVAL)),
            ("99999999999999999999", Err(Errno::ERANGE)),
        ];
        for (text, value) in cases {
            assert_eq!(parse_number(text.as_bytes()), value, "{text}");
        }
    }
}
