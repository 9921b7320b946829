//! `cargo xtask syscalls`: keeps `docs/syscalls.md`, the page that says which system calls work, as the kernel's table
//! has it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::toolchain::host_cargo;
use crate::{cmd, paths};

/// Writes the page.
pub(crate) fn main() -> Result<()> {
    let page = page();
    let text = text()?;
    std::fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))?;
    println!("{}", page.display());
    Ok(())
}

/// Compares the page with the table.
///
/// # Errors
/// If they differ, or the table cannot be printed.
pub(crate) fn check() -> Result<()> {
    let page = page();
    let kept = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    if kept != text()? {
        bail!("{} is not what the table says; write it anew: cargo xtask syscalls", page.display());
    }
    Ok(())
}

fn page() -> PathBuf {
    paths::root().join("docs/syscalls.md")
}

/// Returns what the page has to hold: the kernel prints it, since it has the table.
fn text() -> Result<String> {
    cmd::capture(host_cargo("run").args([
        "--quiet",
        "--locked",
        "--package",
        "kernel",
        "--example",
        "syscalls",
    ]))
}
