//! Finds a stable Rust compiler that can build for `x86_64-unknown-none`.
//!
//! In this order: the compiler that runs xtask, if the target's `core` is installed with it; the same after
//! `rustup target add`; Debian's compiler with a `core` built here from its packaged source (see
//! `sysroot`). All three produce the same kind of image from the same flags.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::packages::{self, Need};
use crate::paths;
use crate::{cmd, sysroot};

/// The kernel's target: no operating system, no vector registers.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

/// Which compiler to take.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// The first that works: the active one, then Debian's.
    #[default]
    Auto,
    /// The active one (as a rule rustup's), with the target installed by rustup.
    Rustup,
    /// Debian's packages `rustc-web`, `cargo-web`, `rust-web-src` and `lld`.
    Debian,
}

/// A compiler that can build the kernel, and how to call it.
pub(crate) struct Toolchain {
    cargo: PathBuf,
    /// `None`: whatever cargo takes by itself.
    compiler: Option<Compiler>,
    linker: PathBuf,
    description: String,
}

struct Compiler {
    rustc: PathBuf,
    rustdoc: PathBuf,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Finds a toolchain, installing or building what is missing.
    ///
    /// # Errors
    /// If none can be had; the message says what to install.
    pub(crate) fn find(choice: Choice) -> Result<Self> {
        if choice != Choice::Debian {
            match Self::active() {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) if choice == Choice::Rustup => return Err(error),
                Err(error) => cmd::progress(format!("{error:#}; taking Debian's compiler instead")),
            }
        }
        Self::debian()
    }

    /// Says which compiler this is, for a progress line.
    pub(crate) fn describe(&self) -> &str {
        &self.description
    }

    /// Returns the linker: LLVM's, as `ld.lld` or as rustup's `rust-lld`.
    pub(crate) fn linker(&self) -> &Path {
        &self.linker
    }

    /// Returns cargo, set up for this toolchain and with nothing inherited that would change the build.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = clean(&self.cargo);
        if let Some(compiler) = &self.compiler {
            command.env("RUSTC", &compiler.rustc).env("RUSTDOC", &compiler.rustdoc);
            command.env_remove("RUSTUP_TOOLCHAIN");
            // The compiler's own: cargo run by rustup puts rustup's libraries first.
            command.env_remove("LD_LIBRARY_PATH");
            // `cargo clippy` looks for its parts in PATH, and they must be this compiler's.
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("/usr/bin:{path}")).env_remove("CARGO");
        }
        command
    }

    /// Returns the compiler flags that this toolchain needs beside those of `.cargo/config.toml`.
    pub(crate) fn rustflags(&self) -> Vec<String> {
        let sysroot =
            self.compiler.iter().map(|compiler| format!("--sysroot={}", compiler.sysroot.display()));
        sysroot.collect()
    }

    fn active() -> Result<Self> {
        let version = cmd::capture(Command::new("rustc").arg("--version")).context("no active rustc")?;
        let version = version.trim();
        if version.contains("nightly") || version.contains("beta") {
            bail!("{version} is not stable");
        }
        if !has_target()? {
            if packages::find("rustup").is_none() {
                bail!("{version} has no {TARGET}");
            }
            cmd::progress(format!("adding the bare-metal target: rustup target add {TARGET}"));
            // A missing network must not hang the build: Debian's compiler is the way out.
            let mut command = Command::new("timeout");
            cmd::run_quietly(command.args(["180", "rustup", "target", "add", TARGET]))?;
            if !has_target()? {
                bail!("rustup added no {TARGET}");
            }
        }
        let sysroot = cmd::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
        let host = host_triple(Path::new("rustc"))?;
        let bundled = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
        let linker = if bundled.exists() {
            bundled
        } else {
            packages::ensure(&[Need::new("ld.lld", "lld")])?;
            PathBuf::from("ld.lld")
        };
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        Ok(Self { cargo, compiler: None, linker, description: version.to_owned() })
    }

    fn debian() -> Result<Self> {
        const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/core/src/lib.rs";
        packages::ensure(&[
            Need::new("/usr/bin/rustc", "rustc-web"),
            Need::new("/usr/bin/cargo", "cargo-web"),
            Need::new(LIBRARY, "rust-web-src"),
            Need::new("ld.lld", "lld"),
        ])?;
        let rustc = PathBuf::from("/usr/bin/rustc");
        let mut version = clean(&rustc);
        version.env_remove("LD_LIBRARY_PATH");
        let version = cmd::capture(version.arg("--version"))?;
        let library = Path::new("/usr/lib/rustlib/src/rust/library");
        let sysroot = sysroot::ensure(&rustc, library)?;
        let compiler = Compiler { rustc, rustdoc: PathBuf::from("/usr/bin/rustdoc"), sysroot };
        Ok(Self {
            cargo: PathBuf::from("/usr/bin/cargo"),
            compiler: Some(compiler),
            linker: PathBuf::from("ld.lld"),
            description: format!("Debian's {}", version.trim()),
        })
    }
}

/// Returns cargo with a subcommand, in the workspace, for this host.
pub(crate) fn host_cargo(subcommand: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = clean(Path::new(&cargo));
    command.current_dir(paths::root()).arg(subcommand);
    command
}

/// Returns a command without the variables by which a caller's environment would change what is built.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC",
        "RUSTDOC",
        "RUSTC_BOOTSTRAP",
    ] {
        command.env_remove(name);
    }
    // What the outer cargo says about the xtask package is wrong for anything else.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Returns the host triple of a compiler.
pub(crate) fn host_triple(rustc: &Path) -> Result<String> {
    let text = cmd::capture(clean(rustc).arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("{} -vV names no host", rustc.display()))
}

fn has_target() -> Result<bool> {
    let mut command = Command::new("rustc");
    let dir = cmd::capture(command.args(["--print", "target-libdir", "--target", TARGET]))?;
    let Ok(entries) = std::fs::read_dir(dir.trim()) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}
