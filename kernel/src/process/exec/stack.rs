//! The stack a program starts with, from the stack pointer upwards (System V ABI, x86-64 supplement, 3.4.1):
//! ```text
//! argc | argv[0..argc] | NULL | envp[..] | NULL | auxv pairs | padding | platform, random bytes, strings, path
//! ```

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use hal::PAGE_SIZE;
use linux_abi::auxv;
use linux_abi::errno::Errno;
use zerocopy::IntoBytes;

use super::loader::Loaded;
use super::{Strings, vdso};
use crate::memory::address_space::AddressSpace;
use crate::process::credentials::Credentials;
use crate::process::signal;
use crate::random;

/// Where the program starts, and what `/proc` shows of its stack.
pub(super) struct Start {
    pub(super) stack_pointer: usize,
    pub(super) arguments: (usize, usize),
    pub(super) environment: (usize, usize),
    pub(super) auxv: Vec<u8>,
}

/// What the stack shows.
pub(super) struct Contents<'a> {
    /// Where the program was loaded.
    pub(super) loaded: &'a Loaded,
    /// Its name as the caller gave it.
    pub(super) path: &'a [u8],
    pub(super) arguments: &'a Strings,
    pub(super) environment: &'a Strings,
    pub(super) credentials: &'a Credentials,
    /// Whether it runs with more privilege than its caller.
    pub(super) is_secure: bool,
}

/// Bytes by which stacks differ at their beginning.
const STACK_COLOURS: usize = 8192;

/// Maps the stack, of at most `limit` bytes, and fills it.
///
/// # Errors
/// `ENOMEM`; `E2BIG`: it does not fit.
pub(super) fn build(space: &AddressSpace, limit: u64, contents: &Contents<'_>) -> Result<Start, Errno> {
    let Contents { loaded, path, arguments, environment, credentials, is_secure } = *contents;
    let top = space.map_stack(limit)?;
    let vdso = vdso::map(space)?;
    let mut strings = Downward { space, at: top - 8 };
    let execfn = strings.put_string(path)?;
    let environment_end = strings.at;
    let environment_start = strings.put_strings(environment)?;
    let arguments_start = strings.put_strings(arguments)?;
    // So that the stacks of processes do not meet in the lines of caches.
    if !space.is_fixed() {
        strings.at -= usize::from(u16::from_ne_bytes(random::bytes())) % STACK_COLOURS;
        strings.at &= !15;
    }
    let platform = strings.put_string(b"x86_64")?;
    strings.at &= !15;
    let random_bytes = strings.put(&random::bytes::<16>())?;

    let (hwcap, hwcap2) = hal::cpu::user_features();
    let mut pairs: Vec<(u64, u64)> = Vec::with_capacity(21);
    pairs.extend(vdso.map(|vdso| (auxv::AT_SYSINFO_EHDR, vdso as u64)));
    pairs.extend([
        (auxv::AT_MINSIGSTKSZ, signal::frame::max_size() as u64),
        (auxv::AT_HWCAP, hwcap),
        (auxv::AT_PAGESZ, PAGE_SIZE as u64),
        (auxv::AT_CLKTCK, 100),
        (auxv::AT_PHDR, loaded.phdr_addr as u64),
        (auxv::AT_PHENT, 56),
        (auxv::AT_PHNUM, loaded.phdr_count as u64),
        (auxv::AT_BASE, loaded.interpreter_base as u64),
        (auxv::AT_FLAGS, 0),
        (auxv::AT_ENTRY, loaded.program_entry as u64),
        (auxv::AT_UID, u64::from(credentials.uid.real)),
        (auxv::AT_EUID, u64::from(credentials.uid.effective)),
        (auxv::AT_GID, u64::from(credentials.gid.real)),
        (auxv::AT_EGID, u64::from(credentials.gid.effective)),
        (auxv::AT_SECURE, u64::from(is_secure)),
        (auxv::AT_RANDOM, random_bytes as u64),
        (auxv::AT_HWCAP2, hwcap2),
        (auxv::AT_EXECFN, execfn as u64),
        (auxv::AT_PLATFORM, platform as u64),
        (auxv::AT_NULL, 0),
    ]);
    let auxv: Vec<u8> =
        pairs.iter().flat_map(|&(key, value)| [key, value]).flat_map(u64::to_ne_bytes).collect();

    let word_count = 1 + arguments.len() + 1 + environment.len() + 1;
    let table_len = word_count * size_of::<u64>() + auxv.len();
    let stack_pointer = strings.at.checked_sub(table_len).ok_or(Errno::E2BIG)? & !15;
    let mut table = Upward::new(space, stack_pointer);
    table.put_all([arguments.len() as u64])?;
    table.put_all(arguments.offsets().map(|offset| (arguments_start + offset) as u64))?;
    table.put_all([0])?;
    table.put_all(environment.offsets().map(|offset| (environment_start + offset) as u64))?;
    table.put_all([0])?;
    table.finish(&auxv)?;
    Ok(Start {
        stack_pointer,
        arguments: (arguments_start, environment_start),
        environment: (environment_start, environment_end),
        auxv,
    })
}

/// Writes strings below each other into a stack that is not in use yet.
struct Downward<'a> {
    space: &'a AddressSpace,
    at: usize,
}

impl Downward<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let at = self.at.checked_sub(bytes.len()).ok_or(Errno::E2BIG)?;
        self.space.write_remote(at, bytes)?;
        self.at = at;
        Ok(at)
    }

    fn put_string(&mut self, string: &[u8]) -> Result<usize, Errno> {
        self.put(&[0])?;
        self.put(string)
    }

    /// Puts the strings so that the first has the lowest address, one after another; returns where that is.
    fn put_strings(&mut self, strings: &Strings) -> Result<usize, Errno> {
        let start = self.at.checked_sub(strings.byte_len()).ok_or(Errno::E2BIG)?;
        let mut at = start;
        for slice in strings.slices() {
            self.space.write_remote(at, slice)?;
            at += slice.len();
        }
        self.at = start;
        Ok(start)
    }
}

/// Words written above each other, several at a time.
const WORDS_AT_A_TIME: usize = 64;

/// Writes a table into a stack that is not in use yet.
struct Upward<'a> {
    space: &'a AddressSpace,
    at: usize,
    words: ArrayVec<u64, WORDS_AT_A_TIME>,
}

impl<'a> Upward<'a> {
    fn new(space: &'a AddressSpace, at: usize) -> Self {
        Self { space, at, words: ArrayVec::new() }
    }

    fn put_all(&mut self, words: impl IntoIterator<Item = u64>) -> Result<(), Errno> {
        for word in words {
            if self.words.is_full() {
                self.flush()?;
            }
            self.words.push(word);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Errno> {
        let bytes = self.words.as_bytes();
        self.space.write_remote(self.at, bytes)?;
        self.at += bytes.len();
        self.words.clear();
        Ok(())
    }

    /// Puts what belongs above the words.
    fn finish(mut self, bytes: &[u8]) -> Result<(), Errno> {
        self.flush()?;
        self.space.write_remote(self.at, bytes)
    }
}
