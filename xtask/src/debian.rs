//! Root file systems of Debian's own packages, made once for each set of them and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::Need;
use crate::rootfs::{self, RUNNER_DIR, Rootfs};
use crate::{cmd, packages, paths};

/// The release whose packages are taken.
const SUITE: &str = "bookworm";

/// The memory a machine gets unless it is told: the packed and the unpacked files are in it at once for a moment.
pub(crate) const DEFAULT_MEMORY: &str = "2G";

/// What nobody reads on a machine made for one run; it would only fill memory.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"];

/// Process 1: a login shell on the console, then power-off.
const INIT: &str = r#"#!/.exo/busybox sh
# Made by `cargo xtask run --debian`.
box=/.exo/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root
[ "$TERM" ] || export TERM=linux
$box mount -t proc proc /proc
$box mount -t sysfs sysfs /sys
[ -c /dev/null ] || $box mount -t devtmpfs devtmpfs /dev
$box mkdir -p /dev/pts /dev/shm
$box mount -t devpts devpts /dev/pts
$box mount -t tmpfs -o mode=1777 tmpfs /dev/shm
$box mount -t tmpfs -o mode=755 tmpfs /run
$box hostname exo
[ "$LINES" ] && $box stty rows "$LINES" cols "$COLUMNS"
unset LINES COLUMNS
cd /root
$box setsid $box cttyhack bash -l
$box poweroff -f
"#;

/// Opens the root file system with Debian's essential packages and those named, making it first if it is new.
///
/// # Errors
/// If a package does not exist or cannot be fetched, or this user may not make a root file system.
pub(crate) fn open(extra: &[String]) -> Result<Rootfs> {
    let mut rootfs = rootfs::open(Some(&archive(extra)?))?;
    let tree = rootfs.additions();
    tree.file("init", 0o755, INIT);
    tree.file("etc/hostname", 0o644, "exo\n");
    tree.file("etc/hosts", 0o644, "127.0.0.1 localhost exo\n");
    tree.file(&format!("{RUNNER_DIR}/busybox"), 0o755, fs::read(rootfs::busybox()?)?);
    Ok(rootfs)
}

/// Returns the archive of the packages' files, with what their own scripts make of them at installation.
fn archive(extra: &[String]) -> Result<PathBuf> {
    let mut names: Vec<&str> = extra.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(name) = names.iter().find(|name| !is_package_name(name)) {
        bail!("{name:?} is no name of a package");
    }
    let dir = paths::target().join("debian");
    let archive = dir.join(format!("{}.tar", cache_name(&names)));
    if archive.is_file() {
        return Ok(archive);
    }
    packages::ensure(&[Need::new("mmdebstrap", "mmdebstrap")])?;
    fs::create_dir_all(&dir)?;
    let what = if names.is_empty() { String::new() } else { format!(" with {}", names.join(", ")) };
    cmd::progress(format!("making a root file system of Debian's {SUITE}{what} (once, about a minute)"));
    // Under another name until it is whole, so that what was broken off is not taken for it.
    let unfinished = archive.with_extension("unfinished.tar");
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=minbase", "--format=tar", "--aptopt=APT::Install-Recommends \"false\""]);
    command.args(LEFT_OUT.map(|pattern| format!("--dpkgopt=path-exclude={pattern}")));
    if !names.is_empty() {
        command.arg(format!("--include={}", names.join(",")));
    }
    let output = cmd::output(command.arg(SUITE).arg(&unfinished))?;
    if !output.status.success() {
        bail!("{} failed:\n{}", cmd::show(&command), complaints(&String::from_utf8_lossy(&output.stderr)));
    }
    fs::rename(&unfinished, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
    Ok(archive)
}

/// Returns the lines of a report that say what went wrong.
fn complaints(report: &str) -> String {
    let lines: Vec<&str> =
        report.lines().filter(|line| line.starts_with("E: ") || line.starts_with("W: ")).collect();
    if lines.is_empty() { report.to_owned() } else { lines.join("\n") }
}

/// Returns a file name that tells sets of packages apart and can be read where there are few.
fn cache_name(names: &[&str]) -> String {
    if names.is_empty() {
        return SUITE.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    let start: String = names.join("+").chars().take(40).collect();
    format!("{SUITE}-{start}-{:016x}", hasher.finish())
}

/// Whether a package could be called so, by Debian's policy.
fn is_package_name(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_packages_are_told_apart() {
        assert_eq!(cache_name(&[]), "bookworm");
        assert_ne!(cache_name(&["git", "lua5.4"]), cache_name(&["git"]));
        assert_eq!(cache_name(&["git"]), cache_name(&["git"]));
    }

    #[test]
    fn of_a_report_the_complaints_are_kept() {
        assert_eq!(
            complaints("I: start\nE: Unable to locate package x\nmore"),
            "E: Unable to locate package x"
        );
        assert_eq!(complaints("killed"), "killed");
    }

    #[test]
    fn only_names_of_packages_reach_the_command_line() {
        assert!(is_package_name("libstdc++6") && is_package_name("lua5.4"));
        for name in ["", "a", "-x", "a b", "Git", "../git", "a,b"] {
            assert!(!is_package_name(name), "{name}");
        }
    }
}
