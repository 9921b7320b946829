//! CRC-32 of gzip (polynomial 0xEDB88320, reflected), eight bytes a step.

/// `TABLES[k][b]`: the checksum of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 != 0 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let previous = tables[k - 1][byte];
            tables[k][byte] = previous >> 8 ^ tables[0][(previous & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// A checksum in the making.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    /// Takes in `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let look_up = |table: usize, value: u32, shift: u32| TABLES[table][(value >> shift & 0xff) as usize];
        let mut crc = !self.0;
        let (steps, rest) = bytes.as_chunks::<8>();
        for step in steps {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *step;
            let low = crc ^ u32::from_le_bytes([b0, b1, b2, b3]);
            let high = u32::from_le_bytes([b4, b5, b6, b7]);
            crc = look_up(7, low, 0)
                ^ look_up(6, low, 8)
                ^ look_up(5, low, 16)
                ^ look_up(4, low, 24)
                ^ look_up(3, high, 0)
                ^ look_up(2, high, 8)
                ^ look_up(1, high, 16)
                ^ look_up(0, high, 24);
        }
        for &byte in rest {
            crc = crc >> 8 ^ look_up(0, crc ^ u32::from(byte), 0);
        }
        self.0 = !crc;
    }

    /// Returns the checksum of all that was taken in.
    pub(crate) const fn value(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = Crc32::default();
        crc.update(bytes);
        crc.value()
    }

    #[test]
    fn known_checksums() {
        assert_eq!(crc(b""), 0);
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        let bytes: [u8; 100] = core::array::from_fn(|i| (i * 37) as u8);
        for cut in 0..100 {
            let mut crc_of_pieces = Crc32::default();
            crc_of_pieces.update(&bytes[..cut]);
            crc_of_pieces.update(&bytes[cut..]);
            assert_eq!(crc_of_pieces.value(), crc(&bytes));
        }
    }
}
