//! The arguments of a call, written as a program would have them.

use core::fmt::Write;

use hal::task::SyscallFrame;
use hal::user::UserPtr;
use linux_abi::errno::Errno;
use linux_abi::open::AT_FDCWD;
use linux_abi::signal::Signal;
use linux_abi::time::Timespec;

use super::signatures::{Answer, Signature, signature};
use crate::fs::vfs::text::Text;
use crate::syscall::{Args, PathBuffer};

/// Bytes that are shown of a string which is no path.
const SHOWN_BYTES: usize = 32;
/// Strings that are shown of a list.
const SHOWN_STRINGS: usize = 16;

/// What an argument is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A signed number of 32 bits.
    Int,
    /// An unsigned number of 32 bits.
    Uint,
    /// A signed number of 64 bits.
    Long,
    /// A number of bytes or elements.
    Size,
    /// An address of which nothing is shown, or other bits.
    Hex,
    /// A mode.
    Octal,
    /// A directory's descriptor, or `AT_FDCWD`.
    Directory,
    /// A signal.
    Sig,
    /// A path.
    Path,
    /// A list of strings that ends with a null pointer.
    Strings,
    /// Bytes the call reads, as many as the argument of that index says.
    Bytes(usize),
    /// Bytes the call writes, as many as it answers.
    Filled,
    /// Two descriptors the call writes.
    Pair,
    /// A number the call writes.
    Stored,
    /// A time.
    Time,
    /// A set of flags.
    Set(fn(u64, &mut Text)),
    /// One of some named numbers; the low 32 bits count.
    One(&'static [(u64, &'static str)]),
}

impl Kind {
    /// Whether it is there only when the call is over.
    fn is_made_by_the_call(self) -> bool {
        matches!(self, Kind::Filled | Kind::Pair | Kind::Stored)
    }
}

/// The arguments of one call. Those before the first that the call itself makes are written before it is made, as it may
/// change what they point to.
pub(super) struct Arguments {
    values: [u64; 6],
    signature: Signature,
    written: usize,
}

impl Arguments {
    /// Takes the arguments of a call.
    pub(super) fn new(frame: &SyscallFrame) -> Self {
        let args = Args::new(frame);
        let values = core::array::from_fn(|index| args.u64(index));
        Self { values, signature: signature(args.number()), written: 0 }
    }

    /// Writes what is known before the call.
    pub(super) fn write_before(&mut self, text: &mut Text) {
        let kinds = self.signature.kinds;
        let known = kinds.iter().position(|kind| kind.is_made_by_the_call()).unwrap_or(kinds.len());
        self.write_to(known, None, text);
    }

    /// Writes the rest, and the answer.
    pub(super) fn write_after(&mut self, result: isize, text: &mut Text) {
        self.write_to(self.signature.kinds.len(), Some(result), text);
        // A text that memory does not suffice for says so at its end; this one is shown as far as it came.
        let _ = match (self.signature.answer, error_of(result)) {
            (Answer::None, None) => write!(text, ") = ?"),
            (_, Some(errno)) => write!(text, ") = -1 {} ({errno})", errno.name()),
            (Answer::Address, None) => write!(text, ") = {result:#x}"),
            (Answer::Number, None) => write!(text, ") = {result}"),
        };
    }

    fn write_to(&mut self, end: usize, result: Option<isize>, text: &mut Text) {
        for index in self.written..end {
            if index > 0 {
                text.push(b", ");
            }
            self.write_one(index, result, text);
        }
        self.written = end;
    }

    fn write_one(&self, index: usize, result: Option<isize>, text: &mut Text) {
        let value = self.values[index];
        let kind = self.signature.kinds[index];
        let is_unmade = kind.is_made_by_the_call() && result.is_none_or(|result| result < 0);
        let shown =
            if is_unmade { Err(Errno::EFAULT) } else { self.write_contents(kind, value, result, text) };
        let _ = match shown {
            Ok(()) => Ok(()),
            Err(_) if value == 0 => text.write_str("NULL"),
            Err(_) => write!(text, "{value:#x}"),
        };
    }

    /// # Errors
    /// What it points to cannot be read, or it stands for itself; nothing is written then.
    fn write_contents(
        &self,
        kind: Kind,
        value: u64,
        result: Option<isize>,
        text: &mut Text,
    ) -> Result<(), Errno> {
        let address = value as usize;
        // Texts note by themselves that memory has run out.
        let _ = match kind {
            Kind::Int => write!(text, "{}", value as u32 as i32),
            Kind::Uint => write!(text, "{}", value as u32),
            Kind::Long => write!(text, "{}", value.cast_signed()),
            Kind::Size => write!(text, "{value}"),
            Kind::Hex => return Err(Errno::EFAULT),
            Kind::Octal if value as u32 == 0 => text.write_str("0"),
            Kind::Octal => write!(text, "0{:o}", value as u32),
            Kind::Directory if value as u32 as i32 == AT_FDCWD => text.write_str("AT_FDCWD"),
            Kind::Directory => write!(text, "{}", value as u32 as i32),
            Kind::Sig => match Signal::new(value as u32).and_then(Signal::name) {
                Some(name) => text.write_str(name),
                None => write!(text, "{}", value as u32 as i32),
            },
            Kind::Path => {
                let mut buffer = PathBuffer::new();
                quote(buffer.fill(address)?, false, text);
                Ok(())
            }
            Kind::Strings => return write_strings(address, text),
            Kind::Bytes(length) => return write_bytes(address, self.values[length], text),
            Kind::Filled => return write_bytes(address, result.unwrap_or(0).unsigned_abs() as u64, text),
            Kind::Pair => {
                let [first, second] = UserPtr::<[i32; 2]>::new(address).read()?;
                write!(text, "[{first}, {second}]")
            }
            Kind::Stored => write!(text, "[{}]", UserPtr::<i32>::new(address).read()?),
            Kind::Time => {
                let time = UserPtr::<Timespec>::new(address).read()?;
                write!(text, "{{{}, {}}}", time.tv_sec, time.tv_nsec)
            }
            Kind::Set(write_names) => {
                write_names(value, text);
                Ok(())
            }
            Kind::One(names) => match names.iter().find(|name| name.0 as u32 == value as u32) {
                Some((_, name)) => text.write_str(name),
                None => write!(text, "{:#x}", value as u32),
            },
        };
        Ok(())
    }
}

/// The error an answer stands for.
fn error_of(result: isize) -> Option<Errno> {
    i32::try_from(result.checked_neg()?).ok().and_then(Errno::from_number)
}

/// Writes a string in quotes, as C has it.
fn quote(bytes: &[u8], is_cut: bool, text: &mut Text) {
    let _ = write!(text, "\"{}\"{}", bytes.escape_ascii(), if is_cut { "..." } else { "" });
}

fn write_bytes(address: usize, len: u64, text: &mut Text) -> Result<(), Errno> {
    let mut bytes = [0; SHOWN_BYTES];
    let shown = &mut bytes[..len.min(SHOWN_BYTES as u64) as usize];
    hal::user::copy_in(shown, address)?;
    quote(shown, len > SHOWN_BYTES as u64, text);
    Ok(())
}

fn write_strings(address: usize, text: &mut Text) -> Result<(), Errno> {
    let mut buffer = PathBuffer::new();
    let mut next = UserPtr::<u64>::new(address).read()?;
    text.push(b"[");
    for index in 1..=SHOWN_STRINGS {
        if next == 0 {
            break;
        }
        if index > 1 {
            text.push(b", ");
        }
        match buffer.fill(next as usize) {
            Ok(string) => quote(&string[..string.len().min(SHOWN_BYTES)], string.len() > SHOWN_BYTES, text),
            Err(_) => text.push(b"?"),
        }
        let place = address.wrapping_add(index * size_of::<u64>());
        next = UserPtr::<u64>::new(place).read().unwrap_or(0);
    }
    text.push(if next == 0 { b"]" } else { b", ...]" });
    Ok(())
}
