//! The linker of the kernel image: xtask stands in for it and links twice, so that the image can hold its own
//! symbol table for backtraces.
//!
//! `xtask build` names itself as cargo's linker and passes the real one in the environment. The first link has
//! an empty symbol table; the second has the table of the first. Only symbols of `.text` are in it and
//! nothing behind `.text` can move `.text`, so the addresses of both links agree; this is checked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cmd, symbols};

/// Holds the real linker's path; its presence makes xtask act as the linker.
pub(crate) const LINKER: &str = "EXO_XTASK_LINKER";

/// The name of the file with the symbol table, by which `image/link.ld` finds it among the linker's inputs.
const TABLE_FILE: &str = "exo-kallsyms.bin";

/// Returns whether this process was started by rustc as a linker.
pub(crate) fn is_linker_call() -> bool {
    std::env::var_os(LINKER).is_some()
}

/// Links as the command line says, with the symbol table added.
///
/// # Errors
/// If the real linker fails, or the table does not fit the image.
pub(crate) fn main() -> Result<()> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let output = output_path(&args).context("the linker's command line names no output (-o)")?;

    cmd::run(&mut linker(&args)?)?;
    let first = symbols::read(&output)?;
    let table = symbols::encode(&first)?;
    let dir = output.parent().unwrap_or(Path::new("."));
    let file = dir.join(TABLE_FILE);
    std::fs::write(&file, table).with_context(|| format!("cannot write {}", file.display()))?;

    let mut command = linker(&args)?;
    cmd::run(command.arg("--format=binary").arg(&file).arg("--format=default"))?;
    if symbols::read(&output)? != first {
        bail!("the symbol table moved the code it describes; see image/link.ld");
    }
    Ok(())
}

fn linker(args: &[OsString]) -> Result<Command> {
    let program = PathBuf::from(std::env::var_os(LINKER).context("no linker")?);
    // rustc decides by the linker's name whether to say `-flavor gnu`, and here that name is xtask's.
    let has_flavor = args.first().is_some_and(|arg| arg == "-flavor");
    let mut command = Command::new(&program);
    if program.file_name().is_some_and(|name| name == "rust-lld") {
        command.args(["-flavor", "gnu"]);
    }
    command.args(if has_flavor { args.get(2..).unwrap_or_default() } else { args });
    Ok(command)
}

fn output_path(args: &[OsString]) -> Option<PathBuf> {
    let at = args.iter().position(|arg| arg == "-o")?;
    args.get(at + 1).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_word_behind_o() {
        let args = ["--gc-sections", "-o", "dir/image", "x.o"].map(OsString::from);
        assert_eq!(output_path(&args), Some(PathBuf::from("dir/image")));
        assert_eq!(output_path(&args[..2]), None);
    }
}
