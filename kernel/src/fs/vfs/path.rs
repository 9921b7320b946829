//! Places in the tree of files, and their names.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::limits::PATH_MAX;
use smallvec::SmallVec;

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

/// A path as text, from some root.
pub struct PathText {
    /// The names, each with `/` before it; `/` for the root itself.
    pub text: Backwards,
    /// Whether the root was met: otherwise the place cannot be reached from there, and the text starts at the root of
    /// its mount tree.
    pub is_reachable: bool,
}

impl Path {
    /// The inode at this place.
    #[inline]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Returns the name of this place as seen from `root`, with `suffix` behind it.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn text_from(&self, root: &Self, suffix: &[u8]) -> Result<PathText, Errno> {
        let mut text = Backwards::new();
        text.push_front(suffix);
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
            if text.len() - suffix.len() > PATH_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            match parent {
                Some(parent) => dentry = parent,
                None => break false,
            }
        };
        drop(shape);
        if text.len() == suffix.len() {
            text.push_front(b"/");
        }
        Ok(PathText { text, is_reachable })
    }

    /// Returns the name as `/proc` shows it to a process whose root is `root`: ` (deleted)` behind a name that is
    /// gone.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn display(&self, root: &Self) -> Result<Vec<u8>, Errno> {
        let suffix: &[u8] = if self.dentry.is_removed() { b" (deleted)" } else { b"" };
        Ok(self.text_from(root, suffix)?.text.as_bytes().to_vec())
    }
}

/// Text that grows at its front.
pub struct Backwards {
    /// The text is at the end.
    bytes: SmallVec<[u8; Self::USUAL]>,
    start: usize,
}

impl Backwards {
    /// Up to this length a text takes no memory of its own.
    const USUAL: usize = 256;

    fn new() -> Self {
        Self { bytes: SmallVec::from_elem(0, Self::USUAL), start: Self::USUAL }
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Puts `text` before what is there.
    pub fn push_front(&mut self, text: &[u8]) {
        if text.len() > self.start {
            self.grow(text.len());
        }
        let end = self.start;
        self.start -= text.len();
        self.bytes[self.start..end].copy_from_slice(text);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let len = self.len();
        let mut larger = SmallVec::from_elem(0, 2 * self.bytes.len() + more);
        let start = larger.len() - len;
        larger[start..].copy_from_slice(self.as_bytes());
        (self.bytes, self.start) = (larger, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_grows_at_its_front() {
        let mut text = Backwards::new();
        assert_eq!(text.as_bytes(), b"");
        let mut expected = Vec::new();
        for n in 0..700 {
            let piece = alloc::format!("/{n}");
            text.push_front(piece.as_bytes());
            expected.splice(0..0, piece.bytes());
            assert_eq!(text.as_bytes(), expected);
        }
    }
}
