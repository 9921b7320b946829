//! Bytes on their way to a terminal's device: written and translated, or echo.

use alloc::vec::Vec;

use linux_abi::errno::Errno;

use crate::memory::fallible;

/// Most bytes of echo at a time.
const MOST_ECHO: usize = 4096;

/// A short list of bytes. What exceeds its limit, or memory, is lost, as echo may be; who must not lose any asks for
/// [`Output::room`].
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

impl Output {
    /// Makes a list for echo, which takes memory as it grows.
    pub(super) fn echo() -> Self {
        Self { bytes: Vec::new(), limit: MOST_ECHO }
    }

    /// Makes a list that has memory for `limit` bytes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn with_room(limit: usize) -> Result<Self, Errno> {
        Ok(Self { bytes: fallible::vec(limit)?, limit })
    }

    /// Bytes that fit in.
    pub(super) fn room(&self) -> usize {
        self.limit - self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let fitting = &bytes[..bytes.len().min(self.room())];
        // What there is no memory for is lost.
        let _ = fallible::extend(&mut self.bytes, fitting);
    }
}
