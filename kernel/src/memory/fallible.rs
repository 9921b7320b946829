//! Collections whose size a program decides: running out of memory is `ENOMEM` of the call that grows one, never a panic.
//!
//! What the kernel allocates in small pieces of a fixed size it may allocate without asking, after one look at the
//! [`reserve`]; a list that a program can make long must be made here, and one that may exceed a page or two is better kept
//! in [`Pieces`], which need no contiguous memory.

use alloc::boxed::Box;
use alloc::collections::LinkedList;
use alloc::vec::Vec;

use hal::PAGE_SIZE;
use linux_abi::errno::Errno;
use zerocopy::FromZeros;

use super::reserve;

/// Makes an empty vector with room for `n` elements.
///
/// # Errors
/// `ENOMEM`. So with all functions below.
pub fn vec<T>(n: usize) -> Result<Vec<T>, Errno> {
    let mut vec = Vec::new();
    make_room(&mut vec, n)?;
    Ok(vec)
}

/// Makes a vector of `n` elements of zeroes.
pub fn zeroed<T: FromZeros>(n: usize) -> Result<Vec<T>, Errno> {
    let mut vec = vec(n)?;
    vec.resize_with(n, T::new_zeroed);
    Ok(vec)
}

/// Makes a vector of the elements of an iterator.
pub fn collect<T>(items: impl IntoIterator<Item = T>) -> Result<Vec<T>, Errno> {
    let items = items.into_iter();
    let mut vec = vec(items.size_hint().0)?;
    for item in items {
        push(&mut vec, item)?;
    }
    Ok(vec)
}

/// Copies a slice into a box of its own.
pub fn boxed<T: Copy>(slice: &[T]) -> Result<Box<[T]>, Errno> {
    let mut vec = vec(slice.len())?;
    vec.extend_from_slice(slice);
    Ok(vec.into_boxed_slice())
}

/// Appends an element.
pub fn push<T>(vec: &mut Vec<T>, item: T) -> Result<(), Errno> {
    make_room(vec, 1)?;
    vec.push(item);
    Ok(())
}

/// Appends the elements of a slice.
pub fn extend<T: Copy>(vec: &mut Vec<T>, slice: &[T]) -> Result<(), Errno> {
    make_room(vec, slice.len())?;
    vec.extend_from_slice(slice);
    Ok(())
}

/// Makes a vector `len` elements long by appending what `make` returns; one that is longer stays as it is.
pub fn grow_to<T>(vec: &mut Vec<T>, len: usize, make: impl FnMut() -> T) -> Result<(), Errno> {
    let Some(more) = len.checked_sub(vec.len()) else { return Ok(()) };
    reserve::check(more.saturating_mul(size_of::<T>()))?;
    vec.try_reserve_exact(more).map_err(|_| Errno::ENOMEM)?;
    vec.resize_with(len, make);
    Ok(())
}

/// Sees to it that `more` elements fit without an allocation; a vector that has elements grows by a good part of them.
pub fn make_room<T>(vec: &mut Vec<T>, more: usize) -> Result<(), Errno> {
    if vec.capacity() - vec.len() >= more {
        return Ok(());
    }
    reserve::check(more.saturating_add(vec.len()).saturating_mul(size_of::<T>()))?;
    let outcome = if vec.is_empty() { vec.try_reserve_exact(more) } else { vec.try_reserve(more) };
    outcome.map_err(|_| Errno::ENOMEM)
}

/// A long list in pieces of a page, so that it can be had however small the pieces are that memory is in.
#[derive(Debug)]
pub struct Pieces<T> {
    /// None is empty, and all but the last are full.
    pieces: LinkedList<Vec<T>>,
    len: usize,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: LinkedList::new(), len: 0 }
    }
}

impl<T: Copy> Pieces<T> {
    /// Elements in a piece.
    const PIECE_LEN: usize = PAGE_SIZE / size_of::<T>();

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends elements.
    ///
    /// # Errors
    /// `ENOMEM`: some may have been appended.
    pub fn extend(&mut self, mut items: &[T]) -> Result<(), Errno> {
        while !items.is_empty() {
            let piece = match self.pieces.back_mut() {
                Some(last) if last.len() < Self::PIECE_LEN => last,
                _ => {
                    self.pieces.push_back(vec(Self::PIECE_LEN)?);
                    continue;
                }
            };
            let (now, later) = items.split_at(items.len().min(Self::PIECE_LEN - piece.len()));
            piece.extend_from_slice(now);
            self.len += now.len();
            items = later;
        }
        Ok(())
    }

    /// Appends an element.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn push(&mut self, item: T) -> Result<(), Errno> {
        self.extend(&[item])
    }

    /// Iterates over the elements from the one at `start`, as many at a time as lie together.
    pub fn slices_from(&self, mut start: usize) -> impl Iterator<Item = &[T]> {
        self.pieces.iter().filter_map(move |piece| {
            let skipped = start.min(piece.len());
            start -= skipped;
            Some(&piece[skipped..]).filter(|slice| !slice.is_empty())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hal::sim::Machine;

    #[test]
    fn pieces_keep_the_order_and_lie_in_pages() {
        let mut pieces = Pieces::default();
        let all: Vec<u32> = (0..5000).collect();
        pieces.extend(&all[..1000]).unwrap();
        pieces.extend(&all[1000..4999]).unwrap();
        pieces.push(4999).unwrap();
        assert_eq!(pieces.len(), 5000);
        let lens: Vec<_> = pieces.slices_from(0).map(<[u32]>::len).collect();
        assert_eq!(lens, [1024, 1024, 1024, 1024, 904]);
        for start in [0, 1, 1023, 1024, 2500, 4999, 5000, 9000] {
            let read: Vec<u32> = pieces.slices_from(start).flatten().copied().collect();
            assert_eq!(read, all[start.min(5000)..]);
        }
    }

    #[test]
    fn a_collection_is_refused_when_only_the_reserve_is_left() {
        let machine = Machine::current();
        reserve::check(1).unwrap();
        machine.fail_allocations_after(0);
        assert_eq!(vec::<u8>(1).err(), Some(Errno::ENOMEM));
        assert_eq!(zeroed::<u64>(3).err(), Some(Errno::ENOMEM));
        assert_eq!(boxed(b"abc").err(), Some(Errno::ENOMEM));
        assert_eq!(Pieces::default().push(1u8).err(), Some(Errno::ENOMEM));
        assert_eq!(vec::<u8>(0), Ok(Vec::new()));
        machine.fail_allocations_after(1);
        let mut some = boxed(b"abc").unwrap().into_vec();
        assert_eq!(extend(&mut some, b"d").err(), Some(Errno::ENOMEM));
        assert_eq!(some, b"abc");
        machine.allow_allocations();
        extend(&mut some, b"d").unwrap();
        assert_eq!(collect(some.iter().map(|byte| byte - b'a')).unwrap(), [0, 1, 2, 3]);
        assert_eq!(vec::<u64>(usize::MAX).err(), Some(Errno::ENOMEM));
    }
}
