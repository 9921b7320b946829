//! Where a process stands in the tree of files: root, working directory, umask; and on whose behalf it acts.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use hal::sync::SpinLock;

use super::Path;
use crate::lock_order;
use crate::process::credentials::Credentials;

/// Root, working directory and umask; shared by threads (`CLONE_FS`).
pub struct FsContext {
    places: SpinLock<Places>,
    umask: AtomicU32,
}

#[derive(Clone)]
struct Places {
    root: Path,
    working: Path,
}

impl FsContext {
    /// Makes a context whose root and working directory are `root`.
    pub fn new(root: Path) -> Arc<Self> {
        let places = Places { working: root.clone(), root };
        Arc::new(Self { places: SpinLock::new(lock_order::FS_CONTEXT, places), umask: AtomicU32::new(0o022) })
    }

    /// Makes a copy that changes on its own (fork).
    pub fn duplicate(&self) -> Arc<Self> {
        let places = self.places.lock().clone();
        let umask = AtomicU32::new(self.umask());
        Arc::new(Self { places: SpinLock::new(lock_order::FS_CONTEXT, places), umask })
    }

    /// The root directory.
    pub fn root(&self) -> Path {
        self.places.lock().root.clone()
    }

    /// The working directory.
    pub fn working_directory(&self) -> Path {
        self.places.lock().working.clone()
    }

    /// Root and working directory of one moment.
    pub fn root_and_working_directory(&self) -> (Path, Path) {
        let places = self.places.lock().clone();
        (places.root, places.working)
    }

    /// Whether `path` is the root directory.
    #[inline]
    pub(super) fn is_root(&self, path: &Path) -> bool {
        self.places.lock().root == *path
    }

    /// Replaces the root directory (chroot).
    pub fn set_root(&self, root: Path) {
        let old = core::mem::replace(&mut self.places.lock().root, root);
        drop(old);
    }

    /// Replaces the working directory (chdir).
    pub fn set_working_directory(&self, working: Path) {
        let old = core::mem::replace(&mut self.places.lock().working, working);
        drop(old);
    }

    /// Replaces root and working directory where they are `old` (pivot_root).
    pub fn replace(&self, old: &Path, new: &Path) {
        let mut freed = (None, None);
        let mut places = self.places.lock();
        if places.root == *old {
            freed.0 = Some(core::mem::replace(&mut places.root, new.clone()));
        }
        if places.working == *old {
            freed.1 = Some(core::mem::replace(&mut places.working, new.clone()));
        }
        drop(places);
    }

    /// Permission bits that new files do not get.
    #[inline]
    pub fn umask(&self) -> u32 {
        self.umask.load(Ordering::Relaxed)
    }

    /// Replaces the umask (only permission bits count) and returns the old one.
    pub fn set_umask(&self, umask: u32) -> u32 {
        self.umask.swap(umask & 0o777, Ordering::Relaxed)
    }
}

/// On whose behalf a path is walked and a file touched.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// Root, working directory, umask.
    pub fs: &'a FsContext,
    /// User, groups, capabilities.
    pub credentials: &'a Credentials,
}

/// Where a relative path starts.
#[derive(Clone, Copy)]
pub enum Base<'a> {
    /// At the working directory (`AT_FDCWD`).
    WorkingDirectory,
    /// At this directory.
    At(&'a Path),
}
