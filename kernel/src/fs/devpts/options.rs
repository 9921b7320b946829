//! Mount options of devpts.

use core::fmt;

use linux_abi::errno::Errno;

use crate::drivers::tty::pty;

/// What devpts is mounted with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Options {
    /// Owner of new slaves; `None`: who opens `ptmx`.
    pub(super) uid: Option<u32>,
    /// Group of new slaves; `None`: that of who opens `ptmx`.
    pub(super) gid: Option<u32>,
    /// Permissions of new slaves.
    pub(super) mode: u32,
    /// Permissions of `ptmx`.
    pub(super) ptmx_mode: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { uid: None, gid: None, mode: 0o600, ptmx_mode: 0 }
    }
}

impl Options {
    /// Reads options separated by commas; what is not named is the default.
    ///
    /// # Errors
    /// `EINVAL`: an unknown option or a bad value; a limit on the number of pairs other than the system's.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Errno> {
        let mut options = Self::default();
        for option in text.split(|&byte| byte == b',').filter(|option| !option.is_empty()) {
            let option = core::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
            match option.split_once('=') {
                None if option == "newinstance" => {}
                Some(("uid", value)) => options.uid = Some(number(value, 10)?),
                Some(("gid", value)) => options.gid = Some(number(value, 10)?),
                Some(("mode", value)) => options.mode = number(value, 8)? & 0o7777,
                Some(("ptmxmode", value)) => options.ptmx_mode = number(value, 8)? & 0o7777,
                Some(("max", value)) if number(value, 10)? as usize >= pty::MAX => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }

    /// Writes the options as `/proc/mounts` shows them.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if let Some(uid) = self.uid {
            write!(out, ",uid={uid}")?;
        }
        if let Some(gid) = self.gid {
            write!(out, ",gid={gid}")?;
        }
        write!(out, ",mode={:03o},ptmxmode={:03o}", self.mode, self.ptmx_mode)
    }
}

/// Digits only: no sign, as `from_str_radix` would allow.
fn number(text: &str, radix: u32) -> Result<u32, Errno> {
    if text.starts_with(['+', '-']) {
        return Err(Errno::EINVAL);
    }
    u32::from_str_radix(text, radix).map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn options_come_out_as_linux_shows_them() {
        let text = |options: &str| {
            let mut out = String::new();
            Options::parse(options.as_bytes()).unwrap().write(&mut out).unwrap();
            out
        };
        assert_eq!(text(""), ",mode=600,ptmxmode=000");
        assert_eq!(text("gid=5,mode=620,ptmxmode=666,newinstance"), ",gid=5,mode=620,ptmxmode=666");
        for nonsense in ["mode=9", "gid=-1", "gid", "bogus", "max=1"] {
            assert_eq!(Options::parse(nonsense.as_bytes()), Err(Errno::EINVAL), "{nonsense}");
        }
    }
}
