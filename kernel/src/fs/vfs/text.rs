//! Text made for programs to read. It is made of bytes: names of files and arguments of programs need not be UTF-8.

use alloc::vec::Vec;
use core::fmt;

use linux_abi::errno::Errno;

/// A text that grows. Running out of memory is noted and comes out once, in [`Text::finish`], so that a writer may
/// ignore the results of its `write!`s.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Text {
    /// Makes an empty text.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), is_cut: false }
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.bytes.try_reserve(bytes.len()).is_err() {
            self.is_cut = true;
            return;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a name in which each of the bytes in `special` is written in octal: `\040`.
    pub fn push_escaped(&mut self, name: &[u8], special: &[u8]) {
        for part in name.split_inclusive(|byte| special.contains(byte)) {
            match part.split_last() {
                Some((last, rest)) if special.contains(last) => {
                    self.push(rest);
                    let digits = [last >> 6, last >> 3 & 7, last & 7].map(|digit| b'0' + digit);
                    self.push(b"\\");
                    self.push(&digits);
                }
                _ => self.push(part),
            }
        }
    }

    /// Adds blanks until the text is `len` bytes long.
    pub fn pad_to(&mut self, len: usize) {
        while self.bytes.len() < len && !self.is_cut {
            self.push(b" ");
        }
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Ends the text.
    ///
    /// # Errors
    /// `ENOMEM`: there was no room for all of it.
    pub fn finish(self) -> Result<Vec<u8>, Errno> {
        if self.is_cut { Err(Errno::ENOMEM) } else { Ok(self.bytes) }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn bytes_stay_as_they_are() {
        let mut text = Text::new();
        text.push(b"\xff\0");
        write!(text, "{}", 7).unwrap();
        assert_eq!(text.finish().unwrap(), b"\xff\x007");
    }

    #[test]
    fn special_bytes_become_octal() {
        let mut text = Text::new();
        text.push_escaped(b"a b\\\xe4\n", b" \\\n");
        assert_eq!(text.as_bytes(), b"a\\040b\\134\xe4\\012");
        text.pad_to(20);
        assert_eq!(text.len(), 20);
    }
}
