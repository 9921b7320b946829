//! Argument and environment strings on their way into a new program. Each is kept with its NUL.

use alloc::vec::Vec;

use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::limits::MAX_ARG_STRLEN;

use crate::memory::fallible::Pieces;

/// A list of strings. It may be megabytes long, so it is kept in pages; the few strings that `#!` lines put in front lie
/// apart.
#[derive(Debug, Default)]
pub struct Strings {
    /// Put in front, the last one first.
    front: Vec<Vec<u8>>,
    bytes: Pieces<u8>,
    /// The length of each string in `bytes`.
    lens: Pieces<u32>,
    /// Whether the first string of `bytes` does not count any more, and its length then.
    dropped: Option<u32>,
}

impl Strings {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies a NULL-terminated array of string pointers from user memory; a null array is empty.
    ///
    /// # Errors
    /// `EFAULT`: not readable. `E2BIG`: a string of more than `MAX_ARG_STRLEN` bytes, or more than `limit` bytes in all.
    /// `ENOMEM`.
    pub fn copy_in(array: usize, limit: usize) -> Result<Self, Errno> {
        let mut strings = Self::new();
        if array == 0 {
            return Ok(strings);
        }
        for index in 0.. {
            let pointer = UserPtr::<u64>::new(array.wrapping_add(index * 8)).read()? as usize;
            if pointer == 0 {
                break;
            }
            strings.push_user(pointer)?;
            if strings.space() > limit {
                return Err(Errno::E2BIG);
            }
        }
        Ok(strings)
    }

    fn push_user(&mut self, addr: usize) -> Result<(), Errno> {
        let mut chunk = [0u8; 128];
        let mut len = 0;
        loop {
            let end = hal::user::read_cstr(addr.wrapping_add(len), &mut chunk)?;
            // A string that ends within the chunk has its NUL there.
            let part = &chunk[..end.map_or(chunk.len(), |end| end + 1)];
            self.bytes.extend(part)?;
            len += part.len();
            if len > MAX_ARG_STRLEN {
                return Err(Errno::E2BIG);
            }
            if end.is_some() {
                return self.lens.push(len as u32);
            }
        }
    }

    /// Appends a string, given without its NUL.
    ///
    /// # Errors
    /// `ENOMEM`; the list is of no use any more.
    pub fn push(&mut self, string: &[u8]) -> Result<(), Errno> {
        self.bytes.extend(string)?;
        self.bytes.push(0)?;
        self.lens.push(string.len() as u32 + 1)
    }

    /// Puts a string, given without its NUL, before all others.
    pub fn push_front(&mut self, mut string: Vec<u8>) {
        string.push(0);
        self.front.push(string);
    }

    /// Takes the first string out.
    pub fn drop_first(&mut self) {
        if self.front.pop().is_none() && self.dropped.is_none() {
            self.dropped = self.lens.slices_from(0).next().and_then(|lens| lens.first().copied());
        }
    }

    /// Returns the number of strings.
    pub fn len(&self) -> usize {
        self.front.len() + self.lens.len() - usize::from(self.dropped.is_some())
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of bytes of all strings.
    pub fn byte_len(&self) -> usize {
        let front: usize = self.front.iter().map(Vec::len).sum();
        front + self.bytes.len() - self.dropped.unwrap_or(0) as usize
    }

    /// Returns what they take on the stack of a program: bytes and pointers.
    pub fn space(&self) -> usize {
        self.byte_len() + self.len() * size_of::<u64>()
    }

    /// Iterates over the bytes of all strings, as many at a time as lie together.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let front = self.front.iter().rev().map(Vec::as_slice);
        front.chain(self.bytes.slices_from(self.dropped.unwrap_or(0) as usize))
    }

    /// Iterates over the offsets at which the strings start among all bytes.
    pub fn offsets(&self) -> impl Iterator<Item = usize> {
        let front = self.front.iter().rev().map(Vec::len);
        let lens = self.lens.slices_from(usize::from(self.dropped.is_some())).flatten();
        front.chain(lens.map(|&len| len as usize)).scan(0, |at, len| {
            let start = *at;
            *at += len;
            Some(start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(strings: &Strings) -> (Vec<u8>, Vec<usize>) {
        (strings.slices().flatten().copied().collect(), strings.offsets().collect())
    }

    #[test]
    fn strings_lie_one_after_another() {
        let mut strings = Strings::new();
        for string in [&b"one"[..], b"", b"three"] {
            strings.push(string).unwrap();
        }
        assert_eq!(shown(&strings), (b"one\0\0three\0".to_vec(), [0, 4, 5].to_vec()));
        assert_eq!((strings.len(), strings.byte_len(), strings.space()), (3, 11, 35));
    }

    #[test]
    fn a_script_changes_the_front_only() {
        let mut strings = Strings::new();
        strings.push(b"name").unwrap();
        strings.push(b"argument").unwrap();
        for interpreter in [b"/bin/first", b"/bin/other"] {
            strings.drop_first();
            strings.push_front(b"script".to_vec());
            strings.push_front(interpreter.to_vec());
        }
        let expected = b"/bin/other\0script\0script\0argument\0".to_vec();
        assert_eq!(shown(&strings), (expected, [0, 11, 18, 25].to_vec()));
        assert_eq!((strings.len(), strings.byte_len()), (4, 34));
    }

    #[test]
    fn an_empty_list_can_be_given_a_front() {
        let mut strings = Strings::new();
        assert!(strings.is_empty());
        strings.drop_first();
        strings.push_front(b"x".to_vec());
        assert_eq!(shown(&strings), (b"x\0".to_vec(), [0].to_vec()));
        strings.drop_first();
        assert!(strings.is_empty());
    }
}
