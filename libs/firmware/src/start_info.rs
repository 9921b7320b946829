//! The start info that a PVH boot loader hands over, read with suspicion.
//!
//! Source: Xen's `public/arch-x86/hvm/start_info.h`, versions 0 and 1.

use core::ops::Range;

use arrayvec::ArrayVec;

use crate::{PhysMemory, u32_at, u64_at};

/// Longest command line taken, as on Linux (`COMMAND_LINE_SIZE`).
pub const MAX_COMMAND_LINE: usize = 2048;
/// Boot modules taken.
const MAX_MODULES: usize = 8;
/// Memory-map entries looked at.
const MAX_MAP_ENTRIES: usize = 512;
/// First address that the architecture cannot express.
const PHYS_LIMIT: u64 = 1 << 52;
const MAGIC: u32 = 0x336e_c578;

/// Kind of a memory-map entry: RAM.
pub const KIND_RAM: u32 = 1;

/// What the boot loader said.
pub struct StartInfo<'a> {
    /// The command line without its NUL, cut to [`MAX_COMMAND_LINE`].
    pub command_line: &'a [u8],
    /// Files in memory, none empty.
    pub modules: ArrayVec<Range<u64>, MAX_MODULES>,
    /// Address of ACPI's root pointer, if it was given.
    pub rsdp: Option<u64>,
    map: &'a [u8],
}

impl<'a> StartInfo<'a> {
    /// Parses the structure at a physical address.
    ///
    /// # Errors
    /// A message if there is none or it gives no memory map.
    pub fn parse(memory: &'a dyn PhysMemory, addr: u64) -> Result<Self, &'static str> {
        const BROKEN: &str = "the boot loader's start info cannot be read";
        let head = memory.bytes(addr, 40).ok_or(BROKEN)?;
        if u32_at(head, 0) != Some(MAGIC) {
            return Err("the boot loader's start info lacks its signature");
        }
        let version = u32_at(head, 4).ok_or(BROKEN)?;
        if version == 0 {
            return Err("the boot loader gives no memory map (start info version 0)");
        }
        let tail = memory.bytes(addr.wrapping_add(40), 16).ok_or(BROKEN)?;
        let map_addr = u64_at(tail, 0).ok_or(BROKEN)?;
        let map_entries = u32_at(tail, 8).ok_or(BROKEN)? as usize;
        let map = memory
            .bytes(map_addr, map_entries.min(MAX_MAP_ENTRIES) * 24)
            .ok_or("the boot loader's memory map cannot be read")?;

        let mut modules = ArrayVec::new();
        let count = u32_at(head, 12).ok_or(BROKEN)? as usize;
        let list = u64_at(head, 16).ok_or(BROKEN)?;
        for i in 0..count.min(MAX_MODULES) {
            let Some(entry) = memory.bytes(list.wrapping_add(32 * i as u64), 32) else { break };
            let (Some(start), Some(len)) = (u64_at(entry, 0), u64_at(entry, 8)) else { break };
            let end = start.saturating_add(len);
            if start < end && end < PHYS_LIMIT {
                modules.push(start..end);
            }
        }

        let command_line = u64_at(head, 24).map_or(&[][..], |addr| command_line(memory, addr));
        let rsdp = u64_at(head, 32).filter(|&addr| addr != 0);
        Ok(StartInfo { command_line, modules, rsdp, map })
    }

    /// Iterates over the memory map: range and kind, as unsorted and overlapping as the firmware left it.
    pub fn memory(&self) -> impl Iterator<Item = (Range<u64>, u32)> + 'a {
        self.map.chunks_exact(24).filter_map(|entry| {
            let (start, len, kind) = (u64_at(entry, 0)?, u64_at(entry, 8)?, u32_at(entry, 16)?);
            Some((start..start.saturating_add(len), kind))
        })
    }
}

/// Returns the string at an address, without its NUL, in pieces so that no byte far behind it needs to exist.
fn command_line(memory: &dyn PhysMemory, addr: u64) -> &[u8] {
    if addr == 0 {
        return &[];
    }
    let mut len = 0;
    while len < MAX_COMMAND_LINE {
        let Some(piece) = memory.bytes(addr.wrapping_add(len as u64), 16) else { break };
        if let Some(end) = piece.iter().position(|&byte| byte == 0) {
            len += end;
            break;
        }
        len += piece.len();
    }
    memory.bytes(addr, len.min(MAX_COMMAND_LINE)).unwrap_or_default()
}

/// Returns the value of the last `name=value` word of a command line before a bare `--`.
pub fn parameter<'a>(command_line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    command_line
        .split(|byte| byte.is_ascii_whitespace())
        .take_while(|word| *word != b"--")
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix(b"="))
        .last()
}

/// Tells whether a word stands on the command line, before `--`.
pub fn has_word(command_line: &[u8], word: &[u8]) -> bool {
    let mut words = command_line.split(|byte| byte.is_ascii_whitespace()).take_while(|word| *word != b"--");
    words.any(|other| other == word)
}

/// Reads a size as Linux writes it: a number (decimal, or 0x) and perhaps K, M, G or T.
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix(b"0x") {
        Some(rest) => (rest, 16),
        None => (text, 10),
    };
    let len = digits.iter().take_while(|byte| (**byte as char).is_digit(radix)).count();
    let number = u64::from_str_radix(core::str::from_utf8(&digits[..len]).ok()?, radix).ok()?;
    let shift = match digits[len..] {
        [] => 0,
        [b'k' | b'K'] => 10,
        [b'm' | b'M'] => 20,
        [b'g' | b'G'] => 30,
        [b't' | b'T'] => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Buffer(Vec<u8>);

    impl PhysMemory for Buffer {
        fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
            self.0.get(usize::try_from(addr).ok()?..)?.get(..len)
        }
    }

    impl Buffer {
        fn put(&mut self, at: usize, bytes: &[u8]) {
            self.0[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn sample() -> Buffer {
        let mut buffer = Buffer(vec![0; 0x1000]);
        buffer.put(0x100, &MAGIC.to_le_bytes());
        buffer.put(0x104, &1u32.to_le_bytes());
        buffer.put(0x10c, &1u32.to_le_bytes());
        buffer.put(0x110, &0x200u64.to_le_bytes());
        buffer.put(0x118, &0xff0u64.to_le_bytes());
        buffer.put(0x120, &0xe0000u64.to_le_bytes());
        buffer.put(0x128, &0x300u64.to_le_bytes());
        buffer.put(0x130, &2u32.to_le_bytes());
        buffer.put(0x200, &0x40_0000u64.to_le_bytes());
        buffer.put(0x208, &77u64.to_le_bytes());
        buffer.put(0x308, &0x9_fc00u64.to_le_bytes());
        buffer.put(0x310, &1u32.to_le_bytes());
        buffer.put(0x318, &u64::MAX.to_le_bytes());
        buffer.put(0x320, &2u64.to_le_bytes());
        buffer.put(0x328, &2u32.to_le_bytes());
        buffer.put(0xff0, b"quiet");
        buffer
    }

    #[test]
    fn everything_is_found() {
        let buffer = sample();
        let info = StartInfo::parse(&buffer, 0x100).unwrap();
        assert_eq!(info.command_line, b"quiet");
        assert_eq!(info.modules.len(), 1);
        assert_eq!(info.modules.as_slice()[0], 0x40_0000..0x40_004d);
        assert_eq!(info.rsdp, Some(0xe0000));
        assert_eq!(info.memory().collect::<Vec<_>>(), [(0..0x9_fc00, 1), (u64::MAX..u64::MAX, 2)]);
    }

    #[test]
    fn nonsense_is_an_error_or_nothing() {
        assert!(StartInfo::parse(&Buffer(vec![0; 64]), 0).is_err());
        assert!(StartInfo::parse(&sample(), 0xfff).is_err());
        assert!(StartInfo::parse(&sample(), u64::MAX - 8).is_err());
        for at in 0x104..0x134 {
            let mut buffer = sample();
            buffer.0[at] = 0xff;
            if let Ok(info) = StartInfo::parse(&buffer, 0x100) {
                assert!(
                    info.memory().count() <= MAX_MAP_ENTRIES && info.command_line.len() <= MAX_COMMAND_LINE
                );
            }
        }
    }

    #[test]
    fn parameters_and_sizes_are_read_as_linux_does() {
        let line = b"mem=1G quiet mem=64M -- mem=2M";
        assert_eq!(parameter(line, b"mem"), Some(&b"64M"[..]));
        assert_eq!(parameter(line, b"me"), None);
        assert!(has_word(line, b"quiet") && !has_word(line, b"mem"));
        assert!(!has_word(b"-- nopcid", b"nopcid"));
        assert_eq!(parse_size(b"64M"), Some(64 << 20));
        assert_eq!(parse_size(b"0x1000k"), Some(0x40_0000));
        for wrong in [&b""[..], b"x", b"5Q", b"0x", b"99999999999999T", b"1MM"] {
            assert_eq!(parse_size(wrong), None);
        }
    }
}
