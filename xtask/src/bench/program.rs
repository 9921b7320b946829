//! The benchmark program: builds it, and packs it into an initial RAM file system.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cpio::Tree;
use crate::packages::{self, Need};
use crate::{cmd, paths, rootfs, toolchain};

/// Where it runs: any Linux, hence Exo-OS.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where it is in the guest.
pub(crate) const GUEST_PATH: &str = "/usr/local/bin/bench";

/// Builds the program and returns its path.
///
/// # Errors
/// If it does not compile.
pub(crate) fn build() -> Result<PathBuf> {
    packages::ensure(&[
        Need::new("cc", "gcc"),
        Need::new("/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev"),
        Need::new("apt-get", "apt"),
    ])?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target_dir = paths::target().join("bench");
    let mut command = toolchain::clean(Path::new(&cargo));
    command.current_dir(paths::root()).args(["build", "--quiet", "--release", "--package", "bench"]);
    command.args(["--target", TARGET, "--target-dir"]).arg(&target_dir);
    // Static at a fixed address: nothing is loaded or relocated before `main`.
    command.arg("--config").arg(format!(
        "target.{TARGET}.rustflags=[\"-Ctarget-feature=+crt-static\",\"-Crelocation-model=static\",\"-Cstrip=symbols\"]"
    ));
    cmd::run_patiently(&mut command, "building the benchmark program")?;
    Ok(target_dir.join(TARGET).join("release/bench"))
}

/// Makes the guest's file system: BusyBox and the program.
///
/// # Errors
/// As for [`build`].
pub(crate) fn tree() -> Result<Tree> {
    let program = build()?;
    let mut tree = rootfs::busybox_tree()?;
    let content = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    tree.file(GUEST_PATH.trim_start_matches('/'), 0o755, content);
    Ok(tree)
}

/// Returns the command that runs the program in the guest, with its files on a tmpfs.
pub(crate) fn guest_command(words: &[String]) -> Vec<OsString> {
    let words: Vec<String> = words.iter().map(|word| cmd::quote(word.as_ref())).collect();
    let script = format!("mount -t tmpfs tmpfs /tmp && exec {GUEST_PATH} {}", words.join(" "));
    ["sh", "-c", &script].map(OsString::from).to_vec()
}

/// Returns the names of all rows that patterns choose, in order: the program says them on this host as well.
///
/// # Errors
/// If it cannot be started here.
pub(crate) fn rows(words: &[String]) -> Result<Vec<String>> {
    let mut command = Command::new(build()?);
    Ok(cmd::capture(command.arg("--list").args(words))?.lines().map(str::to_owned).collect())
}
