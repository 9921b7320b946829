//! Files that live as long as one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::paths;

/// A file that is removed when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Writes `content` to a new file whose name ends in `suffix`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn new(suffix: &str, content: &[u8]) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = paths::target().join("run");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        remove_stale(&dir);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{}-{number}-{suffix}", std::process::id()));
        let scratch = Self(path);
        fs::write(&scratch.0, content).with_context(|| format!("cannot write {}", scratch.0.display()))?;
        Ok(scratch)
    }

    /// Returns where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next run removes what could not be removed now.
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes the files of processes that are gone: those that were killed could not.
fn remove_stale(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Another process may be doing the same.
            let _ = fs::remove_file(entry.path());
        }
    }
}
