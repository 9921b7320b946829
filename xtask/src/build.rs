//! `cargo xtask build`: the kernel image.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};

use crate::toolchain::{Choice, TARGET, Toolchain};
use crate::{cmd, link, paths};

/// What the user asked of `build`.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Args {
    /// Build without optimisation, with overflow checks and debug assertions.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Build with optimisation (the default).
    #[arg(long, conflicts_with = "debug")]
    pub(crate) release: bool,
    /// Which compiler to use.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) toolchain: Choice,
    /// Print nothing if there is nothing to do.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Builds the image and prints its path.
pub(crate) fn main(args: &Args) -> Result<()> {
    let image = image(args)?;
    println!("{}", image.display());
    Ok(())
}

/// Builds the image and returns its path; progress goes to standard error.
///
/// # Errors
/// If no toolchain can be had or the code does not compile.
pub(crate) fn image(args: &Args) -> Result<PathBuf> {
    let toolchain = Toolchain::find(args.toolchain)?;
    let profile = if args.debug { "dev" } else { "release" };
    let text = format!("building the kernel ({profile}) with {}", toolchain.describe());
    let mut command = cargo(&toolchain, "build")?;
    command.args(["--profile", profile]);
    if args.quiet {
        cmd::run_patiently(command.arg("--quiet"), &text)?;
    } else {
        cmd::progress(text);
        cmd::run_quietly(&mut command)?;
    }

    let dir = if args.debug { "debug" } else { "release" };
    let image = paths::kernel_target().join(TARGET).join(dir).join("exo-os");
    let size = loaded_size(&image)?;
    if !args.quiet {
        cmd::progress(format!("the image takes {} KiB when loaded", size.div_ceil(1024)));
    }
    Ok(image)
}

/// Returns cargo with a subcommand, set up to compile package `exo-os` for the bare machine.
///
/// # Errors
/// If this program's own path is unknown: it is the linker.
pub(crate) fn cargo(toolchain: &Toolchain, subcommand: &str) -> Result<std::process::Command> {
    let this = std::env::current_exe().context("cannot find xtask's own path")?;
    let flags = toolchain.rustflags();
    let mut command = toolchain.cargo();
    command.current_dir(paths::root()).arg(subcommand);
    command.args(["--package", "exo-os", "--target", TARGET, "--target-dir"]).arg(paths::kernel_target());
    command.arg("--config").arg(config_list("rustflags", &flags));
    command.arg("--config").arg(format!("target.{TARGET}.linker={}", toml_string(&this)));
    command.env(link::LINKER, toolchain.linker());
    Ok(command)
}

/// Returns how many bytes of memory the image takes when loaded, from `__kernel_start` to `__kernel_end`.
///
/// # Errors
/// If the file is no image of this kernel.
pub(crate) fn loaded_size(image: &Path) -> Result<u64> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", image.display()))?;
    let address = |name: &str| file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|s| s.address());
    let (start, end) = address("__kernel_start").zip(address("__kernel_end")).context("no kernel image")?;
    Ok(end - start)
}

fn config_list(key: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| toml_string(Path::new(value))).collect();
    format!("target.{TARGET}.{key}=[{}]", values.join(","))
}

fn toml_string(text: &Path) -> String {
    let text = text.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}
