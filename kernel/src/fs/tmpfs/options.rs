//! Mount options of tmpfs(5).

use linux_abi::errno::Errno;

use super::super_block;

/// What a file system is mounted with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Pages that files may take; `None`: no limit.
    pub max_pages: Option<u64>,
    /// Inodes; `None`: no limit.
    pub max_inodes: Option<u64>,
    /// Permissions of the root directory.
    pub mode: u32,
    /// Owner of the root directory.
    pub uid: u32,
    /// Group of the root directory.
    pub gid: u32,
}

impl Options {
    /// The defaults of `tmpfs`: half of the memory, an inode for every second page.
    pub fn tmpfs() -> Self {
        let half = super_block::total_pages() / 2;
        Self { max_pages: Some(half), max_inodes: Some(half), mode: 0o1777, uid: 0, gid: 0 }
    }

    /// The defaults of `ramfs`: no limits.
    pub fn ramfs() -> Self {
        Self { max_pages: None, max_inodes: None, mode: 0o755, uid: 0, gid: 0 }
    }

    /// Applies `text`, options separated by commas, to `self`.
    ///
    /// # Errors
    /// `EINVAL`: an unknown option or a bad value.
    pub fn parse(text: &[u8], mut options: Self) -> Result<Self, Errno> {
        for option in text.split(|&byte| byte == b',').filter(|option| !option.is_empty()) {
            let mut parts = option.splitn(2, |&byte| byte == b'=');
            let name = parts.next().unwrap_or_default();
            let value = parts.next();
            match (name, value) {
                (b"size", Some(value)) => {
                    options.max_pages = limit(parse_size(value)?.div_ceil(hal::PAGE_SIZE as u64));
                }
                (b"nr_blocks", Some(value)) => options.max_pages = limit(parse_number(value)?),
                (b"nr_inodes", Some(value)) => options.max_inodes = limit(parse_number(value)?),
                (b"mode", Some(value)) => options.mode = parse_radix(value, 8)? & 0o7777,
                (b"uid", Some(value)) => options.uid = parse_radix(value, 10)?,
                (b"gid", Some(value)) => options.gid = parse_radix(value, 10)?,
                // Small pages only, and numbers of 64 bits: that is what there is.
                (b"huge", Some(b"never")) | (b"inode64", None) => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }
}

/// 0 stands for no limit.
fn limit(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}

/// A number of bytes, or a percentage of the memory.
fn parse_size(text: &[u8]) -> Result<u64, Errno> {
    match text.strip_suffix(b"%") {
        Some(percent) => {
            let bytes = u128::from(super_block::total_pages()) * hal::PAGE_SIZE as u128;
            let bytes = u128::from(parse_number(percent)?).checked_mul(bytes).ok_or(Errno::EINVAL)? / 100;
            u64::try_from(bytes).map_err(|_| Errno::EINVAL)
        }
        None => parse_number(text),
    }
}

/// A number with an optional unit: `k`, `m`, `g`, `t`, `p`, `e`; decimal, `0x` hexadecimal or `0` octal.
fn parse_number(text: &[u8]) -> Result<u64, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let split = text.len() - usize::from(text.ends_with(|c: char| "kKmMgGtTpPeE".contains(c)));
    let (mut digits, unit) = text.split_at(split);
    let mut radix = 10;
    if unit.is_empty() || !digits.starts_with("0x") {
        if let Some(rest) = digits.strip_prefix("0x") {
            (digits, radix) = (rest, 16);
        } else if digits.len() > 1 && digits.starts_with('0') {
            (digits, radix) = (&digits[1..], 8);
        }
    }
    let shift = match unit.bytes().next().map(|unit| unit.to_ascii_lowercase()) {
        None => 0,
        Some(b'k') => 10,
        Some(b'm') => 20,
        Some(b'g') => 30,
        Some(b't') => 40,
        Some(b'p') => 50,
        Some(_) => 60,
    };
    let number = parse_digits(digits, radix)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

fn parse_radix(text: &[u8], radix: u32) -> Result<u32, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    u32::try_from(parse_digits(text, radix)?).map_err(|_| Errno::EINVAL)
}

/// Digits only: no sign, as `from_str_radix` would allow.
fn parse_digits(digits: &str, radix: u32) -> Result<u64, Errno> {
    if digits.starts_with(['+', '-']) {
        return Err(Errno::EINVAL);
    }
    u64::from_str_radix(digits, radix).map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, Errno> {
        Options::parse(text.as_bytes(), Options::ramfs())
    }

    #[test]
    fn sizes_take_units_and_are_rounded_up_to_pages() {
        assert_eq!(parse("size=1m").unwrap().max_pages, Some(256));
        assert_eq!(parse("size=5000").unwrap().max_pages, Some(2));
        assert_eq!(parse("size=0").unwrap().max_pages, None);
        assert_eq!(parse("size=64K,nr_inodes=2k").unwrap().max_inodes, Some(2048));
        assert_eq!(parse("size=0x1000").unwrap().max_pages, Some(1));
    }

    #[test]
    fn the_root_directory_can_be_given_away() {
        let options = parse("mode=0700,uid=5,gid=6,").unwrap();
        assert_eq!((options.mode, options.uid, options.gid), (0o700, 5, 6));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "size",
            "size=",
            "size=x",
            "size=-1",
            "size=99999999999e",
            "bogus",
            "mode=9",
            "uid=-1",
            "nr_inodes=k",
        ] {
            assert_eq!(parse(text), Err(Errno::EINVAL), "{text}");
        }
    }
}
