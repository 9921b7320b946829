//! Debian packages: installs what a command needs when it may, else says exactly what to type.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cmd;

/// A file a command needs, and the Debian package that brings it.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// A program's name (looked up in `PATH`) or an absolute path.
    pub(crate) file: &'static str,
    /// The package with that file.
    pub(crate) package: &'static str,
}

impl Need {
    /// Names a needed file and its package.
    pub(crate) const fn new(file: &'static str, package: &'static str) -> Self {
        Self { file, package }
    }

    fn is_met(&self) -> bool {
        find(self.file).is_some()
    }
}

/// Finds a program in `PATH` (and in the administrator's directories), or an absolute path if it exists.
pub(crate) fn find(file: &str) -> Option<PathBuf> {
    if file.starts_with('/') {
        return Some(PathBuf::from(file)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(extra).map(|dir| dir.join(file)).find(|file| file.is_file())
}

/// Makes sure that every needed file is there, by installing the missing packages if this process may.
///
/// # Errors
/// If something is missing and cannot be installed: the message holds the command that would.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let mut missing: Vec<&str> =
        needs.iter().filter(|need| !need.is_met()).map(|need| need.package).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing: {}. On Debian: {by_hand}; here, install what brings these", missing.join(", "));
    }
    if !is_root() {
        bail!("missing: {}. Install with: sudo {by_hand}", missing.join(", "));
    }
    cmd::progress(format!("installing what is missing: {by_hand}"));
    let install = || {
        let mut command = apt_get("install");
        command.args(["-y", "--no-install-recommends"]).args(&missing);
        cmd::run_quietly(&mut command)
    };
    if install().is_err() {
        cmd::progress("that failed; refreshing the package lists and trying again");
        cmd::run_quietly(&mut apt_get("update"))?;
        install()?;
    }
    if let Some(need) = needs.iter().find(|need| !need.is_met()) {
        bail!("package {} is installed, but {} is still not there", need.package, need.file);
    }
    Ok(())
}

/// Downloads one package into `dir` without installing it and returns the file's path.
///
/// # Errors
/// If the package is unknown or cannot be fetched.
pub(crate) fn download(package: &str, dir: &Path) -> Result<PathBuf> {
    ensure(&[Need::new("apt-get", "apt"), Need::new("dpkg-deb", "dpkg")])?;
    std::fs::create_dir_all(dir)?;
    let fetch = || cmd::run_quietly(apt_get("download").arg(package).current_dir(dir));
    cmd::progress(format!("downloading Debian's package {package}"));
    if fetch().is_err() && is_root() {
        cmd::run_quietly(&mut apt_get("update"))?;
        fetch()?;
    }
    let found = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
    });
    found.ok_or_else(|| anyhow::anyhow!("cannot download package {package}; try: apt-get update"))
}

/// Unpacks a package file into `dir`, which is made if it is not there.
///
/// # Errors
/// If the file is damaged or the directory cannot be written.
pub(crate) fn unpack(deb: &Path, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    cmd::run_quietly(Command::new("dpkg-deb").arg("-x").arg(deb).arg(dir))
}

/// Returns whether this process may install packages.
pub(crate) fn is_root() -> bool {
    cmd::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt_get(verb: &str) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").arg(verb).env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_needs_no_package() {
        assert!(find("sh").is_some());
        assert!(find("/bin/sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
        ensure(&[Need::new("sh", "no-such-package")]).expect("sh is there");
    }
}
