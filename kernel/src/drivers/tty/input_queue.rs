//! What was typed at a terminal and not read: complete lines, then the one being edited, in one ring.
//!
//! # Invariants
//! 1. `taken <= ready <= typed <= taken + CAPACITY`: counts of bytes ever read, made ready for readers, and typed.
//! 2. A byte that ends a line has its bit in `ends`. One that is [`MARK`] ends the line without being part of it.

use alloc::vec::Vec;

use linux_abi::errno::Errno;

use crate::memory::fallible;

/// Bytes of input kept for readers (`N_TTY_BUF_SIZE`).
pub(super) const CAPACITY: usize = 4096;

/// The end of a line, or of the file, that no reader sees.
pub(super) const MARK: u8 = 0;

const WORD_BITS: usize = u64::BITS as usize;

/// Bytes with the ends of lines among them.
pub(super) struct InputQueue {
    bytes: Vec<u8>,
    ends: [u64; CAPACITY / WORD_BITS],
    taken: u64,
    ready: u64,
    typed: u64,
}

/// The place of a count in the ring.
fn place(count: u64) -> usize {
    count as usize % CAPACITY
}

impl InputQueue {
    /// Makes an empty queue.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self, Errno> {
        let bytes = fallible::zeroed(CAPACITY)?;
        Ok(Self { bytes, ends: [0; CAPACITY / WORD_BITS], taken: 0, ready: 0, typed: 0 })
    }

    /// Bytes that are ready, marks included.
    pub(super) fn ready_len(&self) -> usize {
        (self.ready - self.taken) as usize
    }

    /// Bytes of the line being edited.
    pub(super) fn editing_len(&self) -> usize {
        (self.typed - self.ready) as usize
    }

    /// Bytes that fit in besides the end of a line.
    pub(super) fn room(&self) -> usize {
        (CAPACITY - 1).saturating_sub((self.typed - self.taken) as usize)
    }

    /// Ready bytes that readers will see.
    pub(super) fn visible_len(&self) -> usize {
        (self.taken..self.ready).filter(|&count| !self.is_mark(count)).count()
    }

    /// A byte of the line being edited.
    pub(super) fn editing(&self, index: usize) -> u8 {
        self.bytes[place(self.ready + index as u64)]
    }

    /// Adds a byte to the line being edited; lost when there is no room at all.
    pub(super) fn push(&mut self, byte: u8) {
        if self.typed - self.taken < CAPACITY as u64 {
            let at = place(self.typed);
            self.bytes[at] = byte;
            self.ends[at / WORD_BITS] &= !(1 << (at % WORD_BITS));
            self.typed += 1;
        }
    }

    /// Cuts the line being edited.
    pub(super) fn truncate_editing(&mut self, len: usize) {
        self.typed = self.typed.min(self.ready + len as u64);
    }

    /// Makes what is being edited ready; `is_line`: its last byte ends a line.
    pub(super) fn make_ready(&mut self, is_line: bool) {
        self.ready = self.typed;
        if is_line && self.ready > self.taken {
            let at = place(self.ready - 1);
            self.ends[at / WORD_BITS] |= 1 << (at % WORD_BITS);
        }
    }

    /// Makes everything ready, and bytes like others of what ended lines; `is_line`: all of it is one line.
    pub(super) fn forget_lines(&mut self, is_line: bool) {
        self.ends = [0; CAPACITY / WORD_BITS];
        self.make_ready(is_line);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        (self.taken, self.ready) = (self.typed, self.typed);
    }

    /// Moves up to `limit` ready bytes to `out`, which has room for them.
    pub(super) fn take(&mut self, limit: usize, out: &mut Vec<u8>) {
        let count = limit.min(self.ready_len());
        (self.taken..self.taken + count as u64).for_each(|count| out.push(self.bytes[place(count)]));
        self.taken += count as u64;
    }

    /// Moves up to `limit` bytes of the first line to `out`, which has room for them. A mark that follows them is read
    /// with them.
    pub(super) fn take_of_line(&mut self, limit: usize, out: &mut Vec<u8>) {
        for _ in 0..limit {
            if self.taken == self.ready || self.is_mark(self.taken) {
                break;
            }
            let at = place(self.taken);
            out.push(self.bytes[at]);
            self.taken += 1;
            if self.is_end(at) {
                return;
            }
        }
        if self.taken < self.ready && self.is_mark(self.taken) {
            self.taken += 1;
        }
    }

    fn is_end(&self, at: usize) -> bool {
        self.ends[at / WORD_BITS] & 1 << (at % WORD_BITS) != 0
    }

    fn is_mark(&self, count: u64) -> bool {
        let at = place(count);
        self.bytes[at] == MARK && self.is_end(at)
    }
}
