//! Where things are: the workspace, its target directory and the caches below it.

use std::path::{Path, PathBuf};

/// Returns the workspace's root directory.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Returns the directory for everything that can be made again: `target` in the workspace.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Returns cargo's target directory for the bare-metal build, apart so that host artefacts stay valid.
pub(crate) fn kernel_target() -> PathBuf {
    target().join("kernel")
}
