//! User memory of the current address space: the only road to it.
//!
//! A user address is a claim. Making a [`UserPtr`] or [`UserSlice`] cannot fail and neither can be dereferenced; the copy
//! reports what is wrong: a wrap, an address from [`USER_END`] on, a page that
//! [`Kernel::page_fault`](crate::Kernel::page_fault) cannot supply. No reference to user memory exists, so no byte is
//! looked at twice: copy in, then validate the copy. All of these may sleep.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use linux_abi::errno::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::addr::USER_END;
use crate::arch;
use crate::error::Error;
use crate::frame::Frame;

/// A user copy met an address that cannot be accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Bytes that were copied before, from the start of the range.
    pub copied: usize,
}

impl From<Fault> for Error {
    fn from(_: Fault) -> Error {
        Error::Fault
    }
}

impl From<Fault> for Errno {
    fn from(_: Fault) -> Errno {
        Errno::EFAULT
    }
}

/// Checks that a range lies in user space.
#[inline(always)]
fn check(addr: usize, len: usize) -> Result<(), Fault> {
    crate::sync::might_sleep();
    // One comparison for the usual case: no sum of two values below 2^47 wraps.
    if addr <= USER_END && len <= USER_END - addr { Ok(()) } else { Err(Fault { copied: 0 }) }
}

#[inline(always)]
fn complete(copied: usize, len: usize) -> Result<(), Fault> {
    if copied == len { Ok(()) } else { Err(Fault { copied }) }
}

/// Copies from user memory.
#[inline]
pub fn copy_in(dst: &mut [u8], src: usize) -> Result<(), Fault> {
    check(src, dst.len())?;
    // SAFETY: `dst` is writable for its length, and `check` keeps the source in user space.
    let copied = unsafe { arch::user::read(dst.as_mut_ptr(), src, dst.len()) };
    complete(copied, dst.len())
}

/// Copies to user memory.
#[inline]
pub fn copy_out(dst: usize, src: &[u8]) -> Result<(), Fault> {
    check(dst, src.len())?;
    // SAFETY: `src` is readable for its length, and `check` keeps the destination in user space.
    let copied = unsafe { arch::user::write(dst, src.as_ptr(), src.len()) };
    complete(copied, src.len())
}

/// Fills user memory with zeroes.
#[inline]
pub fn clear(dst: usize, len: usize) -> Result<(), Fault> {
    check(dst, len)?;
    // SAFETY: `check` keeps the destination in user space.
    let copied = unsafe { arch::user::clear(dst, len) };
    complete(copied, len)
}

/// Copies from user memory into a frame at `offset`.
///
/// # Panics
/// If the range leaves the frame; so does [`copy_out_frame`].
#[inline]
pub fn copy_in_frame(dst: &Frame, offset: usize, src: usize, len: usize) -> Result<(), Fault> {
    let dst = dst.at(offset, len);
    check(src, len)?;
    // SAFETY: `at` checked the range of the frame, whose contents anybody may write.
    let copied = unsafe { arch::user::read(dst, src, len) };
    complete(copied, len)
}

/// Copies from a frame at `offset` to user memory.
#[inline]
pub fn copy_out_frame(dst: usize, src: &Frame, offset: usize, len: usize) -> Result<(), Fault> {
    let src = src.at(offset, len);
    check(dst, len)?;
    // SAFETY: `at` checked the range of the frame.
    let copied = unsafe { arch::user::write(dst, src, len) };
    complete(copied, len)
}

/// Copies the 16-bit word at `offset` of each record to its place in the array of such records at `dst`; what is between
/// is left alone. A fault's count is of words.
///
/// # Panics
/// If a word leaves its record.
#[inline]
pub fn copy_out_words<T: IntoBytes + Immutable>(
    dst: usize,
    records: &[T],
    offset: usize,
) -> Result<(), Fault> {
    assert!(offset + size_of::<u16>() <= size_of::<T>(), "no word of the record");
    let src = records.as_bytes();
    check(dst, src.len())?;
    let (dst, src) = (dst + offset, src.as_ptr().wrapping_add(offset));
    // SAFETY: each word lies in its record, those at `src` are readable, and `check` keeps the others in user space.
    let copied = unsafe { arch::user::write_words(dst, src, size_of::<T>(), records.len()) };
    complete(copied, records.len())
}

/// What ended the copy of a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Its NUL.
    Nul,
    /// The end of the buffer.
    Length,
    /// An address that cannot be accessed.
    Fault,
}

/// Copies a string up to its NUL. Returns its length without the NUL, or `None` if there is none within `buf`. Bytes
/// behind the NUL may have been copied as well.
#[inline]
pub fn read_cstr(src: usize, buf: &mut [u8]) -> Result<Option<usize>, Fault> {
    check(src, 0)?;
    // A string that reaches the end of user space faults there.
    let len = buf.len().min(USER_END - src);
    // SAFETY: `buf` is writable for `len` bytes, and the source stays in user space.
    let (copied, end) = unsafe { arch::user::read_cstr(buf.as_mut_ptr(), src, len) };
    match end {
        End::Nul => Ok(Some(copied)),
        End::Length if len == buf.len() => Ok(None),
        End::Length | End::Fault => Err(Fault { copied }),
    }
}

#[inline(always)]
fn check_u32(addr: usize) -> Result<(), Fault> {
    if addr.is_multiple_of(4) { check(addr, 4) } else { Err(Fault { copied: 0 }) }
}

const NOTHING: Fault = Fault { copied: 0 };

/// Loads a 32-bit word in one access. A misaligned address is a fault: callers report that themselves, earlier.
#[inline]
pub fn load_u32(addr: usize) -> Result<u32, Fault> {
    check_u32(addr)?;
    // SAFETY: an aligned address in user space.
    unsafe { arch::user::load_u32(addr) }.ok_or(NOTHING)
}

/// Stores a 32-bit word in one access.
#[inline]
pub fn store_u32(addr: usize, value: u32) -> Result<(), Fault> {
    check_u32(addr)?;
    // SAFETY: an aligned address in user space.
    unsafe { arch::user::store_u32(addr, value) }.ok_or(NOTHING)
}

/// Replaces a 32-bit word that equals `old` by `new`, atomically; returns what was there, as `Ok` if it was replaced.
#[inline]
pub fn compare_exchange_u32(addr: usize, old: u32, new: u32) -> Result<Result<u32, u32>, Fault> {
    check_u32(addr)?;
    // SAFETY: an aligned address in user space.
    let seen = unsafe { arch::user::compare_exchange_u32(addr, old, new) }.ok_or(NOTHING)?;
    Ok(if seen == old { Ok(seen) } else { Err(seen) })
}

/// Changes a 32-bit word atomically; returns the old value. `change` may be called several times.
pub fn fetch_modify_u32(addr: usize, mut change: impl FnMut(u32) -> u32) -> Result<u32, Fault> {
    let mut old = load_u32(addr)?;
    loop {
        match compare_exchange_u32(addr, old, change(old))? {
            Ok(old) => return Ok(old),
            Err(seen) => old = seen,
        }
    }
}

/// Claims that a `T` lies at an address.
pub struct UserPtr<T> {
    addr: usize,
    target: PhantomData<fn() -> T>,
}

impl<T> UserPtr<T> {
    /// Makes the claim.
    #[inline]
    pub const fn new(addr: usize) -> Self {
        Self { addr, target: PhantomData }
    }

    /// Returns the address.
    #[inline]
    pub const fn addr(self) -> usize {
        self.addr
    }

    /// Tells whether this is the null pointer.
    #[inline]
    pub const fn is_null(self) -> bool {
        self.addr == 0
    }

    /// Returns the pointer to the n-th `T` after this one. A wrap yields an address that faults.
    #[inline]
    pub const fn add(self, n: usize) -> Self {
        let addr = match n.checked_mul(size_of::<T>()) {
            Some(bytes) => self.addr.saturating_add(bytes),
            None => usize::MAX,
        };
        Self::new(addr)
    }

    /// Returns a pointer to the same address with another claim.
    #[inline]
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.addr)
    }

    /// Copies the value in.
    #[inline]
    pub fn read(self) -> Result<T, Fault>
    where
        T: FromBytes,
    {
        let len = size_of::<T>();
        check(self.addr, len)?;
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: `value` is writable for its size, and `check` keeps the source in user space.
        let copied = unsafe { arch::user::read(value.as_mut_ptr().cast(), self.addr, len) };
        complete(copied, len)?;
        // SAFETY: all bytes have been written, and any bytes are a valid `T`.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies a value out.
    #[inline]
    pub fn write(self, value: &T) -> Result<(), Fault>
    where
        T: IntoBytes + Immutable,
    {
        copy_out(self.addr, value.as_bytes())
    }
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {:#x}", self.addr)
    }
}

/// Claims that `len` bytes lie at an address. Reading and writing move forward, so no byte is fetched twice.
#[derive(Debug, PartialEq, Eq)]
pub struct UserSlice {
    addr: usize,
    len: usize,
}

impl UserSlice {
    /// Makes the claim.
    #[inline]
    pub const fn new(addr: usize, len: usize) -> Self {
        Self { addr, len }
    }

    /// Returns the address of the next byte.
    #[inline]
    pub const fn addr(&self) -> usize {
        self.addr
    }

    /// Returns the number of bytes left.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether no byte is left.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Cuts off what is beyond `len` bytes.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Copies the next bytes in, as many as both sides have; returns how many. After a fault the slice stands behind the
    /// bytes copied.
    pub fn read(&mut self, dst: &mut [u8]) -> Result<usize, Fault> {
        let n = dst.len().min(self.len);
        let result = copy_in(&mut dst[..n], self.addr);
        self.advance(n, result)
    }

    /// Copies to the next bytes, as many as both sides have; returns how many.
    pub fn write(&mut self, src: &[u8]) -> Result<usize, Fault> {
        let n = src.len().min(self.len);
        let result = copy_out(self.addr, &src[..n]);
        self.advance(n, result)
    }

    /// Fills the next `n` bytes, or as many as are left, with zeroes; returns how many.
    pub fn write_zeros(&mut self, n: usize) -> Result<usize, Fault> {
        let n = n.min(self.len);
        let result = clear(self.addr, n);
        self.advance(n, result)
    }

    /// Copies the next bytes into a frame; returns how many.
    pub fn read_to_frame(&mut self, dst: &Frame, offset: usize, len: usize) -> Result<usize, Fault> {
        let n = len.min(self.len);
        let result = copy_in_frame(dst, offset, self.addr, n);
        self.advance(n, result)
    }

    /// Copies from a frame to the next bytes; returns how many.
    pub fn write_from_frame(&mut self, src: &Frame, offset: usize, len: usize) -> Result<usize, Fault> {
        let n = len.min(self.len);
        let result = copy_out_frame(self.addr, src, offset, n);
        self.advance(n, result)
    }

    fn advance(&mut self, n: usize, result: Result<(), Fault>) -> Result<usize, Fault> {
        let copied = result.map_or_else(|fault| fault.copied, |()| n);
        self.addr = self.addr.saturating_add(copied);
        self.len -= copied;
        result.map(|()| n)
    }
}
