//! A ring of bytes that never allocates: interrupt handlers fill and empty it.

/// Up to `N` bytes, first in, first out.
pub(super) struct Ring<const N: usize> {
    bytes: [u8; N],
    start: usize,
    len: usize,
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], start: 0, len: 0 }
    }

    /// The number of bytes in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Drops all bytes.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a byte; answers whether there was room.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        if self.len == N {
            return false;
        }
        self.bytes[(self.start + self.len) % N] = byte;
        self.len += 1;
        true
    }

    /// Takes the oldest byte.
    pub(super) fn pop(&mut self) -> Option<u8> {
        if self.len == 0 {
            return None;
        }
        let byte = self.bytes[self.start];
        self.start = (self.start + 1) % N;
        self.len -= 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_and_a_full_ring_refuses() {
        let mut ring = Ring::<3>::new();
        for round in 0..5 {
            assert!(ring.push(round) && ring.push(round + 1) && ring.push(round + 2));
            assert!(!ring.push(99));
            assert_eq!((ring.pop(), ring.len()), (Some(round), 2));
            assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some(round + 1), Some(round + 2), None));
        }
        assert!(ring.push(1));
        ring.clear();
        assert_eq!(ring.pop(), None);
    }
}
