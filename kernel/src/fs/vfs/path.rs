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

/// A path as text, from some root.
pub struct PathText {
    /// The names, each with `/` before it; `/` for the root itself.
    pub text: Vec<u8>,
    /// Whether the root was met: otherwise the place cannot be reached from there, and the text starts at the root of
    /// its mount tree.
    pub is_reachable: bool,
    /// Whether the last name is no longer in its directory.
    pub is_removed: bool,
}

impl Path {
    /// The inode at this place.
    #[inline]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Returns the name of this place as seen from `root`.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn text_from(&self, root: &Self) -> Result<PathText, Errno> {
        let is_removed = self.dentry.is_removed();
        let mut names = Reversed { bytes: Vec::new() };
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
                names.push(name)?;
                Ok::<_, Errno>(parent.cloned())
            })?;
            match parent {
                Some(parent) => dentry = parent,
                None => break false,
            }
        };
        drop(shape);
        Ok(PathText { text: names.finish(), is_reachable, is_removed })
    }

    /// Returns the name as `/proc` shows it to a process whose root is `root`: ` (deleted)` behind a name that is
    /// gone.
    ///
    /// # Errors
    /// `ENAMETOOLONG`: more than `PATH_MAX` bytes.
    pub fn display(&self, root: &Self) -> Result<Vec<u8>, Errno> {
        let mut path = self.text_from(root)?;
        if path.is_removed {
            path.text.extend_from_slice(b" (deleted)");
        }
        Ok(path.text)
    }
}

/// Collects the components of a path from the last to the first.
struct Reversed {
    bytes: Vec<u8>,
}

impl Reversed {
    fn push(&mut self, name: &[u8]) -> Result<(), Errno> {
        if self.bytes.len() + name.len() + 1 > PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        self.bytes.extend(name.iter().rev());
        self.bytes.push(b'/');
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        if self.bytes.is_empty() {
            self.bytes.push(b'/');
        }
        self.bytes.reverse();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_out_in_order() {
        let mut names = Reversed { bytes: Vec::new() };
        names.push(b"file.txt").unwrap();
        names.push(b"usr").unwrap();
        assert_eq!(names.finish(), b"/usr/file.txt");
        assert_eq!(Reversed { bytes: Vec::new() }.finish(), b"/");
    }

    #[test]
    fn a_path_longer_than_a_page_is_refused() {
        let mut names = Reversed { bytes: Vec::new() };
        let long = [b'x'; 255];
        for _ in 0..16 {
            names.push(&long).unwrap();
        }
        assert_eq!(names.push(b"y"), Err(Errno::ENAMETOOLONG));
    }
}
