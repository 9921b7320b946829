//! Extended attributes kept in memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::xattr::{
    XATTR_CREATE, XATTR_REPLACE, XATTR_SECURITY_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_USER_PREFIX,
};

use crate::memory::fallible;

/// Bytes that names and values of one inode take at most.
const MAX_TOTAL: usize = 128 * 1024;

/// A name and its value.
type Attribute = (Box<[u8]>, Box<[u8]>);

/// Names and values.
pub(super) struct ExtendedAttributes {
    list: Vec<Attribute>,
}

impl ExtendedAttributes {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    pub(super) fn get(&self, name: &[u8]) -> Result<Box<[u8]>, Errno> {
        check_name_space(name)?;
        let known = self.list.iter().find(|known| *known.0 == *name).ok_or(Errno::ENODATA)?;
        fallible::boxed(&known.1)
    }

    pub(super) fn set(&mut self, name: &[u8], value: Option<&[u8]>, flags: u32) -> Result<(), Errno> {
        check_name_space(name)?;
        let index = self.list.iter().position(|known| *known.0 == *name);
        match (index, value) {
            (Some(_), Some(_)) if flags & XATTR_CREATE != 0 => return Err(Errno::EEXIST),
            (None, Some(_)) if flags & XATTR_REPLACE != 0 => return Err(Errno::ENODATA),
            (None, None) => return Err(Errno::ENODATA),
            (Some(index), None) => _ = self.list.remove(index),
            (Some(index), Some(value)) => {
                self.check_room(value.len().saturating_sub(self.list[index].1.len()))?;
                self.list[index].1 = fallible::boxed(value)?;
            }
            (None, Some(value)) => {
                self.check_room(name.len() + value.len())?;
                fallible::push(&mut self.list, (fallible::boxed(name)?, fallible::boxed(value)?))?;
            }
        }
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.list.iter().map(|known| &*known.0)
    }

    fn check_room(&self, more: usize) -> Result<(), Errno> {
        let total: usize = self.list.iter().map(|known| known.0.len() + known.1.len()).sum();
        if total + more > MAX_TOTAL { Err(Errno::ENOSPC) } else { Ok(()) }
    }
}

/// Only attributes of these name spaces can be kept.
fn check_name_space(name: &[u8]) -> Result<(), Errno> {
    let known = [XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_SECURITY_PREFIX];
    if known.iter().any(|prefix| name.starts_with(prefix)) { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_whether_the_attribute_must_exist() {
        let mut attributes = ExtendedAttributes::new();
        assert_eq!(attributes.set(b"user.a", Some(b"1"), XATTR_REPLACE), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"user.a", Some(b"1"), XATTR_CREATE), Ok(()));
        assert_eq!(attributes.set(b"user.a", Some(b"2"), XATTR_CREATE), Err(Errno::EEXIST));
        assert_eq!(attributes.set(b"user.a", Some(b"3"), 0), Ok(()));
        assert_eq!(attributes.get(b"user.a").unwrap()[..], *b"3");
        assert_eq!(attributes.set(b"user.a", None, 0), Ok(()));
        assert_eq!(attributes.get(b"user.a"), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"user.a", None, 0), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"system.x", Some(b""), 0), Err(Errno::EOPNOTSUPP));
    }
}
