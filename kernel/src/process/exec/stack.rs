//! The stack a program starts with, from the stack pointer upwards (System V ABI, x86-64 supplement, 3.4.1):
//! ```text
//! argc | argv[0..argc] | NULL | envp[..] | NULL | auxv pairs | padding | platform, random bytes, strings, path
//! ```

use alloc::vec::Vec;

use hal::PAGE_SIZE;
use linux_abi::auxv;
use linux_abi::errno::Errno;

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
    let env_pointers = strings.put_strings(environment)?;
    let environment_start = strings.at;
    let arg_pointers = strings.put_strings(arguments)?;
    let arguments_start = strings.at;
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

    let mut words: Vec<u64> = Vec::with_capacity(arg_pointers.len() + env_pointers.len() + 3);
    words.push(arguments.len() as u64);
    words.extend(arg_pointers.iter().map(|&pointer| pointer as u64));
    words.push(0);
    words.extend(env_pointers.iter().map(|&pointer| pointer as u64));
    words.push(0);
    let mut table: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    table.extend_from_slice(&auxv);
    let stack_pointer = (strings.at - table.len()) & !15;
    space.write_remote(stack_pointer, &table)?;
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

    /// Puts the strings so that the first has the lowest address, one after another, in as few writes as it takes.
    fn put_strings(&mut self, strings: &Strings) -> Result<Vec<usize>, Errno> {
        let mut block = Vec::with_capacity(strings.iter().map(|string| string.len() + 1).sum());
        for string in strings {
            block.extend_from_slice(string);
            block.push(0);
        }
        let mut at = self.put(&block)?;
        let mut pointers = Vec::with_capacity(strings.len());
        for string in strings {
            pointers.push(at);
            at += string.len() + 1;
        }
        Ok(pointers)
    }
}
