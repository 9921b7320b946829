//! Places in the tree of files, and their names.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::limits::PATH_MAX;

use super::dentry::SHAPE;
use super::{Dentry, Inode, Mount};

/// A place: a dentry seen through a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The dentry.
    pub dentry: Arc<Dentry>,
}

impl PartialEq for Path {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dentry, &other.dentry) && Arc::ptr_eq(&self.mount, &other.mount)
    }
}

impl Eq for Path {}

impl Path {
    /// The inode at this place.
    #[inline]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Puts the name of this place as seen from `root` before `text`: the names, each with `/` before it; `/` for the root
    /// itself. Answers whether the root was met: otherwise the place cannot be reached from there, and the text starts at
    /// the root of its mount tree.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn spell(&self, root: &Self, text: &mut Backwards) -> Result<bool, Errno> {
        let suffix = text.len();
        // Nothing moves while the lock is held, so the names are those of one moment.
        let shape = SHAPE.lock();
        let (mut mount, mut dentry) = (self.mount.clone(), self.dentry.clone());
        let is_reachable = loop {
            if Arc::ptr_eq(&dentry, &root.dentry) && Arc::ptr_eq(&mount, &root.mount) {
                break true;
            }
            if Arc::ptr_eq(&dentry, mount.root()) {
                match mount.mounted_on() {
                    Some(below) => (mount, dentry) = (below.mount, below.dentry),
                    None => break false,
                }
                continue;
            }
            let parent = dentry.with_link(|parent, name| {
                text.push_front(name);
                text.push_front(b"/");
                parent.cloned()
            });
            if text.len() - suffix > PATH_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            match parent {
                Some(parent) => dentry = parent,
                None => break false,
            }
        };
        drop(shape);
        if text.len() == suffix {
            text.push_front(b"/");
        }
        Ok(is_reachable)
    }

    /// Returns the name as `/proc` shows it to a process whose root is `root`: ` (deleted)` behind a name that is
    /// gone.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn display(&self, root: &Self) -> Result<Vec<u8>, Errno> {
        let suffix: &[u8] = if self.dentry.is_removed() { b" (deleted)" } else { b"" };
        let mut text = Backwards::with(suffix);
        self.spell(root, &mut text)?;
        Ok(text.as_bytes().to_vec())
    }
}

/// Text that grows at its front.
pub struct Backwards {
    /// The text is at the end of the one in use: the latter once it is not empty.
    short: [u8; Self::USUAL],
    long: Vec<u8>,
    start: usize,
}

impl Backwards {
    /// Up to this length a text takes no memory of its own.
    const USUAL: usize = 256;

    /// Starts with `text`.
    #[inline]
    pub fn with(text: &[u8]) -> Self {
        let mut backwards = Self { short: [0; Self::USUAL], long: Vec::new(), start: Self::USUAL };
        backwards.push_front(text);
        backwards
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[self.start..] } else { &self.long[self.start..] }
    }

    fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Puts `text` before what is there.
    pub fn push_front(&mut self, text: &[u8]) {
        if text.len() > self.start {
            self.grow(text.len());
        }
        let end = self.start;
        self.start -= text.len();
        let bytes = if self.long.is_empty() { &mut self.short[..] } else { &mut self.long };
        bytes[self.start..end].copy_from_slice(text);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let text = self.as_bytes();
        let start = text.len() + more.max(PATH_MAX);
        let mut larger = alloc::vec![0; start + text.len()];
        larger[start..].copy_from_slice(text);
        (self.long, self.start) = (larger, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_grows_at_its_front() {
        let mut text = Backwards::with(b"");
        assert_eq!(text.as_bytes(), b"");
        let mut expected = Vec::new();
        for n in 0..3000 {
            let piece = alloc::format!("/{n}");
            text.push_front(piece.as_bytes());
            expected.splice(0..0, piece.bytes());
            assert_eq!(text.as_bytes(), expected);
        }
    }
}
