//! `cargo xtask linux`: Debian's Linux kernel, to compare with.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages::{self, Need};
use crate::{cmd, paths};

/// Fetches the kernel and prints its path.
pub(crate) fn main() -> Result<()> {
    println!("{}", kernel()?.display());
    Ok(())
}

/// Returns the path of Debian's Linux 6.1 for this processor, fetching it if it is not there yet.
///
/// # Errors
/// If this is not Debian 12, or the package cannot be fetched.
pub(crate) fn kernel() -> Result<PathBuf> {
    let dir = paths::target().join("linux");
    if let Some(kernel) = cached(&dir) {
        return Ok(kernel);
    }
    packages::ensure(&[
        Need::new("apt-cache", "apt"),
        Need::new("dpkg-deb", "dpkg"),
        Need::new("tar", "tar"),
    ])?;
    let package = match resolve() {
        Ok(package) => package,
        Err(_) if packages::is_root() => {
            cmd::progress("refreshing the package lists");
            cmd::run_quietly(Command::new("apt-get").args(["-q", "update"]))?;
            resolve()?
        }
        Err(error) => return Err(error),
    };
    let deb = packages::download(&package, &dir)?;

    let release = package.trim_start_matches("linux-image-");
    let name = format!("vmlinuz-{release}");
    let kernel = dir.join(&name);
    cmd::progress(format!("unpacking {name}"));
    let mut unpack =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&deb).stdout(Stdio::piped()).spawn()?;
    let archive = unpack.stdout.take().context("no pipe")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--strip-components=2", "-C"]).arg(&dir).arg(format!("./boot/{name}")).stdin(archive);
    cmd::run_quietly(&mut tar)?;
    // tar leaves early once it has the one file it wants, so the writer's own status says nothing.
    unpack.wait()?;
    fs::remove_file(&deb).with_context(|| format!("cannot remove {}", deb.display()))?;
    Ok(kernel)
}

fn cached(dir: &std::path::Path) -> Option<PathBuf> {
    let mut kernels: Vec<PathBuf> = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).collect();
    kernels.retain(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-6.1."))
    });
    kernels.sort();
    kernels.pop()
}

/// Returns the one package that Debian's `linux-image-amd64` stands for.
fn resolve() -> Result<String> {
    let text = cmd::capture(Command::new("apt-cache").args(["depends", "linux-image-amd64"]))?;
    match parse_depends(&text) {
        Some(package) if package.starts_with("linux-image-6.1.") => Ok(package),
        Some(package) => bail!("this system has {package}; the comparison is with Linux 6.1 of Debian 12"),
        None => bail!("apt-cache knows no kernel behind linux-image-amd64; try: apt-get update"),
    }
}

fn parse_depends(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let package = line.trim().strip_prefix("Depends: ")?;
        let release = package.strip_prefix("linux-image-")?.strip_suffix("-amd64")?;
        release.starts_with(|c: char| c.is_ascii_digit()).then(|| package.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_behind_the_metapackage_is_found() {
        let text = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Suggests: x\n";
        assert_eq!(parse_depends(text).as_deref(), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(parse_depends("linux-image-amd64\n  Depends: linux-image-cloud-amd64\n"), None);
    }
}
