//! The six argument registers of a system call, decoded by the width each argument has on Linux.

use alloc::vec::Vec;

use hal::task::SyscallFrame;
use hal::user::{UserPtr, UserSlice};
use linux_abi::errno::Errno;
use linux_abi::limits::PATH_MAX;
use zerocopy::FromZeros;

/// The arguments of the call being served. Index 0 is `rdi`, 5 is `r9`.
///
/// Each accessor states how many bits of the register count, as the prototype of the call in Linux does; the upper
/// half of a register that carries an `int` is ignored.
pub struct Args<'a> {
    frame: &'a SyscallFrame,
}

impl<'a> Args<'a> {
    /// Wraps the registers saved at kernel entry.
    pub fn new(frame: &'a SyscallFrame) -> Self {
        Self { frame }
    }

    /// The number the program put into `rax`, of which the low 32 bits count.
    pub fn number(&self) -> usize {
        self.frame.number() as u32 as usize
    }

    /// The whole register.
    pub fn u64(&self, index: usize) -> u64 {
        self.frame.arg(index)
    }

    /// The whole register, signed: `loff_t`, `long`.
    pub fn i64(&self, index: usize) -> i64 {
        self.frame.arg(index).cast_signed()
    }

    /// The low 32 bits, signed: `int`, `pid_t`.
    pub fn int(&self, index: usize) -> i32 {
        self.frame.arg(index) as u32 as i32
    }

    /// The low 32 bits: `unsigned int`, `uid_t`, `mode_t`, flag words.
    pub fn uint(&self, index: usize) -> u32 {
        self.frame.arg(index) as u32
    }

    /// The whole register as a count of bytes or elements: `size_t`.
    pub fn size(&self, index: usize) -> usize {
        self.frame.arg(index) as usize
    }

    /// The whole register as a user address, not yet believed.
    pub fn addr(&self, index: usize) -> usize {
        self.frame.arg(index) as usize
    }

    /// A claim that a `T` lies at the user address in the register.
    pub fn user_ptr<T>(&self, index: usize) -> UserPtr<T> {
        UserPtr::new(self.addr(index))
    }

    /// A claim that the user range of `args[length_index]` bytes starts at `args[index]`.
    pub fn user_slice(&self, index: usize, length_index: usize) -> UserSlice {
        UserSlice::new(self.addr(index), self.size(length_index))
    }

    /// A file descriptor: the low 32 bits.
    pub fn fd(&self, index: usize) -> i32 {
        self.int(index)
    }

    /// Copies the NUL-terminated path at the user address in the register to `buffer`, without its NUL.
    ///
    /// # Errors
    /// - `EFAULT`: not readable.
    /// - `ENAMETOOLONG`: no NUL within `PATH_MAX` bytes.
    #[inline]
    pub fn path<'b>(&self, index: usize, buffer: &'b mut PathBuffer) -> Result<&'b [u8], Errno> {
        buffer.fill(self.addr(index))
    }

    /// The user program's stack pointer at entry.
    pub fn user_rsp(&self) -> usize {
        self.frame.user_rsp() as usize
    }
}

/// Checks that the bytes of a structure beyond what this kernel knows are zero (clone3(2), "extensible structures").
///
/// # Errors
/// `E2BIG`: one is not. `EFAULT`: not readable.
pub(super) fn check_zeroed_tail(addr: usize, known: usize, given: usize) -> Result<(), Errno> {
    let mut at = known;
    let mut chunk = [0u8; 64];
    while at < given {
        let len = (given - at).min(chunk.len());
        hal::user::copy_in(&mut chunk[..len], addr.wrapping_add(at))?;
        if chunk[..len].iter().any(|&byte| byte != 0) {
            return Err(Errno::E2BIG);
        }
        at += len;
    }
    Ok(())
}

/// Where a path from user memory is copied to: on the stack, as most paths are short.
pub struct PathBuffer {
    short: [u8; 128],
    long: Vec<u8>,
}

impl PathBuffer {
    /// Makes an empty buffer.
    #[inline]
    pub fn new() -> Self {
        Self { short: [0; 128], long: Vec::new() }
    }

    /// Copies the NUL-terminated string at a user address, without its NUL; the errors are those of [`Args::path`].
    pub(super) fn fill(&mut self, addr: usize) -> Result<&[u8], Errno> {
        match hal::user::read_cstr(addr, &mut self.short)? {
            Some(len) => Ok(&self.short[..len]),
            None => self.fill_long(addr),
        }
    }

    #[cold]
    fn fill_long(&mut self, addr: usize) -> Result<&[u8], Errno> {
        self.long = u8::new_vec_zeroed(PATH_MAX).map_err(|_| Errno::ENOMEM)?;
        let len = hal::user::read_cstr(addr, &mut self.long)?.ok_or(Errno::ENAMETOOLONG)?;
        Ok(&self.long[..len])
    }
}

impl Default for PathBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies a NUL-terminated path from user memory, without its NUL; the errors are those of [`Args::path`].
pub(super) fn copy_path(addr: usize) -> Result<Vec<u8>, Errno> {
    PathBuffer::new().fill(addr).map(<[u8]>::to_vec)
}
